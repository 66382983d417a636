// Package page holds the demo's web page, as `make build` put it into the
// folder dist. A binary that was built without Node has none, and works; Built
// tells which it is.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

//go:embed all:dist
var dist embed.FS

const index = "index.html"

// Built reports whether the page is in this binary.
func Built() bool { return built(sub(dist)) }

// Handler serves the page's files, and leaves all other requests to next.
func Handler(next http.Handler) http.Handler { return handler(sub(dist), next) }

func sub(files embed.FS) fs.FS {
	f, err := fs.Sub(files, "dist")
	if err != nil {
		panic(err) // the name is a constant that is valid
	}
	return f
}

func built(files fs.FS) bool {
	_, err := fs.Stat(files, index)
	return err == nil
}

// file is one of the page's files.
type file struct {
	plain  []byte
	kind   string
	etag   string
	packed func() []byte // gzip, or nil where that gains nothing
}

func handler(files fs.FS, next http.Handler) http.Handler {
	all := read(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" {
			name = index
		}
		f := all[name]
		if f == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		f.serve(w, r, name)
	})
}

// read loads what there is to serve. A file that cannot be read is not there.
func read(files fs.FS) map[string]*file {
	all := map[string]*file{}
	_ = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return nil
		}
		if b, err := fs.ReadFile(files, name); err == nil {
			all[name] = newFile(name, b)
		}
		return nil
	})
	return all
}

func newFile(name string, plain []byte) *file {
	sum := sha256.Sum256(plain)
	f := &file{plain: plain, kind: kindOf(name), etag: hex.EncodeToString(sum[:12])}
	f.packed = sync.OnceValue(func() []byte { return pack(plain) })
	return f
}

// kinds do not depend on what the machine knows of file names.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".json": "application/json", ".webmanifest": "application/manifest+json", ".wasm": "application/wasm", ".svg": "image/svg+xml", ".png": "image/png",
	".ico": "image/x-icon", ".txt": "text/plain; charset=utf-8", ".map": "application/json",
}

func kindOf(name string) string {
	if k := kinds[path.Ext(name)]; k != "" {
		return k
	}
	return "application/octet-stream"
}

// pack returns nil for what does not become smaller.
func pack(plain []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(plain) // a buffer takes everything
	_ = z.Close()
	if b.Len() >= len(plain) {
		return nil
	}
	return b.Bytes()
}

// policy allows the page what it needs: its own files, WebAssembly, workers,
// and connections to where it came from.
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self'; img-src 'self' data: blob:; " +
	"font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (f *file) serve(w http.ResponseWriter, r *http.Request, name string) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, "assets/") { // their names change with their contents
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Vary", "Accept-Encoding")
	body, etag := f.plain, f.etag
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && r.Header.Get("Range") == "" {
		if b := f.packed(); b != nil {
			body, etag = b, etag+"-gzip"
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
