package main

import (
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

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

// touch makes an empty file, which is an empty database, unless there is one.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return &tidemark.Error{Code: tidemark.CodeReadOnly, Op: "serve", Err: err, Hint: "give a path in a folder that you can write to"}
	}
	return f.Close()
}
