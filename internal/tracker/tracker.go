// Package tracker makes the two databases of the demo, and the files beside
// them that declare how edits merge: a project tracker with invented people
// and tasks, and the lab's small one.
package tracker

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// Space is one of the two.
type Space struct {
	Name     string
	About    string // for people, behind the file's name
	newest   string // a table that no earlier version made
	sql      []string
	policies string
}

var (
	//go:embed tracker.sql
	trackerSQL string
	//go:embed seed.sql
	seedSQL string
	//go:embed tracker.yaml
	trackerPolicies string
	//go:embed lab.sql
	labSQL string
	//go:embed lab.yaml
	labPolicies string
)

// Lab is the name of the space that everybody sees all of.
const Lab = "lab"

// People are the keys of those who can be chosen on the page, by which rules and
// scopes know them.
var People = []string{"ana", "ben", "chloe", "dev"}

// Spaces are those of the demo, the tracker first.
var Spaces = []Space{
	{Name: "tracker", About: "a project tracker with invented tasks", newest: "person", sql: []string{trackerSQL, seedSQL}, policies: trackerPolicies},
	{Name: Lab, About: "what the lab plays with", newest: "booking", sql: []string{labSQL}, policies: labPolicies},
}

// Path is where the space's file is in a folder.
func (s Space) Path(dir string) string { return filepath.Join(dir, s.Name+".sqlite") }

// Create makes the file and its policies in a folder, and reports whether it
// did: what is there already stays as it is.
func (s Space) Create(ctx context.Context, dir string) (bool, error) {
	path := s.Path(dir)
	switch _, err := os.Stat(path); {
	case err == nil:
		return false, s.known(path)
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	if err := s.declare(dir); err != nil {
		return false, err
	}
	// Filled beside and renamed, so that a file that is there is whole.
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, unwritable(err)
	}
	if err := s.fill(ctx, part); err != nil {
		_ = os.Remove(part)
		return false, err
	}
	return true, os.Rename(part, path)
}

// known refuses a file that an earlier version made, with other tables than
// those that the page asks for.
func (s Space) known(path string) (err error) {
	db, err := lite.Open(path, lite.Options{ReadOnly: true})
	if err != nil {
		return nil // serving it says what is wrong
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	n, err := db.Int("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?", tidemark.Text(s.newest))
	if err == nil && n == 0 {
		err = &tidemark.Error{Code: tidemark.CodeUsage, Op: "demo", Msg: path + " is of another version of the demo",
			Hint: "remove the folder, or give another one: tidemark demo DIR"}
	}
	return err
}

// declare writes the policies, unless somebody has written others.
func (s Space) declare(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, s.Name+".tidemark.yaml"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return unwritable(err)
	}
	_, err = f.WriteString(s.policies)
	return errors.Join(err, f.Close())
}

func unwritable(err error) error {
	return &tidemark.Error{Code: tidemark.CodeUsage, Op: "demo", Err: err, Hint: "give a folder that you can write to: tidemark demo DIR"}
}

func (s Space) fill(ctx context.Context, path string) (err error) {
	db, err := lite.Open(path, lite.Options{Create: true})
	if err != nil {
		return unwritable(err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetContext(ctx)
	if err := db.Transaction(func() error { return db.Script(strings.Join(s.sql, "\n")) }); err != nil {
		return fmt.Errorf("demo: %s: %w", s.Name, err)
	}
	return nil
}
