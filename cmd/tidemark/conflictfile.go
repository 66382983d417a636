package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/conflict"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// conflictFile reads and resolves the conflicts of a file of either role.
type conflictFile struct {
	replica bool
	list    func(context.Context, client.ConflictFilter) ([]client.Conflict, error)
	resolve func(ctx context.Context, id string, choice client.Choice) (*client.Resolved, error)
	restore func(ctx context.Context, id string) (*client.Resolved, error)
}

func openConflicts(path string) (*conflictFile, error) {
	role, err := roleOf(path)
	switch {
	case err != nil:
		return nil, err
	case role == meta.RoleServer:
		return servedConflicts(path), nil
	case role == meta.RoleReplica:
		return copiedConflicts(path), nil
	}
	return nil, notAdopted(path)
}

func copiedConflicts(path string) *conflictFile {
	return &conflictFile{
		replica: true,
		list: func(ctx context.Context, f client.ConflictFilter) (list []client.Conflict, err error) {
			err = withReplica(path, client.Options{}, func(db *client.DB) error { list, err = db.Conflicts(ctx, f); return err })
			return list, err
		},
		resolve: func(ctx context.Context, id string, choice client.Choice) (res *client.Resolved, err error) {
			err = withReplica(path, client.Options{}, func(db *client.DB) error { res, err = db.Resolve(ctx, id, choice); return err })
			return res, err
		},
		restore: func(ctx context.Context, id string) (res *client.Resolved, err error) {
			err = withReplica(path, client.Options{}, func(db *client.DB) error { res, err = db.RestoreLoser(ctx, id); return err })
			return res, err
		},
	}
}

// servedConflicts writes as any program may write into a served file: the
// file's triggers capture it, and the server sequences it.
func servedConflicts(path string) *conflictFile {
	return &conflictFile{
		list: func(ctx context.Context, f client.ConflictFilter) (list []client.Conflict, err error) {
			err = withFile(ctx, path, lite.Options{ReadOnly: true}, func(db *lite.DB) error {
				return db.View(func() error { list, err = conflict.List(db, f); return err })
			})
			return list, err
		},
		resolve: func(ctx context.Context, id string, choice client.Choice) (*client.Resolved, error) {
			return decideServed(ctx, path, func(db *lite.DB, s *tidemark.Schema) (*client.Resolved, error) {
				return conflict.Resolve(db, s, id, choice)
			})
		},
		restore: func(ctx context.Context, id string) (*client.Resolved, error) {
			return decideServed(ctx, path, func(db *lite.DB, s *tidemark.Schema) (*client.Resolved, error) {
				return conflict.Restore(db, s, id)
			})
		},
	}
}

// lockPatience is how long a write waits for the server's lock.
const lockPatience = 30 * time.Second

func decideServed(ctx context.Context, path string, fn func(*lite.DB, *tidemark.Schema) (*client.Resolved, error)) (res *client.Resolved, err error) {
	r, err := sqlite.Read(path)
	if err != nil {
		return nil, err
	}
	schema := r.Schema
	if err := r.Close(); err != nil {
		return nil, err
	}
	err = withFile(ctx, path, lite.Options{Busy: lockPatience}, func(db *lite.DB) error {
		if err := db.Script("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL"); err != nil {
			return err
		}
		return db.Transaction(func() error { res, err = fn(db, schema); return err })
	})
	return res, err
}

// withFile opens a file with the driver, runs fn on it and closes it.
func withFile(ctx context.Context, path string, o lite.Options, fn func(*lite.DB) error) error {
	db, err := lite.Open(path, o)
	if err != nil {
		return err
	}
	db.SetContext(ctx)
	err = fn(db)
	db.SetContext(context.Background())
	if v := lite.Violation(err); v != nil && tidemark.CodeOf(err) == "" {
		err = v
	}
	if lite.Busy(err) {
		err = &tidemark.Error{Code: tidemark.CodeBusy, Err: err}
	}
	return errors.Join(err, db.Close())
}

// openCount counts the conflicts of a file that wait for a decision.
func openCount(ctx context.Context, path string) (n int, err error) {
	err = withFile(ctx, path, lite.Options{ReadOnly: true}, func(db *lite.DB) error {
		n, err = conflict.Count(db, tidemark.StateOpen)
		return err
	})
	return n, err
}

// recorded reports whether a copy has conflicts of a table that changesets met others in: some tables keep none.
func recorded(ctx context.Context, path string, settled []tidemark.Outcome) bool {
	met := map[string]bool{}
	for _, o := range settled {
		for _, c := range slices.Concat(o.Lost, o.Over) {
			met[c.Table] = true
		}
	}
	found := false
	err := withFile(ctx, path, lite.Options{ReadOnly: true}, func(db *lite.DB) error {
		return db.Each("SELECT DISTINCT tbl FROM main."+tidemark.ConflictsTable, func(row *lite.Stmt) error {
			found = found || met[row.Text(0)]
			return nil
		})
	})
	return found || err != nil
}
