package replica

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/meta"
	structure "github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

const board = `CREATE TABLE card (id INTEGER PRIMARY KEY, title TEXT, votes INTEGER, tags TEXT, attrs TEXT, body TEXT,
	owner TEXT, top INTEGER, street TEXT, city TEXT, lock TEXT);
INSERT INTO card VALUES (1, 'one', 10, '["a","b"]', '{"x":1}', 'hello world', 'ann', 5, 's', 'c', 'l');
INSERT INTO card VALUES (2, 'two', 0, '[]', '{}', '', 'bob', 0, 's2', 'c2', 'l2');`

// declare sets the policies of board's columns.
func (o *origin) declare(policies map[string]tidemark.Policy) {
	for _, t := range o.schema.Tables {
		for c := range t.Columns {
			t.Columns[c].Policy = policies[t.Columns[c].Name]
			if p := t.Columns[c].Name; p == "street" || p == "city" {
				t.Columns[c].Group = "address"
			}
		}
	}
	o.schema.Hash = "declared"
}

var boardPolicies = map[string]tidemark.Policy{
	"votes": tidemark.PolicyCounter, "tags": tidemark.PolicySet, "attrs": tidemark.PolicyJSON, "body": tidemark.PolicyText,
	"owner": tidemark.PolicyFirstWrite, "top": tidemark.PolicyMax, "lock": tidemark.PolicyReject,
}

func newBoard(t *testing.T) (*origin, *device) {
	t.Helper()
	o := newOrigin(t, board)
	o.declare(boardPolicies)
	return o, o.clone()
}

// lastChange is the only change of the newest pending changeset.
func (d *device) lastChange() tidemark.Change {
	d.t.Helper()
	list := d.pending()
	p := list[len(list)-1]
	if len(p.Changes) != 1 {
		d.t.Fatalf("%d changes", len(p.Changes))
	}
	return p.Changes[0]
}

func (d *device) wantEdit(kind tidemark.EditKind, body string) {
	d.t.Helper()
	c := d.lastChange()
	if got := c.EditOf(0); got.Kind != kind || got.Body != body {
		d.t.Fatalf("edit %c %s, want %c %s", got.Kind, got.Body, kind, body)
	}
}

func TestSealingMakesIntents(t *testing.T) {
	_, d := newBoard(t)
	for _, test := range []struct {
		set  string
		kind tidemark.EditKind
		body string
	}{
		{"title = 'x'", tidemark.EditSet, ""},
		{"votes = votes + 3", tidemark.EditAdd, "3"},
		{"votes = votes - 1", tidemark.EditAdd, "-1"},
		{"votes = NULL", tidemark.EditSet, ""},
		{"tags = '[\"a\",\"c\"]'", tidemark.EditMembers, `[["c"],["b"]]`},
		{"body = 'hello brave world'", tidemark.EditText, `{"s":[[6,0,"brave "]]}`},
		{"body = 'hello brave world!'", tidemark.EditText, `{"s":[[17,0,"!"]],"after":6}`},
		{"top = 3", tidemark.EditSet, ""},
	} {
		d.commit("UPDATE card SET " + test.set + " WHERE id = 1")
		d.wantEdit(test.kind, test.body)
	}
	d.commit("UPDATE card SET city = 'x' WHERE id = 1")
	if c := d.lastChange(); fmt.Sprint(c.Cols) != "[8 9]" || c.New[0] != tidemark.Text("s") || c.New[1] != tidemark.Text("x") || len(c.Edits) != 0 {
		t.Fatalf("%+v", c)
	}
	d.commit("INSERT INTO card (id, votes, body) VALUES (3, 3, 'b')")
	if c := d.lastChange(); c.Op != tidemark.Insert || len(c.Edits) != 0 {
		t.Fatalf("%+v", c)
	}
	d.commit("UPDATE card SET body = 'bc' WHERE id = 3")
	d.wantEdit(tidemark.EditText, `{"s":[[1,0,"c"]],"after":10}`)
	d.commit("UPDATE card SET id = 4, votes = 5, body = 'bcd' WHERE id = 3")
	d.commit("UPDATE card SET body = 'bcde' WHERE id = 4")
	d.wantEdit(tidemark.EditText, `{"s":[[3,0,"e"]],"after":12}`)
}

// TestTypingIntoALongText: what is sent of a keystroke is no document.
func TestTypingIntoALongText(t *testing.T) {
	_, d := newBoard(t)
	long := strings.Repeat("All work and no play. ", 1<<20/22)
	d.commit("UPDATE card SET body = '" + long + "' WHERE id = 1")
	for i := range 5 {
		d.commit(fmt.Sprintf("UPDATE card SET body = substr(body, 1, 500000) || 'k' || substr(body, 500001) WHERE id = %d", 1))
		list := d.pending()
		if n := list[i+1].Bytes; n > 100 {
			t.Fatalf("keystroke %d has %d bytes", i, n)
		}
	}
	d.crash()
}

// TestRebaseByPolicy brings one foreign change of everything under an offline
// edit of everything.
func TestRebaseByPolicy(t *testing.T) {
	o, d := newBoard(t)
	d.commit(`UPDATE card SET title = 'mine', votes = votes + 3, tags = '["b","c"]', attrs = '{"x":1,"mine":2}',
		body = 'hello brave world', owner = 'me', top = 7, city = 'my' WHERE id = 1`)
	d.commit("UPDATE card SET body = 'hello brave new world', owner = 'me2', top = 6 WHERE id = 1")
	a := d.applyWell(o.do(`UPDATE card SET title = 'theirs', votes = votes + 10, tags = '["a","b","d"]', attrs = '{"x":9}',
		body = 'Oh, hello world', owner = 'them', top = 9, street = 'their' WHERE id = 1`))
	if len(a.Suspended) != 0 {
		t.Fatalf("suspended %+v", a.Suspended)
	}
	d.want("SELECT title, votes, tags, attrs, body, owner, top, street, city FROM card WHERE id = 1",
		`['mine' 23 '["b","d","c"]' '{"x":9,"mine":2}' 'Oh, hello brave new world' 'them' 9 's' 'my']`)
	if got := d.pending()[0]; got.Changes[0].EditOf(4).Body != `{"s":[[6,0,"brave "]]}` {
		t.Fatalf("what is sent moved: %+v", got.Changes[0].Edits)
	}
	// The next edit says what it was made on.
	d.commit("UPDATE card SET body = 'Oh, hello brave new world!' WHERE id = 1")
	d.wantEdit(tidemark.EditText, `{"s":[[25,0,"!"]],"after":2,"on":[[10,0,"brave new "]]}`)
	d.commit("UPDATE card SET body = 'Oh, hello brave new world!!' WHERE id = 1")
	d.wantEdit(tidemark.EditText, `{"s":[[26,0,"!"]],"after":3}`)
	d.applyWell(o.do("UPDATE card SET body = substr(body, 5) WHERE id = 1"))
	d.want("SELECT body, owner FROM card WHERE id = 1", "['hello brave new world!!' 'them']")
	d.crash()
	d.applyWell(o.do("UPDATE card SET body = '> ' || body WHERE id = 1"))
	d.want("SELECT body, owner FROM card WHERE id = 1", "['> hello brave new world!!' 'them']")
}

func TestStaleEditIsSuspendedUntilItsVerdict(t *testing.T) {
	o, d := newBoard(t)
	d.commit("UPDATE card SET lock = 'mine', title = 'mine' WHERE id = 1")
	d.commit("UPDATE card SET title = 'free' WHERE id = 2")
	a := d.applyWell(o.do("UPDATE card SET lock = 'theirs' WHERE id = 1"))
	if len(a.Suspended) != 1 || a.Suspended[0].N != 1 || a.Suspended[0].Cause != "stale" {
		t.Fatalf("suspended %+v", a.Suspended)
	}
	d.want("SELECT title, lock FROM card WHERE id = 1", "['one' 'theirs']")
	if a = d.applyWell(o.do("UPDATE card SET title = 'x' WHERE id = 1")); len(a.Resumed) != 0 {
		t.Fatalf("%+v", a)
	}
	d.want("SELECT title, lock FROM card WHERE id = 1", "['x' 'theirs']")
	d.settle(d.rejection(1, 2, tidemark.CodeStale))
	d.want("SELECT title FROM card ORDER BY id", "['x']")
	if len(d.rejected()) != 1 {
		t.Fatal("the rejected changeset is not kept")
	}
}

func TestDeletedRowComesBack(t *testing.T) {
	o := newOrigin(t, board)
	o.declare(boardPolicies)
	o.schema.Tables[0].Policy.OnDelete = tidemark.UpdateWins
	d := o.clone()
	d.commit("UPDATE card SET votes = votes + 1, body = 'hello' WHERE id = 1")
	d.commit("UPDATE card SET body = 'hello!' WHERE id = 1")
	d.commit("DELETE FROM card WHERE id = 2")
	d.applyWell(o.do("DELETE FROM card WHERE id = 1; UPDATE card SET title = 'kept' WHERE id = 2"))
	d.want("SELECT group_concat(id || title || votes || body) FROM card", "['1one11hello!,2kept0']")
	d.crash()
	d.applyWell(o.do("INSERT INTO card (id) VALUES (9)"))
	d.want("SELECT group_concat(id || title || votes || body) FROM card", "['1one11hello!,2kept0']")
}

// TestOwnChainIsNoConflict: what comes back of our own edits is taken the
// quick way and changes nothing that a reader sees.
func TestOwnChainIsNoConflict(t *testing.T) {
	o, d := newBoard(t)
	sets := []string{"votes = votes + 3, owner = 'me'", "votes = votes - 1, owner = 'me2', body = 'hello, world'", "body = 'hello, world!', lock = 'x', top = 1"}
	for _, set := range sets {
		d.commit("UPDATE card SET " + set + " WHERE id = 1")
	}
	for i, set := range sets {
		b := o.do("UPDATE card SET " + set + " WHERE id = 1")
		a := d.applyWell(b, d.acceptance(int64(i+1), b.To))
		if len(a.Tables) != 0 || len(a.Settled) != 1 {
			t.Fatalf("%+v", a)
		}
	}
	compareRows(t, o.schema, d.rows(), o.rows)
	if n, err := d.r.db.Int("SELECT (SELECT count(*) FROM _tm_text) + (SELECT count(*) FROM _tm_base)"); err != nil || n != 0 {
		t.Fatal(n, err)
	}
}

// TestPatchThatDoesNotFit: the row stays as it is and the copy asks for repair.
func TestPatchThatDoesNotFit(t *testing.T) {
	o, d := newBoard(t)
	for _, pending := range []bool{false, true} {
		if pending {
			d.commit("UPDATE card SET title = 'mine' WHERE id = 1")
		}
		before := d.get("SELECT body FROM card WHERE id = 1")
		b := &wire.Batch{From: o.seq, To: o.seq + 1, Term: "term", Schema: o.schema.Hash, Sum: 1}
		b.Changes = []tidemark.Change{{Table: o.schema.Tables[0].ID, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(1)}, Cols: []int{5},
			New: []tidemark.Value{tidemark.Null}, Edits: []tidemark.Edit{{Kind: tidemark.EditText, Body: `{"s":[[900,1,"x"]]}`}}}}
		o.seq++
		if a := d.apply(b); !strings.Contains(a.Repair, "card") {
			t.Fatalf("repair %q", a.Repair)
		}
		d.want("SELECT body FROM card WHERE id = 1", before)
	}
}

// TestUpgrade opens a file as an earlier build left it.
func TestUpgrade(t *testing.T) {
	o, d := newBoard(t)
	d.commit("UPDATE card SET title = 'pending' WHERE id = 1")
	must(t, d.app.Script(`CREATE TABLE old (n INTEGER PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL,
		was_replica TEXT, was_n INTEGER, was_hash BLOB, seen INTEGER NOT NULL, schema TEXT NOT NULL,
		made_at INTEGER NOT NULL, suspended INTEGER NOT NULL DEFAULT 0, cause TEXT, body BLOB NOT NULL);
		INSERT INTO old SELECT n, salt, hash, was_replica, was_n, was_hash, seen, schema, made_at, suspended, cause, body FROM _tm_pending;
		DROP TABLE _tm_pending; ALTER TABLE old RENAME TO _tm_pending;
		CREATE INDEX _tm_pending_suspended ON _tm_pending (n) WHERE suspended = 1;
		DROP TABLE _tm_text; DROP TABLE _tm_history; DROP TABLE _tm_renumbered; DROP TABLE _tm_lease; DROP TABLE IF EXISTS _tm_taken; UPDATE _tm_meta SET v = 1 WHERE k = 'format'`))
	version, err := d.app.Int("PRAGMA schema_version")
	must(t, err)
	must(t, d.app.Run("UPDATE _tm_meta SET v = ?1 WHERE k = 'ddl_version'", tidemark.Int(version)))
	d.crash()
	if n, err := d.r.db.Int("SELECT v FROM _tm_meta WHERE k = 'format'"); err != nil || n != meta.Format {
		t.Fatalf("format %d, %v", n, err)
	}
	d.commit("UPDATE card SET body = 'hello' WHERE id = 1")
	d.wantEdit(tidemark.EditText, `{"s":[[5,6,""]]}`)
	d.applyWell(o.do("UPDATE card SET title = 'theirs', body = 'x' || body WHERE id = 1"))
	d.want("SELECT title, body FROM card WHERE id = 1", "['pending' 'xhello']")
	if st := d.status(); st.Repair != "" || !st.Proven {
		t.Fatalf("%+v", st)
	}
}

// TestPoliciesMove: a schema that differs in policies only touches no table,
// and what is pending keeps its meaning.
func TestPoliciesMove(t *testing.T) {
	o := newOrigin(t, board)
	d := o.clone()
	d.commit("UPDATE card SET votes = 13, body = 'hello brave world', title = 'x' WHERE id = 1")
	version, err := d.app.Int("PRAGMA schema_version")
	must(t, err)
	move := func(policies map[string]tidemark.Policy, hash string) {
		plain := *o.schema
		plain.Tables = nil
		for _, table := range o.schema.Tables {
			c := *table
			c.Columns = slices.Clone(table.Columns)
			plain.Tables = append(plain.Tables, &c)
		}
		o.schema = &plain
		o.declare(policies)
		o.schema.Hash = hash
		saveSchema(t, d.r, &wire.Schema{Hash: hash, Body: structure.Encode(o.schema)})
		b := o.commit()
		if a := d.applyWell(b); !a.Schema || len(a.Tables) != 0 {
			t.Fatalf("%+v", a)
		}
	}
	move(boardPolicies, "one")
	if now, err := d.app.Int("PRAGMA schema_version"); err != nil || now != version {
		t.Fatalf("schema_version %d, was %d, %v", now, version, err)
	}
	d.commit("UPDATE card SET votes = votes + 1, body = 'hello brave new world' WHERE id = 1")
	c := d.lastChange()
	if c.EditOf(0).Body != "1" || c.EditOf(1).Body != `{"s":[[12,0,"new "]],"after":1,"on":[[6,0,"brave "]]}` {
		t.Fatalf("%+v", c.Edits)
	}
	d.applyWell(o.do("UPDATE card SET votes = 100, body = 'hello there world' WHERE id = 1"))
	d.want("SELECT votes, title FROM card WHERE id = 1", "[14 'x']")
	move(map[string]tidemark.Policy{"title": tidemark.PolicyLatestEdit}, "two")
	d.want("SELECT votes, title FROM card WHERE id = 1", "[14 'x']")
	d.commit("UPDATE card SET votes = 20, title = 'y' WHERE id = 1")
	if c := d.lastChange(); len(c.Edits) != 0 || c.MadeAt == 0 {
		t.Fatalf("%+v", c)
	}
	d.crash()
	if st := d.status(); !st.Proven || len(st.Out) != 0 {
		t.Fatalf("%+v", st)
	}
}

// TestTyingInsertions: what is pending comes to the server later, and stands first.
func TestTyingInsertions(t *testing.T) {
	o, d := newBoard(t)
	d.commit("UPDATE card SET body = 'hello my world' WHERE id = 1")
	d.commit("UPDATE card SET body = 'hello my own world' WHERE id = 1")
	d.applyWell(o.do("UPDATE card SET body = 'hello their world' WHERE id = 1"))
	d.want("SELECT body FROM card WHERE id = 1", "['hello my own their world']")
}

// TestTextOfACopyThatDiffers is set as a whole: the server does not know what
// its author saw.
func TestTextOfACopyThatDiffers(t *testing.T) {
	o, d := newBoard(t)
	b := o.do("UPDATE card SET body = 'x' WHERE id = 2")
	b.Sum++
	if a := d.apply(b); a.Repair == "" {
		t.Fatal("nothing is to be repaired")
	}
	d.commit("UPDATE card SET body = 'hello brave world' WHERE id = 1")
	d.wantEdit(tidemark.EditSet, "")
	must(t, d.r.Prove(9))
	d.commit("UPDATE card SET body = 'hello brave new world' WHERE id = 1")
	d.wantEdit(tidemark.EditText, `{"s":[[12,0,"new "]],"after":1}`)
}

// TestEditsThatTheirValueCannotTake end as the server decides them.
func TestEditsThatTheirValueCannotTake(t *testing.T) {
	o, d := newBoard(t)
	d.commit(`UPDATE card SET votes = votes + 3, tags = '["a","b","c"]', body = 'hello brave world' WHERE id = 1`)
	d.commit("UPDATE card SET votes = votes + 4 WHERE id = 1")
	d.applyWell(o.do("UPDATE card SET votes = NULL, tags = 'none', body = NULL WHERE id = 1"))
	m := merge.Meeting{Column: &o.schema.Tables[0].Columns[2], Policy: tidemark.PolicyCounter, Base: tidemark.Int(10), Based: true,
		Edit: tidemark.Edit{Kind: tidemark.EditAdd, Body: "3"}}
	v, err := merge.Meet(m)
	must(t, err)
	sum, err := merge.Apply(v.Value, tidemark.Null, tidemark.Edit{Kind: tidemark.EditAdd, Body: "4"})
	must(t, err)
	d.want("SELECT votes, tags, body FROM card WHERE id = 1", fmt.Sprintf(`[%v '["a","b","c"]' 'hello brave world']`, sum))
	d.settle(d.rejection(1, 1, tidemark.CodeConflict), d.rejection(2, 1, tidemark.CodeConflict))
	compareRows(t, o.schema, d.rows(), o.rows)
}
