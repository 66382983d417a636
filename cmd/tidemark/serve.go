package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/server"
)

type serveCommand struct {
	Files            []string `arg:"" optional:"" name:"file" help:"SQLite files; each becomes the space that is named after it."`
	Listen           string   `default:"127.0.0.1:7420" placeholder:"ADDRESS" help:"Where to listen; port 0 takes a free one (${default})."`
	Dir              string   `placeholder:"DIR" help:"Serve every SQLite file in this folder, each when first asked for."`
	Create           bool     `help:"With --dir: make a space that is asked for and not there. With a file: make it when it is not there."`
	Name             string   `placeholder:"NAME" help:"Name of the space, instead of the file's."`
	AcceptViolations bool     `help:"Serve files although rows in them break their own constraints."`
	Insecure         bool     `name:"insecure-any-address" aliases:"insecure-public" help:"Listen where others can reach it without asking for tokens, although everyone may then read and write."`
	Policies         string   `placeholder:"FILE" help:"The file that declares how edits merge, instead of tidemark.yaml beside each database."`
	Origins          []string `name:"origin" sep:"none" placeholder:"ORIGIN" help:"Let web pages of this origin use the spaces, e.g. https://app.example; may be repeated, * is all."`
	ReadyFile        string   `placeholder:"PATH" help:"Write the address to this file once the server listens (for scripts)."`
	limitFlags
	guardFlags `group:"auth"`
	hookFlags  `group:"hook"`

	guide func(s *shell, url string) // prints what to do next, instead of the usual lines
}

// Help is shown below the command's one line.
func (serveCommand) Help() string {
	return `The file stays an ordinary SQLite database: bookkeeping tables and triggers whose names begin with _tm_ are added, nothing else is touched, and tidemark detach takes them off again. What other programs write into it while it is served syncs like everything else.

How concurrent edits merge is declared in tidemark.yaml beside the file (or shop.tidemark.yaml, for shop.sqlite alone); without one the defaults hold. tidemark check FILE says what holds for every column. SIGHUP reads it again: kill -HUP PID.

Examples:

    tidemark serve shop.sqlite
    tidemark serve shop.sqlite stock.sqlite --listen 127.0.0.1:8080
    tidemark serve --dir /var/lib/spaces
    tidemark serve shop.sqlite --max-changeset 64MiB --max-row 32MiB
    tidemark serve shop.sqlite --listen 0.0.0.0:7420 --auth-secret secret --tls-cert cert.pem --tls-key key.pem

Ctrl-C finishes the running commit and tells the copies to come back later.`
}

// shutdownTime is how long a stopping server waits for what is under way.
const shutdownTime = 10 * time.Second

// Run serves until the context ends.
func (c *serveCommand) Run(s *shell) error {
	if err := c.check(); err != nil {
		return err
	}
	l, err := listen(c.Listen)
	if err != nil {
		return err
	}
	address := l.Addr().String()
	if l, err = c.secured(l); err != nil {
		return err
	}
	srv, err := c.open(s)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	if err := c.announce(s, address, srv); err != nil {
		return errors.Join(err, l.Close(), srv.Close(), c.close())
	}
	s.again = c.guardFlags.reload
	return errors.Join(serve(s, l, srv, srv), c.close())
}

// secured is secure, which closes the listener when there is no TLS to be had.
func (c *serveCommand) secured(l net.Listener) (net.Listener, error) {
	with, err := c.secure(l)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return with, nil
}

func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &tidemark.Error{Code: tidemark.CodeBusy, Msg: address + " is in use by another program",
			Hint: "stop the other server, or take another port: --listen 127.0.0.1:0 takes a free one"}
	case err != nil:
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Msg: "cannot listen on " + address, Err: err,
			Hint: "give an address of this machine, e.g. --listen 127.0.0.1:7420"}
	}
	return l, nil
}

// open opens the server with its files.
func (c *serveCommand) open(s *shell) (*server.Server, error) {
	limits, err := c.limits()
	if err != nil {
		return nil, err
	}
	auth, err := c.auth(s)
	if err != nil {
		return nil, err
	}
	options, err := c.hooked(s, server.Options{Auth: auth, Quota: c.quota(), Dir: c.Dir, Create: c.Create, AcceptViolations: c.AcceptViolations, Policies: c.Policies, AllowOrigins: c.Origins, Limits: limits, Logger: s.log, OnEvent: c.event(s)})
	if err != nil {
		return nil, err
	}
	srv, err := server.New(options)
	if err != nil {
		return nil, err
	}
	for _, path := range c.Files {
		if err := c.add(s, srv, path); err != nil {
			return nil, errors.Join(err, srv.Close())
		}
		if auth != nil {
			noteRuleless(s, path, c.Policies)
		}
	}
	// From here on nobody else tells what happens.
	s.level.Set(min(s.level.Level(), slog.LevelWarn))
	return srv, nil
}

// noteRuleless says that a server which asks for tokens lets nobody write what no
// rule allows.
func noteRuleless(s *shell, path, from string) {
	if config, err := loadPolicies(path, from); err == nil && (config == nil || config.Rules == nil) {
		s.note("%s has no rules: nobody may write it\n  next: declare rules in %s, see docs/guide/rules.md", path, policy.Beside(path))
	}
}

// event adds to the log what a person can do about it.
func (c *serveCommand) event(s *shell) func(server.Event) {
	return func(e server.Event) {
		if e.Kind == server.EventHookFailing {
			hookFailing(s, e)
		}
		if e.Kind != server.EventForeignRejected {
			return
		}
		for _, path := range c.Files {
			if spaceName(path) == e.Space {
				s.note("  next: tidemark rejected %s", quoteArg(path))
			}
		}
	}
}

// add serves one file.
func (c *serveCommand) add(s *shell, srv *server.Server, path string) error {
	name := c.Name
	if name == "" {
		name = spaceName(path)
	}
	if s.terminal && long(path) {
		s.note("reading every row of %s, which may take a while", path)
	}
	return srv.Add(s.ctx, name, path)
}

// long reports whether adopting the file takes longer than one likes to wait in silence.
func long(path string) bool {
	fi, err := os.Stat(path)
	if err != nil || fi.Size() < 16<<20 {
		return false
	}
	role, err := roleOf(path)
	return err == nil && role == ""
}

// spaceName is the name under which a file was served before, or else one made
// of the file's.
func spaceName(path string) string {
	db, role, err := peek(path)
	if err != nil {
		return server.NameOf(path) // opening it says what is wrong
	}
	defer func() { _ = db.Close() }()
	if role == meta.RoleServer {
		if name, err := meta.Get(db, meta.KeySpace); err == nil && name != "" {
			return name
		}
	}
	return server.NameOf(path)
}

// serve answers requests until the context ends or the listener breaks.
func serve(s *shell, l net.Listener, srv *server.Server, h http.Handler) error {
	web := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(l) }()
	if err := untilDone(s, srv, failed); err != nil {
		return errors.Join(fmt.Errorf("serve: %w", err), srv.Close())
	}
	s.note("stopping: finishing the running commit (Ctrl-C again kills)")
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	// Connections that were taken over for WebSocket are srv's to end.
	err := errors.Join(srv.Shutdown(ctx), web.Shutdown(ctx))
	if err != nil {
		return &ending{exit: exitError, code: tidemark.CodeInternal, msg: "stopping: " + err.Error(),
			hint: "nothing that was confirmed is lost; start the server again"}
	}
	return nil
}

// untilDone waits until the context ends, or the listener with an error. SIGHUP
// has the policies read again.
func untilDone(s *shell, srv *server.Server, failed <-chan error) error {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	for {
		select {
		case err := <-failed:
			return err
		case <-s.ctx.Done():
			return nil
		case <-again:
			reload(s, srv)
		}
	}
}

// reload tells on standard error how it went: nobody reads a log otherwise.
func reload(s *shell, srv *server.Server) {
	if s.again != nil {
		if err := s.again(); err != nil {
			_, _ = fmt.Fprintf(s.err, "tidemark: %s: what was in force stays\n", oneLine(err.Error()))
		}
	}
	err := srv.Reload()
	if err == nil {
		s.note("policies read again")
		return
	}
	failed := []error{err}
	var all interface{ Unwrap() []error }
	if errors.As(err, &all) {
		failed = all.Unwrap()
	}
	for _, err := range failed {
		notReloaded(s, err)
	}
}

// notReloaded tells of one space: the others have theirs.
func notReloaded(s *shell, err error) {
	space := ""
	var e *tidemark.Error
	if errors.As(err, &e) && e.Space != "" {
		space = "space " + e.Space
	}
	var ps policy.Problems
	if errors.As(err, &ps) {
		s.problems(unusableFor(space, err), ps)
	} else {
		_, _ = fmt.Fprintf(s.err, "tidemark: %s\n", oneLine(err.Error()))
	}
	_, _ = fmt.Fprintf(s.err, "tidemark: %s: the policies that were in force stay\n", clean(space))
}
