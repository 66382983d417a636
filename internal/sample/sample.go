// Package sample makes a database to try things on: an invented record shop
// with artists, albums, tracks, playlists, customers and invoices. Every name
// in it is put together from word lists by a seeded generator, so one seed
// always gives the same rows, and none of it is anybody's data.
//
// The schema has what real databases have: references with actions, unique
// and CHECK constraints, a composite key, a table without rowid, indexes, a
// view, and triggers that write other tables.
package sample

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// Options of Create. The zero value works.
type Options struct {
	Seed   uint64 // default 1
	Tracks int    // how many tracks, which everything else follows; default 2000, at least 10
}

// Summary says what was made.
type Summary struct {
	Path   string `json:"path"`
	Seed   uint64 `json:"seed"`
	Tables int    `json:"tables"`
	Rows   int64  `json:"rows"`
}

// maxTracks keeps a mistyped number from filling the disk.
const maxTracks = 10_000_000

// Create makes the file at path. It never touches a file that is there already.
func Create(ctx context.Context, path string, o Options) (*Summary, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	if err := reserve(path); err != nil {
		return nil, err
	}
	sum, err := fill(ctx, path, o)
	if err != nil {
		_ = os.Remove(path) // half a sample is worse than none
		return nil, err
	}
	return sum, nil
}

func (o Options) complete() (Options, error) {
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Tracks == 0 {
		o.Tracks = 2000
	}
	if o.Tracks < 10 || o.Tracks > maxTracks {
		return o, &tidemark.Error{Code: tidemark.CodeUsage, Op: "sample",
			Msg: fmt.Sprintf("%d tracks cannot be made; 10 to %d can", o.Tracks, maxTracks)}
	}
	return o, nil
}

// reserve creates the empty file, so that two makers cannot share a path.
func reserve(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return &tidemark.Error{Code: tidemark.CodeExists, Op: "sample",
			Msg: path + " is there already", Hint: "give another path, or remove the file first"}
	}
	if err != nil {
		return &tidemark.Error{Code: tidemark.CodeUsage, Op: "sample", Err: err, Hint: "give a path in a folder that you can write to"}
	}
	return f.Close()
}

func fill(ctx context.Context, path string, o Options) (sum *Summary, err error) {
	db, err := lite.Open(path, lite.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetContext(ctx)
	m := &maker{db: db, rng: rand.New(rand.NewPCG(o.Seed, 0x7469646d61726b)), used: map[string]bool{}}
	if err := db.Transaction(func() error { return m.all(o.Tracks) }); err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	return &Summary{Path: path, Seed: o.Seed, Tables: len(tables), Rows: m.rows}, nil
}
