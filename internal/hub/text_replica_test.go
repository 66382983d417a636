package hub_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/splice"
	"github.com/tidemarkdb/tidemark/internal/wire"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// office is a server on a file, and writers whose replicas are files too.
type office struct {
	t       testing.TB
	store   *sqlite.Store
	hub     *hub.Hub
	writers []*writer
	now     int64
}

// writer is a replica's engine, and a program that types into its file.
type writer struct {
	o       *office
	r       *replica.Replica
	app     *lite.DB
	session *hub.Session
	mail    []wire.Down
	told    []tidemark.Outcome // outcomes of batches that did not come yet
	sent    int64
	seq     tidemark.Seq
	events  []event // that were not pushed yet
	up      int     // bytes that were pushed
}

func newOffice(t testing.TB, writers int) *office {
	o := &office{t: t, now: 1000}
	path := makeFile(t, "CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO doc VALUES (1, '')")
	o.store = openStore(t, path, "office", "tables: {doc: {columns: {body: text}}}", policy.Functions{})
	var err error
	o.hub, err = hub.Open(ctx, o.store, o.now, hub.Options{Rand: rand.NewChaCha8([32]byte{5})})
	must(o.t, err)
	o.group()
	for i := range writers {
		o.hire(byte(i))
	}
	t.Cleanup(o.close)
	return o
}

// hire clones a replica and connects it.
func (o *office) hire(seed byte) {
	o.t.Helper()
	path := filepath.Join(o.t.TempDir(), "copy.db")
	info, err := o.store.Snapshot(ctx, path)
	must(o.t, err)
	must(o.t, replica.Create(path, replica.CreateOptions{Server: "office", State: info.State, Schema: o.hub.Schema()}))
	w := &writer{o: o, session: o.hub.NewSession(tidemark.Principal{}), seq: info.State.Head}
	w.r, err = replica.Open(path, replica.Options{Rand: rand.NewChaCha8([32]byte{9, seed})})
	must(o.t, err)
	w.app, err = lite.Open(path, lite.Options{})
	must(o.t, err)
	hello, err := w.r.Hello()
	must(o.t, err)
	down, _, err := w.session.Receive(ctx, o.now, hello)
	must(o.t, err)
	for _, m := range down {
		if m, ok := m.(*wire.Welcome); ok {
			_, err = w.r.Welcome(m, o.now)
			must(o.t, err)
		}
	}
	_, _, err = w.session.Receive(ctx, o.now, &wire.Ack{Seq: w.seq})
	must(o.t, err)
	o.writers = append(o.writers, w)
}

// close checks that every copy is whole and in order.
func (o *office) close() {
	for _, w := range o.writers {
		got, err := w.r.DB().Text("PRAGMA integrity_check")
		if err != nil || got != "ok" {
			o.t.Errorf("integrity_check: %s %v", got, err)
		}
		must(o.t, w.app.Close())
		must(o.t, w.r.Close())
	}
	must(o.t, o.store.Close())
}

func (o *office) group(subs ...hub.Submission) {
	o.t.Helper()
	o.now++
	c, err := o.hub.Group(ctx, o.now, subs, nil)
	must(o.t, err)
	for _, w := range o.writers {
		w.mail = append(w.mail, w.session.Deliver(c)...)
	}
}

func bodyOf(t testing.TB, db *lite.DB) string {
	t.Helper()
	text, err := db.Text("SELECT body FROM doc WHERE id = 1")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// write edits the shown text, as any program does, and pushes.
func (w *writer) write(p splice.Patch) {
	w.o.t.Helper()
	text := apply(w.o.t, p, bodyOf(w.o.t, w.app))
	must(w.o.t, w.app.Run("UPDATE doc SET body = ?1 WHERE id = 1", tidemark.Text(text)))
	w.o.now++
	_, err := w.r.Seal(w.o.now)
	must(w.o.t, err)
}

// push sends up to n changesets that were not sent yet.
func (w *writer) push(n int) int {
	w.o.t.Helper()
	list, err := w.r.Unsent(w.sent, 1<<20)
	must(w.o.t, err)
	list = list[:min(n, len(list))]
	for _, m := range list {
		w.up += len(m.Body)
		_, sub, err := w.session.Receive(ctx, w.o.now, m)
		must(w.o.t, err)
		w.o.group(*sub)
		w.sent = m.N
	}
	return len(list)
}

// readUpTo takes what the server sent, as it travels, until the replica is at a seq.
func (w *writer) readUpTo(seq tidemark.Seq) {
	w.o.t.Helper()
	for w.seq < seq && len(w.mail) > 0 {
		m := w.mail[0]
		w.mail = w.mail[1:]
		switch m := m.(type) {
		case *wire.Outcomes:
			w.told = append(w.told, m.List...)
		case *wire.Batch:
			w.apply(m)
		case *wire.Refusal:
			w.o.t.Fatalf("refused: %v", m)
		}
	}
}

func (w *writer) apply(m *wire.Batch) {
	w.o.t.Helper()
	b := *m
	var err error
	b.Changes, err = wire.DecodeChanges(m.Raw)
	must(w.o.t, err)
	w.o.now++
	a, err := w.r.Apply(&b, w.told, w.o.now)
	must(w.o.t, err)
	if a.Repair != "" {
		w.o.t.Fatalf("at %d: %s", m.To, a.Repair)
	}
	w.told, w.seq = nil, m.To
	_, _, err = w.session.Receive(ctx, w.o.now, &wire.Ack{Seq: m.To})
	must(w.o.t, err)
}

// agree ends with the same text everywhere, and nothing open.
func (o *office) agree(want string) {
	o.t.Helper()
	for _, w := range o.writers {
		w.push(1 << 30)
	}
	for _, w := range o.writers {
		w.readUpTo(1 << 40)
		pending, err := w.r.Pending(false)
		must(o.t, err)
		rejected, err := w.r.Rejected()
		must(o.t, err)
		if got := bodyOf(o.t, w.app); got != want || len(pending)+len(rejected) > 0 {
			p := splice.Diff(want, got)
			o.t.Fatalf("%d pending, %d rejected, the text differs in %d places: %+v", len(pending), len(rejected), len(p), p[:min(3, len(p))])
		}
	}
}

// replay lets writers type the first transactions of a trace.
func (o *office) replay(tr *trace, txns int) (want string) {
	o.t.Helper()
	known := tr.known()
	d := newDesk(o.t, "", len(o.writers))
	at := make([]tidemark.Seq, txns) // an edit that changes nothing gets no seq
	for i, x := range tr.Txns[:txns] {
		w := o.writers[x.Agent]
		if tr.NumAgents == 1 {
			w.readUpTo(o.hub.State().Head - 3)
		} else if other := known[i][1-x.Agent]; other >= 0 {
			w.readUpTo(at[other])
		}
		w.write(tr.patch(i, i+1))
		w.push(1)
		at[i] = o.hub.State().Head
	}
	tr.replay(d, known, txns)
	return d.text()
}

// TestReplicasEndWithTheRecordedText replays recorded sessions with real
// replicas on a real file: their beginnings, or all with TIDEMARK_TRACES=whole.
func TestReplicasEndWithTheRecordedText(t *testing.T) {
	for _, c := range []struct {
		file string
		txns int
	}{{"trace-friendsforever.json.gz", 600}, {"trace-automerge-paper.json.gz", 200}} {
		t.Run(c.file, func(t *testing.T) {
			tr := readTrace(t, c.file)
			if os.Getenv("TIDEMARK_TRACES") == "whole" {
				c.txns = len(tr.Txns)
			} else {
				c.txns = dice.Times(c.txns)
			}
			o := newOffice(t, 2)
			o.agree(o.replay(tr, c.txns))
		})
	}
}

// TestReplicasHoldTheWholePaper writes all of it on one real replica, many
// keystrokes in one transaction, which the other one reads.
func TestReplicasHoldTheWholePaper(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: 260,000 keystrokes are replayed without the race detector only (make unit does both)")
	}
	const each = 500
	tr := readTrace(t, "trace-automerge-paper.json.gz")
	o := newOffice(t, 2)
	w := o.writers[0]
	for i := 0; i < len(tr.Txns); i += each {
		w.readUpTo(o.hub.State().Head - 3)
		w.write(tr.patch(i, min(i+each, len(tr.Txns))))
		w.push(1)
	}
	o.agree(tr.EndContent)
}

// TestReplicasEndWithTheReferencesCharacters lets real replicas type, push and
// read at random. Nothing is lost, doubled or brought back, and where nobody
// deletes the text is the reference's.
func TestReplicasEndWithTheReferencesCharacters(t *testing.T) {
	for seed := range uint64(6) {
		if testing.Short() && seed > 1 {
			break
		}
		r := &rehearsal{rng: rand.New(rand.NewPCG(seed, 4)), next: 0xE000, deletes: seed%3 > 0}
		o := newOffice(t, 2+int(seed%2))
		l := newList("")
		for range 150 {
			w := o.writers[r.rng.IntN(len(o.writers))]
			switch r.rng.IntN(4) {
			case 0, 1:
				view := bodyOf(t, w.app)
				p := r.patch([]rune(view))
				if len(p) > 0 {
					w.write(p)
					w.events = append(w.events, eventOf([]rune(view), p))
				}
			case 2:
				for _, e := range w.events[:w.push(1+r.rng.IntN(3))] {
					l.take(e)
					w.events = w.events[1:]
				}
			default:
				w.readUpTo(w.seq + tidemark.Seq(1+r.rng.IntN(4)))
			}
		}
		for _, w := range o.writers {
			w.push(1 << 30)
			for _, e := range w.events {
				l.take(e)
			}
		}
		o.writers[0].readUpTo(1 << 40)
		got := bodyOf(t, o.writers[0].app)
		o.agree(got)
		if want := l.text(); !r.deletes && got != want || !sameRunes(got, want) {
			t.Fatalf("seed %d: %+q, the reference has %+q", seed, got, want)
		}
	}
}

func sameRunes(a, b string) bool {
	x, y := []rune(a), []rune(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// BenchmarkTypingIntoAFile types into a text of a megabyte with a real replica
// and a real server's file.
func BenchmarkTypingIntoAFile(b *testing.B) {
	o := newOffice(b, 2)
	w := o.writers[0]
	line := "The quick brown fox jumps over the lazy dog.\n"
	w.write(insertText(0, strings.Repeat(line, 1<<20/len(line))))
	w.push(1)
	for _, w := range o.writers {
		w.readUpTo(1 << 40)
	}
	w.up = 0
	at := 1 << 19
	for b.Loop() {
		w.write(insertText(at, "x"))
		w.push(1)
		w.readUpTo(1 << 40)
		o.writers[1].readUpTo(1 << 40)
		at++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "characters/s")
	b.ReportMetric(float64(w.up)/float64(b.N), "bytes/keystroke")
}
