package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/server"
	"github.com/tidemarkdb/tidemark/store/sqlite"
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

func (c *serveCommand) check() error {
	switch {
	case len(c.Files) == 0 && c.Dir == "":
		return usageError("no file to serve", "tidemark serve FILE, or tidemark serve --dir DIR")
	case c.Name != "" && len(c.Files) != 1:
		return usageError("--name goes with exactly one file", "serve the other files under their own names, or by another server")
	case !c.Insecure && !c.asks() && !loopback(c.Listen):
		return &ending{exit: exitRefused, code: tidemark.CodeUsage,
			msg:  c.Listen + " can be reached by others, and this server has no keys: everyone who reaches it could read and write",
			hint: "ask for tokens: tidemark token keygen -o secret, and --auth-secret secret; or listen on 127.0.0.1 behind a proxy that checks who comes, or say --insecure-any-address"}
	}
	for _, check := range []func() error{c.guardFlags.check, c.checkHook, c.origins, c.present, c.declared} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// origins refuses what no browser would send, which would let in nobody.
func (c *serveCommand) origins() error {
	for _, o := range c.Origins {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || o != u.Scheme+"://"+u.Host || u.Host == "") {
			return usageError(o+" is not a web origin", "give scheme and host and nothing behind them, e.g. --origin https://app.example")
		}
	}
	return nil
}

// present looks for the files before anything is begun.
func (c *serveCommand) present() error {
	for _, path := range c.Files {
		if c.Create {
			if err := touch(path); err != nil {
				return err
			}
		}
		if err := servable(path); err != nil {
			return err
		}
	}
	return nil
}

// servable refuses what cannot be a database, with what serve can do about it.
func servable(path string) error {
	err := mustBeThere(path)
	var known *tidemark.Error
	if !errors.As(err, &known) {
		return err
	}
	e := *known
	if fi, err := os.Stat(path); err == nil && fi.IsDir() {
		e.Hint = "tidemark serve --dir " + quoteArg(path) + " serves what is in it"
	} else if e.Code == tidemark.CodeNotFound {
		e.Hint = "check the path; --create makes a new database there"
	}
	return &e
}

// declared makes sure that the policies of every file fit it, before anything
// is written or listens. What cannot be looked at is left to opening it.
func (c *serveCommand) declared() error {
	files := c.Files
	if c.Dir != "" {
		if _, err := loadPolicies(filepath.Join(c.Dir, "any.sqlite"), c.Policies); err != nil {
			return err
		}
		found, err := filepath.Glob(filepath.Join(c.Dir, "*"))
		if err != nil {
			return err
		}
		files = append(slices.Clone(files), found...)
	}
	for _, path := range files {
		config, err := loadPolicies(path, c.Policies)
		if err != nil {
			return unusableFor(path, err)
		}
		a, err := sqlite.Look(path)
		if err != nil || a.Role == meta.RoleReplica {
			continue
		}
		if err := policy.Check(config, a.Schema, policy.Functions{}); err != nil {
			return unusableFor(path, err)
		}
		if err := policy.CheckRules(config, a.Schema); err != nil {
			return unusableFor(path, err)
		}
	}
	return nil
}

func usageError(msg, hint string) error {
	return &tidemark.Error{Code: tidemark.CodeUsage, Msg: msg, Hint: hint}
}

// loopback reports whether only programs on this machine can reach the address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return true // listening will say what is wrong with it
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
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

// touch makes an empty file, which is an empty database, unless there is one.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return &tidemark.Error{Code: tidemark.CodeReadOnly, Op: "serve", Err: err, Hint: "give a path in a folder that you can write to"}
	}
	return f.Close()
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

// serving is what serve prints with --json.
type serving struct {
	Address string        `json:"address"`
	URL     string        `json:"url"`
	Dir     string        `json:"dir,omitempty"`
	Spaces  []servedSpace `json:"spaces"`
}

type servedSpace struct {
	Name     string `json:"name"`
	File     string `json:"file"`
	URL      string `json:"url"`
	Policies string `json:"policies,omitempty"` // the file that declares them
	scoping
}

// scoping is in what parts a space is copied.
type scoping struct {
	Scopes []string `json:"scopes,omitempty"` // kinds
	Loose  []string `json:"loose,omitempty"`  // foreign keys that copies go without
}

// readScoping reads it from a served file. What cannot be read is left out: serving
// has said what is wrong.
func readScoping(path string) (p scoping) {
	r, err := sqlite.Read(path)
	if err != nil {
		return p
	}
	defer func() { _ = r.Close() }()
	return scoping{r.Schema.Scopes, loosened(r.Schema)}
}

func (c *serveCommand) announce(s *shell, address string, srv *server.Server) error {
	d := serving{Address: address, URL: c.scheme() + address, Dir: c.Dir, Spaces: []servedSpace{}}
	list, err := srv.Spaces()
	if err != nil {
		return err
	}
	for _, sp := range list {
		d.Spaces = append(d.Spaces, servedSpace{sp.Name, sp.Path, d.URL + "/" + url.PathEscape(sp.Name), sp.Policies, readScoping(sp.Path)})
	}
	c.introduce(s, d)
	if err := s.document(d); err != nil {
		return err
	}
	if c.ReadyFile == "" {
		return nil
	}
	// Written beside and renamed, so that a script never reads half of it.
	part := c.ReadyFile + ".part"
	if err := os.WriteFile(part, []byte(address+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(part, c.ReadyFile)
}

// mostSpaces are listed when the server starts.
const mostSpaces = 20

func (c *serveCommand) introduce(s *shell, d serving) {
	defer c.warn(s, d.Address)
	if c.Dir != "" {
		s.printf("serving %s of %s\n", plural(len(d.Spaces), "file"), c.Dir)
	}
	for i, sp := range d.Spaces {
		if i == mostSpaces {
			s.printf("  and %d more\n", len(d.Spaces)-i)
			break
		}
		s.printf("serving %s as space %s\n  %s\n", sp.File, sp.Name, sp.URL)
		if sp.Policies != "" {
			s.printf("  policies: %s\n", sp.Policies)
		}
		if len(sp.Scopes) > 0 {
			s.printf("  scopes: %s\n", strings.Join(sp.Scopes, ", "))
		}
		for _, fk := range sp.Loose {
			s.printf("  copies go without the foreign key of %s: they may hold a row and not the one that it refers to\n", fk)
		}
	}
	example := d.URL + "/NAME"
	if len(d.Spaces) > 0 {
		example = d.Spaces[0].URL
	}
	if c.guide != nil {
		c.guide(s, example)
		return
	}
	who := ""
	if c.asks() {
		who = " --token-file TOKEN"
	}
	s.printf("\nIn another terminal:\n  tidemark clone %s copy.db%s\n  tidemark sync --watch copy.db%s\n\nCtrl-C stops the server.\n", quoteArg(example), who, who)
}

func (c *serveCommand) warn(s *shell, address string) {
	switch {
	case loopback(address):
	case !c.asks():
		_, _ = fmt.Fprintf(s.err, "tidemark: warning: everyone who can reach %s can read and write these spaces\n", address)
	case c.Cert == "":
		_, _ = fmt.Fprintf(s.err, "tidemark: warning: without --tls-cert, or a proxy in front that speaks HTTPS, whoever listens on the way to %s can take people's tokens\n", address)
	}
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
