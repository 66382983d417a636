package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

func readError(t *testing.T, resp *http.Response) errorJSON {
	t.Helper()
	defer resp.Body.Close()
	var e errorJSON
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
		t.Errorf("the body of %d is not JSON: %v", resp.StatusCode, err)
	}
	return e
}

// download gets the snapshot, or a part of it.
func (d *deck) download(h http.Header) (*http.Response, []byte) {
	d.t.Helper()
	req, err := http.NewRequest(http.MethodGet, d.url("/snapshot"), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	for k, v := range h {
		req.Header[k] = v
	}
	resp, err := d.http.Client().Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp, b
}

func TestASnapshotIsADatabase(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	v := d.newDevice()
	v.dial()
	for i := range int64(20) {
		v.send(v.push(insertItem(i, fmt.Sprint("item ", i))))
	}
	v.reach(20)
	d.byHand("INSERT INTO item VALUES (100, 'by hand', NULL)")
	resp, b := d.download(nil)
	st, err := wire.ParseState(resp.Header.Get(wire.HeaderState))
	if err != nil || st.Head < 20 || st.Space != "shop" || resp.Header.Get(wire.HeaderRows) == "" {
		t.Fatalf("%+v %v %v", st, err, resp.Header)
	}
	z, err := zstd.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	plain, err := io.ReadAll(z)
	if err != nil || fmt.Sprint(len(plain)) != resp.Header.Get(wire.HeaderBytes) {
		t.Fatalf("%d bytes, %s announced, %v", len(plain), resp.Header.Get(wire.HeaderBytes), err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := lite.Open(path, lite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	n, err := db.Int("SELECT count(*) FROM item")
	if err != nil || n < 20 {
		t.Fatalf("%d rows, %v", n, err)
	}
	if n, _ := db.Int("SELECT count(*) FROM sqlite_master WHERE name LIKE '\\_tm\\_%' ESCAPE '\\'"); n != 0 {
		t.Fatalf("%d objects of the bookkeeping", n)
	}
}

func TestADownloadGoesOnWhereItWas(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	v := d.newDevice()
	v.dial()
	v.send(v.push(insertItem(1, "one")))
	v.reach(1)
	resp, whole := d.download(nil)
	etag := resp.Header.Get("ETag")
	d.byHand("ALTER TABLE item ADD COLUMN price") // from now on a new snapshot is due
	wait[*wire.Schema](v)
	newer, _ := d.download(nil)
	if newer.Header.Get("ETag") == etag {
		t.Fatal("a snapshot of the old schema was given out")
	}
	resp, rest := d.download(http.Header{"Range": {"bytes=100-"}, "If-Range": {etag}})
	if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(rest, whole[100:]) || resp.Header.Get("ETag") != etag {
		t.Fatalf("%d with %d bytes", resp.StatusCode, len(rest))
	}
	resp, all := d.download(http.Header{"Range": {"bytes=100-"}, "If-Range": {`"gone"`}})
	if resp.StatusCode != http.StatusOK || len(all) <= 100 {
		t.Fatalf("a part of a snapshot that is gone: %d", resp.StatusCode)
	}
}

var gzipAccepted = http.Header{"Accept": {"application/gzip"}}

func ungzip(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestASnapshotInGzipIsTheSameFile(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	v := d.newDevice()
	v.dial()
	v.send(v.push(insertItem(1, "one")))
	v.reach(1)
	z, zstdBody := d.download(nil)
	g, gzipBody := d.download(gzipAccepted)
	if z.Header.Get("Content-Type") != "application/zstd" || g.Header.Get("Content-Type") != "application/gzip" {
		t.Fatalf("%q and %q", z.Header.Get("Content-Type"), g.Header.Get("Content-Type"))
	}
	if g.Header.Get("ETag") == z.Header.Get("ETag") || g.Header.Get("Vary") != "Accept" || g.Header.Get("Content-Encoding") != "" {
		t.Fatalf("%v", g.Header)
	}
	for _, h := range []string{wire.HeaderState, wire.HeaderRows, wire.HeaderBytes} {
		if g.Header.Get(h) != z.Header.Get(h) {
			t.Errorf("%s: %q, and %q in zstd", h, g.Header.Get(h), z.Header.Get(h))
		}
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	plain, err := dec.DecodeAll(zstdBody, nil)
	if err != nil || !bytes.Equal(plain, ungzip(t, gzipBody)) {
		t.Fatalf("the two forms hold different files, %v", err)
	}
	for accept, want := range map[string]string{
		"*/*": "application/zstd", "application/gzip;q=0": "application/zstd", "application/zstd, application/gzip": "application/zstd",
		"text/html, application/gzip;q=0.5": "application/gzip",
	} {
		if resp, _ := d.download(http.Header{"Accept": {accept}}); resp.Header.Get("Content-Type") != want {
			t.Errorf("Accept: %s gives %s", accept, resp.Header.Get("Content-Type"))
		}
	}
}

func TestADownloadInGzipGoesOnWhereItWas(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	v := d.newDevice()
	v.dial()
	v.send(v.push(insertItem(1, "one")))
	v.reach(1)
	first, whole := d.download(gzipAccepted)
	other, _ := d.download(nil)
	d.byHand("ALTER TABLE item ADD COLUMN price") // from now on a new snapshot is due
	wait[*wire.Schema](v)
	part := func(etag string) (*http.Response, []byte) {
		return d.download(http.Header{"Accept": {"application/gzip"}, "Range": {"bytes=100-"}, "If-Range": {etag}})
	}
	resp, rest := part(first.Header.Get("ETag"))
	if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(rest, whole[100:]) {
		t.Fatalf("%d with %d bytes", resp.StatusCode, len(rest))
	}
	resp, all := part(other.Header.Get("ETag")) // the beginning was in the other form
	if resp.StatusCode != http.StatusOK || resp.Header.Get("ETag") == first.Header.Get("ETag") {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	ungzip(t, all)
}

func TestSnapshotsThatAreDroppedLeaveNoFiles(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	v := d.newDevice()
	v.dial()
	for n := range 4 {
		d.download(gzipAccepted)
		d.byHand(fmt.Sprintf("ALTER TABLE item ADD COLUMN more_%d", n))
		wait[*wire.Schema](v)
	}
	d.download(nil)
	files, err := filepath.Glob(filepath.Join(d.srv.tempDir, "*"))
	if err != nil || len(files) != 3 { // the newest in zstd, the one before in both forms
		t.Fatalf("%q, %v", files, err)
	}
}

func TestOneSnapshotForManyWhoAsk(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { d.download(nil) })
		wg.Go(func() { d.download(gzipAccepted) })
	}
	wg.Wait()
	if line := d.metric("tidemark_snapshots_total"); line != `tidemark_snapshots_total{space="shop"} 1` {
		t.Fatal(line)
	}
}
