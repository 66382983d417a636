package main

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/store/sqlite"
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

func serverBox(path string) (*box, error) {
	r, err := sqlite.Read(path)
	if err != nil {
		return nil, err
	}
	b := &box{role: meta.RoleServer, schema: r.Schema}
	b.retry = func(context.Context, int64, bool) (int, error) {
		return 0, usageError("a changeset of the server's own file is not retried by Tidemark",
			"write the rows again with the tool that wrote them, then discard the record")
	}
	b.discard = func(_ context.Context, id int64) error { return sqlite.DiscardRejected(path, id) }
	found, err := sqlite.Rejected(path)
	for _, f := range found {
		o := f.Outcome
		b.list = append(b.list, replica.Rejected{ID: f.ID, Seq: o.Seq, Code: o.Code, Message: o.Message,
			Table: o.Table, Key: o.Key, Columns: o.Columns, Changes: f.Changes})
	}
	return b, errors.Join(err, r.Close())
}
