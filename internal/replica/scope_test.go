package replica

import (
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
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
