package main

import (
	"os"
	"path/filepath"

	"github.com/tidemarkdb/tidemark/client"
)

type cloneCommand struct {
	URL      string `arg:"" help:"Address of the space, e.g. http://127.0.0.1:7420/shop."`
	File     string `arg:"" help:"Path of the copy to make; must not be there yet."`
	ReadOnly bool   `help:"Make a copy that refuses every local write."`
	tokenFlags
}

// Help is shown below the command's one line.
func (cloneCommand) Help() string {
	return `The copy is an ordinary SQLite file: read and write it with any program, online or offline; tidemark sync exchanges what was written. A clone that was interrupted goes on where it was when the same command is given again.

Example:

    tidemark clone http://127.0.0.1:7420/shop shop.db
    sqlite3 shop.db 'SELECT count(*) FROM Customer'`
}

// cloned is what clone prints with --json.
type cloned struct {
	Path     string `json:"path"`
	Space    string `json:"space"`
	Server   string `json:"server"`
	Seq      int64  `json:"seq"`
	Rows     int64  `json:"rows"`
	Bytes    int64  `json:"bytes"`
	ReadOnly bool   `json:"read_only"`
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
	s.printf("%s: %s, %s, a copy of %s at seq %d\n", c.File, plural(last.Rows, "row"), size(last.Bytes), st.Space, st.Seq)
	do := "Write to it with any SQLite tool, then:"
	if c.ReadOnly {
		do = "Read it with any SQLite tool. To fetch what is new:"
	}
	s.printf("\n%s\n  tidemark sync %s\n", do, quoteArg(c.File))
	return s.document(cloned{c.File, st.Space, st.Server, int64(st.Seq), last.Rows, last.Bytes, c.ReadOnly})
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
	err := client.Clone(s.ctx, c.URL, c.File, client.CloneOptions{ReadOnly: c.ReadOnly, Token: c.source(), Progress: func(p client.Progress) {
		last = p
		if s.terminal && !s.json {
			b.show(p)
		}
	}})
	b.clear()
	return last, err
}

// resumable tells after Ctrl-C that what was fetched is kept.
func (s *shell) resumable(err error) error {
	if s.ctx.Err() == nil {
		return err
	}
	return &ending{exit: exitInterrupted, code: "interrupted", msg: "interrupted", hint: "the same command goes on where it stopped"}
}
