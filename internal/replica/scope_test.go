package replica

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	structure "github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/splice"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

const notes = `CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT, n INTEGER);`

// scopedDevice is a replica that holds scopes with the given rows of note.
func scopedDevice(t *testing.T, sql string, scopes map[string][]int64) (*origin, *device) {
	o := newScopedOrigin(t, notes, "a", "b")
	o.schema.Tables[0].Columns[1].Policy = tidemark.PolicyText
	must(t, o.db.Script(sql))
	o.rows = o.read()
	d := o.cloneScoped()
	var list []string
	for s := range scopes {
		list = append(list, s)
	}
	_, err := d.r.TakeScopes(list, 1)
	must(t, err)
	b := o.empty(0)
	for _, s := range slices.Sorted(slices.Values(list)) {
		p := wire.Part{Scope: s, Changes: []tidemark.Change{}}
		for _, id := range scopes[s] {
			p.Changes = append(p.Changes, o.put(id))
		}
		b.Parts = append(b.Parts, o.summed(p, scopes[s]...))
	}
	d.applyWell(b)
	return o, d
}

func (o *origin) empty(from tidemark.Seq) *wire.Batch {
	return &wire.Batch{From: from, To: o.seq, Term: "term", Schema: o.schema.Hash}
}

func (o *origin) note(id int64) (rowID, []tidemark.Value) {
	row := idOf(o.schema.Tables[0], []tidemark.Value{tidemark.Int(id)})
	return row, o.rows[row]
}

func (o *origin) put(id int64) tidemark.Change {
	_, image := o.note(id)
	return tidemark.Change{Table: o.schema.Tables[0].ID, Op: tidemark.Insert, Key: image[:1], New: image}
}

func (o *origin) gone(op tidemark.Op, id int64) tidemark.Change {
	return tidemark.Change{Table: o.schema.Tables[0].ID, Op: op, Key: []tidemark.Value{tidemark.Int(id)}}
}

// summed gives a part the sum of the notes that are in its scope.
func (o *origin) summed(p wire.Part, ids ...int64) wire.Part {
	rows := images{}
	for _, id := range ids {
		row, image := o.note(id)
		rows[row] = image
	}
	p.Sum = sumOf(o.key, o.schema, rows)
	return p
}

func (o *origin) part(scope string, changes []tidemark.Change, ids ...int64) wire.Part {
	return o.summed(wire.Part{Scope: scope, Changes: changes}, ids...)
}

func TestRowInSeveralPartsIsEditedOnce(t *testing.T) {
	o, d := scopedDevice(t, "INSERT INTO note VALUES (1, 'one', 5)", map[string][]int64{"a/1": {1}, "b/1": {1}})
	d.commit("UPDATE note SET body = body || '!' WHERE id = 1")
	o.do("UPDATE note SET body = 'one two' WHERE id = 1")
	edit := o.gone(tidemark.Update, 1)
	edit.Cols, edit.New = []int{1}, []tidemark.Value{tidemark.Null}
	edit.Edits = []tidemark.Edit{{Kind: tidemark.EditText, Body: splice.Diff("one", "one two").Body(false)}}
	b := o.empty(0)
	b.Parts = []wire.Part{o.part("a/1", []tidemark.Change{edit}, 1), o.part("b/1", []tidemark.Change{edit}, 1)}
	d.applyWell(b)
	d.want("SELECT body FROM note", "['one! two']")

	// Also where the row comes into the second scope whole, and where the part stands first that brings it.
	o.do("UPDATE note SET body = 'one two three' WHERE id = 1")
	edit.Edits = []tidemark.Edit{{Kind: tidemark.EditText, Body: splice.Diff("one two", "one two three").Body(false)}}
	b = o.empty(1)
	b.Parts = []wire.Part{o.part("a/1", []tidemark.Change{o.put(1)}, 1), o.part("b/1", []tidemark.Change{edit}, 1)}
	d.applyWell(b)
	d.want("SELECT image IS NOT NULL FROM _tm_base", "[1]")
	d.settle(d.rejection(1, 2, tidemark.CodeForbidden))
	d.want("SELECT body FROM note", "['one two three']")
}

func TestRowThatMovesBetweenHeldScopesStays(t *testing.T) {
	o, d := scopedDevice(t, "INSERT INTO note VALUES (1, 'one', 5), (2, 'two', 6)", map[string][]int64{"a/1": {1}, "b/1": {2}})
	o.do("UPDATE note SET n = 50 WHERE id = 1")
	b := o.empty(0)
	b.Parts = []wire.Part{o.part("a/1", []tidemark.Change{o.gone(tidemark.Forget, 1)}), o.part("b/1", []tidemark.Change{o.put(1)}, 1, 2)}
	a := d.applyWell(b)
	d.want("SELECT group_concat(id || ' ' || n) FROM note", "['1 50,2 6']")
	if len(a.Left) != 0 {
		t.Fatalf("%v", a.Left)
	}
	o.do("UPDATE note SET n = 51 WHERE id = 1")
	b = o.empty(1)
	b.Parts = []wire.Part{o.part("b/1", []tidemark.Change{o.gone(tidemark.Forget, 1)}, 2)}
	if a = d.applyWell(b); a.Left[1] != 1 || !slices.Equal(a.Tables, []int{1}) {
		t.Fatalf("left %v, tables %v", a.Left, a.Tables)
	}
	d.want("SELECT group_concat(id) FROM note", "['2']")
	d.want("SELECT t, n FROM _tm_left", "[1 1]")
}

func TestPendingOnARowThatLeftWaitsAndComesBack(t *testing.T) {
	o, d := scopedDevice(t, "INSERT INTO note VALUES (1, 'one', 5), (2, 'two', 6)", map[string][]int64{"a/1": {1}, "b/1": {2}})
	d.commit("UPDATE note SET n = 55 WHERE id = 1")
	d.commit("DELETE FROM note WHERE id = 1")
	d.commit("UPDATE note SET n = 66 WHERE id = 2")
	a, err := d.r.TakeScopes([]string{"b/1"}, 2)
	must(t, err)
	if !slices.Equal(sortedNs(a.Suspended), []int64{1, 2}) || a.Left[1] != 1 {
		t.Fatalf("suspended %v, left %v", a.Suspended, a.Left)
	}
	if want := (ScopeNews{Scope: "a/1", State: ScopeLost, Rows: 1}); !slices.Equal(a.Scopes, []ScopeNews{want}) {
		t.Fatalf("%+v", a.Scopes)
	}
	for _, p := range d.pending()[:2] {
		if p.Cause != string(tidemark.CodeForbidden) {
			t.Fatalf("%+v", p)
		}
	}
	d.want("SELECT group_concat(id || ' ' || n) FROM note", "['2 66']")

	// The scope comes back before the server's word.
	a, err = d.r.TakeScopes([]string{"a/1", "b/1"}, 3)
	must(t, err)
	if !slices.Equal(a.Scopes, []ScopeNews{{Scope: "a/1", State: ScopeGained}}) || d.status().Filling != 1 {
		t.Fatalf("%+v %+v", a.Scopes, d.status())
	}
	b := o.empty(0)
	b.Parts = []wire.Part{o.part("a/1", []tidemark.Change{o.put(1)}, 1)}
	if a = d.applyWell(b); !slices.Equal(a.Resumed, []int64{1, 2}) {
		t.Fatalf("resumed %v", a.Resumed)
	}
	if !slices.Equal(a.Scopes, []ScopeNews{{Scope: "a/1", State: ScopeReady, Rows: 1}}) {
		t.Fatalf("%+v", a.Scopes)
	}
	d.want("SELECT group_concat(id || ' ' || n) FROM note", "['2 66']") // the second one deletes it

	// And goes again, and the server refuses.
	_, err = d.r.TakeScopes([]string{"b/1"}, 4)
	must(t, err)
	d.settle(d.rejection(1, 0, tidemark.CodeForbidden), d.rejection(2, 0, tidemark.CodeForbidden))
	if list := d.rejected(); len(list) != 2 || list[0].Code != tidemark.CodeForbidden || len(list[0].Changes) != 1 {
		t.Fatalf("%+v", list)
	}
	d.want("SELECT count(*) FROM _tm_lost", "[0]")
}

func TestInsertThatOneMayNotReadLeavesWhenItSettles(t *testing.T) {
	o, d := scopedDevice(t, "", map[string][]int64{"a/1": {}})
	d.commit("INSERT INTO note VALUES (9, 'nine', 1)")
	d.commit("UPDATE note SET n = 2 WHERE id = 9")
	out, _ := o.judge(1, d.hash(1), d.pending()[0].Changes)
	a := d.applyWell(o.empty(0), out)
	d.want("SELECT count(*) FROM note", "[0]")
	d.want("SELECT count(*) FROM _tm_member", "[0]")
	if a.Left[1] != 1 || len(a.Suspended) != 1 || a.Suspended[0].Cause != string(tidemark.CodeForbidden) {
		t.Fatalf("left %v, suspended %+v", a.Left, a.Suspended)
	}
	d.settle(d.rejection(2, 1, tidemark.CodeForbidden))
	if n := len(d.pending()); n != 0 {
		t.Fatalf("%d pending", n)
	}
	d.want("SELECT count(*) FROM _tm_base", "[0]")
}

func TestBatchFarBehindTheHeadOfTheSession(t *testing.T) {
	o, d := scopedDevice(t, "INSERT INTO note VALUES (1, 'one', 5)", map[string][]int64{"a/1": {1}})
	for range 5 {
		o.do("INSERT INTO note (n) VALUES (0)")
	}
	o.do("UPDATE note SET n = 6 WHERE id = 1")
	b := o.empty(0)
	b.Parts = []wire.Part{o.part("a/1", []tidemark.Change{o.put(1)}, 1)}
	if a := d.applyWell(b); a.Seq != 6 {
		t.Fatalf("at %d", a.Seq)
	}
	if st := d.status(); st.Seq != 6 || !st.Proven || st.Filling != 0 {
		t.Fatalf("%+v", st)
	}
}

func TestPartsThatDoNotFit(t *testing.T) {
	o, d := scopedDevice(t, "INSERT INTO note VALUES (1, 'one', 5)", map[string][]int64{"a/1": {1}})
	before := d.rows()
	for name, b := range map[string]*wire.Batch{
		"a scope that is not listed": {Parts: []wire.Part{{Scope: "a/2", Changes: []tidemark.Change{o.put(1)}}}},
		"nothing of such a scope":    {Parts: []wire.Part{{Scope: "a/2"}}},
		"changes without a scope":    {Changes: []tidemark.Change{o.put(1)}},
		"a forget of half a key":     {Parts: []wire.Part{{Scope: "a/1", Changes: []tidemark.Change{{Table: 1, Op: tidemark.Forget}}}}},
		"parts that cannot be read":  {Parts: []wire.Part{{Scope: "a/1", Raw: []byte("[[1")}}},
	} {
		b.Term, b.Schema = "term", o.schema.Hash
		if _, err := d.r.Apply(b, nil, 1); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	compareRows(t, o.schema, d.rows(), before)

	plain := newOrigin(t, notes).clone()
	if _, err := plain.r.Apply(&wire.Batch{Parts: []wire.Part{{Scope: "a/1"}}}, nil, 1); tidemark.CodeOf(err) != tidemark.CodeSchema {
		t.Errorf("parts without scopes: %v", err)
	}
	if err := plain.r.Subscribe(true, nil); tidemark.CodeOf(err) != tidemark.CodeUsage {
		t.Errorf("subscribed without scopes: %v", err)
	}
}

func TestWrongSumMarksForRepair(t *testing.T) {
	o, d := scopedDevice(t, "INSERT INTO note VALUES (1, 'one', 5)", map[string][]int64{"a/1": {1}})
	o.do("UPDATE note SET n = 6 WHERE id = 1")
	b := o.empty(0)
	b.Parts = []wire.Part{o.part("a/1", []tidemark.Change{}, 1)}
	if a := d.apply(b); a.Repair == "" {
		t.Fatal("not marked")
	}
	// What fits afterwards does not take the mark away: it says nothing of the other rows.
	o.do("UPDATE note SET n = 7 WHERE id = 1")
	b = o.empty(1)
	b.Parts = []wire.Part{o.part("a/1", []tidemark.Change{o.put(1)}, 1)}
	if a := d.apply(b); a.Repair != "" || d.status().Proven || d.status().Repair == "" {
		t.Fatalf("%q %+v", a.Repair, d.status())
	}
	must(t, d.r.Prove(3))
	if !d.status().Proven {
		t.Fatal("not proven")
	}
}

// Wrong memberships are found by the sums of ranges and repaired like rows, but
// nothing is saved as rejected for them.
func TestRepairMendsMemberships(t *testing.T) {
	o, d := scopedDevice(t, "INSERT INTO note VALUES (1, 'one', 5), (2, 'two', 6), (3, 'three', 7)",
		map[string][]int64{"a/1": {1, 2}, "b/1": {2, 3}})
	sum := func() tidemark.RangeSum {
		list, err := d.r.ConfirmedRanges(1, nil, nil, nil)
		must(t, err)
		return list[0]
	}
	right := sum()
	member := func(sql string, id int64) {
		key, _ := o.note(id)
		must(t, d.r.db.Run(sql, tidemark.BlobString(key.key)))
	}
	for name, damage := range map[string]func(){
		"a membership is missing":  func() { member("DELETE FROM _tm_member WHERE key = ?1 AND s = 1", 2) },
		"one is too many":          func() { member("INSERT INTO _tm_member VALUES (1, ?1, 2)", 1) },
		"one is another":           func() { member("UPDATE _tm_member SET s = 2 WHERE key = ?1", 1) },
		"a row is in no scope":     func() { member("DELETE FROM _tm_member WHERE key = ?1", 3) },
		"two rows have exchanged":  func() { member("UPDATE _tm_member SET s = 3 - s WHERE key <> ?1", 2) },
		"a row is missing with it": func() { must(t, d.r.db.Run("DELETE FROM note WHERE id = 1")) },
	} {
		damage()
		if sum() == right {
			t.Errorf("%s: not seen", name)
		}
		_, one := o.note(1)
		_, two := o.note(2)
		_, three := o.note(3)
		_, err := d.r.RepairAll([]RangeRows{{Table: 1, Rows: [][]tidemark.Value{one, two, three},
			Scopes: [][]string{{"a/1"}, {"a/1", "b/1"}, {"b/1"}}}}, tidemark.CodeUncaptured, 5)
		must(t, err)
		must(t, d.r.Prove(5))
		if sum() != right {
			t.Errorf("%s: not repaired", name)
		}
		d.want("SELECT group_concat(s || ' ' || n, '; ') FROM (SELECT s, count(*) AS n FROM _tm_member GROUP BY s)", "['1 2; 2 2']")
		b := o.empty(0)
		b.Parts = []wire.Part{o.part("a/1", []tidemark.Change{}, 1, 2), o.part("b/1", []tidemark.Change{}, 2, 3)}
		d.applyWell(b)
	}
	if n := len(d.rejected()); n != 1 { // of the row that was missing
		t.Fatalf("%d records", n)
	}
	// A row that the server does not show goes.
	_, one := o.note(1)
	_, err := d.r.RepairAll([]RangeRows{{Table: 1, Rows: [][]tidemark.Value{one}, Scopes: [][]string{{"a/1"}}}}, tidemark.CodeUncaptured, 5)
	must(t, err)
	d.want("SELECT group_concat(id) FROM note", "['1']")
	d.want("SELECT count(*) FROM _tm_member", "[1]")
}

// What a copy lost is not in the bytes of its file, pending, history and WAL
// included; what one wrote oneself is.
func TestLostRowsAreNotInTheFile(t *testing.T) {
	canary, own := "canary-of-a-project", "own-words"
	_, d := scopedDevice(t, "INSERT INTO note VALUES (1, '"+canary+"', 5), (2, '"+canary+" two', 6), (3, 'kept', 7)",
		map[string][]int64{"a/1": {1, 2}, "b/1": {3}})
	d.commit("UPDATE note SET body = 'short', n = 8 WHERE id = 2")
	d.commit("UPDATE note SET n = 9 WHERE id = 1")
	d.commit("INSERT INTO note VALUES (4, '" + own + "', 1)")
	if !inFile(t, d.path, canary) {
		t.Fatal("the canary is not there to begin with")
	}
	_, err := d.r.TakeScopes([]string{"b/1"}, 2)
	must(t, err)
	if inFile(t, d.path, canary) {
		t.Error("what was lost is still in the file")
	}
	if !inFile(t, d.path, own) {
		t.Error("what was written here is gone")
	}
	d.want("SELECT count(*) FROM _tm_history", "[1]")

	// By another way: the row is forgotten in a batch.
	o, d := scopedDevice(t, "INSERT INTO note VALUES (1, '"+canary+"', 5), (2, 'kept', 6)", map[string][]int64{"a/1": {1, 2}})
	b := o.empty(0)
	b.Parts = []wire.Part{o.part("a/1", []tidemark.Change{o.gone(tidemark.Forget, 1)}, 2)}
	// While somebody reads, the WAL cannot be emptied; the next time it is.
	must(t, d.app.Script("BEGIN; SELECT count(*) FROM note"))
	d.applyWell(b)
	must(t, d.app.Script("COMMIT"))
	d.applyWell(o.empty(0))
	if inFile(t, d.path, canary) {
		t.Error("what was forgotten is still in the file")
	}
}

// Nor is what was staged of a scope that was lost before it was whole.
func TestLostChunksAreNotInTheFile(t *testing.T) {
	canary := "canary-of-a-chunk"
	for name, lose := range map[string]func(*origin, *device) error{
		"by Scopes": func(_ *origin, d *device) error {
			_, err := d.r.TakeScopes([]string{"b/1"}, 2)
			return err
		},
		"by Welcome": func(o *origin, d *device) error {
			w := &wire.Welcome{Space: "s", Incarnation: "inc", Replica: "r1", Ticket: "two", DigestKey: o.key, Schema: o.schema.Hash, Scopes: []string{"b/1"}}
			_, err := d.r.Welcome(w, 2)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			o, d := scopedDevice(t, "INSERT INTO note VALUES (1, '"+canary+"', 5), (2, 'kept', 6)", map[string][]int64{"b/1": {2}})
			_, err := d.r.TakeScopes([]string{"a/1", "b/1"}, 2)
			must(t, err)
			b := o.empty(0)
			b.More, b.Cursor = true, "half"
			b.Parts = []wire.Part{{Scope: "a/1", Changes: []tidemark.Change{o.put(1)}}}
			_, err = d.r.Apply(b, nil, 2)
			must(t, err)
			if !inFile(t, d.path, canary) {
				t.Fatal("the canary is not there to begin with")
			}
			must(t, lose(o, d))
			if inFile(t, d.path, canary) {
				t.Error("what was lost is still in the file")
			}
		})
	}
}

// Nor in a full-text index, which marks what is gone.
func TestLostRowsAreNotInAnIndex(t *testing.T) {
	o := newScopedOrigin(t, searchable, "a")
	d := o.cloneScoped()
	_, err := d.r.TakeScopes([]string{"a/1", "a/2"}, 1)
	must(t, err)
	doc := o.schema.Named("doc")
	b := o.empty(0)
	for i, word := range []string{"canaryword", "keptword"} {
		row := []tidemark.Value{tidemark.Int(int64(i + 1)), tidemark.Text("a " + word), tidemark.Null}
		b.Parts = append(b.Parts, wire.Part{Scope: fmt.Sprintf("a/%d", i+1), Sum: sumOf(o.key, o.schema, images{idOf(doc, row[:1]): row}),
			Changes: []tidemark.Change{{Table: doc.ID, Op: tidemark.Insert, Key: row[:1], New: row}}})
	}
	d.applyWell(b)
	d.want("SELECT count(*) FROM doc_text('canaryword')", "[1]")
	_, err = d.r.TakeScopes([]string{"a/2"}, 2)
	must(t, err)
	d.want("SELECT (SELECT count(*) FROM doc_text('canaryword')) || (SELECT count(*) FROM doc_text('keptword'))", "['01']")
	if !inFile(t, d.path, "keptword") {
		t.Fatal("the index does not hold words as they are")
	}
	if inFile(t, d.path, "canaryword") || inFile(t, d.path, "anaryword") {
		t.Error("a lost word is still in the index")
	}
}

func inFile(t *testing.T, path, what string) bool {
	t.Helper()
	for _, end := range []string{"", "-wal", "-journal"} {
		data, err := os.ReadFile(path + end)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		must(t, err)
		if bytes.Contains(data, []byte(what)) {
			return true
		}
	}
	return false
}

func TestHelloOfScopes(t *testing.T) {
	_, d := scopedDevice(t, "", map[string][]int64{"a/1": {}, "b/1": {}})
	if st := d.status(); !st.Scoped || !st.Unasked || st.Only {
		t.Fatalf("%+v", st) // nobody answered the first Hello yet
	}
	must(t, d.r.Subscribe(true, []wire.Want{{Scope: "b/2", Priority: 1}, {Scope: "a/1"}}))
	h, err := d.r.Hello()
	must(t, err)
	if !h.Only || !slices.Equal(h.Held, []string{"a/1", "b/1"}) || !slices.Equal(h.Want, []wire.Want{{Scope: "a/1"}, {Scope: "b/2", Priority: 1}}) {
		t.Fatalf("%+v", h)
	}
	list, err := d.r.Scopes()
	must(t, err)
	want := []ScopeStatus{{Scope: "a/1", Listed: true, Wanted: true, Ready: true}, {Scope: "b/1", Listed: true, Ready: true},
		{Scope: "b/2", Wanted: true, Priority: 1}}
	if !slices.Equal(list, want) {
		t.Fatalf("%+v", list)
	}
	a, err := d.r.TakeScopes([]string{"a/1"}, 1)
	must(t, err)
	if !a.Scopes[0].Unwanted {
		t.Fatalf("%+v", a.Scopes)
	}
	n, err := d.r.wanted()
	must(t, err)
	must(t, d.r.answered(n))
	if d.status().Unasked {
		t.Fatal("unasked")
	}
	must(t, d.r.Reidentify())
	if h, err = d.r.Hello(); err != nil || !slices.Equal(h.Held, []string{"a/1"}) || len(h.Want) != 2 {
		t.Fatalf("%+v %v", h, err)
	}
}

func TestServerOfTheOtherKind(t *testing.T) {
	o, d := scopedDevice(t, "INSERT INTO note VALUES (1, 'one', 5)", map[string][]int64{"a/1": {1}})
	next := *o.schema
	next.Hash = "without"
	welcome := &wire.Welcome{Space: "s", Incarnation: "inc", DigestKey: o.key, Term: "term", Schema: next.Hash}
	if a := d.welcome(welcome, 1); a != nil {
		t.Fatalf("%+v", a) // the list may be empty because there are none any more
	}
	d.want("SELECT count(*) FROM note", "[1]")
	next.Scopes = nil
	_, err := d.r.SaveSchema(&wire.Schema{Hash: next.Hash, Body: structure.Encode(&next)}, 1)
	if tidemark.CodeOf(err) != tidemark.CodeSchema || !errors.Is(err, errOtherKind) || tidemark.HintOf(err) == "" {
		t.Fatal(err)
	}
	d.want("SELECT count(*) FROM note", "[1]")
	// There are scopes, and none is listed.
	next.Scopes = []string{"c"}
	a := saveSchema(t, d.r, &wire.Schema{Hash: next.Hash, Body: structure.Encode(&next)})
	note := o.schema.Named("note").ID
	if a == nil || !slices.Equal(a.Scopes, []ScopeNews{{Scope: "a/1", State: ScopeLost, Rows: 1}}) || a.Left[note] != 1 || !slices.Equal(a.Tables, []int{note}) {
		t.Fatalf("told of %+v", a)
	}
	d.want("SELECT count(*) FROM note", "[0]")
	if again := saveSchema(t, d.r, &wire.Schema{Hash: next.Hash, Body: structure.Encode(&next)}); again != nil {
		t.Fatalf("told twice: %+v", again)
	}

	plain := newOrigin(t, notes)
	copied := plain.clone()
	welcome = &wire.Welcome{Space: "s", Incarnation: "inc", DigestKey: plain.key, Term: "term", Scopes: []string{"a/1"}}
	if _, err := copied.r.Welcome(welcome, 1); !errors.Is(err, errOtherKind) {
		t.Fatal(err)
	}
}

// A file that an earlier build made gets what it lacks.
func TestScopesInAnOlderFile(t *testing.T) {
	o := newOrigin(t, notes)
	d := o.clone()
	for _, sql := range []string{
		"DROP TABLE _tm_scope", "DROP TABLE _tm_want", "DROP TABLE _tm_member", "DROP TABLE _tm_lost", "DROP TABLE _tm_left",
		"ALTER TABLE _tm_stage DROP COLUMN scope", "ALTER TABLE _tm_stage DROP COLUMN part",
	} {
		must(t, d.r.db.Script(sql))
	}
	d.crash()
	b := o.do("INSERT INTO note VALUES (1, 'one', 1)")
	chunk := *b
	chunk.More, chunk.Cursor = true, "c"
	d.apply(&chunk)
	if st := d.status(); st.Staged != 1 || st.Scoped || st.Unasked {
		t.Fatalf("%+v", st)
	}
	b.Changes = []tidemark.Change{}
	d.applyWell(b)
	compareRows(t, o.schema, d.rows(), o.rows)
	h, err := d.r.Hello()
	must(t, err)
	if h.Only || h.Held != nil || h.Want != nil {
		t.Fatalf("%+v", h)
	}
}

const looseNotes = `CREATE TABLE book (id INTEGER PRIMARY KEY);
CREATE TABLE page (id INTEGER PRIMARY KEY, book INTEGER NOT NULL REFERENCES book(id) ON DELETE CASCADE, text);`

// The tables are made without loose foreign keys, in every move of the schema,
// and nothing is judged by them.
func TestLooseForeignKeys(t *testing.T) {
	o := newScopedOrigin(t, looseNotes, "a")
	page := o.schema.Named("page")
	page.ForeignKeys[0].Loose = true
	sql, err := structure.LooseSQL(page)
	must(t, err)
	for i := range o.schema.Objects {
		if o.schema.Objects[i].Name == "page" {
			o.schema.Objects[i].SQL = sql // as a snapshot has it
		}
	}
	d := o.cloneScoped()
	_, err = d.r.TakeScopes([]string{"a/1"}, 1)
	must(t, err)
	if out := d.status().Out; out != nil {
		t.Fatalf("%v", out)
	}
	row := []tidemark.Value{tidemark.Int(1), tidemark.Int(7), tidemark.Text("x")}
	images := images{idOf(page, row[:1]): row}
	batch := func(schema string, changes ...tidemark.Change) *wire.Batch {
		return &wire.Batch{Term: "term", Schema: schema, Parts: []wire.Part{{Scope: "a/1", Changes: changes, Sum: sumOf(o.key, o.schema, images)}}}
	}
	d.applyWell(batch(o.schema.Hash, tidemark.Change{Table: page.ID, Op: tidemark.Insert, Key: row[:1], New: row}))
	d.commit("UPDATE page SET book = 8 WHERE id = 1") // foreign keys are on in the app
	d.applyWell(batch(o.schema.Hash))
	if p := d.pending(); p[0].Suspended {
		t.Fatalf("%+v", p)
	}

	// The key is honoured by another declaration, and loose again by one more;
	// meanwhile the table gets a column that refers to a row that is not here.
	must(t, o.db.Script("ALTER TABLE page ADD COLUMN also INTEGER REFERENCES book(id)"))
	o.inspect()
	for _, loose := range []bool{false, true} {
		o.schema.Scopes, o.schema.Declared = []string{"a"}, "y"
		page = o.schema.Named("page")
		page.ForeignKeys[0].Loose, page.ForeignKeys[1].Loose = loose, true
		if got := page.ForeignKeys[0].Columns[0]; got != 1 {
			t.Fatalf("the first key is of column %d", got)
		}
		o.schema.Hash = structure.HashOf(o.schema)
		saveSchema(t, d.r, &wire.Schema{Hash: o.schema.Hash, Body: structure.Encode(o.schema)})
		if a := d.applyWell(batch(o.schema.Hash)); !a.Schema {
			t.Fatal("the schema did not move")
		}
		d.crash()
		if out := d.status().Out; out != nil {
			t.Fatalf("loose %v: %v", loose, out)
		}
		keys := "[0]"
		if !loose {
			keys = "[1]"
		}
		d.want("SELECT count(*) FROM pragma_foreign_key_list('page')", keys)
		if p := d.pending(); p[0].Suspended == loose {
			t.Fatalf("loose %v: %+v", loose, p)
		}
	}
	d.write("UPDATE page SET also = 99")
}

func TestNewColumnWhileScoped(t *testing.T) {
	o, d := scopedDevice(t, "INSERT INTO note VALUES (1, 'one', 5), (2, 'two', 6)", map[string][]int64{"a/1": {1}, "b/1": {1, 2}})
	d.commit("UPDATE note SET n = 9 WHERE id = 1")
	must(t, o.db.Script("ALTER TABLE note ADD COLUMN more TEXT DEFAULT 'm'"))
	o.inspect()
	o.schema.Scopes, o.schema.Declared = []string{"a", "b"}, "x"
	o.schema.Hash = structure.HashOf(o.schema)
	o.commit()
	saveSchema(t, d.r, &wire.Schema{Hash: o.schema.Hash, Body: structure.Encode(o.schema)})
	b := o.empty(0)
	b.Parts = []wire.Part{o.part("a/1", []tidemark.Change{}, 1), o.part("b/1", []tidemark.Change{}, 1, 2)}
	d.applyWell(b)
	d.want("SELECT group_concat(id || ' ' || n || more) FROM note", "['1 9m,2 6m']")
}
