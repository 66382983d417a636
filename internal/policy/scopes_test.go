package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// hashWithoutScopes is what a build that knew no scopes made of two tables.
const hashWithoutScopes = "8b313e31a832dbe5"

const teamTables = `
	CREATE TABLE project (id TEXT PRIMARY KEY NOT NULL, owner TEXT);
	CREATE TABLE member (project TEXT NOT NULL REFERENCES project (id), person TEXT NOT NULL, PRIMARY KEY (project, person));
	CREATE TABLE "the task" (id INTEGER PRIMARY KEY, project TEXT REFERENCES project (id), "a.b" INTEGER REFERENCES "the task" (id), hidden INTEGER, "all" TEXT);
	CREATE TABLE label (id INTEGER PRIMARY KEY, name TEXT);`

const teamScopes = `
rules:
  conditions:
    in_project(project): EXISTS (SELECT 1 FROM member AS m WHERE m.project = $project AND m.person = :user)
scopes:
  project:
    grant: SELECT p.id FROM project AS p WHERE in_project(p.id)
    tables:
      Project: ID
      member: project
      the task: { by: '"a.b".project', where: hidden = 0 }
  labels:
    grant: Public
    tables: { label: all }
  word:
    grant: none
    tables: { the task: '"all"' }
`

func TestScopesOf(t *testing.T) {
	s := inspect(t, teamTables)
	c, err := Parse([]byte(teamScopes), "f")
	if err != nil {
		t.Fatal(err)
	}
	d, err := ScopesOf(c, s)
	if err != nil {
		t.Fatal(err)
	}
	want := []tidemark.Scope{
		{Name: "project", Keyed: true, Members: []tidemark.Member{
			{Table: "Project", Path: []string{"ID"}}, {Table: "member", Path: []string{"project"}}, {Table: "the task", Path: []string{"a.b", "project"}, Where: "hidden = 0"},
		}},
		{Name: "labels", Grant: tidemark.GrantPublic, Members: []tidemark.Member{{Table: "label"}}},
		{Name: "word", Keyed: true, Grant: tidemark.GrantNone, Members: []tidemark.Member{{Table: "the task", Path: []string{"all"}}}},
	}
	want[0].Grant = d.List[0].Grant
	if fmt.Sprint(d.List) != fmt.Sprint(want) {
		t.Errorf("%+v\nwant %+v", d.List, want)
	}
	if g := d.List[0].Grant; strings.Contains(g, "in_project") || !strings.Contains(g, "m.person = :user") {
		t.Errorf("the named condition is not written out: %s", g)
	}
	out, err := Apply(c, s, Functions{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out.Scopes, []string{"labels", "project", "word"}) || out.Declared == "" || out.Hash == Overlay(nil, s).Hash {
		t.Errorf("scopes %v, declared %q", out.Scopes, out.Declared)
	}
	for table, want := range map[string][]bool{"member": {false}, "the task": {true, true}} {
		var got []bool
		for _, fk := range out.Named(table).ForeignKeys {
			got = append(got, fk.Loose)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: loose are %v, want %v", table, got, want)
		}
	}
	if again := Overlay(nil, out); again.Scoped() || again.Declared != "" || again.Hash != Overlay(nil, s).Hash {
		t.Error("without the file the scopes are gone again")
	}
}

// TestWithoutScopesNothingChanges pins the hash that a schema had before there were any.
func TestWithoutScopesNothingChanges(t *testing.T) {
	s := inspect(t, "CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT REFERENCES c (k)); CREATE TABLE c (k TEXT PRIMARY KEY NOT NULL)")
	for _, text := range []string{"", "rules: { default: public }", "tables:\n"} {
		c, err := Parse([]byte(text), "f")
		if err != nil {
			t.Fatal(err)
		}
		out, err := Apply(c, s, Functions{})
		d, derr := ScopesOf(c, s)
		if err != nil || derr != nil || d != nil || out.Scoped() || out.Hash != hashWithoutScopes {
			t.Errorf("%q: %v, %v, %v, %s", text, err, derr, d, out.Hash)
		}
		if strings.Contains(string(schema.Encode(out)), "scope") {
			t.Errorf("%q: the schema speaks of scopes", text)
		}
	}
}

func TestWrongScopes(t *testing.T) {
	s := inspect(t, teamTables)
	p := func(rest string) string { return "scopes:\n  p:\n    " + rest }
	for _, c := range []struct {
		text      string
		line, col int
		msg, next string
	}{
		{"scopes:\n", 1, 1, "scopes declares no scope", "take it out"},
		{"scopes:\n  all: { grant: public, tables: { label: all } }", 2, 3, "a scope cannot be called all", "another name"},
		{"scopes:\n  a b: { grant: public, tables: { label: all } }", 2, 3, "a b is no name for a scope", "letters, digits, _ and -"},
		{"scopes:\n  \"a'b\": { grant: public, tables: { label: all } }", 2, 3, "a'b is no name for a scope", "NAME/KEY"},
		{"scopes:\n  p: { grant: none, tables: { label: id } }\n  P: { grant: none, tables: { label: id } }", 3, 3, "scope P is declared twice", "make one of both"},
		{p("tables: { label: id }"), 2, 3, "scope p has no grant", "write grant"},
		{p("grant: none"), 2, 3, "scope p has no tables", "write tables"},
		{p("grant: ''\n    tables: { label: id }"), 3, 12, "the value is missing", "none, public, or a query"},
		{p("grant: true\n    tables: { label: id }"), 3, 12, "true is no grant", "public for everybody"},
		{p("grant: all\n    tables: { label: id }"), 3, 12, "all is no grant", "public for everybody"},
		{p("grant: public\n    tables: { label: id }"), 3, 12, "scope p has a key, so public does not say which", "write the query"},
		{p("grant: none\n    tables: { label: id, project: all }"), 4, 35, "scope p has a key by table label, and none by table project", "two scopes"},
		{p("grant: none\n    tables: { label: all, Label: all }"), 4, 27, "table Label is in the scope twice", "another kind"},
		{p("grant: none\n    tables: { label: { where: 1 } }"), 4, 22, "by is missing", "by: COLUMN"},
		{p("grant: none\n    tables: { label: 'a..b' }"), 4, 22, "a..b is no way to a key", "COLUMN.COLUMN"},
		{p("grant: none\n    tables: { label: '\"a' }"), 4, 22, "table label has no column", "its columns are"},
		{p("grnt: none\n    tables: { label: id }"), 3, 5, "unknown key grnt", "grant"},
		{p("grant: none\n    tables: { label: { by: id, were: 1 } }"), 4, 32, "unknown key were", "where"},
		{p("grant: none\n    tables: { lable: id }"), 4, 15, "the database has no table lable", "did you mean label?"},
		{p("grant: none\n    tables: { member: projct }"), 4, 23, "table member has no column projct", "did you mean project?"},
		{p("grant: none\n    tables: { member: project.ownr }"), 4, 23, "table project has no column ownr", "did you mean owner?"},
		{p("grant: none\n    tables: { member: person.owner }"), 4, 23, "column person of member is no foreign key", "declare REFERENCES on it, or end the path there: person"},
		{p("grant: none\n    tables: { the task: { by: id, where: hiden = 0 } }"), 4, 42, "table the task has no column hiden", "did you mean hidden?"},
		{p("grant: none\n    tables: { the task: { by: id, where: id IN (SELECT 1) } }"), 4, 42, "asks more than the columns", "said by a path"},
		{p("grant: none\n    tables: { tm_conflicts: id }"), 4, 15, "tm_conflicts is in scopes by itself", "take it out"},
		{p("grant: SELECT owner FROM projct\n    tables: { label: id }"), 3, 12, "no such table: projct", "write a query"},
		{p("grant: SELECT absent(1)\n    tables: { label: id }"), 3, 12, "no such function", "write a query"},
		{"rules: { conditions: { c(x): $x = 1 } }\n" + p("grant: SELECT c(1, 2)\n    tables: { label: id }"), 4, 12, "c takes 1 arguments, not 2", "rules.md"},
	} {
		f, err := Parse([]byte(c.text), "f")
		if err == nil {
			_, err = ScopesOf(f, s)
			if other := Check(f, s, Functions{}); fmt.Sprint(other) != fmt.Sprint(err) {
				t.Errorf("%s\nas a policy it says %v", c.text, other)
			}
		}
		var ps Problems
		if !errors.As(err, &ps) || len(ps) != 1 {
			t.Errorf("%s\n%v", c.text, err)
			continue
		}
		if got := ps[0]; got.Line != c.line || got.Column != c.col || !strings.Contains(got.Msg, c.msg) || !strings.Contains(got.Hint, c.next) {
			t.Errorf("%s\n%d:%d %s; next: %s\nwant %d:%d %s; next: %s", c.text, got.Line, got.Column, got.Msg, got.Hint, c.line, c.col, c.msg, c.next)
		}
	}
}

// TestWhatDoesNotFitStaysOnTheServer: of a file that is wrong nothing may make
// copies hold more than it says.
func TestWhatDoesNotFitStaysOnTheServer(t *testing.T) {
	s := inspect(t, teamTables)
	c, err := Parse([]byte("scopes: { p: { grant: SELECT nothing, tables: { label: nam, lable: id, the task: { by: id, where: absent } } } }"), "f")
	if err != nil {
		t.Fatal(err)
	}
	d, err := ScopesOf(c, s)
	if err == nil || len(d.List) != 1 || len(d.List[0].Members) != 0 || d.List[0].Grant != tidemark.GrantNone {
		t.Errorf("%+v, %v", d, err)
	}
	if out := Overlay(c, s); !out.Scoped() || out.Declared == "" {
		t.Error("everybody would have everything")
	}
	empty := &tidemark.Schema{}
	if d, err := ScopesOf(c, empty); err != nil || d == nil || !Overlay(c, empty).Scoped() {
		t.Errorf("a database without tables is to get them yet: %v, %v", d, err)
	}
}

func TestSplitPath(t *testing.T) {
	for text, want := range map[string]string{
		"a": "a", "a.b.c": "a|b|c", " a . b ": "a|b", "a b.c d": "a b|c d", `"a.b".c`: "a.b|c", `c."a""b"`: `c|a"b`, "[a.b].`c.d`": "a.b|c.d", `"all"`: "all", "2nd": "2nd",
		"a-b": "a-b", `a"b`: `a"b`, `"a`: `"a`, "[a": "[a", "it's": "it's",
		"": "-", ".": "-", "a.": "-", ".a": "-", "a..b": "-", `""`: "", `"".a`: "|a", `"`: `"`, "a.[]": "a|", `"a" b`: "-", `"a"b.c`: "-",
	} {
		path, ok := splitPath(text)
		got := strings.Join(path, "|")
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// FuzzScopes: the names of a path are found again when all of them are quoted,
// and whoever is told that scopes do not fit is told why.
func FuzzScopes(f *testing.F) {
	f.Add("scopes: { p: { grant: SELECT 1, tables: { t: a.b } } }", `"a.b".c`)
	f.Fuzz(func(t *testing.T, text, path string) {
		if names, ok := splitPath(path); ok {
			var quoted []string
			for _, name := range names {
				quoted = append(quoted, lite.Quote(name))
			}
			if again, ok := splitPath(strings.Join(quoted, ".")); !ok || !slices.Equal(again, names) {
				t.Errorf("%q is %q, and quoted %q", path, names, again)
			}
		}
		c, err := Parse([]byte(text), "f")
		if err != nil {
			return // FuzzParse looks at these
		}
		if _, err := ScopesOf(c, inspect(t, teamTables)); err != nil && len(problemsOf(err)) == 0 {
			t.Errorf("an error without a problem: %#v", err)
		}
	})
}
