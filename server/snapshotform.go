package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// form is what a snapshot is compressed with, as a media type.
type form string

const (
	formZstd form = "application/zstd"
	formGzip form = "application/gzip" // for browsers, which unpack no zstd
)

// formOf returns the form that a request asks for: gzip when it accepts that
// and does not name zstd.
func formOf(r *http.Request) form {
	accepted := strings.Join(r.Header.Values("Accept"), ",")
	if accepts(accepted, string(formGzip)) && !accepts(accepted, string(formZstd)) {
		return formGzip
	}
	return formZstd
}

// gzipped is a snapshot once more, in gzip. It is made when first asked for.
type gzipped struct {
	mu     sync.Mutex
	making chan struct{} // closed when it is there, or could not be made
	err    error
	gone   bool // the snapshot was removed
}

func (sh *shot) gzipPath() string { return sh.path + ".gz" }

// tag returns the ETag of one form. Bytes of two forms must never be put together.
func (sh *shot) tag(f form) string {
	if f == formGzip {
		return strings.TrimSuffix(sh.etag, `"`) + `-gzip"`
	}
	return sh.etag
}

// openShot opens the file of a form.
func (sp *space) openShot(ctx context.Context, sh *shot, f form) (*os.File, error) {
	path := sh.path
	if f == formGzip {
		if err := sp.gzip(ctx, sh); err != nil {
			return nil, err
		}
		path = sh.gzipPath()
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("server: snapshot: %w", err)
	}
	return file, nil
}

// gzip makes the file unless it is there. It is made once, and goes on when
// the one who asked has left: the next will ask.
func (sp *space) gzip(ctx context.Context, sh *shot) error {
	g := &sh.gzip
	g.mu.Lock()
	if g.making == nil || g.failed() {
		g.making = make(chan struct{})
		sp.srv.idle.Add(1)
		go func(done chan struct{}) {
			defer sp.srv.idle.Done()
			sh.repack(done)
		}(g.making)
	}
	wait := g.making
	g.mu.Unlock()
	select {
	case <-wait:
	case <-ctx.Done():
		return ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// failed reports whether the last try ended without a file.
func (g *gzipped) failed() bool {
	select {
	case <-g.making:
		return g.err != nil
	default:
		return false
	}
}

// repack makes the gzip file from the zstd one.
func (sh *shot) repack(done chan struct{}) {
	err := transcode(sh.path, sh.gzipPath())
	g := &sh.gzip
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err = nil; err != nil {
		g.err = fmt.Errorf("server: snapshot: %w", err)
	}
	if err != nil || g.gone {
		_ = os.Remove(sh.gzipPath())
	}
	close(done)
}

// remove takes the files away. One that is being sent stays until it is closed.
func (sh *shot) remove() {
	sh.gzip.mu.Lock()
	defer sh.gzip.mu.Unlock()
	sh.gzip.gone = true
	_ = os.Remove(sh.path)
	_ = os.Remove(sh.gzipPath())
}

// transcode unpacks zstd and packs gzip.
func transcode(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	plain, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer plain.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	z, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := io.Copy(z, plain); err != nil {
		return err
	}
	return z.Close()
}
