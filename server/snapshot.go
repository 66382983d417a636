package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// A snapshot is used again while the space has moved on by less than this;
// who gets it catches up with the rest.
const (
	staleSeqs = 1000             // or a twentieth of its rows, if that is more
	keptFor   = 30 * time.Minute // so that an interrupted download can go on
)

// shot is one snapshot in the cache.
type shot struct {
	info tidemark.SnapshotInfo
	path string // compressed with zstd
	etag string
	made time.Time
	gzip gzipped
}

// snapshots are those of one space: the newest and, for downloads that go on,
// the one before.
type snapshots struct {
	mu     sync.Mutex
	making chan struct{} // closed when the one that is being made is there
	err    error         // why the last could not be made
	list   []*shot       // newest first
	count  int
}

// serveSnapshot sends the space as a compressed SQLite file. A part of one is
// sent from the very file that the first part came from.
func (s *Server) serveSnapshot(w http.ResponseWriter, r *http.Request, sp *space) {
	form := formOf(r)
	sh := sp.shots.find(form, r.Header.Get("If-Range"))
	if sh != nil && sp.withheld(sh) {
		sh = nil
	}
	if sh == nil {
		var err error
		if sh, err = sp.snapshot(r.Context()); err != nil {
			s.writeErr(w, err)
			return
		}
	}
	f, err := sp.openShot(r.Context(), sh, form)
	if err != nil {
		s.writeErr(w, err)
		return
	}
	defer func() { _ = f.Close() }()
	h := w.Header()
	h.Set("Content-Type", string(form))
	h.Add("Vary", "Accept")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", sh.tag(form))
	h.Set(wire.HeaderState, wire.FormatState(sh.info.State))
	h.Set(wire.HeaderRows, strconv.FormatInt(sh.info.Rows, 10))
	h.Set(wire.HeaderBytes, strconv.FormatInt(sh.info.Bytes, 10))
	http.ServeContent(w, r, "", time.Time{}, f)
}

// find returns the snapshot whose file of this form has this tag.
func (c *snapshots) find(form form, etag string) *shot {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, sh := range c.list {
		if sh.tag(form) == etag {
			return sh
		}
	}
	return nil
}

// fresh reports whether a snapshot can still be given out.
func (sh *shot) fresh(st tidemark.SpaceState) bool {
	behind := int64(st.Head - sh.info.State.Head)
	return st.SchemaHash == sh.info.State.SchemaHash && behind <= max(staleSeqs, sh.info.Rows/20)
}

// withheld reports whether a snapshot may hold what scopes keep back by now.
func (sp *space) withheld(sh *shot) bool {
	return sp.scoped.Load() && sh.info.State.SchemaHash != sp.State().SchemaHash
}

// snapshot returns a snapshot that is new enough. One is made at a time, and
// all who ask meanwhile get it, unless scopes were declared since it was begun.
func (sp *space) snapshot(ctx context.Context) (*shot, error) {
	for {
		sh, wait := sp.newest()
		if sh != nil {
			return sh, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if sh, err := sp.shots.made(); err != nil || !sp.withheld(sh) {
			return sh, err
		}
	}
}

// newest returns the newest snapshot if it is new enough; otherwise one is being
// made from here on, and wait is closed when it is there.
func (sp *space) newest() (sh *shot, wait chan struct{}) {
	c := &sp.shots
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.list) > 0 && c.list[0].fresh(sp.State()) {
		return c.list[0], nil
	}
	if c.making == nil {
		c.making = make(chan struct{})
		sp.srv.idle.Add(1)
		go sp.makeSnapshot()
	}
	return nil, c.making
}

// made returns what was made last.
func (c *snapshots) made() (*shot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	return c.list[0], nil
}

// makeSnapshot goes on when the one who asked has left: the next will ask.
func (sp *space) makeSnapshot() {
	defer sp.srv.idle.Done()
	c := &sp.shots
	c.mu.Lock()
	c.count++
	base := filepath.Join(sp.srv.tempDir, fmt.Sprintf("%s-%d", sp.name, c.count))
	c.mu.Unlock()
	sh, err := sp.build(base)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	if err == nil {
		sp.meter.snapshots.Inc()
		c.list = append([]*shot{sh}, c.list...)
		c.trim()
	}
	close(c.making)
	c.making = nil
}

// build makes the file and compresses it.
func (sp *space) build(base string) (*shot, error) {
	ctx := sp.srv.ctx
	plain := base + ".sqlite"
	defer func() { _ = os.Remove(plain) }()
	sh := &shot{path: base + ".zst", made: time.Now()}
	err := sp.view(ctx, func() (err error) {
		sh.info, err = sp.store.Snapshot(ctx, plain)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, left := range sh.info.Left {
		sp.log.Warn("left out of the snapshot", "object", left)
	}
	if err := pack(plain, sh.path); err != nil {
		return nil, errors.Join(fmt.Errorf("server: snapshot: %w", err), os.Remove(sh.path))
	}
	sh.etag = fmt.Sprintf("%q", fmt.Sprintf("%s-%s-%d-%x", sh.info.State.Incarnation, sh.info.State.Term, sh.info.State.Head, sh.made.UnixNano()))
	return sh, nil
}

// pack compresses a file.
func pack(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	z, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	if _, err := io.Copy(z, in); err != nil {
		return errors.Join(err, z.Close())
	}
	if err := z.Close(); err != nil {
		return err
	}
	return out.Close()
}

// trim removes all but the newest snapshot and the one before, if that is
// young. A file that is being sent stays until it is closed.
func (c *snapshots) trim() {
	for i, sh := range c.list {
		if i == 0 || i == 1 && time.Since(sh.made) < keptFor {
			continue
		}
		for _, old := range c.list[i:] {
			old.remove()
		}
		c.list = c.list[:i]
		return
	}
}

func (c *snapshots) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, sh := range c.list {
		sh.remove()
	}
	c.list = nil
}
