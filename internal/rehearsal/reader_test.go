package rehearsal

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file makes a database and reads what it looks like.
func file(t *testing.T, sql string) (string, *tidemark.Schema) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.sqlite")
	db, err := lite.Open(path, lite.Options{Create: true})
	must(t, err)
	must(t, db.Script(sql))
	s, _, err := schema.Inspect(db, nil)
	must(t, err)
	must(t, db.Close())
	return path, s
}

func TestReader(t *testing.T) {
	path, s := file(t, `
		CREATE TABLE "the order" ("no." INTEGER, "select" TEXT, person TEXT, PRIMARY KEY ("select", "no.")) WITHOUT ROWID;
		CREATE TABLE other (id INTEGER PRIMARY KEY);
		INSERT INTO "the order" VALUES (1, 'a', 'ana'), (2, 'a', 'bob'), (3, 'b', NULL), (4, 'b', 'ana');
		INSERT INTO other VALUES (1);`)
	r, err := NewReader(path, s, &tidemark.Scopes{List: []tidemark.Scope{
		{Name: "person", Keyed: true, Grant: "SELECT :user", Members: []tidemark.Member{{Table: "the order", Path: []string{"person"}, Where: `"no." < 4`}}},
		{Name: "broken", Keyed: true, Grant: "SELECT absent", Members: []tidemark.Member{{Table: "the order", Path: []string{"select"}}}},
		{Name: "open", Grant: tidemark.GrantPublic, Members: []tidemark.Member{{Table: "the order", Where: `"select" = 'b'`}}},
	}})
	must(t, err)
	defer func() { must(t, r.Close()) }()
	ana := tidemark.Principal{ID: "ana"}

	var granted []string
	for _, g := range r.Granted(ana) {
		granted = append(granted, fmt.Sprintf("%s%v%v", g.Kind, g.Scopes, g.Err != nil))
	}
	if got := strings.Join(granted, " "); got != "broken[]true open[open]false person[person/ana]false" {
		t.Errorf("granted %s", got)
	}
	for _, c := range []struct {
		table, where string
		limit        int
		want         string
	}{
		{"THE ORDER", "", 0, "a1:yes a2:no b3:yes b4:yes"},
		{"the order", `person = :user -- mine`, 0, "a1:yes b4:yes"},
		{"the order", "", 2, "a1:yes a2:no ..."},
		{"the order", "", 4, "a1:yes a2:no b3:yes b4:yes"},
		{"the order", "0", 4, ""},
		{"other", "", 0, "1:no"},
	} {
		rows, more, err := r.See(ana, c.table, c.where, c.limit)
		must(t, err)
		var got []string
		for _, row := range rows {
			key := ""
			for _, v := range row.Key {
				key += strings.Trim(v.String(), "'")
			}
			got = append(got, key+":"+map[bool]string{true: "yes", false: "no"}[row.May])
		}
		if more {
			got = append(got, "...")
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s where %s: %v, want %s", c.table, c.where, got, c.want)
		}
	}
	rows, _, err := r.See(ana, "the order", `"no." = 4`, 0)
	must(t, err)
	if got := fmt.Sprintf("%+v", rows[0].Places); got != "[{Kind:broken Scope:broken/b Left:false Granted:false} {Kind:open Scope:open Left:false Granted:true} {Kind:person Scope: Left:true Granted:false}]" {
		t.Errorf("row 4 is in %s", got)
	}
	for where, want := range map[string]string{"absent = 1": "no such column", "1) OR (1": "a ) is too many", "1; DROP TABLE other": "without ;", "x'": "not closed"} {
		if _, _, err := r.See(ana, "the order", where, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", where, err)
		}
	}
	for _, table := range []string{"absent", "tm_conflicts", "sqlite_schema"} {
		if _, _, err := r.See(ana, table, "", 0); tidemark.CodeOf(err) != tidemark.CodeUsage || tidemark.HintOf(err) == "" {
			t.Errorf("%s: %v", table, err)
		}
	}
}

func TestSplitRead(t *testing.T) {
	for text, want := range map[string]string{
		"task": "task|", " task ": "task|", "task WHERE id = 1": "task|id = 1", `"the order" where "a b" = 'x'`: `the order|"a b" = 'x'`, "[a.b] -- all": "a.b|",
		"": "-", "task WHERE": "-", "task id = 1": "-", "task, note": "-", "'task'": "-", "1": "-",
	} {
		table, where, err := SplitRead(text)
		got := table + "|" + where
		if err != nil {
			got = "-"
		}
		if got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}
