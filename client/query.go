package client

import (
	"context"
	"errors"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// maxReaders bounds the connections for reading.
const maxReaders = 4

// Result is the result of a query.
type Result struct {
	Columns []string
	Rows    [][]tidemark.Value

	// Left is given to live queries: how many rows of the tables that the query
	// reads left this copy since the result before, by table. They were not
	// deleted: their scope is not granted any more, is not taken any more, or they
	// went over into one that is not here. Nil when none did.
	Left map[string]int64
}

// equal reports whether two results are the same, order included.
func (r *Result) equal(o *Result) bool {
	return o != nil && slices.Equal(r.Columns, o.Columns) &&
		slices.EqualFunc(r.Rows, o.Rows, func(a, b []tidemark.Value) bool { return slices.Equal(a, b) })
}

// Query reads from the local file. It cannot write.
func (db *DB) Query(ctx context.Context, sql string, args ...any) (*Result, error) {
	values, err := valuesOf(args)
	if err != nil {
		return nil, err
	}
	var res *Result
	err = db.read(ctx, func(c *lite.DB) error {
		res, err = query(c, sql, values)
		return err
	})
	return res, err
}

// read runs fn with a connection for reading that ctx interrupts.
func (db *DB) read(ctx context.Context, fn func(*lite.DB) error) error {
	c, err := db.readers.take(ctx, db.ended)
	if err != nil {
		return err
	}
	defer db.readers.give(c)
	defer interruptible(ctx, c)()
	return failure(ctx, "query", fn(c))
}

func query(c *lite.DB, sql string, args []tidemark.Value) (*Result, error) {
	res := &Result{Rows: [][]tidemark.Value{}}
	s, err := c.Prepare(sql)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Reset() }()
	if err := s.BindAll(args...); err != nil {
		return nil, err
	}
	for i := range s.Columns() {
		res.Columns = append(res.Columns, s.ColumnName(i))
	}
	for s.Step() {
		res.Rows = append(res.Rows, s.Row(0))
	}
	return res, s.Err()
}

// readers is a pool of connections that cannot write.
type readers struct {
	path  string
	slots chan *lite.DB // nil: one that is not open yet
}

func newReaders(path string) *readers {
	p := &readers{path: path, slots: make(chan *lite.DB, maxReaders)}
	for range maxReaders {
		p.slots <- nil
	}
	return p
}

func (p *readers) take(ctx, ended context.Context) (*lite.DB, error) {
	if err := firstError(context.Cause(ended), ctx.Err()); err != nil {
		return nil, err
	}
	select {
	case c := <-p.slots:
		if c != nil {
			return c, nil
		}
		c, err := openReader(p.path)
		if err != nil {
			p.slots <- nil
			return nil, failure(ctx, "query", err)
		}
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-ended.Done():
		return nil, context.Cause(ended)
	}
}

func (p *readers) give(c *lite.DB) { p.slots <- c }

// close waits for running queries and closes every connection.
func (p *readers) close(replaced error) error {
	var first error
	for range maxReaders {
		if c := <-p.slots; c != nil {
			first = firstError(first, leave(c, replaced))
		}
	}
	return first
}

// openReader opens for writing too, because only such a connection may build
// the shared memory of the write-ahead log; query_only keeps it from writing.
func openReader(path string) (*lite.DB, error) {
	c, err := lite.Open(path, lite.Options{})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(c.AllowQuotedStrings(), c.Run("PRAGMA query_only = ON")); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}
