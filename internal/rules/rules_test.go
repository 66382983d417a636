package rules

import (
	"context"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// open makes a database and reads what it looks like.
func open(t testing.TB, script string) (*lite.DB, *tidemark.Schema) {
	t.Helper()
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Script(script); err != nil {
		t.Fatal(err)
	}
	s, _, err := schema.Inspect(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	return db, s
}

const team = `CREATE TABLE member (id INTEGER PRIMARY KEY, project INT, person TEXT, role TEXT);
	CREATE TABLE task (id INTEGER PRIMARY KEY, project INT, author TEXT);`

func TestParseName(t *testing.T) {
	for text, want := range map[string]string{
		"a": "a()", "a(b)": "a(b)", " role ( org , roles ) ": "role(org,roles)",
		"": "-", "a()": "-", "a(b": "-", "a b": "-", "a(b,)": "-", "a(,b)": "-", "a(b c)": "-", "a(b) c": "-", "a(1)": "-", "'a'": "-", "a(b,b)": "-", "(a)": "-",
	} {
		name, params, ok := ParseName(text)
		got := "-"
		if ok {
			got = name + "(" + strings.Join(params, ",") + ")"
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	cs := Conditions{
		{Name: "any", SQL: "1"},
		{Name: "is", Params: []string{"x"}, SQL: "$x = :user"},
		{Name: "both", Params: []string{"x", "y"}, SQL: "is($x) AND IS($y)"},
		{Name: "listed", Params: []string{"x", "of"}, SQL: "$x IN $of"},
	}
	for sql, want := range map[string]string{
		"NEW.a":                              "NEW.a",
		"any OR t.any OR any.t":              "(1) OR t.any OR any.t",
		"is(NEW.a)":                          "((NEW.a) = :user)",
		"is (f(1, 2))":                       "((f(1, 2)) = :user)",
		"both(1, 'a,b')":                     "(((1) = :user) AND (('a,b') = :user))",
		"is(is(1))":                          "(((1) = :user) = :user)",
		"listed(NEW.a, ('x', 'y'))":          "((NEW.a) IN ('x', 'y'))",
		"listed(1, (SELECT a FROM t))":       "((1) IN (SELECT a FROM t))",
		"'is(1)' || \"any\" /* any */":       "'is(1)' || \"any\" /* any */",
		"x IS NULL AND NEW.\"is\"(1) -- any": "x IS NULL AND NEW.\"is\"(1) -- any",
	} {
		got, err := cs.Expand(sql)
		if squeeze := strings.ReplaceAll(got, "\n", ""); err != nil || squeeze != want {
			t.Errorf("%q: %q, %v, want %q", sql, squeeze, err, want)
		}
	}
}

func TestConjuncts(t *testing.T) {
	for sql, want := range map[string]string{
		"a": "a", "a AND b and c": "a|b|c", "a OR b AND c": "a OR b AND c", "(a OR b) AND c": "(a OR b)|c",
		"x BETWEEN 1 AND 2 AND c": "x BETWEEN 1 AND 2|c", "CASE WHEN a AND b THEN 1 END AND c": "CASE WHEN a AND b THEN 1 END|c", "'a AND b' AND \"AND\"": "'a AND b'|\"AND\"",
	} {
		if got := strings.Join(Conjuncts(sql), "|"); got != want {
			t.Errorf("%q: %s, want %s", sql, got, want)
		}
	}
}

func TestAdvice(t *testing.T) {
	_, s := open(t, team)
	rule := func(sql string) *tidemark.Rules {
		return &tidemark.Rules{Tables: []tidemark.TableRules{{Table: "task", Insert: sql}}}
	}
	for sql, want := range map[string]string{
		"NEW.author = :user": "",
		"EXISTS (SELECT 1 FROM member m WHERE m.id = NEW.project)":                                   "",
		"EXISTS (SELECT 1 FROM member AS m WHERE m.project = NEW.project AND m.person = :user)":      "CREATE INDEX member_project_person ON member (project, person);",
		"EXISTS (SELECT 1 FROM member WHERE member.project = NEW.project AND :user = member.person)": "CREATE INDEX member_project_person ON member (project, person);",
		"NEW.project IN (SELECT t.project FROM task t WHERE t.author = :user)":                       "CREATE INDEX task_author ON task (author);",
	} {
		list, err := Advise(s, rule(sql))
		got := ""
		for _, a := range list {
			got += a.Create
		}
		if err != nil || got != want {
			t.Errorf("%s:\n got %q, %v\nwant %q", sql, got, err, want)
		}
	}
}

// TestBudget: what runs out of it does so every time, and a context that ends is
// another thing.
func TestBudget(t *testing.T) {
	db, s := open(t, team)
	const endless = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n) > 0"
	j, misfits, err := New(db, s, &tidemark.Rules{Tables: []tidemark.TableRules{{Table: "task", Insert: endless}}})
	if err != nil || len(misfits) > 0 {
		t.Fatal(misfits, err)
	}
	var warned []string
	j.Steps = 100_000
	j.Warn = func(message string) { warned = append(warned, message) }
	task := s.Named("task")
	c := &tidemark.Change{Table: task.ID, Op: tidemark.Insert, New: []tidemark.Value{tidemark.Int(1), tidemark.Int(1), tidemark.Null}}
	for range 2 {
		if err := j.Ask(context.Background(), tidemark.Author{}, 1).Allow(task, c, Row{}); tidemark.CodeOf(err) != tidemark.CodeForbidden {
			t.Errorf("%v", err)
		}
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "too many steps") {
		t.Errorf("%q", warned)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := j.Ask(ctx, tidemark.Author{}, 1).Allow(task, c, Row{}); err == nil || tidemark.CodeOf(err) == tidemark.CodeForbidden {
		t.Errorf("the end of the server's context is the author's fault: %v", err)
	}
}

func TestWhatDoesNotFitDenies(t *testing.T) {
	db, s := open(t, team)
	j, misfits, err := New(db, s, &tidemark.Rules{Public: true, Tables: []tidemark.TableRules{
		{Table: "task", Insert: "NEW.nothing = 1", Update: "public", Immutable: []string{"gone"}, Set: []tidemark.SetRule{{Column: "gone", Value: ":now"}}},
		{Table: "nowhere", Insert: "public"},
	}})
	if err != nil || len(misfits) != 4 {
		t.Fatalf("%v, %v", misfits, err)
	}
	for _, m := range misfits {
		if m.Error() == "" || strings.Contains(m.Error(), "sqlite3") {
			t.Errorf("%q", m.Error())
		}
	}
	task := s.Named("task")
	c := &tidemark.Change{Table: task.ID, Op: tidemark.Insert, New: []tidemark.Value{tidemark.Int(1), tidemark.Int(1), tidemark.Null}}
	if err := j.Ask(context.Background(), tidemark.Author{}, 1).Allow(task, c, Row{}); tidemark.CodeOf(err) != tidemark.CodeForbidden {
		t.Errorf("%v", err)
	}
}

// FuzzExpress: no text that passes as a condition escapes from its parentheses.
func FuzzExpress(f *testing.F) {
	for _, s := range []string{"1", "1) --", "'", "NEW.id = :user", "/*", "*/ 1", "\"", "[", "1;", "x'00'", ":now) OR (1", "-- \n 1", "1 -- )", "`", "$a", "@a", "?1", "::user"} {
		f.Add(s)
	}
	db, s := open(f, team+"INSERT INTO task VALUES (1, 1, 'a')")
	task := s.Named("task")
	if err := makeRowTables(db, task); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		e, err := express(sql)
		if err != nil {
			return
		}
		if _, err := vet(db, s, task, e, "NEW"); err != nil {
			return
		}
		// What compiles as a part of a larger expression is an expression of its own.
		if err := db.Compile("SELECT 0 AND (" + e.sql + "\n) FROM temp._tm_new_2 AS NEW LIMIT 1"); err != nil && !strings.Contains(err.Error(), "no such") {
			t.Errorf("%q compiles as a rule, but not as an expression: %v", sql, err)
		}
	})
}

// TestClosed tries quotes that seem to end and do not: what stands behind them
// in a query would be a part of them.
func TestClosed(t *testing.T) {
	for sql, want := range map[string]bool{
		"1": true, "'a'": true, "''": true, "''''": true, "'a'''": true, "x''": true, "X'00'": true, `"a""b"`: true, "[a[b]": true, "`a```": true, "/* ( */ 1": true, "(1) -- (": true,
		"'": false, "'''": false, "'a''": false, "x'": false, "x'00": false, "X'''": false, `"`: false, `"a""`: false, "[a": false, "[": false, "`a``": false, "(": false, ")": false, "1)(1": false,
		"1;": false, "1 /* x": false, "1\x00": false, "": false, " ": false, "-- x": false,
	} {
		if err := Closed(sql); (err == nil) != want {
			t.Errorf("%q: %v", sql, err)
		}
	}
}
