package main

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/page"
	"github.com/tidemarkdb/tidemark/internal/token"
	"github.com/tidemarkdb/tidemark/internal/tracker"
	"github.com/tidemarkdb/tidemark/server"
)

type demoCommand struct {
	Dir       string `arg:"" optional:"" default:"demo" help:"Folder for the databases and your copies of them (${default})."`
	Listen    string `default:"127.0.0.1:7420" placeholder:"ADDRESS" help:"Where to listen (${default}); a free port is taken when that one is in use."`
	ReadyFile string `placeholder:"PATH" help:"Write the address to this file once the server listens (for scripts)."`
}

// Help is shown below the command's one line.
func (demoCommand) Help() string {
	return `Makes two databases in DIR, unless they are there already, and serves them together with a page to open in a browser: DIR/tracker.sqlite, a project tracker, and DIR/lab.sqlite, with which the page shows what happens when several people edit the same row offline. Who may see and write what, and how edits merge, is declared in the two YAML files beside them. To start over remove the folder.

The server asks for tokens, signed with DIR/secret. The page gets one for whichever of the invented people the visitor chooses to be, so the demo is reachable from this machine alone.

Example:

    tidemark demo`
}

// Run makes the databases and serves them.
func (c *demoCommand) Run(s *shell) error {
	if !loopback(c.Listen) {
		return usageError("the demo lets everybody be anyone of its people, and others can reach "+c.Listen,
			"listen on this machine alone, e.g. --listen 127.0.0.1:7420; for others: tidemark serve, with tokens")
	}
	files, err := c.files(s)
	if err != nil {
		return err
	}
	secret, err := c.secret()
	if err != nil {
		return err
	}
	serving := &serveCommand{Files: files, Listen: c.Listen, ReadyFile: c.ReadyFile,
		guardFlags: guardFlags{Secrets: []string{c.secretPath()}, Leeway: token.DefaultLeeway}}
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
	serving.guide = func(s *shell, _ string) { c.guide(s, "http://"+l.Addr().String()) }
	if err := serving.announce(s, l.Addr().String(), srv); err != nil {
		return errors.Join(err, l.Close(), srv.Close(), serving.close())
	}
	return errors.Join(serve(s, l, srv, c.handler(s, srv, secret)), serving.close())
}

// handler puts the page, and what it needs beside the product's own API, before the server.
func (c *demoCommand) handler(s *shell, srv *server.Server, secret []byte) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /demo/log", ownPage(&logFeed{srv: srv, space: tracker.Lab, ctx: s.ctx}))
	mux.Handle("POST /demo/token", ownPage(&tokenDesk{secret: secret}))
	mux.Handle("/", page.Handler(srv))
	if !page.Built() {
		mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, noPage, http.StatusNotFound)
		})
	}
	return mux
}

const noPage = "This binary was built without the page. To have it, run in the source tree: make run (needs Node 20 or newer)"

// files makes the databases, unless an earlier run did.
func (c *demoCommand) files(s *shell) ([]string, error) {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Op: "demo", Err: err, Hint: "give a folder that you can write to: tidemark demo DIR"}
	}
	var files []string
	for _, space := range tracker.Spaces {
		made, err := space.Create(s.ctx, c.Dir)
		if err != nil {
			return nil, err
		}
		if made {
			s.printf("made %s: %s\n", space.Path(c.Dir), space.About)
		}
		files = append(files, space.Path(c.Dir))
	}
	return files, nil
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
	if page.Built() {
		s.printf("\nOpen in a browser:\n\n  %s\n", url)
	} else {
		s.printf("\n%s\n", noPage)
	}
	served, copied := filepath.Join(c.Dir, "tracker.sqlite"), quoteArg(filepath.Join(c.Dir, "copy.db"))
	s.printf("%s", strings.NewReplacer("TM", quoteArg(os.Args[0]), "URL", url+"/tracker", "COPY", copied,
		"SECRET", quoteArg(c.secretPath()), "TOKEN", quoteArg(filepath.Join(c.Dir, "ana.token")),
		"INSERT", writeCommand(served, "INSERT INTO task (board_id, title) VALUES ('opening', 'Written by hand')"),
		"VOTE", writeCommand(filepath.Join(c.Dir, "copy.db"), "UPDATE task SET votes = votes + 1")).Replace(`
In another terminal, in this folder: write into the database while it is
served, and the page follows at once.

  INSERT

Or make a copy for Ana, with the boards that she is on, write into that with
any program, and sync it.

  TM token issue --sub ana --key SECRET > TOKEN
  TM clone URL COPY --token-file TOKEN
  VOTE
  TM sync COPY --token-file TOKEN
  TM verify COPY --token-file TOKEN

Ctrl-C stops the server.
`))
}

// writeCommand runs a statement with whatever tool this machine has.
func writeCommand(file, sql string) string {
	if _, err := exec.LookPath("sqlite3"); err == nil {
		return "sqlite3 " + quoteArg(file) + " \"" + sql + "\""
	}
	return `python3 -c "import sqlite3; c = sqlite3.connect('` + file + `'); c.execute(\"` + sql + `\"); c.commit()"`
}
