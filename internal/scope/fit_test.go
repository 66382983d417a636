package scope

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

func inspected(t testing.TB, sql string) (*lite.DB, *tidemark.Schema) {
	t.Helper()
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	must(t, db.SetForeignKeys(false))
	must(t, db.Script(sql))
	s, _, err := schema.Inspect(db, nil)
	must(t, err)
	return db, s
}

// kind declares one kind with a key, or without where the paths are All.
func kind(name, grant string, members ...string) tidemark.Scope {
	k := tidemark.Scope{Name: name, Grant: grant, Keyed: true}
	for _, m := range members {
		table, path, _ := strings.Cut(m, ": ")
		path, where, _ := strings.Cut(path, " where ")
		d := tidemark.Member{Table: table, Where: where}
		if k.Keyed = path != All; k.Keyed {
			d.Path = strings.Split(path, ".")
		}
		k.Members = append(k.Members, d)
	}
	return k
}

func declared(kinds ...tidemark.Scope) *tidemark.Scopes { return &tidemark.Scopes{List: kinds} }

const shop = `
	CREATE TABLE region (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
	CREATE TABLE shop (id INTEGER PRIMARY KEY, region INTEGER REFERENCES region (id), town TEXT REFERENCES region (name), size AS (id * 2), half AS (id / 2) STORED);
	CREATE TABLE "the order" (shop INTEGER NOT NULL REFERENCES shop, "no." INTEGER NOT NULL, "select" TEXT, PRIMARY KEY (shop, "no.")) WITHOUT ROWID;
	CREATE TABLE line (id INTEGER PRIMARY KEY, shop INTEGER, "no." INTEGER, up INTEGER REFERENCES line (id), other INTEGER REFERENCES shop REFERENCES region,
		FOREIGN KEY (shop, "no.") REFERENCES "the order" (shop, "no."), FOREIGN KEY ("no.", shop) REFERENCES pair (a, b));
	CREATE TABLE pair (a INTEGER, b INTEGER, c TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
	CREATE TABLE alone (id INTEGER PRIMARY KEY, v);
	CREATE TABLE loner (v);
	CREATE TABLE owned (id INTEGER PRIMARY KEY, v REFERENCES unkeyed (u));
	CREATE TABLE unkeyed (u UNIQUE);
	CREATE TABLE g (id INTEGER PRIMARY KEY, gen AS (id) STORED REFERENCES alone);
	CREATE TABLE h (id INTEGER PRIMARY KEY, x INTEGER REFERENCES k (gen));
	CREATE TABLE k (id INTEGER PRIMARY KEY, gen AS (id + 1) STORED UNIQUE);
	CREATE VIEW seen AS SELECT * FROM alone;`

func TestMisfits(t *testing.T) {
	_, s := inspected(t, shop)
	for _, c := range []struct{ member, err, next string }{
		{"shop: region", "", ""},
		{"SHOP: Region.NAME", "", ""},
		{"line: up.up.up.id", "", ""},
		{"the order: shop.region.name", "", ""},
		{"shop: regio", "table shop has no column regio", "region"},
		{"shop: region.nam", "table region has no column nam", "name"},
		{"shop: size", "size is no stored column of table shop", "every copy computes"},
		{"shop: half", "half is no stored column of table shop", "every copy computes"},
		{"shop: id.name", "column id of shop is no foreign key, so the path cannot go on to name", "end the path there: id"},
		{"shop: region.name.id", "column name of region is no foreign key, so the path cannot go on to id", "end the path there: region.name"},
		{"alone: v.x.y", "column v of alone is no foreign key, so the path cannot go on to x.y", "end the path there: v"},
		{"line: shop.select", "column shop of line belongs to foreign keys to the order and pair: which one the path takes is not clear", "name another column"},
		{"line: other.name", "column other of line belongs to foreign keys to shop and region", "name another column"},
		{"lines: id", "the database has no table lines", "line"},
		{"loner: v", "table loner does not sync", "tidemark check"},
		{"seen: id", "seen is a view", "name the tables"},
		{"tm_conflicts: id", "tm_conflicts is in scopes by itself", "take it out"},
		{"owned: v.u", "the path leads through unkeyed, which does not sync", "a table that syncs"},
		{"g: gen.v", "gen is no stored column of table g", "every copy computes"},
		{"h: x.id", "the foreign key of h to k has a generated column", "let the path end there"},
	} {
		d := declared(kind("p", tidemark.GrantNone, c.member))
		plan, misfits := Fit(s, d)
		fit, checked, err := Check(s, d)
		must(t, err)
		if c.err == "" {
			if len(misfits)+len(checked) > 0 || len(plan.Tables) != 1 || len(fit.List[0].Members) != 1 {
				t.Errorf("%s: %v %v", c.member, misfits, checked)
			}
			continue
		}
		if len(misfits) != 1 || !strings.Contains(misfits[0].Error(), c.err) {
			t.Errorf("%s: %v, want %s", c.member, misfits, c.err)
			continue
		}
		next := misfits[0].Hint
		if misfits[0].Word != "" {
			next += strings.Join(misfits[0].Known, " ")
		}
		if !strings.Contains(next, c.next) || len(checked) != 1 {
			t.Errorf("%s: next %q, want %q; %v", c.member, next, c.next, checked)
		}
		if len(plan.Tables) != 0 || len(plan.Kinds) != 1 || len(fit.List) != 1 || len(fit.List[0].Members) != 0 {
			t.Errorf("%s: what does not fit is in the plan, or its kind is not", c.member)
		}
	}
}

func TestATableIsInAKindOnce(t *testing.T) {
	_, s := inspected(t, shop)
	plan, misfits := Fit(s, declared(kind("p", tidemark.GrantNone, "shop: id", "Shop: region")))
	if len(misfits) != 1 || !strings.Contains(misfits[0].Error(), "in the scope twice") || !strings.Contains(misfits[0].Hint, "another kind") {
		t.Errorf("%v", misfits)
	}
	if len(plan.Tables[s.Named("shop").ID].Kinds) != 1 {
		t.Error("the second stays out")
	}
}

func TestATableThatLeftIsInNoScope(t *testing.T) {
	_, s := inspected(t, shop)
	s.Named("region").Out = "it was rewritten"
	plan, misfits := Fit(s, declared(kind("p", tidemark.GrantNone, "region: id", "shop: region", "the order: shop.region.name", "alone: id")))
	if len(misfits) != 1 || !strings.Contains(misfits[0].Error(), "leads through region, which does not sync") || len(plan.Tables) != 2 {
		t.Errorf("%v, %d tables", misfits, len(plan.Tables))
	}
}

// TestCompositePath leads over two columns at once.
func TestCompositePath(t *testing.T) {
	db, s := inspected(t, `
		CREATE TABLE box (site TEXT, no INTEGER, label TEXT, PRIMARY KEY (site, no)) WITHOUT ROWID;
		CREATE TABLE thing (id INTEGER PRIMARY KEY, box INTEGER, place TEXT, FOREIGN KEY (box, place) REFERENCES box (no, site));
		INSERT INTO box VALUES ('a', 1, 'red'), ('b', 1, 'blue');
		INSERT INTO thing VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 1, NULL), (4, 2, 'a');`)
	plan, misfits := Fit(s, declared(kind("label", tidemark.GrantNone, "thing: box.label")))
	if len(misfits) > 0 {
		t.Fatal(misfits)
	}
	thing, box := s.Named("thing"), s.Named("box")
	for id, want := range map[int64]string{1: "label/red", 2: "label/blue", 3: "", 4: ""} {
		row, err := db.Get(plan.Tables[thing.ID].One, tidemark.Int(id))
		must(t, err)
		if strings.Join(texts(row), " ") != want {
			t.Errorf("thing %d is in %v", id, row)
		}
	}
	steps := plan.Steps[box.ID]
	if len(steps) != 1 || !slices.Equal(box.ColumnNames(steps[0].By), []string{"no", "site"}) || !slices.Equal(box.ColumnNames(steps[0].Watch), []string{"site", "no", "label"}) {
		t.Fatalf("%+v", steps)
	}
	row, err := db.Get(steps[0].SQL, tidemark.Int(1), tidemark.Text("b"))
	must(t, err)
	if len(row) != 1 || row[0] != tidemark.Int(2) {
		t.Errorf("%v depends on box b 1", row)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{"p": true, "Project-1_x": true, "": false, "1p": false, "a b": false, "a/b": false, `a"`: false, "it's": false, "Ünï": false, "all": false, "ALL": false, "-a": false, strings.Repeat("a", 65): false} {
		if ValidName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	_, s := inspected(t, shop)
	plan, _ := Fit(s, declared(kind("shop", tidemark.GrantNone, "shop: id"), kind("open", tidemark.GrantPublic, "region: all")))
	for id, want := range map[string]bool{"shop/1": true, "shop/": true, "shop/a/b": true, "shop": false, "Shop/1": false, "open": true, "open/1": false, "": false, "/": false, "none": false} {
		if plan.Names(id) != want {
			t.Errorf("%q: %v", id, !want)
		}
	}
}

func TestHashNamesTheDeclaration(t *testing.T) {
	a := declared(kind("p", "SELECT 1", "shop: id"))
	if Hash(nil) != "" || Hash(&tidemark.Scopes{}) != "" || len(Hash(a)) != 16 || Hash(a) != Hash(declared(kind("p", "SELECT 1", "shop: id"))) {
		t.Error("the same declaration has the same hash, none has none")
	}
	for _, other := range []*tidemark.Scopes{
		declared(kind("q", "SELECT 1", "shop: id")), declared(kind("p", "SELECT 2", "shop: id")), declared(kind("p", "SELECT 1", "shop: id where id > 1")),
		declared(kind("p", "SELECT 1", "shop: region")), declared(kind("p", "SELECT 1", "shop: all")),
	} {
		if Hash(other) == Hash(a) {
			t.Errorf("%+v has the same hash", other)
		}
	}
}

// TestLayIsTheSameTwice also takes back what an earlier declaration left.
func TestLayIsTheSameTwice(t *testing.T) {
	_, s := inspected(t, shop)
	bare := schema.HashOf(s)
	d := declared(kind("shop", tidemark.GrantNone, "shop: id", "the order: shop"), kind("open", tidemark.GrantPublic, "region: all"))
	plan, misfits := Fit(s, d)
	if len(misfits) > 0 {
		t.Fatal(misfits)
	}
	Lay(s, d, plan)
	once := schema.HashOf(s)
	Lay(s, d, plan)
	if once == bare || schema.HashOf(s) != once || !slices.Equal(s.Scopes, []string{"open", "shop"}) {
		t.Errorf("%v", s.Scopes)
	}
	loose := 0
	for _, fk := range s.Named("line").ForeignKeys {
		if fk.Loose {
			loose++
		}
	}
	if loose != 4 || s.Named("the order").ForeignKeys[0].Loose || s.Named("shop").ForeignKeys[0].Loose {
		t.Errorf("%d keys of line are loose, which is in no scope; those of the others lead to what is there", loose)
	}
	if Lay(s, nil, nil); schema.HashOf(s) != bare {
		t.Error("without a declaration the schema is what it was")
	}
}

// TestLoose goes through the reasons for which a replica does without a key.
func TestLoose(t *testing.T) {
	const sql = `
		CREATE TABLE p (id TEXT PRIMARY KEY NOT NULL, n INTEGER UNIQUE, r REAL UNIQUE, a UNIQUE, nc TEXT COLLATE NOCASE UNIQUE, v);
		CREATE TABLE c (id INTEGER PRIMARY KEY, f TEXT REFERENCES p (id), n NUMERIC REFERENCES p (n), r REAL REFERENCES p (r), a REFERENCES p (a), nc TEXT COLLATE NOCASE REFERENCES p (nc), v);`
	_, s := inspected(t, sql)
	for _, c := range []struct {
		key   string // column of c
		loose bool
		d     *tidemark.Scopes
	}{
		{"f", false, declared(kind("k", "none", "p: id", "c: f"))},
		{"f", false, declared(kind("k", "none", "p: id", "c: f where v = 1"))},
		{"f", true, declared(kind("k", "none", "p: id where v = 1", "c: f"))},
		{"f", false, declared(kind("k", "none", "p: v", "c: f.v"))},
		{"f", true, declared(kind("k", "none", "p: v", "c: f"))},
		{"f", true, declared(kind("k", "none", "p: v", "c: v"))},
		{"f", true, declared(kind("k", "none", "c: f.v"))},
		{"f", true, declared(kind("k", "none", "p: id"))},
		{"f", true, declared(kind("k", "none", "p: id", "c: f"), kind("l", "none", "c: v"))},
		{"f", false, declared(kind("k", "none", "p: id", "c: f"), kind("l", "none", "p: v", "c: f.v"))},
		{"f", false, declared(kind("k", "none", "c: v"), kind("l", "public", "p: all"))},
		{"f", true, declared(kind("k", "none", "c: v"), kind("l", "public", "p: all where v = 1"))},
		{"f", true, declared(kind("k", "none", "c: v"), kind("l", "SELECT 1", "p: all"))},
		{"f", false, declared(kind("l", "SELECT 1", "p: all", "c: all"))},
		{"f", true, declared(kind("k", "none", "p: v", "c: n.v"))},
		{"n", false, declared(kind("k", "none", "p: v", "c: n.v"))},
		{"n", false, declared(kind("k", "none", "p: n", "c: n"))},
		{"r", true, declared(kind("k", "none", "p: r", "c: r"))},
		{"a", true, declared(kind("k", "none", "p: a", "c: a"))},
		{"a", false, declared(kind("k", "none", "p: a", "c: a.a"))},
		{"nc", true, declared(kind("k", "none", "p: nc", "c: nc"))},
		{"nc", false, declared(kind("k", "none", "p: nc", "c: nc.nc"))},
	} {
		plan, misfits := Fit(s, c.d)
		if len(misfits) > 0 {
			t.Fatal(misfits)
		}
		child := s.Named("c")
		loose := slices.ContainsFunc(plan.Loose, func(l Loose) bool {
			return l.Table == child && l.Why != "" && slices.Contains(child.ForeignKeys[l.Key].Columns, child.Place(c.key))
		})
		if loose != c.loose {
			t.Errorf("%s is loose: %v, with %+v", c.key, loose, c.d)
		}
	}
}

// TestDeepPath goes as far up a chain as a path may.
func TestDeepPath(t *testing.T) {
	db, s := inspected(t, `CREATE TABLE n (id INTEGER PRIMARY KEY, up INTEGER REFERENCES n (id), top TEXT);
		WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 70) INSERT INTO n SELECT i, nullif(i - 1, 0), 'top ' || i FROM c;`)
	n := s.Named("n")
	path := slices.Repeat([]string{"up"}, maxPath-1)
	deep := declared(tidemark.Scope{Name: "p", Keyed: true, Grant: tidemark.GrantNone, Members: []tidemark.Member{{Table: "n", Path: append(path, "top")}}})
	plan, misfits := Fit(s, deep)
	if len(misfits) > 0 {
		t.Fatal(misfits)
	}
	for id, want := range map[int64]string{70: fmt.Sprintf("p/top %d", 70-maxPath+1), maxPath: "p/top 1", maxPath - 1: ""} {
		row, err := db.Get(plan.Tables[n.ID].One, tidemark.Int(id))
		must(t, err)
		if got := strings.Join(texts(row), " "); got != want {
			t.Errorf("row %d is in %q, want %q", id, got, want)
		}
	}
	found := map[int64]bool{}
	for _, step := range plan.Steps[n.ID] {
		row, err := db.Get(step.SQL, tidemark.Int(3))
		must(t, err)
		if row != nil {
			found[row[0].Int64()] = true
		}
	}
	if len(plan.Steps[n.ID]) != maxPath-1 || len(found) != maxPath-1 || !found[4] || !found[3+maxPath-1] {
		t.Errorf("%d steps find %d rows below row 3", len(plan.Steps[n.ID]), len(found))
	}
	deep.List[0].Members[0].Path = append([]string{"up"}, deep.List[0].Members[0].Path...)
	if _, misfits := Fit(s, deep); len(misfits) != 1 || !strings.Contains(misfits[0].Error(), fmt.Sprintf("more than %d", maxPath)) {
		t.Errorf("%v", misfits)
	}
}
