package page

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/gzip"
)

var script = strings.Repeat("console.log('tide');\n", 100)

func serve(t *testing.T, method, path string, h http.Header) *http.Response {
	t.Helper()
	files := fstest.MapFS{
		".gitignore":           {Data: []byte("*")},
		"index.html":           {Data: []byte("<!doctype html><title>page</title>")},
		"assets/main-abc.js":   {Data: []byte(script)},
		"assets/sqlite-1.wasm": {Data: []byte("\x00asm")},
	}
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	r := httptest.NewRequest(method, path, nil)
	for k, v := range h {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	handler(files, next).ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, resp *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheIndexIsAskedForEachTime(t *testing.T) {
	resp := serve(t, "GET", "/", nil)
	h := resp.Header
	if resp.StatusCode != 200 || h.Get("Content-Type") != "text/html; charset=utf-8" || h.Get("Cache-Control") != "no-cache" {
		t.Fatalf("%d %v", resp.StatusCode, h)
	}
	csp := h.Get("Content-Security-Policy")
	for _, part := range []string{"'wasm-unsafe-eval'", "worker-src 'self' blob:", "connect-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, part) {
			t.Errorf("the policy %q lacks %s", csp, part)
		}
	}
	again := serve(t, "GET", "/", http.Header{"If-None-Match": {h.Get("ETag")}})
	if again.StatusCode != http.StatusNotModified {
		t.Fatalf("asked again: %d", again.StatusCode)
	}
}

func TestAssetsAreKept(t *testing.T) {
	resp := serve(t, "GET", "/assets/main-abc.js", http.Header{"Accept-Encoding": {"gzip, br"}})
	h := resp.Header
	if !strings.Contains(h.Get("Cache-Control"), "immutable") || h.Get("Content-Encoding") != "gzip" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Fatalf("%v", h)
	}
	z, err := gzip.NewReader(bytes.NewReader(body(t, resp)))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(z); err != nil || string(b) != script {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	plain := serve(t, "GET", "/assets/main-abc.js", nil)
	if string(body(t, plain)) != script || plain.Header.Get("ETag") == h.Get("ETag") {
		t.Fatalf("%v", plain.Header)
	}
	if kind := serve(t, "GET", "/assets/sqlite-1.wasm", nil).Header.Get("Content-Type"); kind != "application/wasm" {
		t.Fatal(kind)
	}
}

func TestWhatIsNoFileGoesOn(t *testing.T) {
	for _, path := range []string{"/tracker", "/assets/", "/assets/other.js", "/.gitignore", "/v1/health", "/../page.go"} {
		if resp := serve(t, "GET", path, nil); resp.StatusCode != http.StatusTeapot {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if resp := serve(t, "POST", "/", nil); resp.StatusCode != http.StatusTeapot {
		t.Errorf("POST: %d", resp.StatusCode)
	}
}

func TestAFolderWithoutAPage(t *testing.T) {
	if built(fstest.MapFS{".gitignore": {Data: []byte("*")}}) {
		t.Fatal("an empty folder is a page")
	}
}
