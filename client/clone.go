package client

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// CloneOptions of Clone.
type CloneOptions struct {
	ReadOnly bool
	Scopes   []Want         // what the copy takes; default everything that its principal is granted
	Progress func(Progress) // called now and then, and at the end
	HTTP     *http.Client
	Token    TokenSource // whose copy it becomes; default nobody's
}

// Progress of a clone.
type Progress struct {
	Stage string // "prepare", "download", "install", and "rows" while scopes fill
	Bytes int64
	Total int64 // 0 while unknown
	Rows  int64
	Left  time.Duration // estimate; 0 while unknown
}

// Suffixes of what a clone keeps beside the copy while it is made.
const (
	partSuffix  = ".tidemark-part"      // the snapshot as far as it has come, compressed
	notesSuffix = ".tidemark-part.json" // which snapshot it is
	freshSuffix = ".tidemark-new"       // the copy until it is complete
)

// Clone makes a replica of a space at path. A clone that was interrupted goes
// on where it was when called again with the same arguments. Nothing appears
// at path before the copy is complete, has its name from the server and is at
// its head.
func Clone(ctx context.Context, where, path string, o CloneOptions) error {
	addr, err := parseAddress(where)
	if err != nil {
		return err
	}
	if err := vacant(path); err != nil {
		return err
	}
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	c := &cloning{addr: addr, path: path, o: o}
	err = c.run(ctx)
	if code := tidemark.CodeOf(err); c.resumed && (code == tidemark.CodeIncarnation || code == tidemark.CodeSchema) {
		// What had come was of a space that is gone. Once more, from the start.
		if err = c.clear(); err == nil {
			c.resumed = false
			err = c.run(ctx)
		}
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// vacant refuses a path where something is, also leftovers of a database that
// SQLite would take for part of the new one.
func vacant(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		_, err := os.Lstat(path + suffix)
		if err == nil {
			e := &tidemark.Error{Code: tidemark.CodeExists, Op: "clone", Msg: path + suffix + " is there already",
				Hint: "choose another name; a copy that is there is brought up to date with `tidemark sync`"}
			if suffix != "" {
				e.Hint = "it is a leftover of another database: remove it, or choose another name"
			}
			return e
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return &tidemark.Error{Code: tidemark.CodeUsage, Op: "clone", Err: err, Msg: path + " cannot be used"}
		}
	}
	return nil
}

// cloning is a running clone.
type cloning struct {
	addr    *address
	path    string
	o       CloneOptions
	notes   notes
	resumed bool // an earlier download is used
}

func (c *cloning) run(ctx context.Context) error {
	c.o.Progress(Progress{Stage: "prepare"})
	if err := c.download(ctx); err != nil {
		return err
	}
	fresh := c.path + freshSuffix
	if err := c.install(ctx, fresh); err != nil {
		return err
	}
	if err := vacant(c.path); err != nil {
		return err
	}
	if err := publish(fresh, c.path); err != nil {
		return err
	}
	_ = os.Remove(fresh + LockSuffix)
	return firstError(os.Remove(c.path+partSuffix), os.Remove(c.path+notesSuffix))
}

// clear removes what an interrupted clone left, the finished copy excepted.
func (c *cloning) clear() error {
	for _, name := range []string{partSuffix, notesSuffix, freshSuffix, freshSuffix + "-wal", freshSuffix + "-shm", freshSuffix + "-journal"} {
		if err := os.Remove(c.path + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// install makes the copy out of the downloaded snapshot and brings it to the
// server's head, which also gives it its name.
func (c *cloning) install(ctx context.Context, fresh string) error {
	if c.notes.Made.fits(c.o) {
		err := c.fill(ctx, fresh)
		if err == nil || ctx.Err() != nil || passing(err) {
			return err
		}
		// It is somebody else's, or damaged, or the space is another one by now.
	}
	return c.anew(ctx, fresh)
}

// passing tells errors after which it goes on where it stopped.
func passing(err error) bool {
	switch tidemark.CodeOf(err) {
	case tidemark.CodeOffline, tidemark.CodeShutdown, tidemark.CodeRateLimited, tidemark.CodeBusy, tidemark.CodeFull, tidemark.CodeUnauthenticated:
		return true
	}
	return false
}

// anew makes the copy from the downloaded snapshot.
func (c *cloning) anew(ctx context.Context, fresh string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(fresh + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := c.unpack(ctx, fresh); err != nil {
		return err
	}
	state, err := wire.ParseState(c.notes.State)
	if err != nil {
		return err
	}
	s, err := c.schema(ctx, state.SchemaHash)
	if err != nil {
		return err
	}
	if len(c.o.Scopes) > 0 && !s.Scoped() {
		return unscoped("clone")
	}
	err = replica.Create(fresh, replica.CreateOptions{
		Options: replica.Options{Rand: rand.Reader, Agent: Agent},
		Server:  c.addr.String(), ReadOnly: c.o.ReadOnly, State: state, Schema: s,
		Only: len(c.o.Scopes) > 0, Want: c.o.Scopes,
	})
	if err != nil {
		return c.damaged(err)
	}
	c.notes.Made = &made{c.o.ReadOnly, c.o.Scopes}
	if err := c.writeNotes(); err != nil {
		return err
	}
	return c.fill(ctx, fresh)
}

// damaged throws away a snapshot that is not what the server said, so that the
// next attempt fetches it again.
func (c *cloning) damaged(err error) error {
	if tidemark.CodeOf(err) == tidemark.CodeCorrupt {
		_ = c.clear()
	}
	return err
}

func (c *cloning) schema(ctx context.Context, hash string) (*tidemark.Schema, error) {
	ctx, cancel := context.WithTimeout(ctx, shortly)
	defer cancel()
	text, err := c.o.Token.ask(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := get(ctx, c.o.HTTP, c.addr.at("schema", hash), bearer(text))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, unexpected("clone", resp)
	}
	body, err := readAll(resp.Body, maxDown)
	if err != nil {
		return nil, err
	}
	s, err := schema.Decode(body)
	if err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeProtocol, Op: "clone", Err: err, Msg: "the server's schema cannot be read"}
	}
	return s, nil
}

// publish gives the finished copy its name, durably, and never in place of
// another file.
func publish(fresh, path string) error {
	if err := syncFile(fresh); err != nil {
		return err
	}
	err := os.Link(fresh, path)
	switch {
	case err == nil:
		err = os.Remove(fresh)
	case errors.Is(err, fs.ErrExist):
		return vacant(path)
	default: // a file system without links
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return err
	}
	return syncFile(filepath.Dir(path))
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	err = f.Sync()
	return firstError(err, f.Close())
}
