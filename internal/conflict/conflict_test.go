package conflict

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

const shop = `
CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL, n INTEGER CHECK (n < 100), street TEXT, city TEXT, any);
CREATE TABLE "od""d" (a TEXT NOT NULL COLLATE NOCASE, b BLOB NOT NULL, "v al" REAL, PRIMARY KEY (a, b)) WITHOUT ROWID;
INSERT INTO task VALUES (1, 'theirs', 5, 'S1', 'C1', 1.0), (2, 'two', 2, '', '', NULL);
INSERT INTO "od""d" VALUES ('Key', x'00ff', 1.5);
`

// fixture is a file with the table, whose integrity is checked at the end.
func fixture(t *testing.T) (*lite.DB, *tidemark.Schema) {
	t.Helper()
	db, err := lite.Open(filepath.Join(t.TempDir(), "c.db"), lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if msg, err := db.Text("PRAGMA integrity_check"); err != nil || msg != "ok" {
			t.Error(msg, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Script(shop + tidemark.ConflictsSQL); err != nil {
		t.Fatal(err)
	}
	s, _, err := schema.Inspect(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	return db, s
}

// record adds a record. What is empty stays as a cell of task 1 that theirs won.
type record struct {
	id, state, tbl, row, col, unit, policy, winner string
	base, theirs, mine                             tidemark.Value
	seq                                            int64
}

func (r record) add(t *testing.T, db *lite.DB) {
	t.Helper()
	or := func(s, otherwise string) tidemark.Value {
		if s == "" {
			s = otherwise
		}
		return tidemark.Text(s)
	}
	null := func(s string) tidemark.Value {
		if s == "" {
			return tidemark.Null
		}
		return tidemark.Text(s)
	}
	err := db.Run("INSERT INTO tm_conflicts VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		tidemark.Text(r.id), or(r.state, "open"), or(r.tbl, "task"), or(r.row, "[1]"), null(r.col), null(r.unit), or(r.policy, "manual"),
		or(r.winner, "theirs"), r.base, r.theirs, r.mine, tidemark.Text("r2"), tidemark.Text("r1/17"), tidemark.Text("ada"),
		tidemark.Int(1000), tidemark.Int(2000), tidemark.Int(max(r.seq, 17)))
	if err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, db *lite.DB, sql string) string {
	t.Helper()
	r, err := db.Get(sql)
	if err != nil {
		t.Fatal(err)
	}
	parts := make([]string, len(r))
	for i, v := range r {
		parts[i] = v.String()
	}
	return strings.Join(parts, ",")
}

func want(t *testing.T, db *lite.DB, sql, want string) {
	t.Helper()
	if got := get(t, db, sql); got != want {
		t.Errorf("%s: %s, want %s", sql, got, want)
	}
}

// resolve runs in a transaction, as its callers do.
func resolve(db *lite.DB, s *tidemark.Schema, id string, c Choice) (res *Resolved, err error) {
	err = db.Transaction(func() error { res, err = Resolve(db, s, id, c); return err })
	return res, err
}

func restore(db *lite.DB, s *tidemark.Schema, id string) (res *Resolved, err error) {
	err = db.Transaction(func() error { res, err = Restore(db, s, id); return err })
	return res, err
}

func TestValuesComeExactly(t *testing.T) {
	db, _ := fixture(t)
	big, inf, blob := tidemark.Int(math.MaxInt64), tidemark.Real(math.Inf(1)), tidemark.Blob([]byte{0, 255})
	record{id: "17-1", tbl: `od"d`, row: `["Key",{"b":"AP8"}]`, col: "v al", base: big, theirs: inf, mine: blob}.add(t, db)
	record{id: "17-2", row: `[{"i":"9223372036854775807"}]`, base: tidemark.Text(`{"id":{"i":"9223372036854775807"},"any":{"b":"AP8"}}`),
		mine: tidemark.Text(`{"any":{"f":1}}`)}.add(t, db)
	list, err := List(db, Filter{})
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	c := list[0]
	if c.Base != big || c.Theirs != inf || c.Mine != blob || c.Column != "v al" || c.Rows != nil ||
		c.Key[0] != tidemark.Text("Key") || c.Key[1] != blob || c.TheirsBy != "r2" || c.MineBy != "r1/17" || c.Author != "ada" || c.MadeAt != 1000 || c.At != 2000 || c.Seq != 17 {
		t.Errorf("%+v", c)
	}
	c = list[1]
	if c.Column != "" || c.Rows == nil || c.Rows.Theirs != nil || c.Rows.Base["id"] != big || c.Rows.Base["any"] != blob ||
		c.Rows.Mine["any"] != tidemark.Real(1) || c.Key[0] != big {
		t.Errorf("%+v %+v", c, c.Rows)
	}
}

func TestFilters(t *testing.T) {
	db, _ := fixture(t)
	for i, st := range []string{"open", "kept", "resolved", "open"} {
		record{id: string(rune('a' + i)), state: st, col: "title", seq: int64(20 + i)}.add(t, db)
	}
	for name, f := range map[string]struct {
		Filter
		want string
	}{
		"zero":     {Filter{}, "abd"},
		"open":     {Filter{States: []string{"open"}}, "ad"},
		"resolved": {Filter{States: []string{"resolved"}}, "c"},
		"none":     {Filter{States: []string{}}, ""},
		"table":    {Filter{Table: "TASK"}, "abd"},
		"other":    {Filter{Table: "nothing"}, ""},
		"after":    {Filter{After: 20}, "bd"},
		"limit":    {Filter{Limit: 1}, "a"},
	} {
		list, err := List(db, f.Filter)
		if err != nil {
			t.Fatal(name, err)
		}
		got := ""
		for _, c := range list {
			got += c.ID
		}
		if got != f.want {
			t.Errorf("%s: %q, want %q", name, got, f.want)
		}
	}
	if n, err := Count(db, "open"); n != 2 || err != nil {
		t.Error(n, err)
	}
	if err := db.Run("DROP TABLE tm_conflicts"); err != nil {
		t.Fatal(err)
	}
	if list, err := List(db, Filter{}); len(list) != 0 || err != nil {
		t.Error(list, err)
	}
	if n, err := Count(db, "open"); n != 0 || err != nil {
		t.Error(n, err)
	}
}

func TestACellIsResolved(t *testing.T) {
	for name, try := range map[string]struct {
		choice Choice
		title  string
	}{
		"mine":   {Mine, "'mine'"},
		"theirs": {Theirs, "'theirs'"},
		"value":  {Value(tidemark.Text("third")), "'third'"},
	} {
		t.Run(name, func(t *testing.T) {
			db, s := fixture(t)
			record{id: "17-1", col: "title", base: tidemark.Text("base"), theirs: tidemark.Text("theirs"), mine: tidemark.Text("mine")}.add(t, db)
			res, err := resolve(db, s, "17-1", try.choice)
			if err != nil || res.Moved || len(res.Cells) != 1 || res.Cells[0].Was != tidemark.Text("theirs") || res.Cells[0].Now.String() != try.title {
				t.Fatalf("%+v %v", res, err)
			}
			want(t, db, "SELECT title, n FROM task WHERE id = 1", try.title+",5")
			want(t, db, "SELECT state FROM tm_conflicts", "'resolved'")
		})
	}
}

func TestAColumnWithoutTypeTakesExactValues(t *testing.T) {
	db, s := fixture(t)
	record{id: "17-1", col: "ANY", theirs: tidemark.Real(1), mine: tidemark.Blob([]byte("x"))}.add(t, db)
	if _, err := resolve(db, s, "17-1", Mine); err != nil {
		t.Fatal(err)
	}
	want(t, db, "SELECT any FROM task WHERE id = 1", "x'78'")
}

func TestAUnitIsResolvedTogether(t *testing.T) {
	db, s := fixture(t)
	record{id: "17-1", col: "street", unit: "address", theirs: tidemark.Text("S1"), mine: tidemark.Text("S2")}.add(t, db)
	record{id: "17-2", col: "city", unit: "address", theirs: tidemark.Text("C1"), mine: tidemark.Text("C2")}.add(t, db)
	record{id: "17-3", col: "title", theirs: tidemark.Text("theirs"), mine: tidemark.Text("mine")}.add(t, db)
	record{id: "18-1", col: "city", unit: "address", seq: 18, theirs: tidemark.Text("C1"), mine: tidemark.Text("C9")}.add(t, db)
	res, err := resolve(db, s, "17-2", Mine)
	if err != nil || len(res.IDs) != 2 || len(res.Cells) != 2 {
		t.Fatalf("%+v %v", res, err)
	}
	want(t, db, "SELECT title, street, city FROM task WHERE id = 1", "'theirs','S2','C2'")
	want(t, db, "SELECT group_concat(id) FROM (SELECT id FROM tm_conflicts WHERE state = 'open' ORDER BY id)", "'17-3,18-1'")
	// A value is for one cell; the others of the unit stay as they are.
	if _, err := resolve(db, s, "18-1", Value(tidemark.Text("C5"))); err != nil {
		t.Fatal(err)
	}
	want(t, db, "SELECT street, city FROM task WHERE id = 1", "'S2','C5'")
}

func TestWhatMovedIsReported(t *testing.T) {
	db, s := fixture(t)
	record{id: "17-1", col: "title", theirs: tidemark.Text("older"), mine: tidemark.Text("mine")}.add(t, db)
	res, err := resolve(db, s, "17-1", Theirs)
	if err != nil || !res.Moved || res.Cells[0].Was != tidemark.Text("theirs") {
		t.Fatalf("%+v %v", res, err)
	}
	want(t, db, "SELECT title FROM task WHERE id = 1", "'older'")
}

func TestTheLoserIsRestored(t *testing.T) {
	db, s := fixture(t)
	record{id: "17-1", state: "kept", policy: "last-write", winner: "mine", col: "title", theirs: tidemark.Text("lost"), mine: tidemark.Text("theirs")}.add(t, db)
	record{id: "17-2", state: "kept", policy: "first-write", col: "n", theirs: tidemark.Int(5), mine: tidemark.Int(6)}.add(t, db)
	record{id: "17-3", state: "kept", policy: "json", winner: "both", col: "any", theirs: tidemark.Int(5), mine: tidemark.Int(6)}.add(t, db)
	for _, id := range []string{"17-1", "17-2"} {
		if res, err := restore(db, s, id); err != nil || res.Moved {
			t.Fatal(res, err)
		}
	}
	want(t, db, "SELECT title, n FROM task WHERE id = 1", "'lost',6")
	_, err := restore(db, s, "17-3")
	codeIs(t, err, tidemark.CodeUsage)
	want(t, db, "SELECT state FROM tm_conflicts WHERE id = '17-3'", "'kept'")
}

func codeIs(t *testing.T, err error, code tidemark.Code) {
	t.Helper()
	if tidemark.CodeOf(err) != code || tidemark.HintOf(err) == "" {
		t.Errorf("%v (%s), want %s with a hint", err, tidemark.CodeOf(err), code)
	}
}

func TestWhatCannotBeDone(t *testing.T) {
	db, s := fixture(t)
	record{id: "gone", row: "[9]", col: "title", mine: tidemark.Text("m")}.add(t, db)
	record{id: "table", tbl: "nowhere", col: "title"}.add(t, db)
	record{id: "column", col: "nothing"}.add(t, db)
	record{id: "key", row: "[1,2]", col: "title"}.add(t, db)
	record{id: "damaged", row: "certainly not", col: "title"}.add(t, db)
	record{id: "broken", mine: tidemark.Text("{")}.add(t, db)
	record{id: "whole", mine: tidemark.Text("{}")}.add(t, db)
	for id, code := range map[string]tidemark.Code{
		"gone": tidemark.CodeNotFound, "table": tidemark.CodeNotFound, "column": tidemark.CodeNotFound, "key": tidemark.CodeSchema,
		"damaged": tidemark.CodeCorrupt, "broken": tidemark.CodeCorrupt, "absent": tidemark.CodeNotFound,
	} {
		_, err := resolve(db, s, id, Mine)
		codeIs(t, err, code)
	}
	_, err := resolve(db, s, "whole", Value(tidemark.Int(1)))
	codeIs(t, err, tidemark.CodeUsage)
	s.Named("task").Out = "its key changed"
	_, err = resolve(db, s, "gone", Mine)
	codeIs(t, err, tidemark.CodeSchema)
	want(t, db, "SELECT count(*) FROM tm_conflicts WHERE state <> 'open'", "0")
}

func TestARefusalChangesNothing(t *testing.T) {
	db, s := fixture(t)
	record{id: "17-1", col: "n", theirs: tidemark.Int(5), mine: tidemark.Int(500)}.add(t, db)
	if _, err := resolve(db, s, "17-1", Mine); lite.Violation(err) == nil || lite.Violation(err).Code != tidemark.CodeCheck {
		t.Fatal(err)
	}
	want(t, db, "SELECT n FROM task WHERE id = 1", "5")
	want(t, db, "SELECT state FROM tm_conflicts", "'open'")
}

const (
	baseRow = `{"id":7,"title":"base","n":1,"street":null,"city":"C","any":{"b":"AP8"}}`
	seenRow = `{"id":7,"title":"theirs","n":1,"street":null,"city":"C","any":{"b":"AP8"}}`
)

func TestRowsComeBackAndGo(t *testing.T) {
	row := func(text string) tidemark.Value {
		if text == "" {
			return tidemark.Null
		}
		return tidemark.Text(text)
	}
	back := "7,'mine',1,NULL,'C',x'00ff'"
	for name, try := range map[string]struct {
		base, theirs, mine string
		winner, policy     string
		setup              string
		do                 func(*lite.DB, *tidemark.Schema, string) (*Resolved, error)
		row, did           string
		moved              bool
	}{
		"my update of a row that was deleted comes back": {
			base: baseRow, mine: `{"title":"mine"}`, winner: "theirs", do: restore, row: back, did: RowRestored},
		"their update of a row that I deleted comes back": {
			base: baseRow, theirs: seenRow, winner: "mine", do: restore, row: "7,'theirs',1,NULL,'C',x'00ff'", did: RowRestored},
		"without a base the other side fills in": {
			theirs: seenRow, mine: "", winner: "mine", do: restore, row: "7,'theirs',1,NULL,'C',x'00ff'", did: RowRestored},
		"my deletion that lost is done after all": {
			base: baseRow, theirs: seenRow, winner: "theirs", setup: "INSERT INTO task VALUES (7, 'theirs', 1, NULL, 'C', x'00ff')", do: restore, did: RowDeleted},
		"manual: mine, where they deleted": {
			base: baseRow, mine: `{"title":"mine"}`, winner: "theirs", policy: "manual",
			do:  func(db *lite.DB, s *tidemark.Schema, id string) (*Resolved, error) { return resolve(db, s, id, Mine) },
			row: back, did: RowRestored},
		"manual: theirs, where they deleted": {
			base: baseRow, mine: `{"title":"mine"}`, winner: "theirs", policy: "manual",
			do: func(db *lite.DB, s *tidemark.Schema, id string) (*Resolved, error) { return resolve(db, s, id, Theirs) }},
		"manual: theirs, where I deleted, leaves later edits of other columns": {
			base: baseRow, theirs: seenRow, winner: "theirs", policy: "manual", setup: "INSERT INTO task VALUES (7, 'later', 9, NULL, 'C', x'00ff')",
			do:  func(db *lite.DB, s *tidemark.Schema, id string) (*Resolved, error) { return resolve(db, s, id, Theirs) },
			row: "7,'theirs',9,NULL,'C',x'00ff'", moved: true},
	} {
		t.Run(name, func(t *testing.T) {
			db, s := fixture(t)
			if try.setup != "" {
				if err := db.Run(try.setup); err != nil {
					t.Fatal(err)
				}
			}
			record{id: "17-1", row: "[7]", winner: try.winner, policy: try.policy, base: row(try.base), theirs: row(try.theirs), mine: row(try.mine)}.add(t, db)
			res, err := try.do(db, s, "17-1")
			if err != nil || res.Row != try.did || res.Moved != try.moved {
				t.Fatalf("%+v %v", res, err)
			}
			want(t, db, "SELECT * FROM task WHERE id = 7", try.row)
			want(t, db, "SELECT state FROM tm_conflicts", "'resolved'")
		})
	}
}

// SQLite gives the id of a deleted row to the next one.
func TestAnotherRowUnderTheKeyIsNotOverwritten(t *testing.T) {
	db, s := fixture(t)
	record{id: "17-1", row: "[2]", winner: "theirs", base: tidemark.Text(baseRow), mine: tidemark.Text(`{"title":"mine"}`)}.add(t, db)
	for _, do := range []func() (*Resolved, error){
		func() (*Resolved, error) { return restore(db, s, "17-1") },
		func() (*Resolved, error) { return resolve(db, s, "17-1", Mine) },
	} {
		_, err := do()
		codeIs(t, err, tidemark.CodeUnique)
	}
	want(t, db, "SELECT title FROM task WHERE id = 2", "'two'")
	want(t, db, "SELECT state FROM tm_conflicts", "'open'")

	res, err := resolve(db, s, "17-1", Theirs)
	if err != nil || res.Row != "" || res.Moved || len(res.Cells) > 0 {
		t.Fatalf("%+v %v", res, err)
	}
	want(t, db, "SELECT title FROM task WHERE id = 2", "'two'")
	want(t, db, "SELECT state FROM tm_conflicts", "'resolved'")
}

func TestNamesAndKeysOfEverySort(t *testing.T) {
	db, s := fixture(t)
	record{id: "17-1", tbl: `od"d`, row: `["KEY",{"b":"AP8"}]`, col: "v al", theirs: tidemark.Real(1.5), mine: tidemark.Real(2)}.add(t, db)
	record{id: "17-2", tbl: `od"d`, row: `["new",{"b":""}]`, winner: "mine", theirs: tidemark.Text(`{"a":"new","b":{"b":""},"v al":3.5}`)}.add(t, db)
	if _, err := resolve(db, s, "17-1", Mine); err != nil {
		t.Fatal(err)
	}
	if _, err := restore(db, s, "17-2"); err != nil {
		t.Fatal(err)
	}
	want(t, db, `SELECT group_concat("v al") FROM "od""d" ORDER BY a`, "'2.0,3.5'")
}
