package replica

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// desk is a server that decides by policy, written down as plainly as can be:
// it remembers of each cell who wrote it last, and of each text what others did
// to it since the replica looked. It can be copied, so that a test can ask what
// it would do.
type desk struct {
	t       *tidemark.Table
	rows    map[string][]tidemark.Value
	dead    map[string][]tidemark.Value // rows that somebody else deleted
	deadSeq map[string]tidemark.Seq
	writer  map[deskCell]deskWrite
	bridges map[string]map[int64]splice.Patch // by row: what others did since changeset n of the replica
	foreign map[string][]deskText
	refused map[int64]bool
	past    []map[string][]tidemark.Value // rows by seq
}

type deskCell struct {
	row string
	col int
}

type deskWrite struct {
	seq tidemark.Seq
	own bool
}

type deskText struct {
	seq tidemark.Seq
	p   splice.Patch
}

const bodyColumn = 5

func newDesk(o *origin) *desk {
	d := &desk{t: o.schema.Tables[0], rows: map[string][]tidemark.Value{}, dead: map[string][]tidemark.Value{}, deadSeq: map[string]tidemark.Seq{},
		writer: map[deskCell]deskWrite{}, bridges: map[string]map[int64]splice.Patch{}, foreign: map[string][]deskText{}, refused: map[int64]bool{}}
	for id, image := range o.rows {
		d.rows[id.key] = image
	}
	d.past = append(d.past, maps.Clone(d.rows))
	return d
}

func (d *desk) clone() *desk {
	c := *d
	c.rows, c.dead, c.deadSeq, c.writer = maps.Clone(d.rows), maps.Clone(d.dead), maps.Clone(d.deadSeq), maps.Clone(d.writer)
	c.foreign, c.refused, c.past = maps.Clone(d.foreign), maps.Clone(d.refused), slices.Clone(d.past)
	c.bridges = map[string]map[int64]splice.Patch{}
	for k, v := range d.bridges {
		c.bridges[k] = maps.Clone(v)
	}
	return &c
}

// others takes what other replicas did: the rows as they are at seq.
func (d *desk) others(rows map[string][]tidemark.Value, seq tidemark.Seq) {
	for key, was := range d.rows {
		if rows[key] == nil {
			d.dead[key], d.deadSeq[key] = was, seq
		}
	}
	for key, now := range rows {
		was := d.rows[key]
		if was == nil {
			delete(d.dead, key)
		}
		for c := range now {
			if was != nil && was[c] == now[c] {
				continue
			}
			d.writer[deskCell{key, c}] = deskWrite{seq, false}
			if c == bodyColumn && was != nil {
				p := splice.Diff(was[c].Str(), now[c].Str())
				d.foreign[key] = append(slices.Clip(d.foreign[key]), deskText{seq, p})
				for n, b := range d.bridges[key] {
					d.bridges[key][n] = splice.Compose(b, p)
				}
			}
		}
	}
	d.rows = maps.Clone(rows)
	d.past = append(d.past, d.rows)
}

// judge takes a changeset, or refuses it and changes nothing.
func (d *desk) judge(p Pending, seq tidemark.Seq) bool {
	try := d.clone()
	for i := range p.Changes {
		if !try.take(&p.Changes[i], p.N, p.Seen, seq) {
			d.refused[p.N] = true
			return false
		}
	}
	*d = *try
	return true
}

func (d *desk) behind(key string, col int, seen tidemark.Seq) bool {
	w := d.writer[deskCell{key, col}]
	return !w.own && w.seq > seen
}

func (d *desk) take(c *tidemark.Change, n int64, seen, seq tidemark.Seq) bool {
	key := d.t.KeyID(c.Key)
	now := d.rows[key]
	switch c.Op {
	case tidemark.Insert:
		if now != nil {
			return slices.Equal(now, c.New)
		}
		d.put(key, c.New, seq, n)
	case tidemark.Delete:
		if now == nil {
			return true
		}
		for col := range now {
			if d.t.Policy.OnDelete == tidemark.UpdateWins && d.behind(key, col, seen) {
				return true
			}
		}
		delete(d.rows, key)
		delete(d.dead, key)
	case tidemark.Update:
		if now == nil {
			if d.dead[key] == nil || d.deadSeq[key] <= seen || d.t.Policy.OnDelete != tidemark.UpdateWins {
				return true
			}
			return d.update(key, d.dead[key], c, n, seen, seq)
		}
		return d.update(key, now, c, n, seen, seq)
	}
	return true
}

func (d *desk) put(key string, image []tidemark.Value, seq tidemark.Seq, n int64) {
	d.rows[key] = image
	delete(d.dead, key)
	for col := range image {
		d.writer[deskCell{key, col}] = deskWrite{seq, true}
	}
	d.bridges[key] = map[int64]splice.Patch{n: nil}
}

func (d *desk) update(key string, now []tidemark.Value, c *tidemark.Change, n int64, seen, seq tidemark.Seq) bool {
	after := slices.Clone(now)
	for i, col := range c.Cols {
		v, ok := d.cell(key, now[col], c, i, n, seen)
		if !ok {
			return false
		}
		after[col] = v
	}
	if d.rows[key] == nil {
		d.put(key, after, seq, n)
		return true
	}
	for _, col := range c.Cols {
		if after[col] != now[col] {
			d.writer[deskCell{key, col}] = deskWrite{seq, true}
		}
	}
	d.rows[key] = after
	return true
}

func (d *desk) cell(key string, now tidemark.Value, c *tidemark.Change, i int, n int64, seen tidemark.Seq) (tidemark.Value, bool) {
	col, e := c.Cols[i], c.EditOf(i)
	if e.Kind == tidemark.EditText {
		return d.text(key, now, e, n, seen)
	}
	met := false
	for _, other := range d.t.GroupOf(col) {
		met = met || d.behind(key, other, seen)
	}
	if !met || e.Kind == tidemark.EditAdd || d.rows[key] == nil {
		v, err := merge.Apply(now, c.New[i], e)
		return v, err == nil
	}
	v, err := merge.Meet(merge.Meeting{Column: &d.t.Columns[col], Policy: d.t.PolicyOf(col), Theirs: now, Mine: c.New[i], Edit: e})
	return v.Value, err == nil
}

func (d *desk) text(key string, now tidemark.Value, e tidemark.Edit, n int64, seen tidemark.Seq) (tidemark.Value, bool) {
	edit, err := splice.ParseEdit(e.Body)
	if err != nil || d.refused[edit.After] {
		return now, false
	}
	var over splice.Patch
	switch {
	case edit.HasOn:
		confirmed := ""
		if row := d.past[seen][key]; row != nil {
			confirmed = row[bodyColumn].Str()
		}
		view, err := edit.On.Apply(confirmed)
		if err != nil {
			panic(err)
		}
		over = splice.Diff(view, now.Str())
	case edit.After != 0:
		over = d.bridges[key][edit.After]
	default:
		for _, f := range d.foreign[key] {
			if f.seq > seen {
				over = splice.Compose(over, f.p)
			}
		}
	}
	mine, rest := splice.Transform(edit.Patch, over, true)
	after, err := mine.Apply(now.Str())
	if err != nil {
		return now, false // somebody else made the row anew meanwhile: it is another text
	}
	if d.bridges[key] == nil {
		d.bridges[key] = map[int64]splice.Patch{}
	}
	d.bridges[key][n] = rest
	return tidemark.Text(after), true
}

// office drives a replica and a desk.
type office struct {
	*world
	desk   *desk
	letter rune // the next that no text has
}

// boardKeeping is a random edit. Characters are never used twice, so that it
// is plain what became of each.
func (w *office) boardKeeping() string {
	id := 1 + w.n(4)
	switch w.n(14) {
	case 0:
		w.letter++
		return fmt.Sprintf("INSERT INTO card VALUES (%d, 't%d', %d, '[\"%s\"]', '{}', '%c', 'o', 1, 's', 'c', 'l')", id, w.n(99), w.n(9), w.pick("a", "b"), w.letter)
	case 1:
		return fmt.Sprintf("DELETE FROM card WHERE id = %d AND %d = 0", id, w.n(2))
	case 2, 3:
		return fmt.Sprintf("UPDATE card SET votes = votes + %d WHERE id = %d", 1+w.n(5), id)
	case 4:
		return fmt.Sprintf("UPDATE card SET title = 't%d' WHERE id = %d", w.n(99), id)
	case 5:
		return fmt.Sprintf("UPDATE card SET owner = 'o%d' WHERE id = %d", w.n(999), id)
	case 6:
		return fmt.Sprintf("UPDATE card SET top = %d WHERE id = %d", w.n(1000), id)
	case 7:
		return fmt.Sprintf("UPDATE card SET street = 's%d' WHERE id = %d", w.n(999), id)
	case 8:
		return fmt.Sprintf("UPDATE card SET city = 'c%d' WHERE id = %d", w.n(999), id)
	case 9:
		if w.n(4) == 0 {
			return fmt.Sprintf("UPDATE card SET lock = 'l%d' WHERE id = %d", w.n(999), id)
		}
		return fmt.Sprintf("UPDATE card SET attrs = '{\"%s\":%d}' WHERE id = %d", w.pick("x", "y"), w.n(999), id)
	}
	w.letter++
	at := w.n(12)
	return fmt.Sprintf("UPDATE card SET body = substr(body, 1, %d) || '%c' || substr(body, %d) WHERE id = %d", at, w.letter, at+1+w.n(2), id)
}

func newOffice(t *testing.T, seed uint64) *office {
	o := newOrigin(t, board)
	policies := maps.Clone(boardPolicies)
	policies["street"], policies["city"] = tidemark.PolicyFirstWrite, tidemark.PolicyFirstWrite
	o.declare(policies)
	if seed%2 == 1 {
		o.schema.Tables[0].Policy.OnDelete = tidemark.UpdateWins
	}
	w := &office{world: &world{t: t, rng: rand.New(rand.NewPCG(seed, 2)), o: o, states: []images{o.rows}}, letter: 0x4e00}
	w.statement = func(*world) string { return w.boardKeeping() }
	w.desk = newDesk(o)
	w.d = o.clone()
	return w
}

func (w *office) step() {
	switch n := w.n(20); {
	case n < 8:
		w.local()
	case n < 11:
		w.say("server %q", w.statements(w.o.db))
		w.accept(w.o.commit())
		w.desk.others(byKey(w.o.rows), w.o.seq)
	case n < 14:
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

func byKey(rows images) map[string][]tidemark.Value {
	out := map[string][]tidemark.Value{}
	for id, image := range rows {
		out[id.key] = image
	}
	return out
}

// judge answers the next pending changeset.
func (w *office) judge() {
	w.d.seal()
	for _, p := range w.d.pending() {
		if p.N <= w.judged {
			continue
		}
		w.judged = p.N
		out := w.d.acceptance(p.N, w.o.seq+1)
		if !w.desk.judge(p, w.o.seq+1) {
			out = w.d.rejection(p.N, w.o.seq, tidemark.CodeStale)
			w.say("reject %d", p.N)
		} else {
			w.write(w.desk.rows)
			w.accept(w.o.commit())
			w.desk.past = append(w.desk.past, maps.Clone(w.desk.rows))
			w.say("accept %d at %d", p.N, w.o.seq)
		}
		w.outcomes = append(w.outcomes, out)
		return
	}
}

// write makes the origin's table hold rows.
func (w *office) write(rows map[string][]tidemark.Value) {
	t := w.o.schema.Tables[0]
	must(w.t, w.o.db.Transaction(func() error {
		must(w.t, w.o.db.Run("DELETE FROM card"))
		for _, image := range rows {
			must(w.t, row.Insert(w.o.db, t, image))
		}
		return nil
	}))
}

func (w *office) deliver() {
	at := int(w.d.status().Seq)
	if at == len(w.batches) {
		return
	}
	b := *w.batches[at]
	ready := w.due(b.To)
	w.say("apply %d, %d outcomes", b.To, len(ready))
	a := w.d.apply(&b, ready...)
	if a.Repair != "" {
		w.fail("to repair: %s", a.Repair)
	}
	if len(ready) == 0 {
		w.foretold()
	}
}

// foretold compares what the replica shows with what the server would make of
// its pending changesets, if nothing else came between.
func (w *office) foretold() {
	w.t.Helper()
	list := w.d.pending()
	if len(list) == 0 || w.judged >= list[0].N {
		return // some are judged already: the server's rows are another history
	}
	if int(w.d.status().Seq) != len(w.batches) {
		return
	}
	would := w.desk.clone()
	var refused []int64
	for _, p := range list {
		if !would.judge(p, w.o.seq+1) {
			refused = append(refused, p.N)
		}
	}
	if len(refused) > 0 {
		// Changesets that build on a refused one may be refused too; the replica cannot show all of that.
		return
	}
	want := images{}
	for key, image := range would.rows {
		want[rowID{would.t.ID, key}] = image
	}
	defer w.dump()
	compareRows(w.t, w.o.schema, w.d.rows(), want)
}

func (w *office) check() {
	w.t.Helper()
	defer w.dump()
	w.d.seal()
	w.d.checkBase(w.states[w.d.status().Seq])
}

func (w *office) finish() {
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
	defer w.dump()
	compareRows(w.t, w.o.schema, w.d.rows(), w.o.rows)
	if st := w.d.status(); len(w.batches) > 0 && !st.Proven {
		w.fail("not proven: %+v", st)
	}
	if n, err := w.d.r.db.Int("SELECT (SELECT count(*) FROM _tm_text) + (SELECT count(*) FROM _tm_base)"); err != nil || n != 0 {
		w.fail("%d notes are left %v", n, err)
	}
	w.undoAll()
	w.d.integrity()
}

// undoAll takes back what can be taken back; nothing may fail or be lost.
func (w *office) undoAll() {
	for {
		u, err := w.d.r.Undo(99)
		if tidemark.CodeOf(err) == tidemark.CodeNotFound {
			break
		}
		must(w.t, err)
		if u.N == 0 && len(u.Left) == 0 {
			w.fail("nothing was undone of %d, and nothing left", u.Of)
		}
	}
	w.d.checkBase(w.o.rows)
}

// TestForecasts: predictions are what the server does when nothing comes
// between, and whatever comes, all copies end alike.
func TestForecasts(t *testing.T) {
	for _, seed := range seeds(t, count(t)) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			w := newOffice(t, seed)
			w.crash()
			for range 60 {
				w.step()
				w.check()
			}
			w.finish()
		})
	}
}
