package server

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/gzip"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func TestFramesThatAreNoMessages(t *testing.T) {
	d := newDeck(t, Options{Limits: wire.Limits{Message: 100_000}}, testTuning())
	good := d.newDevice()
	good.dial()
	for name, c := range map[string]struct {
		kind  int
		b     []byte
		code  tidemark.Code
		fatal bool // what was broken on the way is worth another try
	}{
		"nothing":         {websocket.TextMessage, nil, tidemark.CodeProtocol, false},
		"garbage":         {websocket.TextMessage, []byte("hello"), tidemark.CodeProtocol, false},
		"half a message":  {websocket.TextMessage, []byte(`["h",1,"sh`), tidemark.CodeProtocol, false},
		"an unknown kind": {websocket.TextMessage, []byte(`["zz"]`), tidemark.CodeProtocol, false},
		"depth":           {websocket.TextMessage, []byte(strings.Repeat("[", 50_000)), tidemark.CodeProtocol, false},
		"a binary frame":  {websocket.BinaryMessage, []byte(`["h",1]`), tidemark.CodeProtocol, false},
		"no hello":        {websocket.TextMessage, wire.AppendUp(nil, &wire.Ack{Seq: 1}), tidemark.CodeProtocol, true},
		"too large":       {websocket.TextMessage, bytes.Repeat([]byte(" "), 100_001), tidemark.CodeTooLarge, true},
		"another version": {websocket.TextMessage, []byte(`["h",77]`), tidemark.CodeProtocol, true},
	} {
		v := d.newDevice()
		v.open()
		if err := v.conn.WriteMessage(c.kind, c.b); err != nil {
			t.Fatal(err)
		}
		r, ok := v.next().(*wire.Refusal)
		if !ok || r.Code != c.code || r.Fatal != c.fatal {
			t.Errorf("%s: %+v", name, r)
		}
		if _, err := v.read(); err == nil {
			t.Errorf("%s: the connection stays open", name)
		}
	}
	good.send(good.push(insertItem(1, "one")))
	if o := good.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
}

func TestBodiesThatCannotBeTaken(t *testing.T) {
	d := newDeck(t, Options{Limits: wire.Limits{Message: 100_000}}, testTuning())
	v := d.newDevice()
	hello := string(wire.AppendUp(nil, &v.hello))
	bomb := packed("gzip", make([]byte, 100<<20))
	zbomb := packed("zstd", make([]byte, 100<<20))
	for name, c := range map[string]struct {
		body   string
		coding string
		status int
		code   tidemark.Code
	}{
		"nothing":             {"", "", 400, tidemark.CodeProtocol},
		"garbage":             {"hello\n", "", 400, tidemark.CodeProtocol},
		"no hello":            {`["a",1]`, "", 400, tidemark.CodeProtocol},
		"two hellos":          {hello + "\n" + hello, "", 400, tidemark.CodeProtocol},
		"too large":           {strings.Repeat(" ", 200_000), "", 413, tidemark.CodeTooLarge},
		"a bomb":              {string(bomb), "gzip", 413, tidemark.CodeTooLarge},
		"another bomb":        {string(zbomb), "zstd", 413, tidemark.CodeTooLarge},
		"not gzip":            {hello, "gzip", 400, tidemark.CodeProtocol},
		"not zstd":            {hello, "zstd", 400, tidemark.CodeProtocol},
		"an unknown encoding": {hello, "br", 415, tidemark.CodeProtocol},
		"too many messages":   {hello + strings.Repeat("\n[\"a\",1]", 10_001), "", 400, tidemark.CodeProtocol},
	} {
		h := http.Header{}
		if c.coding != "" {
			h.Set("Content-Encoding", c.coding)
		}
		resp := d.post("/sync", h, []byte(c.body))
		e := readError(t, resp)
		if resp.StatusCode != c.status || e.Error.Code != c.code || e.Error.Message == "" {
			t.Errorf("%s: %d %+v", name, resp.StatusCode, e)
		}
	}
	if resp := d.post("/sync?wait=soon", nil, []byte(hello)); resp.StatusCode != 400 {
		t.Errorf("a bad wait: %d", resp.StatusCode)
	}
	if list, _ := v.trip("", nil, v.push(insertItem(1, "one"))); len(list) == 0 {
		t.Fatal("the server is gone")
	}
}

func TestAGzipThatBreaksOff(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(bytes.Repeat([]byte("x"), 10_000))
	_ = z.Flush()
	resp := d.post("/sync", http.Header{"Content-Encoding": {"gzip"}}, b.Bytes())
	if e := readError(t, resp); resp.StatusCode != 400 {
		t.Fatalf("%d %+v", resp.StatusCode, e)
	}
}

func TestWithWebSocketBlocked(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	resp, err := d.http.Client().Get(d.url("/ws")) // a proxy took the upgrade out
	if err != nil {
		t.Fatal(err)
	}
	if e := readError(t, resp); resp.StatusCode != 400 || e.Error.Code != tidemark.CodeProtocol || e.Error.Hint == "" {
		t.Fatalf("%d %+v", resp.StatusCode, e)
	}
	v := d.newDevice()
	v.trip("", nil)
	if v.trip("", nil, v.push(insertItem(1, "one"))); v.hello.Seq != 1 {
		t.Fatal("no way through")
	}
}

func TestOrigins(t *testing.T) {
	d := newDeck(t, Options{AllowOrigins: []string{"https://app.example"}}, testTuning())
	for origin, want := range map[string]int{
		"": 200, d.http.URL: 200, "https://app.example": 200,
		"https://evil.example": 403, "null": 403, "http://" + strings.TrimPrefix(d.http.URL, "http://") + ".evil.example": 403,
	} {
		req, _ := http.NewRequest(http.MethodGet, d.url(""), nil)
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		resp, err := d.http.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("origin %q: %d", origin, resp.StatusCode)
		}
	}
}

func TestPagesOfNamedOriginsMayReadTheAnswers(t *testing.T) {
	d := newDeck(t, Options{AllowOrigins: []string{"https://app.example"}}, testTuning())
	ask := func(method, path, origin string) *http.Response {
		req, err := http.NewRequest(method, d.url(path), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		resp, err := d.http.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	resp := ask(http.MethodGet, "/snapshot", "https://app.example")
	h := resp.Header
	if h.Get("Access-Control-Allow-Origin") != "https://app.example" || !strings.Contains(h.Get("Access-Control-Expose-Headers"), wire.HeaderState) ||
		!slices.Contains(h.Values("Vary"), "Origin") {
		t.Errorf("%v", h)
	}
	if h := ask(http.MethodGet, "/nothing", "https://app.example").Header; h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("outside of a space: %v", h)
	}
	for _, path := range []string{"", "/sync", "/snapshot", "/schema/00"} {
		resp := ask(http.MethodOptions, path, "https://app.example")
		h := resp.Header
		if resp.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "https://app.example" ||
			!strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "If-Range") {
			t.Errorf("preflight of %q: %d %v", path, resp.StatusCode, h)
		}
		if resp := ask(http.MethodOptions, path, "https://evil.example"); resp.StatusCode != http.StatusForbidden || resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("preflight of %q from elsewhere: %d", path, resp.StatusCode)
		}
	}
}

func TestWebSocketsOfOtherOriginsAreRefused(t *testing.T) {
	d := newDeck(t, Options{AllowOrigins: []string{"https://app.example"}}, testTuning())
	dialer := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}}
	for origin, want := range map[string]int{"https://app.example": http.StatusSwitchingProtocols, "https://evil.example": http.StatusForbidden} {
		conn, resp, err := dialer.Dial("ws"+strings.TrimPrefix(d.url("/ws"), "http"), http.Header{"Origin": {origin}})
		if resp == nil || resp.StatusCode != want {
			t.Errorf("%s: %v, %v", origin, resp, err)
		}
		if err == nil {
			conn.Close()
		}
	}
}

func TestAPushThatIsTooLargeIsRejected(t *testing.T) {
	d := newDeck(t, Options{Limits: wire.Limits{Changeset: 1000}}, testTuning())
	v := d.newDevice()
	v.dial()
	v.send(v.push(insertItem(1, strings.Repeat("x", 2000))))
	if o := v.outcome(); o.Code != tidemark.CodeTooLarge {
		t.Fatalf("%+v", o)
	}
	v.send(v.push(insertItem(1, "one")))
	if o := v.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
}

func TestASlowReaderFallsBackAndCatchesUp(t *testing.T) {
	tune := testTuning()
	tune.outbox = 64 << 10
	d := newDeck(t, Options{}, tune)
	writer, slow := d.newDevice(), d.newDevice()
	writer.dial()
	slow.dial()
	const rows = 100
	text := strings.Repeat("x", 100_000)
	for i := range int64(rows) {
		writer.send(writer.push(insertItem(i, fmt.Sprint(i, text))))
		writer.reach(tidemark.Seq(i + 1)) // and slow does not read
	}
	slow.reach(rows)
	if len(slow.rows) != rows || slow.sum != writer.sum {
		t.Fatalf("%d rows", len(slow.rows))
	}
	writer.send(writer.push(insertItem(rows, "live again")))
	slow.reach(rows + 1)
	if testing.Verbose() {
		t.Logf("%s", d.metric("tidemark_catchup_chunks_total"))
	}
	if strings.HasSuffix(d.metric("tidemark_catchup_chunks_total"), " 0") {
		t.Fatal("it never fell behind: the test is wrong")
	}
}

// metric returns the line of a metric.
func (d *deck) metric(name string) string {
	d.t.Helper()
	resp, err := d.http.Client().Get(d.http.URL + "/metrics")
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		d.t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, name) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func TestTheNewerConnectionEndsTheOlder(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	v := d.newDevice()
	v.dial()
	old := *v
	v.dial()
	if r, ok := old.next().(*wire.Refusal); !ok || r.Code != tidemark.CodeBusy || r.Fatal {
		t.Fatalf("%+v", r)
	}
	if _, err := old.read(); err == nil {
		t.Fatal("it stays open")
	}
	v.send(v.push(insertItem(1, "one")))
	v.outcome()
	// A request that waits ends as well.
	done := make(chan []wire.Down)
	poll := d.newDevice()
	poll.trip("", nil)
	twin := *poll
	twin.rows = map[string][]tidemark.Value{}
	go func() {
		list, _ := twin.trip("?wait=20s", nil)
		done <- list
	}()
	for d.metric(`tidemark_sessions{space="shop",transport="http"}`) != `tidemark_sessions{space="shop",transport="http"} 1` {
	}
	poll.trip("", nil)
	select {
	case <-done:
	case <-time.After(patience / 2):
		t.Fatal("the older request goes on waiting")
	}
}

func TestShutdownTellsWhenToComeBack(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	v, poll := d.newDevice(), d.newDevice()
	v.dial()
	v.send(v.push(insertItem(1, "one")))
	v.reach(1)
	poll.trip("", nil)
	done := make(chan []wire.Down)
	go func() {
		list, _ := poll.trip("?wait=20s", nil)
		done <- list
	}()
	for d.metric(`tidemark_sessions{space="shop",transport="http"}`) != `tidemark_sessions{space="shop",transport="http"} 1` {
	}
	ended := make(chan error)
	go func() { ended <- d.srv.Shutdown(context.Background()) }()
	r := wait[*wire.Refusal](v)
	if r.Code != tidemark.CodeShutdown || r.Fatal || r.Retry < returnFirst || r.Retry > returnLast {
		t.Fatalf("%+v", r)
	}
	if _, err := v.read(); err == nil {
		t.Fatal("the connection stays open")
	}
	<-done
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	resp, err := d.http.Client().Get(d.url(""))
	if err != nil {
		t.Fatal(err)
	}
	if e := readError(t, resp); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || e.Error.Code != tidemark.CodeShutdown {
		t.Fatalf("%d %+v", resp.StatusCode, e)
	}
	if err := d.srv.Add(context.Background(), "late", d.path); tidemark.CodeOf(err) != tidemark.CodeShutdown {
		t.Fatal(err)
	}
}

func TestADirectoryOfSpaces(t *testing.T) {
	checkLeaks(t)
	dir := t.TempDir()
	makeFile(t, filepath.Join(dir, "one.sqlite"), "CREATE TABLE a (id INTEGER PRIMARY KEY)")
	makeFile(t, filepath.Join(dir, "two.db"), "CREATE TABLE a (id INTEGER PRIMARY KEY)")
	makeFile(t, filepath.Join(dir, "bad.db"), "CREATE TABLE a (id INTEGER PRIMARY KEY, CHECK (id < 5)); PRAGMA ignore_check_constraints = ON; INSERT INTO a VALUES (7)")
	makeFile(t, filepath.Join(filepath.Dir(dir), "outside.db"), "CREATE TABLE a (id INTEGER PRIMARY KEY)")
	if err := os.WriteFile(filepath.Join(dir, "text.db"), []byte("not a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, create := range []bool{false, true} {
		srv, err := newServer(Options{Dir: dir, Create: create, TempDir: t.TempDir()}, testTuning())
		if err != nil {
			t.Fatal(err)
		}
		get := func(path string) int {
			w := newRecorder()
			r, _ := http.NewRequest(http.MethodGet, "http://server"+path, nil)
			srv.ServeHTTP(w, r)
			return w.Code
		}
		missing := 404
		if create {
			missing = 200
		}
		for path, want := range map[string]int{
			"/one": 200, "/two": 200, "/bad": 503, "/new": missing,
			"/..%2foutside": 404, "/v1/spaces/..%2Foutside": 404, "/%2e%2e": 404, "/.one": 404, "/one.sqlite-wal/x": 404,
			"/" + strings.Repeat("x", 101): 404, "/a%20b": 404, "/a%00b": 404, "/x%2f..%2fone": 404,
		} {
			if got := get(path); got != want {
				t.Errorf("create %v: %s: %d, not %d", create, path, got, want)
			}
		}
		list, err := srv.Addresses("http://h:1/")
		if err != nil || !strings.HasPrefix(strings.Join(list, " "), "http://h:1/bad") {
			t.Errorf("%v %v", list, err)
		}
		if err := srv.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "new.sqlite")); err != nil {
		t.Fatal(err)
	}
	if matches, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "outside.db-*")); len(matches) > 0 {
		t.Fatalf("a file outside was opened: %v", matches)
	}
}

func TestManySessions(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	const sessions, each = 50, 4
	done := make(chan *device, sessions)
	devices := make([]*device, sessions)
	for i := range devices {
		devices[i] = d.newDevice()
		devices[i].dial()
	}
	for i, v := range devices {
		go func() {
			for j := range each {
				v.send(v.push(insertItem(int64(i*each+j), fmt.Sprint(i, " ", j))))
			}
			for v.hello.Seq < sessions*each {
				if _, err := v.read(); err != nil {
					t.Error(err)
					break
				}
			}
			done <- v
		}()
	}
	first := <-done
	for range sessions - 1 {
		if v := <-done; v.sum != first.sum || len(v.rows) != sessions*each || v.hello.Settled != each {
			t.Fatalf("at %d with %d rows, settled %d", v.hello.Seq, len(v.rows), v.hello.Settled)
		}
	}
}
