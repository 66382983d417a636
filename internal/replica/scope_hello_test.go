package replica

import (
	"errors"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	structure "github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

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
