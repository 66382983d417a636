package client

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
)

// patience is how long a write waits for the file's write lock when its
// context does not end it sooner.
const patience = 30 * time.Second

// openWriter opens the connection for own writes: the file's triggers fire on
// it, foreign keys hold whatever the app's other connections say, and a commit
// that returned survives a power cut, as with SQLite's own default.
func openWriter(path string, scoped bool) (*lite.DB, error) {
	w, err := lite.Open(path, lite.Options{Busy: patience})
	if err != nil {
		return nil, err
	}
	settings := "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL"
	if scoped { // what its principal may not read any more must not stay in free pages
		settings += "; PRAGMA secure_delete = ON"
	}
	if err := errors.Join(w.AllowQuotedStrings(), w.Script(settings)); err != nil {
		_ = w.Close()
		return nil, err
	}
	return w, nil
}

// Exec runs one statement as one changeset and returns the number of rows it changed.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (n int64, err error) {
	err = db.Transaction(ctx, func(tx *Tx) error {
		n, err = tx.Exec(sql, args...)
		return err
	})
	return n, err
}

// Tx is a local transaction. It belongs to the goroutine that runs the function.
type Tx struct{ w *lite.DB }

// Transaction runs fn in one local transaction, which becomes one changeset.
// An error of fn, a panic and the end of ctx undo it. fn must not end the
// transaction by SQL.
func (db *DB) Transaction(ctx context.Context, fn func(*Tx) error) error {
	w, err := db.takeWriter(ctx)
	if err != nil {
		return err
	}
	defer func() { db.writer <- w }()
	defer interruptible(ctx, w)()
	tx := &Tx{w: w}
	defer func() { tx.w = nil }()
	if err := w.Transaction(func() error { return marked(ctx, tx, fn) }); err != nil {
		return failure(ctx, "write", err)
	}
	db.notice.poke()
	return nil
}

func (db *DB) takeWriter(ctx context.Context) (*lite.DB, error) {
	if err := firstError(db.broken(), ctx.Err()); err != nil {
		return nil, err
	}
	select {
	case w := <-db.writer:
		if err := db.id.check(); err != nil {
			db.end(err) // a write would go to the old file
		}
		if err := db.broken(); err != nil {
			db.writer <- w
			return nil, err
		}
		return w, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-db.ended.Done():
		return nil, db.broken()
	}
}

// marked runs fn and closes its changeset with a mark in the log.
func marked(ctx context.Context, tx *Tx, fn func(*Tx) error) error {
	first, err := capture.Begin(tx.w)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return err
	}
	if !tx.w.InTransaction() {
		return errEnded
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	seen, err := meta.Int(tx.w, meta.KeySeq)
	if err != nil {
		return err
	}
	m := capture.Mark{First: first, MadeAt: now(), Seen: tidemark.Seq(seen)}
	if _, err := rand.Read(m.Salt[:]); err != nil {
		return err
	}
	_, err = capture.End(tx.w, m)
	return err
}

var errEnded = &tidemark.Error{Code: tidemark.CodeUsage, Op: "write",
	Msg:  "the transaction was ended inside the function",
	Hint: "return an error to undo it; do not run COMMIT or ROLLBACK, nor statements that say ON CONFLICT ROLLBACK"}

var errTxOver = &tidemark.Error{Code: tidemark.CodeUsage, Op: "write", Msg: "the transaction is over"}

// Exec runs one statement inside the transaction and returns the number of
// rows that it changed itself.
func (tx *Tx) Exec(sql string, args ...any) (int64, error) {
	if tx.w == nil {
		return 0, errTxOver
	}
	values, err := valuesOf(args)
	if err != nil {
		return 0, err
	}
	before := tx.w.Conn().TotalChanges()
	if err := tx.w.Run(sql, values...); err != nil {
		if !tx.w.InTransaction() {
			return 0, errors.Join(failure(context.Background(), "write", err), errEnded)
		}
		return 0, failure(context.Background(), "write", err)
	}
	if !tx.w.InTransaction() {
		return 0, errEnded
	}
	if tx.w.Conn().TotalChanges() == before {
		return 0, nil // not a statement that changes rows: Changes tells of an earlier one
	}
	return tx.w.Conn().Changes(), nil
}

// Query reads inside the transaction.
func (tx *Tx) Query(sql string, args ...any) (*Result, error) {
	if tx.w == nil {
		return nil, errTxOver
	}
	values, err := valuesOf(args)
	if err != nil {
		return nil, err
	}
	res, err := query(tx.w, sql, values)
	return res, failure(context.Background(), "query", err)
}

func valuesOf(args []any) ([]tidemark.Value, error) {
	values := make([]tidemark.Value, len(args))
	for i, a := range args {
		v, err := tidemark.ValueOf(a)
		if err != nil {
			return nil, &tidemark.Error{Code: tidemark.CodeUsage, Op: "bind", Err: err}
		}
		values[i] = v
	}
	return values, nil
}
