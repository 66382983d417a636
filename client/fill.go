package client

import (
	"context"
	"os"

	"github.com/tidemarkdb/tidemark/internal/lite"
)

// fill brings a fresh copy to the server's head, which also gives it its name,
// and tells what it holds then: the snapshot may be older than the head.
func (c *cloning) fill(ctx context.Context, fresh string) error {
	came := func(ev Event) {
		if ev.Filling > 0 {
			c.o.Progress(Progress{Stage: "rows", Rows: ev.Filling})
		}
	}
	db, err := Open(fresh, Options{HTTP: c.o.HTTP, Token: c.o.Token, OnEvent: came})
	if err != nil {
		return err
	}
	rows := int64(0)
	if _, err = db.Sync(ctx); err == nil {
		rows, err = db.rows(ctx)
	}
	if err = firstError(err, db.Close()); err != nil {
		return err
	}
	info, err := os.Stat(fresh)
	if err != nil {
		return err
	}
	c.o.Progress(Progress{Stage: "install", Bytes: info.Size(), Total: info.Size(), Rows: rows})
	return nil
}

// rows counts the rows of the synced tables.
func (db *DB) rows(ctx context.Context) (n int64, err error) {
	schema := db.Schema()
	err = db.read(ctx, func(c *lite.DB) error {
		for _, t := range schema.Tables {
			if t.Out != "" {
				continue
			}
			some, err := c.Int("SELECT count(*) FROM main." + lite.Quote(t.Name))
			if err != nil {
				return err
			}
			n += some
		}
		return nil
	})
	return n, err
}
