package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// patience is how long a test waits for anything.
const patience = 20 * time.Second

// eventually waits for something that has no event of its own.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// testTuning keeps what real servers do rarely from taking long.
func testTuning() tuning {
	t := defaultTuning
	t.poll, t.pollIdle = 5*time.Millisecond, 5*time.Millisecond
	t.scrub, t.rest = time.Hour, time.Hour
	return t
}

// deck is a server under test with one space, shop, over real sockets.
type deck struct {
	t    testing.TB
	srv  *Server
	http *httptest.Server
	path string
	logs *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const shopSchema = `
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, note);
CREATE TABLE part (id INTEGER PRIMARY KEY, item INTEGER NOT NULL REFERENCES item, CHECK (id < 1000000));
`

// makeFile makes a plain database file.
func makeFile(t testing.TB, path, script string) {
	t.Helper()
	db, err := lite.Open(path, lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Script(script); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func newDeck(t testing.TB, o Options, tune tuning) *deck {
	t.Helper()
	checkLeaks(t)
	d := &deck{t: t, path: filepath.Join(t.TempDir(), "shop.sqlite"), logs: &syncBuffer{}}
	makeFile(t, d.path, shopSchema)
	o.TempDir = t.TempDir()
	o.Logger = slog.New(slog.NewTextHandler(d.logs, nil))
	var err error
	if d.srv, err = newServer(o, tune); err != nil {
		t.Fatal(err)
	}
	if err := d.srv.Add(context.Background(), "shop", d.path); err != nil {
		t.Fatal(err)
	}
	d.http = httptest.NewServer(d.srv)
	t.Cleanup(func() {
		if err := d.srv.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		d.http.Close()
		if t.Failed() {
			t.Logf("the server's log:\n%s", d.logs.String())
		}
	})
	return d
}

// checkLeaks fails the test when a goroutine of this module is left at its end.
func checkLeaks(t testing.TB) {
	t.Cleanup(func() {
		deadline := time.Now().Add(5 * time.Second)
		for {
			buf := make([]byte, 1<<20)
			buf = buf[:runtime.Stack(buf, true)]
			left := 0
			for _, g := range strings.Split(string(buf), "\n\n") {
				if strings.Contains(g, "tidemark/server.(*") && !strings.Contains(g, "testing.tRunner") {
					left++
				}
			}
			if left == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("%d goroutines left:\n%s", left, buf)
				return
			}
			time.Sleep(time.Millisecond) // nothing tells that a goroutine is gone
		}
	})
}

// device is a replica without a database: it speaks the protocol and believes everything.
type device struct {
	d     *deck
	hello wire.Hello
	n     int64
	conn  *websocket.Conn
	up    wire.Shorthand
	down  wire.Shorthand
	rows  map[string][]tidemark.Value
	stage []tidemark.Change
	sum   uint64
}

// newDevice is one that was cloned from the state now.
func (d *deck) newDevice() *device {
	sp := d.space()
	st := sp.State()
	v := &device{d: d, rows: map[string][]tidemark.Value{}}
	v.hello = wire.Hello{
		Protocol: wire.Protocol, Space: st.Space, Incarnation: st.Incarnation, Term: st.Term,
		Schema: st.SchemaHash, Seq: st.Head, Agent: "test",
	}
	return v
}

func (d *deck) space() *space {
	d.t.Helper()
	sp, err := d.srv.space(context.Background(), "shop")
	if err != nil {
		d.t.Fatal(err)
	}
	return sp
}

func (d *deck) url(path string) string { return d.http.URL + "/v1/spaces/shop" + path }

// dial connects and waits for Welcome.
func (v *device) dial() {
	v.d.t.Helper()
	v.open()
	v.send(&v.hello)
	if w, ok := v.next().(*wire.Welcome); !ok {
		v.d.t.Fatalf("not welcome: %+v", w)
	}
	v.send(&wire.Ack{Seq: v.hello.Seq})
}

func (v *device) open() {
	v.d.t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}}
	conn, resp, err := dialer.Dial("ws"+strings.TrimPrefix(v.d.url("/ws"), "http"), nil)
	if err != nil {
		v.d.t.Fatalf("%v %v", err, resp)
	}
	if conn.Subprotocol() != wire.Subprotocol {
		v.d.t.Fatalf("subprotocol %q", conn.Subprotocol())
	}
	v.conn, v.up, v.down = conn, wire.Shorthand{}, wire.Shorthand{}
	v.d.t.Cleanup(func() { _ = conn.Close() })
}

func (v *device) send(m wire.Up) {
	v.d.t.Helper()
	if err := v.conn.WriteMessage(websocket.TextMessage, wire.AppendUp(nil, v.up.Up(m))); err != nil {
		v.d.t.Fatal(err)
	}
}

// next reads one message and applies it.
func (v *device) next() wire.Down {
	v.d.t.Helper()
	m, err := v.read()
	if err != nil {
		v.d.t.Fatal(err)
	}
	return m
}

// read passes over beats, as replicas do.
func (v *device) read() (wire.Down, error) {
	_ = v.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		_, b, err := v.conn.ReadMessage()
		if err != nil {
			return nil, err
		}
		m, err := wire.DecodeDown(b)
		if err != nil {
			return nil, err
		}
		if wire.IsBeat(m) {
			continue
		}
		v.down.ReadDown(m)
		return m, v.take(m)
	}
}

func (v *device) take(m wire.Down) error {
	switch m := m.(type) {
	case *wire.Welcome:
		v.hello.Replica, v.hello.Ticket = m.Replica, m.Ticket
	case *wire.Schema:
		v.hello.Schema = m.Hash
	case *wire.Outcomes:
		for _, o := range m.List {
			v.hello.Settled = max(v.hello.Settled, o.N)
		}
	case *wire.Batch:
		return v.apply(m)
	}
	return nil
}

func (v *device) apply(m *wire.Batch) error {
	if m.From != v.hello.Seq {
		return fmt.Errorf("a batch from %d at %d", m.From, v.hello.Seq)
	}
	if m.Schema != v.hello.Schema {
		return fmt.Errorf("a batch under schema %q, not %q", m.Schema, v.hello.Schema)
	}
	v.stage = append(v.stage, m.Changes...)
	if m.More {
		v.hello.Staged = m.Cursor
		return nil
	}
	for _, c := range v.stage {
		id := fmt.Sprint(c.Table, c.Key)
		switch c.Op {
		case tidemark.Insert:
			v.rows[id] = c.New
		case tidemark.Delete:
			delete(v.rows, id)
		case tidemark.Update:
			row := append([]tidemark.Value(nil), v.rows[id]...)
			for i, col := range c.Cols {
				if col >= len(row) {
					return fmt.Errorf("an update of row %s, which never came", id)
				}
				row[col] = c.New[i]
			}
			v.rows[id] = row
		}
	}
	v.stage, v.hello.Staged = nil, ""
	v.hello.Seq, v.hello.Term, v.sum = m.To, m.Term, m.Sum
	return nil
}

func (v *device) push(changes ...tidemark.Change) *wire.Push {
	v.n++
	var salt tidemark.Salt
	_, _ = rand.Read(salt[:])
	return &wire.Push{N: v.n, Salt: salt, Schema: v.hello.Schema, MadeAt: 1, Body: wire.AppendChanges(nil, changes, false)}
}

// outcome reads until the next outcomes and returns the only one.
func (v *device) outcome() tidemark.Outcome {
	v.d.t.Helper()
	m := wait[*wire.Outcomes](v)
	if len(m.List) != 1 {
		v.d.t.Fatalf("%d outcomes", len(m.List))
	}
	return m.List[0]
}

// wait reads until a message of one type.
func wait[M wire.Down](v *device) M {
	v.d.t.Helper()
	for {
		if m, ok := v.next().(M); ok {
			return m
		}
	}
}

// reach reads until the device is at seq.
func (v *device) reach(seq tidemark.Seq) {
	v.d.t.Helper()
	for v.hello.Seq < seq {
		v.next()
	}
}

// trip is one HTTP round trip with hello and these messages.
func (v *device) trip(query string, header http.Header, msgs ...wire.Up) ([]wire.Down, *http.Response) {
	v.d.t.Helper()
	var short wire.Shorthand
	var body []byte
	for _, m := range append([]wire.Up{&v.hello}, msgs...) {
		body = append(wire.AppendUp(body, short.Up(m)), '\n')
	}
	resp := v.d.post("/sync"+query, header, packed(header.Get("Content-Encoding"), body))
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, resp
	}
	plain, err := unpack(resp.Body, resp.Header.Get("Content-Encoding"))
	if err != nil {
		v.d.t.Fatal(err)
	}
	b, err := io.ReadAll(plain)
	if err != nil {
		v.d.t.Fatal(err)
	}
	var down wire.Shorthand
	var list []wire.Down
	for line := range bytes.Lines(b) {
		m, err := wire.DecodeDown(bytes.TrimSpace(line))
		if err != nil {
			v.d.t.Fatalf("%v in %q", err, line)
		}
		down.ReadDown(m)
		if err := v.take(m); err != nil {
			v.d.t.Fatal(err)
		}
		list = append(list, m)
	}
	return list, resp
}

// packed compresses a body.
func packed(encoding string, body []byte) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zstd":
		w, _ = zstd.NewWriter(&b)
	default:
		return body
	}
	_, _ = w.Write(body)
	_ = w.Close()
	return b.Bytes()
}

func (d *deck) post(path string, header http.Header, body []byte) *http.Response {
	d.t.Helper()
	req, err := http.NewRequest(http.MethodPost, d.url(path), bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := d.http.Client().Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp
}

func insertItem(id int64, name string) tidemark.Change {
	return tidemark.Change{
		Table: 1, Op: tidemark.Insert, Key: []tidemark.Value{tidemark.Int(id)},
		New: []tidemark.Value{tidemark.Int(id), tidemark.Text(name), tidemark.Null},
	}
}

func setName(id int64, name string) tidemark.Change {
	return tidemark.Change{Table: 1, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(id)}, Cols: []int{1}, New: []tidemark.Value{tidemark.Text(name)}}
}

// byHand runs SQL on the server's file as another program does.
func (d *deck) byHand(sql string) {
	d.t.Helper()
	db, err := lite.Open(d.path, lite.Options{Busy: patience})
	if err != nil {
		d.t.Fatal(err)
	}
	defer db.Close()
	if err := db.Script(sql); err != nil {
		d.t.Fatal(err)
	}
}
