package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sample"
)

type demoCommand struct {
	Dir       string `arg:"" optional:"" default:"demo" help:"Folder for the sample and your copies of it (${default})."`
	Listen    string `default:"127.0.0.1:7420" placeholder:"ADDRESS" help:"Where to listen (${default}); a free port is taken when that one is in use."`
	ReadyFile string `placeholder:"PATH" help:"Write the address to this file once the server listens (for scripts)."`
}

// Help is shown below the command's one line.
func (demoCommand) Help() string {
	return `Makes DIR/shop.sqlite, an invented record shop, unless it is there already, and serves it. To start over remove the folder.

Example:

    tidemark demo`
}

// Run makes the sample and serves it.
func (c *demoCommand) Run(s *shell) error {
	file, err := c.sample(s)
	if err != nil {
		return err
	}
	serving := &serveCommand{Files: []string{file}, Listen: c.Listen, ReadyFile: c.ReadyFile}
	if err := serving.check(); err != nil {
		return err
	}
	l, err := c.listen(s)
	if err != nil {
		return err
	}
	srv, err := serving.open(s)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	serving.guide = c.guide
	if err := serving.announce(s, l.Addr().String(), srv); err != nil {
		return errors.Join(err, l.Close(), srv.Close())
	}
	return serve(s, l, srv)
}

// sample makes the file, unless an earlier run did.
func (c *demoCommand) sample(s *shell) (string, error) {
	file := filepath.Join(c.Dir, "shop.sqlite")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return "", &tidemark.Error{Code: tidemark.CodeUsage, Op: "demo", Err: err, Hint: "give a folder that you can write to: tidemark demo DIR"}
	}
	sum, err := sample.Create(s.ctx, file, sample.Options{})
	if err != nil {
		return "", err
	}
	s.printf("made %s: an invented record shop, %s in %s\n", file, plural(sum.Rows, "row"), plural(sum.Tables, "table"))
	return file, nil
}

func (c *demoCommand) listen(s *shell) (net.Listener, error) {
	l, err := listen(c.Listen)
	if tidemark.CodeOf(err) != tidemark.CodeBusy {
		return l, err
	}
	host, _, _ := net.SplitHostPort(c.Listen)
	s.note("%s is in use, taking a free port", c.Listen)
	return listen(net.JoinHostPort(host, "0"))
}

// guide prints the tour: every line can be pasted into another terminal.
func (c *demoCommand) guide(s *shell, url string) {
	self := quoteArg(os.Args[0])
	a, b := quoteArg(filepath.Join(c.Dir, "a.db")), quoteArg(filepath.Join(c.Dir, "b.db"))
	s.printf("%s", strings.NewReplacer("TM", self, "URL", url, "AA", a, "BB", b, "WRITE", writeCommand(a)).Replace(`
In another terminal, in this folder:

  TM clone URL AA
  TM clone URL BB
  WRITE
  TM sync AA
  TM sync BB
  TM verify BB

A copy is an ordinary SQLite file, sync exchanges what was written into it by
any program, verify proves that it equals the server. To keep one in sync while
you write to another:

  TM sync --watch BB

Ctrl-C stops the server.
`))
}

// writeCommand changes a row with whatever tool this machine has.
func writeCommand(file string) string {
	sql := "UPDATE Track SET Name = 'x' WHERE TrackId = 1"
	if _, err := exec.LookPath("sqlite3"); err == nil {
		return "sqlite3 " + file + " \"" + sql + "\""
	}
	return `python3 -c "import sqlite3; c = sqlite3.connect('` + strings.Trim(file, "'") + `'); c.execute(\"` + sql + `\"); c.commit()"`
}
