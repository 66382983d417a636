package main

import (
	"os"
	"path/filepath"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
)

type cloneCommand struct {
	URL      string   `arg:"" help:"Address of the space, e.g. http://127.0.0.1:7420/shop."`
	File     string   `arg:"" help:"Path of the copy to make; must not be there yet."`
	ReadOnly bool     `help:"Make a copy that refuses every local write."`
	Scopes   []string `name:"scope" sep:"none" placeholder:"SCOPE" help:"Take only this part of the space, like project/42, of what you are granted; may be repeated."`
	tokenFlags
}

// Help is shown below the command's one line.
func (cloneCommand) Help() string {
	return `The copy is an ordinary SQLite file: read and write it with any program, online or offline; tidemark sync exchanges what was written. A clone that was interrupted goes on where it was when the same command is given again.

Where the space declares scopes, the copy holds those that you are granted, or with --scope those of them that are named; tidemark scopes shows and changes that. When one that is named is not granted the copy is made all the same, and the exit code is 6.

Examples:

    tidemark clone http://127.0.0.1:7420/shop shop.db
    sqlite3 shop.db 'SELECT count(*) FROM Customer'
    tidemark clone http://127.0.0.1:7420/tracker site.db --scope project/site`
}

// cloned is what clone prints with --json.
type cloned struct {
	Path     string         `json:"path"`
	Space    string         `json:"space"`
	Server   string         `json:"server"`
	Seq      int64          `json:"seq"`
	Rows     int64          `json:"rows"`
	Bytes    int64          `json:"bytes"`
	ReadOnly bool           `json:"read_only"`
	Scopes   []client.Scope `json:"scopes,omitempty"`
	Loose    []string       `json:"loose,omitempty"` // foreign keys that the copy goes without
}

// Run makes the copy.
func (c *cloneCommand) Run(s *shell) error {
	if err := c.check(); err != nil {
		return err
	}
	last, err := c.clone(s)
	if err != nil {
		return s.resumable(err)
	}
	st, err := statusOf(c.File)
	if err != nil {
		return err
	}
	held, err := partOf(c.File)
	if err != nil {
		return err
	}
	s.printf("%s: %s, %s, a copy of %s at seq %d\n", c.File, plural(last.Rows, "row"), size(last.Bytes), st.Space, st.Seq)
	held.print(s, st)
	do := "Write to it with any SQLite tool, then:"
	if c.ReadOnly {
		do = "Read it with any SQLite tool. To fetch what is new:"
	}
	s.printf("\n%s\n  tidemark sync %s\n", do, quoteArg(c.File))
	err = s.document(cloned{c.File, st.Space, st.Server, int64(st.Seq), last.Rows, last.Bytes, c.ReadOnly, held.scopes, loosened(held.schema)})
	if err != nil {
		return err
	}
	return missing(held.schema, c.File, held.scopes, c.Scopes)
}

// part is what of a space a copy holds.
type part struct {
	schema *tidemark.Schema
	scopes []client.Scope
}

func partOf(path string) (p part, err error) {
	err = withReplica(path, client.Options{}, func(db *client.DB) error {
		p.schema = db.Schema()
		p.scopes, err = db.Scopes()
		return err
	})
	return p, err
}

func (p part) print(s *shell, st client.Status) {
	if !p.schema.Scoped() {
		return
	}
	s.printf("  scopes: %s\n", clean(scopesText(p.scopes, st)))
	for _, fk := range loosened(p.schema) {
		s.printf("  without the foreign key of %s: it may hold a row and not the one that it refers to\n", fk)
	}
}

// check looks for the folder before anything is fetched.
func (c *cloneCommand) check() error {
	dir := filepath.Dir(c.File)
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return usageError("there is no folder "+dir, "make it first: mkdir -p "+quoteArg(dir))
	}
	return nil
}

func (c *cloneCommand) clone(s *shell) (client.Progress, error) {
	var last client.Progress
	b := &bar{w: s.err}
	err := client.Clone(s.ctx, c.URL, c.File, client.CloneOptions{ReadOnly: c.ReadOnly, Scopes: c.wants(), Token: c.source(), Progress: func(p client.Progress) {
		last = p
		if s.terminal && !s.json {
			b.show(p)
		}
	}})
	b.clear()
	return last, err
}

func (c *cloneCommand) wants() (list []client.Want) {
	for _, name := range c.Scopes {
		list = append(list, client.Want{Scope: name})
	}
	return list
}

// resumable tells after Ctrl-C that what was fetched is kept.
func (s *shell) resumable(err error) error {
	if s.ctx.Err() == nil {
		return err
	}
	return &ending{exit: exitInterrupted, code: "interrupted", msg: "interrupted", hint: "the same command goes on where it stopped"}
}
