package hub_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// Everybody sees what is his own, in tables that hold the rows of all.
const cellarSchema = `
CREATE TABLE box (id INTEGER PRIMARY KEY, who TEXT, code TEXT UNIQUE, body TEXT);
CREATE INDEX box_who ON box (who);
CREATE TABLE thing (id INTEGER PRIMARY KEY, who TEXT, box INTEGER REFERENCES box);
CREATE INDEX thing_who ON thing (who);
CREATE INDEX thing_box ON thing (box);
CREATE TABLE note (id INTEGER PRIMARY KEY, who TEXT, text TEXT);
CREATE INDEX note_who ON note (who);
`

const cellarPolicies = `
tables:
  box: { on_insert: renumber, on_unique: { function: join }, columns: { body: text } }
  note: { on_insert: merge, columns: { text: manual } }
  thing: { references: { box: set-null } }
scopes:
  mine: { grant: "SELECT :user", tables: { box: who, thing: who, note: who } }
`

type cellar struct {
	bench
	by *lite.DB
}

func newCellar(t *testing.T, script string) *cellar {
	u := &cellar{}
	u.t, u.now = t, 1000
	path := makeFile(t, cellarSchema+script)
	store := openStore(t, path, "shop", cellarPolicies, policy.Functions{Unique: []string{"join"}})
	u.by = another(t, path)
	t.Cleanup(func() {
		must(u.t, u.by.Close())
		must(u.t, store.Close())
	})
	var err error
	u.hub, err = hub.Open(ctx, store, u.now, hub.Options{
		Rand: rand.NewChaCha8([32]byte{}),
		Unique: map[string]hub.UniqueFunc{"join": func(hub.Clash) (hub.Resolution, error) {
			return hub.Resolution{Merge: true}, nil
		}},
	})
	must(u.t, err)
	u.group()
	u.digest = digest.New(u.hub.State().DigestKey)
	return u
}

// same fails unless ann holds as many rows as are hers: sums say the rest.
func (u *cellar) same(ann *mole) {
	u.t.Helper()
	ann.catchUp()
	u.holds("SELECT (SELECT count(*) FROM box WHERE who = 'ann') + (SELECT count(*) FROM thing WHERE who = 'ann') + (SELECT count(*) FROM note WHERE who = 'ann')", fmt.Sprint(len(ann.rows)))
}

func (u *cellar) ann() *mole {
	m := u.newMole("ann", nil)
	m.catchUp()
	return m
}

// put makes a row of texts and integers.
func (u *cellar) put(table string, row ...any) tidemark.Change {
	t := u.hub.Schema().Named(table)
	c := tidemark.Change{Table: t.ID, Op: tidemark.Insert}
	for _, v := range row {
		switch v := v.(type) {
		case int:
			c.New = append(c.New, tidemark.Int(int64(v)))
		case string:
			c.New = append(c.New, tidemark.Text(v))
		}
	}
	c.Key = t.KeyOf(c.New)
	return c
}

func (u *cellar) change(table string, id int64, column string, v tidemark.Value) tidemark.Change {
	t := u.hub.Schema().Named(table)
	return tidemark.Change{Table: t.ID, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(id)}, Cols: []int{t.Place(column)}, New: []tidemark.Value{v}}
}

func (u *cellar) remove(table string, id int64) tidemark.Change {
	return tidemark.Change{Table: u.hub.Schema().Named(table).ID, Op: tidemark.Delete, Key: []tidemark.Value{tidemark.Int(id)}}
}

// text is what a query gives, as a text.
func (u *cellar) text(query string) string {
	u.t.Helper()
	got, err := u.by.Text("SELECT CAST((" + query + ") AS TEXT)")
	must(u.t, err)
	return got
}

// holds compares what a query gives.
func (u *cellar) holds(query, want string) {
	u.t.Helper()
	if got := u.text(query); got != want {
		u.t.Fatalf("%s gives %q, should give %q", query, got, want)
	}
}

// tells fails when an outcome says anything of a row that is not the author's.
func tells(t *testing.T, o tidemark.Outcome, code tidemark.Code, words ...string) {
	t.Helper()
	if o.Kind != tidemark.Rejected || o.Code != code {
		t.Fatalf("%+v", o)
	}
	for _, w := range words {
		if strings.Contains(fmt.Sprint(o.Message, o.Key, o.Columns, o.Lost, o.Over), w) {
			t.Fatalf("it tells %q: %+v", w, o)
		}
	}
}

func TestRefusalsDoNotTellOfOthersRows(t *testing.T) {
	u := newCellar(t, "INSERT INTO box VALUES (1, 'ann', 'a', ''), (42, 'bob', 'b', 'hidden'); INSERT INTO thing VALUES (77, 'bob', 1); INSERT INTO note VALUES (5, 'bob', 'hidden')")
	ann := u.ann()
	// A unique value, whatever a function would do about it.
	o := ann.fate(u.put("box", 10, "ann", "b", ""))
	tells(t, o, tidemark.CodeUnique, "42", "hidden")
	if !slices.Equal(o.Columns, []string{"code"}) || o.Table != "box" || len(o.Renumbered) > 0 {
		t.Fatalf("%+v", o)
	}
	// A row that refers to the author's.
	o = ann.fate(u.remove("box", 1))
	tells(t, o, tidemark.CodeForeignKey, "77")
	if o.Table != "thing" || o.Key != nil {
		t.Fatalf("%+v", o)
	}
	// A key that is taken is not merged into, and not told apart from one with the same values.
	for _, text := range []string{"hidden", "mine"} {
		tells(t, ann.fate(u.put("note", 5, "bob", text)), tidemark.CodeUnique, "hidden")
	}
	u.holds("SELECT text FROM note", "hidden")
	u.holds("SELECT count(*) FROM tm_conflicts", "0")
	u.same(ann)
}

// A reference to a row that went is taken back only if the author could have seen
// that row: to him, one that he could not see was never there.
func TestReferencesToRowsThatWentUnseen(t *testing.T) {
	u := newCellar(t, "INSERT INTO box VALUES (1, 'ann', 'a', ''), (42, 'bob', 'b', 'hidden')")
	ann := u.ann()
	seen := ann.hello.Seq
	must(u.t, u.by.Run("DELETE FROM box"))
	u.group()
	ann.catchUp()
	late := func(c tidemark.Change) tidemark.Outcome {
		ann.got = nil
		sub := ann.push(c)
		sub.Changeset.Seen = seen
		u.group(sub)
		return ann.outcome()
	}
	unseen, never := late(u.put("thing", 5, "ann", 42)), late(u.put("thing", 6, "ann", 43))
	tells(t, unseen, tidemark.CodeForeignKey, "hidden")
	if strings.ReplaceAll(never.Message, "6", "5") != unseen.Message || never.Code != unseen.Code {
		t.Fatalf("%+v\n%+v", unseen, never)
	}
	if o := late(u.put("thing", 7, "ann", 1)); o.Kind != tidemark.Merged {
		t.Fatalf("%+v", o)
	}
	u.holds("SELECT group_concat(id || coalesce(box, '-')) FROM thing", "7-")
	ann.catchUp()
	if len(ann.rows) != 2 { // the thing, and the conflict about it
		t.Fatalf("%v", ann.rows)
	}
}

func TestTextsOfUnseenRows(t *testing.T) {
	u := newCellar(t, "INSERT INTO box VALUES (42, 'bob', 'b', 'hidden')")
	ann := u.ann()
	kept := "SELECT count(*) FROM _tm_text"
	before := u.text(kept)
	messages := map[string]bool{}
	for _, id := range []int64{42, 43} {
		c := u.change("box", id, "body", tidemark.Null)
		c.Edits = []tidemark.Edit{{Kind: tidemark.EditText, Body: splice.Edit{Patch: splice.Patch{{At: 0, Insert: "x"}}}.Body()}}
		o := ann.fate(c)
		tells(t, o, tidemark.CodeForbidden)
		messages[o.Message] = true
	}
	if len(messages) != 1 {
		t.Fatal(messages)
	}
	u.holds(kept, before)
}

// What an author calls by the id of a row that he may not see is his own.
func TestNumbersOfUnseenRows(t *testing.T) {
	u := newCellar(t, "INSERT INTO box VALUES (7, 'bob', 'b', 'hidden')")
	ann := u.ann()
	insert := ann.push(u.put("box", 7, "ann", "a", "mine"))
	edit := ann.push(u.change("box", 7, "code", tidemark.Text("a2")), u.put("thing", 1, "ann", 7))
	u.group(insert, edit)
	u.holds("SELECT group_concat(id || code || body, ' ') FROM (SELECT * FROM box ORDER BY id)", "7bhidden 8a2mine")
	u.holds("SELECT box FROM thing", "8")
	o := ann.outcome()
	if o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
	// From the outcome on it knows better.
	o = ann.fate(u.change("box", 7, "code", tidemark.Text("a3")))
	tells(t, o, tidemark.CodeForbidden)
	// Not a trace of a row that is not there, nor of one that is, behind a rejected insert.
	for _, id := range []int{42, 43} {
		must(u.t, u.by.Script("INSERT OR IGNORE INTO box VALUES (42, 'bob', 'c', 'hidden')"))
		u.group()
		bad := ann.push(u.put("thing", 100, "ann", 999), u.put("box", id+2, "ann", fmt.Sprint("d", id), ""))
		next := ann.push(u.put("thing", 101, "ann", id+2))
		ann.got = nil
		u.group(bad, next)
		o := ann.outcome()
		if o.Code != tidemark.CodeDependsOn || strings.Contains(o.Message, "another one") {
			t.Fatalf("%+v", o)
		}
		if id == 42 {
			must(u.t, u.by.Script("INSERT INTO box VALUES (45, 'bob', 'e', 'hidden')"))
			u.group()
		}
	}
	u.same(ann)
}

// A row that went elsewhere before the author's edit came: no record of a
// conflict tells what became of it.
func TestRowsThatWentAreNotConflicts(t *testing.T) {
	u := newCellar(t, "INSERT INTO note VALUES (1, 'ann', 'mine'), (2, 'ann', 'mine'), (3, 'ann', 'mine')")
	ann := u.ann()
	one, two, three := ann.push(u.change("note", 1, "text", tidemark.Text("x"))), ann.push(u.change("note", 2, "text", tidemark.Text("x"))), ann.push(u.change("note", 3, "text", tidemark.Text("x")))
	must(u.t, u.by.Script("UPDATE note SET who = 'bob', text = 'hidden' WHERE id < 3"))
	u.group()
	must(u.t, u.by.Script("DELETE FROM note WHERE id > 1"))
	u.group()
	ann.got = nil
	u.group(one)
	tells(t, ann.outcome(), tidemark.CodeForbidden, "hidden")
	ann.got = nil
	u.group(two)
	tells(t, ann.outcome(), tidemark.CodeForbidden, "hidden")
	u.holds("SELECT count(*) FROM tm_conflicts", "0")
	ann.got = nil
	u.group(three)
	if o := ann.outcome(); o.Kind != tidemark.Merged {
		t.Fatalf("%+v", o)
	}
	u.holds("SELECT group_concat(base || theirs || mine) FROM (SELECT coalesce(base, '') base, coalesce(theirs, '') theirs, mine FROM tm_conflicts)", `{"id":3,"who":"ann","text":"mine"}{"text":"x"}`)
}
