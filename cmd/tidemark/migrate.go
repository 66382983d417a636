package main

import (
	"io"
	"maps"
	"os"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

type migrateCommand struct {
	File   string `arg:"" help:"A served file."`
	Script string `arg:"" help:"SQL script; - reads standard input."`
}

// Help is shown below the command's one line.
func (migrateCommand) Help() string {
	return `Runs the script in one go with Tidemark's triggers lifted, so that statements which SQLite refuses on a table with triggers work too, and puts them back. New tables and new columns reach the copies with their next sync; a table that changed in any other way stops syncing, and the command says so.

Example:

    echo 'ALTER TABLE Customer ADD COLUMN Phone TEXT;' | tidemark migrate shop.sqlite -`
}

// migrated is what migrate prints with --json.
type migrated struct {
	Path    string            `json:"path"`
	Schema  string            `json:"schema"`
	Added   []string          `json:"added"`
	Widened []string          `json:"widened"`
	Out     map[string]string `json:"out"`
}

// Run migrates.
func (c *migrateCommand) Run(s *shell) error {
	if err := mustBeThere(c.File); err != nil {
		return err
	}
	script, err := c.read(s)
	if err != nil {
		return err
	}
	m, err := sqlite.Migrate(c.File, script)
	if code := tidemark.CodeOf(err); code == tidemark.CodeUsage {
		return &ending{exit: exitError, code: code, msg: err.Error(), hint: "mend the script and run it again"}
	}
	if err != nil {
		return err
	}
	return c.report(s, m)
}

func (c *migrateCommand) read(s *shell) (string, error) {
	if c.Script == "-" {
		b, err := io.ReadAll(s.in)
		return string(b), err
	}
	b, err := os.ReadFile(c.Script)
	return string(b), err
}

func (c *migrateCommand) report(s *shell, m *tidemark.SchemaMove) error {
	d := migrated{Path: c.File, Added: []string{}, Widened: []string{}, Out: map[string]string{}}
	if m != nil {
		d.Added, d.Widened = append(d.Added, m.Added...), append(d.Widened, m.Widened...)
		maps.Copy(d.Out, m.Out)
		if m.Schema != nil {
			d.Schema = m.Schema.Hash
		}
	}
	for _, name := range d.Added {
		s.printf("new table %s syncs from now on\n", name)
	}
	for _, name := range d.Widened {
		s.printf("new columns of %s reach the copies with their next sync\n", name)
	}
	for _, name := range sortedKeys(d.Out) {
		s.printf("%s no longer syncs: %s\n", name, d.Out[name])
	}
	if len(d.Added)+len(d.Widened)+len(d.Out) == 0 {
		s.printf("the script ran; what syncs has not changed\n")
	}
	return s.document(d)
}
