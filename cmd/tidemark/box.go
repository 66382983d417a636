package main

import (
	"context"
	"crypto/rand"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

// random is the source of salts and names.
var random = rand.Reader

// box holds the rejected changesets of a file of either role.
type box struct {
	role    string
	list    []replica.Rejected
	schema  *tidemark.Schema
	retry   func(ctx context.Context, id int64, apart bool) (int, error)
	discard func(ctx context.Context, id int64) error
}

func openBox(path string) (*box, error) {
	role, err := roleOf(path)
	switch {
	case err != nil:
		return nil, err
	case role == meta.RoleServer:
		return serverBox(path)
	case role == meta.RoleReplica:
		return replicaBox(path)
	}
	return nil, notAdopted(path)
}

func replicaBox(path string) (b *box, err error) {
	b = &box{role: meta.RoleReplica}
	b.retry = func(ctx context.Context, id int64, apart bool) (n int, err error) {
		err = withReplica(path, client.Options{}, func(db *client.DB) error {
			n, err = db.Retry(ctx, id, apart)
			return err
		})
		return n, err
	}
	b.discard = func(ctx context.Context, id int64) error {
		return withReplica(path, client.Options{}, func(db *client.DB) error { return db.Discard(ctx, id) })
	}
	return b, withReplica(path, client.Options{}, func(db *client.DB) error {
		b.schema = db.Schema()
		b.list, err = db.Rejected()
		return err
	})
}
