package scope

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

const notes = `
	CREATE TABLE note (id INTEGER PRIMARY KEY, person TEXT COLLATE NOCASE, private INTEGER, "a b" TEXT, up AS (upper(person)) STORED, extra TEXT);
	CREATE TABLE guest (project, person TEXT, PRIMARY KEY (project, person)) WITHOUT ROWID;
	CREATE TABLE log (line TEXT);
	CREATE VIEW guests AS SELECT project, person FROM guest;
	CREATE VIEW lines AS SELECT line FROM log;`

// TestWhere tries what a condition may and may not ask.
func TestWhere(t *testing.T) {
	_, s := inspected(t, notes)
	for where, err := range map[string]string{
		"private = 0": "", `"a b" IS NOT NULL AND NOT private`: "", "note.private": "", "main.note.private = 1 -- that is all": "", `"NOTE".[a b] LIKE 'x%'`: "",
		"up = 'ANA'": "", "private IN (1, 2) OR person BETWEEN 'a' AND 'b'": "", "CASE private WHEN 1 THEN 0 ELSE 1 END": "", "length(trim(person)) > 2": "", "1": "",
		"CAST(private AS TEXT) = '1' COLLATE NOCASE": "", "json_valid(extra)": "", "(private, id) > (1, 2)": "", "person || 'it''s; -- (' <> ''": "",
		"privat = 0":                   "table note has no column privat",
		`"privat" = 0`:                 "table note has no column privat",
		"guest.project = 1":            "table note has no column guest.project",
		"private = ":                   "",
		"":                             "",
		"private)":                     "a ) is too many",
		"(private":                     "a ) is missing",
		"private; DROP TABLE note":     "without ;",
		"private = 'x":                 "a quote is not closed",
		"private /* x":                 "a comment is not closed",
		"person = :user":               "a condition has no parameters",
		"person = ?1":                  "a condition has no parameters",
		"person = @x":                  "a condition has no parameters",
		"person = $x":                  "a condition has no parameters",
		"EXISTS (SELECT 1 FROM guest)": "asks more than the columns of note",
		"(SELECT 1)":                   "asks more than the columns of note",
		"id IN (SELECT id FROM note)":  "asks more than the columns of note",
		"person IN guests":             "asks more than the columns of note",
		"id IN (VALUES (1))":           "asks more than the columns of note",
		"id NOT IN note":               "asks more than the columns of note",
		"id IN note":                   "asks more than the columns of note",
		"1 IN (SELECT value FROM json_each('[1]'))": "asks more than the columns of note",
		"rowid = 1":                             "",
		"random() > 0":                          "must not call random",
		"person = datetime('now')":              "must not call datetime",
		"person < CURRENT_TIMESTAMP":            "must not call current_timestamp",
		"extra ->> 'x' = 1":                     "must not call ->>",
		"json_extract(extra, '$.x')":            "must not call json_extract",
		"abs(private) > 1":                      "must not call abs",
		"count(*) > 1":                          "must not call count",
		"person REGEXP 'a'":                     "must not call regexp",
		"person MATCH 'a'":                      "must not call match",
		"sum(id) OVER () > 1":                   "must not call sum",
		"load_extension('x')":                   "no such function",
		"RAISE(ABORT, 'x')":                     "RAISE",
		"SELECT 1":                              "asks more than the columns of note",
		"private\x00":                           "a zero byte",
		"1) UNION SELECT 1 FROM guest WHERE (1": "a ) is too many",
		"person = 'x' COLLATE absent":           "absent",
	} {
		if where == "" {
			continue // no condition
		}
		if where == "private = " {
			err = "syntax error"
		}
		fit, misfits, cerr := Check(s, declared(kind("p", tidemark.GrantNone, "note: person where "+where)))
		must(t, cerr)
		switch {
		case err == "" && len(misfits) == 0 && len(fit.List[0].Members) == 1:
		case err != "" && len(misfits) == 1 && misfits[0].What == OnWhere && strings.Contains(misfits[0].Error(), err) && len(fit.List[0].Members) == 0:
			if misfits[0].Hint == "" && misfits[0].Word == "" {
				t.Errorf("%s: no next step", where)
			}
		default:
			t.Errorf("%q: %v, want %q", where, misfits, err)
		}
	}
}

// TestRowidIsNoColumn: where a table has no column for it, a rowid is nothing
// that copies share.
func TestRowidIsNoColumn(t *testing.T) {
	_, s := inspected(t, "CREATE TABLE t (k TEXT PRIMARY KEY NOT NULL, v)")
	for _, name := range []string{"rowid", "oid", "_rowid_", "t.rowid"} {
		_, misfits, err := Check(s, declared(kind("p", tidemark.GrantNone, "t: v where "+name+" > 1")))
		must(t, err)
		if len(misfits) != 1 || !strings.Contains(misfits[0].Error(), "asks more than the columns") {
			t.Errorf("%s: %v", name, misfits)
		}
	}
}

// TestGrants tries what a grant may ask, and what it gives whom.
func TestGrants(t *testing.T) {
	db, s := inspected(t, notes+`INSERT INTO guest VALUES (1, 'ana'), ('1', 'bob'), ('a/b', 'ana'), (2.0, 'eli'), (x'00ff', 'eli'), (x'', 'rex'), ('', 'ana');
		INSERT INTO guest VALUES (printf('%.*c', 501, 'x'), 'ana'), (printf('%.*c', 500, 'y'), 'ana');`)
	ask := func(k tidemark.Scope, p tidemark.Principal) string {
		g, err := NewGrant(db, s, &Kind{Name: k.Name, Keyed: k.Keyed, Grant: k.Grant})
		if err != nil {
			return err.Error()
		}
		names, err := g.Ask(context.Background(), db, p, 0)
		must(t, err)
		return strings.Join(names, " ")
	}
	long := "p/" + strings.Repeat("y", 500)
	for _, c := range []struct{ grant, who, want string }{
		{"SELECT project FROM guest WHERE person = :user", "ana", "p/ p/1 p/a/b " + long},
		{"SELECT project FROM guest WHERE person = :user -- and no more", "bob", "p/1"},
		{"SELECT project FROM guest WHERE person = :USER", "eli", "p/2.0 p/x00FF"},
		{"SELECT project FROM guest WHERE person = :user", "rex", "p/x"},
		{"SELECT project FROM guests WHERE person = :user", "bob", "p/1"},
		{"SELECT project FROM guest WHERE person = :user", "", ""},
		{"SELECT :user", "ana", "p/ana"},
		{"SELECT :user", "", ""},
		{"VALUES (1), ('1'), (2), (NULL)", "", "p/1 p/2"},
		{"WITH x(y) AS (SELECT 7) SELECT y FROM x", "", "p/7"},
		{"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n ORDER BY i DESC LIMIT 2", "", "p/2 p/3"},
		{"SELECT value FROM json_each(:claims, '$.projects')", "ana", "p/8 p/9"},
		{"SELECT :claims ->> 'role'", "ana", "p/lead"},
		{"SELECT CAST(value AS TEXT) FROM (SELECT x'ff' AS value UNION SELECT x'6100' UNION SELECT x'c3bc')", "ana", "p/ü"},
		{"SELECT project, person FROM guest", "ana", "a grant returns one column, the key of the scope, and not 2"},
		{"SELECT project FROM guest WHERE persn = :user", "ana", "no such column: persn"},
		{"SELECT project FROM gast", "ana", "no such table: gast"},
		{"SELECT project FROM guest WHERE :now > 1", "ana", "must not ask what time it is"},
		{"SELECT date()", "ana", "asks the machine for the time"},
		{"SELECT random()", "ana", "must not call random"},
		{"SELECT line FROM log", "ana", "must not read log, which does not sync"},
		{"SELECT line FROM lines", "ana", "must not read log, which does not sync"},
		{"SELECT name FROM sqlite_schema", "ana", "must not read sqlite_"},
		{"SELECT v FROM _tm_meta", "ana", "no such table"},
		{"SELECT name FROM pragma_table_info('note')", "ana", "must not read pragma_table_info"},
		{"DELETE FROM guest RETURNING project", "ana", "only reads"},
		{"SELECT 1; SELECT 2", "ana", "a grant is one query, without ;"},
		{"SELECT 1) SELECT 2 --", "ana", "a ) is too many"},
		{"", "ana", "there is no query"},
		{"SELECT :people", "ana", "there are :user and :claims"},
		{"SELECT ?1", "ana", "there are :user and :claims"},
		{"project FROM guest", "ana", "syntax error"},
	} {
		p := tidemark.Principal{ID: c.who}
		if c.who == "ana" {
			p.Claims = map[string]any{"projects": []any{8, 9}, "role": "lead"}
		}
		if got := ask(tidemark.Scope{Name: "p", Keyed: true, Grant: c.grant}, p); got != c.want && (c.want == "" || !strings.Contains(got, c.want) || strings.HasPrefix(got, "p/")) {
			t.Errorf("%s as %q: %q, want %q", c.grant, c.who, got, c.want)
		}
	}
	for grant, want := range map[string]string{"SELECT 1, 2 WHERE :user = 'ana'": "p", "SELECT project FROM guest WHERE person = :user": "p", "SELECT 1 WHERE 0": "", "SELECT NULL": "p"} {
		if got := ask(tidemark.Scope{Name: "p", Grant: grant}, tidemark.Principal{ID: "ana"}); got != want {
			t.Errorf("%s without a key: %q, want %q", grant, got, want)
		}
	}
}

// TestAGrantThatFails grants nothing, and says so once it takes too long.
func TestAGrantThatFails(t *testing.T) {
	db, s := inspected(t, notes+"INSERT INTO guest VALUES ('x', 'ana'), ('{', 'bob')")
	g, err := NewGrant(db, s, &Kind{Name: "p", Keyed: true, Grant: "SELECT project ->> 'a' FROM guest"})
	must(t, err)
	if names, err := g.Ask(context.Background(), db, tidemark.Principal{}, 0); err == nil {
		t.Errorf("granted %v", names)
	}
	g, err = NewGrant(db, s, &Kind{Name: "p", Keyed: true, Grant: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0"})
	must(t, err)
	if _, err := g.Ask(context.Background(), db, tidemark.Principal{}, 100_000); err == nil || !strings.Contains(err.Error(), "the grant of p takes too long") {
		t.Errorf("it ends with %v", err)
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if _, err := g.Ask(stopped, db, tidemark.Principal{}, 0); err == nil || !lite.Interrupted(err) || strings.Contains(err.Error(), "too long") {
		t.Errorf("stopped from outside it ends with %v", err)
	}
}

func TestGrantsSayWhatTheyRead(t *testing.T) {
	db, s := inspected(t, notes)
	g, err := NewGrant(db, s, &Kind{Name: "p", Keyed: true, Grant: "SELECT g.project FROM guests AS g WHERE g.person = :user AND EXISTS (SELECT 1 FROM note)"})
	must(t, err)
	var read []string
	for table, columns := range g.Reads {
		for c := range columns {
			read = append(read, table+"."+c)
		}
		if len(columns) == 0 {
			read = append(read, table)
		}
	}
	slices.Sort(read)
	if got := fmt.Sprint(read); got != "[guest.person guest.project guests.person guests.project note]" {
		t.Errorf("it reads %s", got)
	}
}

// TestCheckKeepsKinds: a kind of which nothing fits stays, or everybody would
// have everything.
func TestCheckKeepsKinds(t *testing.T) {
	_, s := inspected(t, notes)
	fit, misfits, err := Check(s, declared(kind("p", "SELECT nothing", "absent: id", "note: persn", "guest: project where absent")))
	must(t, err)
	if len(misfits) != 4 || len(fit.List) != 1 || len(fit.List[0].Members) != 0 || fit.List[0].Grant != tidemark.GrantNone {
		t.Errorf("%v, %+v", misfits, fit)
	}
	plan, more := Fit(s, fit)
	if Lay(s, fit, plan); len(more) > 0 || !s.Scoped() {
		t.Errorf("%v, %v", more, s.Scopes)
	}
}

func TestAdvise(t *testing.T) {
	for _, c := range []struct{ sql, member, grant, want string }{
		{"", "comment: task.project", "none", "CREATE INDEX comment_task ON comment (task);"},
		{"CREATE INDEX i ON comment (task)", "comment: task.project", "none", ""},
		{"CREATE INDEX i ON comment (body, task)", "comment: task.project", "none", "CREATE INDEX comment_task ON comment (task);"},
		{"", "comment: task.project.owner", "none", `CREATE INDEX comment_task ON comment (task);|CREATE INDEX task_project ON task (project COLLATE NOCASE);`},
		{"CREATE INDEX i ON comment (task); CREATE INDEX j ON task (project COLLATE NOCASE)", "comment: task.project.owner", "none", ""},
		{"CREATE INDEX i ON comment (task); CREATE INDEX j ON task (project)", "comment: task.project.owner", "none", `CREATE INDEX task_project ON task (project COLLATE NOCASE);`},
		{"", `the order: group.owner`, "none", `CREATE INDEX "the order_group" ON "the order" ("group");`},
		{"", "task: project", "SELECT project FROM task WHERE title = :user", "CREATE INDEX task_title ON task (title);"},
		{"", "task: project", "SELECT id FROM project WHERE id = :user", ""},
	} {
		_, s := inspected(t, `CREATE TABLE project (id TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, owner TEXT);
			CREATE TABLE task (id INTEGER PRIMARY KEY, project TEXT REFERENCES project (id), title TEXT);
			CREATE TABLE comment (id INTEGER PRIMARY KEY, task REFERENCES task (id), body TEXT);
			CREATE TABLE "the order" (id INTEGER PRIMARY KEY, "group" TEXT COLLATE NOCASE REFERENCES project (id));`+c.sql)
		list, err := Advise(s, declared(kind("p", c.grant, c.member)))
		must(t, err)
		var got []string
		for _, a := range list {
			got = append(got, a.Create)
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%s with %q: %q, want %q", c.member, c.sql, got, c.want)
		}
		db, _ := inspected(t, "SELECT 1")
		for _, o := range s.Objects {
			must(t, db.Script(o.SQL))
		}
		for _, sql := range got {
			must(t, db.Script(sql))
		}
	}
}
