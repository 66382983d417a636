package replica

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

const zoo = `
CREATE TABLE item (id INTEGER PRIMARY KEY, a, b, u UNIQUE);
CREATE TABLE pair (x INTEGER NOT NULL, y TEXT NOT NULL, n, m, PRIMARY KEY (x, y), UNIQUE (n, m)) WITHOUT ROWID;
CREATE TABLE parent (code TEXT COLLATE NOCASE NOT NULL PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE);
CREATE TABLE child (id INTEGER PRIMARY KEY, p TEXT REFERENCES parent(code) ON DELETE CASCADE ON UPDATE CASCADE, v);
CREATE TABLE node (id INTEGER PRIMARY KEY, up INTEGER REFERENCES node(id) ON DELETE SET NULL, v);
`

// world drives one replica and its server at random and compares the replica
// with the oracle after every step.
type world struct {
	t         *testing.T
	rng       *rand.Rand
	o         *origin
	d         *device
	states    []images           // the server's rows at each seq
	batches   []*wire.Batch      // by From
	outcomes  []tidemark.Outcome // not told yet
	judged    int64
	log       []string
	statement func(*world) string
	narrow    bool // rebases undo no more than they must
}

func newWorld(t *testing.T, seed uint64, ddl string, statement func(*world) string) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), o: newOrigin(t, ddl), statement: statement}
	w.begin()
	w.d = w.o.clone()
	return w
}

// begin gives the server its first rows.
func (w *world) begin() {
	for range 15 {
		w.statements(w.o.db)
	}
	w.o.rows = w.o.read()
	w.states = []images{w.o.rows}
}

func (w *world) pick(list ...string) string { return list[w.rng.IntN(len(list))] }

func (w *world) n(limit int) int { return w.rng.IntN(limit) }

// zooKeeping is a random write.
func zooKeeping(w *world) string {
	value := func() string {
		return w.pick("NULL", "1", "2.5", "'t'", "x'00ff'", "'é'", "-0.0", strconv.Itoa(w.n(9)))
	}
	id := func() int { return 1 + w.n(8) }
	code := func() string { return w.pick("'a'", "'A'", "'b'", "'c'", "'B'", "'d'") }
	or := w.pick("", "", "OR REPLACE ", "OR IGNORE ")
	small := func() string { return w.pick("NULL", "1", "2", "3", "4") }
	switch w.n(16) {
	case 0, 1:
		return fmt.Sprintf("INSERT %sINTO item VALUES (%d, %s, %s, %s)", or, id(), value(), value(), small())
	case 2:
		return fmt.Sprintf("UPDATE %sitem SET a = %s, u = %s WHERE id = %d", or, value(), small(), id())
	case 3:
		return fmt.Sprintf("UPDATE item SET b = %s WHERE id >= %d", value(), id())
	case 4:
		return fmt.Sprintf("UPDATE %sitem SET id = %d WHERE id = %d", or, id(), id())
	case 5:
		return fmt.Sprintf("DELETE FROM item WHERE id = %d", id())
	case 6:
		return fmt.Sprintf("INSERT %sINTO pair VALUES (%d, %s, %s, %s)", or, w.n(3), code(), small(), small())
	case 7:
		return fmt.Sprintf("UPDATE %spair SET n = %s WHERE x = %d", or, small(), w.n(3))
	case 8:
		return fmt.Sprintf("DELETE FROM pair WHERE y = %s", code())
	case 9:
		return fmt.Sprintf("INSERT %sINTO parent VALUES (%s, %s)", or, code(), w.pick("NULL", "'n'", "'N'", "'m'", "'k'"))
	case 10:
		return fmt.Sprintf("UPDATE %sparent SET code = %s WHERE code = %s", or, code(), code())
	case 11:
		return fmt.Sprintf("DELETE FROM parent WHERE code = %s", code())
	case 12:
		return fmt.Sprintf("INSERT %sINTO child VALUES (%d, %s, %s)", or, id(), w.pick("NULL", "'a'", "'b'", "'c'"), value())
	case 13:
		return fmt.Sprintf("UPDATE child SET p = %s, v = %s WHERE id = %d", w.pick("NULL", "'a'", "'B'", "'c'"), value(), id())
	case 14:
		// Not OR REPLACE: SQLite then takes a row that refers to none (seen in 3.40 and 3.53).
		return fmt.Sprintf("INSERT INTO node VALUES (%d, %s, %s)", id(), w.pick("NULL", strconv.Itoa(id())), value())
	}
	return fmt.Sprintf("DELETE FROM node WHERE id = %d", id())
}

// statements runs a random transaction; one that a constraint refuses is rolled back.
func (w *world) statements(db *lite.DB) []string {
	var ran []string
	err := db.Transaction(func() error {
		for range 1 + w.n(3) {
			sql := w.statement(w)
			ran = append(ran, sql)
			if err := db.Script(sql); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && lite.Violation(err) == nil {
		w.t.Fatalf("%q: %v", ran, err)
	}
	if err != nil {
		return nil
	}
	return ran
}

func (w *world) say(format string, args ...any) { w.log = append(w.log, fmt.Sprintf(format, args...)) }

func (w *world) step() {
	switch n := w.n(20); {
	case n < 6:
		w.local()
	case n < 10:
		w.say("server %q", w.statements(w.o.db))
		w.accept(w.o.commit())
	case n < 13:
		w.judge()
	case n < 18:
		w.deliver()
	case n < 19:
		w.say("crash")
		w.crash()
	default:
		w.settle()
	}
}

// local writes as the app, with our mark or without.
func (w *world) local() {
	if w.n(2) == 0 {
		w.say("local %q", w.statements(w.d.app))
		return
	}
	var ran []string
	err := w.d.app.Transaction(func() error {
		first, err := capture.Begin(w.d.app)
		must(w.t, err)
		for range 1 + w.n(3) {
			sql := w.statement(w)
			ran = append(ran, sql)
			if err := w.d.app.Script(sql); err != nil {
				return err
			}
		}
		m := capture.Mark{First: first, MadeAt: 5, Seen: w.d.status().Seq}
		m.Salt[0] = byte(w.n(256))
		_, err = capture.End(w.d.app, m)
		must(w.t, err)
		return nil
	})
	w.say("own %q %v", ran, err)
}

func (w *world) accept(b *wire.Batch) {
	w.batches = append(w.batches, b)
	w.states = append(w.states, w.o.rows)
}

// judge lets the server answer the next pending changeset, or refuse it.
func (w *world) judge() {
	w.d.seal()
	for _, p := range w.d.pending() {
		if p.N <= w.judged {
			continue
		}
		w.judged = p.N
		if w.n(6) == 0 {
			w.outcomes = append(w.outcomes, w.d.rejection(p.N, w.o.seq, tidemark.CodeForbidden))
			w.say("refuse %d", p.N)
			return
		}
		out, b := w.o.judge(p.N, w.d.hash(p.N), p.Changes)
		if b != nil {
			w.accept(b)
		}
		w.outcomes = append(w.outcomes, out)
		w.say("judge %d: %s %s at %d", p.N, out.Kind, out.Code, out.Seq)
		return
	}
}

func (w *world) due(seq tidemark.Seq) (ready []tidemark.Outcome) {
	for len(w.outcomes) > 0 && w.outcomes[0].Seq <= seq {
		ready, w.outcomes = append(ready, w.outcomes[0]), w.outcomes[1:]
	}
	return ready
}

func (w *world) settle() {
	ready := w.due(w.d.status().Seq)
	w.say("settle %d", len(ready))
	w.d.settle(ready...)
}

// deliver brings some batches as one, at once or in chunks.
func (w *world) deliver() {
	at := int(w.d.status().Seq)
	if at == len(w.batches) {
		return
	}
	to := min(len(w.batches), at+1+w.n(3))
	b := *w.batches[to-1]
	b.From, b.Changes = tidemark.Seq(at), nil
	for _, part := range w.batches[at:to] {
		b.Changes = append(b.Changes, part.Changes...)
	}
	for w.n(3) == 0 && len(b.Changes) > 1 {
		chunk := b
		cut := 1 + w.n(len(b.Changes)-1)
		chunk.Changes, chunk.More, chunk.Cursor = b.Changes[:cut], true, "c"
		b.Changes = b.Changes[cut:]
		w.d.apply(&chunk)
		w.say("chunk of %d", cut)
		if w.n(4) == 0 {
			w.crash()
		}
	}
	if b.Changes == nil {
		b.Changes = []tidemark.Change{}
	}
	ready := w.due(b.To)
	w.say("apply %d-%d, %d outcomes", b.From, b.To, len(ready))
	a := w.d.apply(&b, ready...)
	if a.Repair != "" {
		w.fail("to repair: %s", a.Repair)
	}
	w.say("suspended %v resumed %v", sortedNs(a.Suspended), a.Resumed)
}

func (w *world) dump() {
	if w.t.Failed() {
		for _, line := range w.log {
			w.t.Log(line)
		}
		w.log = nil
	}
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.log {
		w.t.Log(line)
	}
	w.t.Fatalf(format, args...)
}

func (w *world) check() {
	w.t.Helper()
	defer w.dump()
	w.d.seal()
	confirmed := w.states[w.d.status().Seq]
	list := w.d.pending()
	o := newOracle(w.o.schema, confirmed)
	if w.narrow {
		w.checkNarrow(o, list)
		w.d.checkBase(confirmed)
		return
	}
	w.checkFold(o, list)
	w.d.checkBase(confirmed)
	list2, err := w.d.r.ConfirmedRanges(w.o.schema.Tables[0].ID, nil, nil, nil)
	must(w.t, err)
	want := tidemark.RangeSum{}
	for id, image := range confirmed {
		if id.t == w.o.schema.Tables[0].ID {
			want.Count++
			want.Sum += w.d.r.hasher.Row(w.o.schema.Tables[0], image)
		}
	}
	if list2[0] != want {
		w.t.Errorf("confirmed ranges %+v, want %+v", list2[0], want)
	}
}

// checkFold expects the rows, and the changesets suspended, that the oracle makes
// of what is pending.
func (w *world) checkFold(o *oracle, list []Pending) {
	w.t.Helper()
	misfits := o.fold(list)
	var suspended []int64
	for _, p := range list {
		if p.Suspended {
			suspended = append(suspended, p.N)
		}
	}
	if !slices.Equal(misfits, suspended) {
		w.t.Errorf("suspended %v, the oracle says %v", suspended, misfits)
	}
	compareRows(w.t, w.o.schema, w.d.rows(), o.images())
}

// checkNarrow expects the changesets that are not suspended on top of what is
// confirmed, and all constraints to hold in the end.
func (w *world) checkNarrow(o *oracle, list []Pending) {
	w.t.Helper()
	for _, p := range list {
		if !p.Suspended {
			o.play(p.Changes, nil)
		}
	}
	compareRows(w.t, w.o.schema, w.d.rows(), o.images())
	if !o.holds() {
		w.t.Errorf("the rows break a constraint")
	}
}

// finish answers and delivers everything: the copy must equal the server.
func (w *world) finish() {
	w.d.seal()
	for range w.d.pending() {
		w.judge()
	}
	for int(w.d.status().Seq) < len(w.batches) {
		w.deliver()
	}
	w.settle()
	w.check()
	if n := len(w.d.pending()); n != 0 {
		w.fail("%d changesets are still pending", n)
	}
	compareRows(w.t, w.o.schema, w.d.rows(), w.o.rows)
	if st := w.d.status(); len(w.batches) > 0 && !st.Proven {
		w.fail("not proven: %+v", st)
	}
	w.d.integrity()
}

func seeds(t *testing.T, n int) []uint64 {
	if s := os.Getenv("SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		must(t, err)
		return []uint64{seed}
	}
	list := make([]uint64, n)
	for i := range list {
		list[i] = uint64(i)
	}
	return list
}

func TestModel(t *testing.T) { runModel(t, zoo, zooKeeping, false) }

// TestModelOfLongPending makes rebases as narrow as for ten thousand changesets.
func TestModelOfLongPending(t *testing.T) { runModel(t, zoo, zooKeeping, true) }

func runModel(t *testing.T, ddl string, statement func(*world) string, narrow bool) {
	for _, seed := range seeds(t, count(t)) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			w := newWorld(t, seed, ddl, statement)
			w.narrow = narrow
			w.crash()
			for range 60 {
				w.step()
				w.check()
			}
			w.finish()
		})
	}
}

func count(t *testing.T) int {
	if s := os.Getenv("SEEDS"); s != "" {
		n, err := strconv.Atoi(s)
		must(t, err)
		return n
	}
	return dice.Times(12)
}

func (w *world) crash() {
	w.d.crash()
	if w.narrow {
		w.d.r.exact = 0
	}
}
