package policy

import (
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

const ruled = `rules:
  default: none
  conditions:
    member(project): >-
      EXISTS (SELECT 1 FROM member m WHERE m.project = $project AND m.person = :user)
    admin: ":claims ->> 'role' = 'admin'"
    may(project): member($project) OR admin
  tables:
    task:
      insert: may(NEW.project) AND NEW.author = :user
      update: may(OLD.project) AND may(NEW.project)
      delete: admin
      immutable: [id, author]
      set: { author: :user, changed: :now }
      guard: effects
    member: { insert: none, update: PUBLIC, delete: OLD.person = :user }
`

// office is a schema for rules.
func office(t testing.TB) *tidemark.Schema {
	return inspect(t, `CREATE TABLE task (id INTEGER PRIMARY KEY, project INT, author TEXT, title TEXT, changed INT, long AS (length(title)));
		CREATE TABLE member (project INT, person TEXT, role TEXT, PRIMARY KEY (person, project)) WITHOUT ROWID;
		CREATE VIEW busy AS SELECT project, count(*) AS n FROM task GROUP BY project;
		CREATE TABLE unkeyed (x);`)
}

func TestRules(t *testing.T) {
	c, err := Parse([]byte(ruled), "tidemark.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r, err := RulesOf(c, office(t), false)
	if err != nil {
		t.Fatal(err)
	}
	task := r.Of("TASK")
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	switch {
	case r.Public || len(r.Tables) != 2:
		t.Errorf("%+v", r)
	case task.Delete == "" || squeeze(task.Delete) != "(:claims ->> 'role' = 'admin' )":
		t.Errorf("delete: %q", task.Delete)
	case squeeze(task.Insert) != "((EXISTS (SELECT 1 FROM member m WHERE m.project = (NEW.project) AND m.person = :user) ) OR (:claims ->> 'role' = 'admin' ) ) AND NEW.author = :user":
		t.Errorf("insert: %q", squeeze(task.Insert))
	case strings.Join(task.Immutable, " ") != "id author" || !task.Effects || len(task.Set) != 2 || task.Set[1] != (tidemark.SetRule{Column: "changed", Value: ":now"}):
		t.Errorf("%+v", task)
	case r.Of("member").Update != tidemark.RulePublic || r.Of("member").Insert != tidemark.RuleNone:
		t.Errorf("%+v", r.Of("member"))
	case c.Rules.Tables[0].Insert.At != At{10, 15} || c.Rules.Tables[0].Set[0].Value.At.Line != 14:
		t.Errorf("places: %+v", c.Rules.Tables[0])
	}
}

func TestNothingDeclared(t *testing.T) {
	s := office(t)
	for _, text := range []string{"", "tables: {task: }\n"} {
		c, err := Parse([]byte(text), "f")
		if err != nil {
			t.Fatal(err)
		}
		if r, err := RulesOf(c, s, false); r != nil || err != nil {
			t.Errorf("%q: %v, %v", text, r, err)
		}
		if r, err := RulesOf(c, s, true); r == nil || r.Public || err != nil {
			t.Errorf("%q with authentication: %v, %v", text, r, err)
		}
	}
	if r, _ := RulesOf(nil, s, true); r == nil {
		t.Error("without a file everything passes, though principals are known")
	}
	c, _ := Parse([]byte("rules:\n"), "f")
	if r, err := RulesOf(c, s, false); r == nil || r.Public || err != nil {
		t.Errorf("an empty section: %v, %v", r, err)
	}
}

func TestRulesRefused(t *testing.T) {
	s := office(t)
	in := func(rule string) string { return "rules:\n  tables:\n    task:\n      insert: " + rule + "\n" }
	for _, c := range []struct{ text, want string }{
		{"rules: [a]\n", "1:8: rules needs lines"},
		{"rules:\n  defaults: none\n", "2:3: unknown key defaults | did you mean default?"},
		{"rules:\n  default: open\n", "2:12: open is no default | there are: none, public"},
		{"rules:\n  tables:\n    task:\n", "3:5: table task has no rule"},
		{"rules:\n  tables:\n    task: {inserts: none}\n", "3:12: unknown key inserts | did you mean insert?"},
		{"rules:\n  tables:\n    task: {insert: none}\n    TASK: {insert: none}\n", "4:5: table TASK is declared twice"},
		{"rules:\n  tables:\n    tsk: {insert: none}\n", "3:5: the database has no table tsk | did you mean task?"},
		{"rules:\n  tables:\n    busy: {insert: none}\n", "3:5: busy is a view"},
		{"rules:\n  tables:\n    unkeyed: {insert: none}\n", "3:5: table unkeyed does not sync"},
		{"rules:\n  tables:\n    tm_conflicts: {insert: none}\n", "3:5: tm_conflicts is a table of Tidemark's own"},
		{in(""), "4:15: the value is missing | write a condition"},
		{in("''"), "4:15: the value is missing | write a condition"},
		{in("' '"), "4:15: the condition is empty | write none, public, or SQL"},
		{in("true"), "4:15: true is no condition | write public for everybody"},
		{in("NEW.titel = 'x'"), "4:15: insert of task: no such column: NEW.titel | only stored columns"},
		{in("NEW.long > 3"), "no such column: NEW.long"},
		{in("title = 'x'"), "4:15: insert of task: title may be a column of the row that is judged or of another: write NEW.title"},
		{in("NEW.id > 0 AND title = 'x'"), "title may be a column of the row that is judged or of another: write NEW.title"},
		{in("EXISTS (SELECT 1 FROM member WHERE author = NEW.author)"), "author may be a column of the row that is judged"},
		{in("OLD.title = 'x'"), "a row that is inserted has no OLD"},
		{in("EXISTS (SELECT 1 FROM people)"), "no such table: people | name a table of this database"},
		{in("nobody(NEW.id)"), "no such function: nobody"},
		{in("NEW.id ="), "4:15: insert of task: "},
		{in("(NEW.id = 1"), "a ) is missing"},
		{in("NEW.id = 1)"), "a ) is too many"},
		{in("NEW.title = 'x"), "a quote is not closed"},
		{in("1; DELETE FROM task"), "a condition is one expression, without ;"},
		{in("NEW.author = :name"), ":name is no parameter here"},
		{in("NEW.author = $name"), "there is no parameter $name"},
		{in("NEW.author = ?"), "? is no parameter here"},
		{in("random() > 0"), "a rule must not call random"},
		{in("date('now') > ''"), "date asks the machine for the time: use :now"},
		{in("EXISTS (SELECT 1 FROM _tm_meta)"), "no such table: _tm_meta"},
		{in("EXISTS (SELECT 1 FROM sqlite_master)"), "a rule must not read sqlite_master"},
		{in("none\n      immutable: [ident]"), "5:19: immutable of task.ident: task has no stored column ident"},
		{in("none\n      set: { ident: :now }"), "task has no stored column ident"},
		{in("none\n      set: { id: :now }"), "id belongs to the primary key"},
		{in("none\n      set: { title: NEW.author }"), "a value of the server's is made of :user, :claims and :now alone"},
		{in("none\n      guard: all"), "5:14: all is no guard | there are: writes, effects"},
		{"rules:\n  conditions:\n    a b: none\n", "3:5: a b is no name for a condition"},
		{"rules:\n  conditions:\n    f(x, x): none\n", "3:5: f(x, x) is no name for a condition"},
		{"rules:\n  conditions:\n    public: none\n", "3:5: a condition cannot be called public"},
		{"rules:\n  conditions:\n    f: none\n    F(x): none\n", "4:5: condition F is declared twice"},
		{"rules:\n  conditions:\n    author: none\n", "3:5: the condition author could be taken for a table or column"},
		{"rules:\n  conditions:\n    f(x): EXISTS (SELECT 1 FROM member m WHERE m.persn = $x)\n  tables:\n    task: {insert: f(1), update: f(2)}\n",
			"3:11: condition f: no such column: m.persn"},
		{"rules:\n  conditions:\n    f(x): f($x)\n  tables:\n    task: {insert: f(1)}\n", "use each other without end"},
		{"rules:\n  conditions:\n    f(x): $x = 1\n  tables:\n    task: {insert: 'f(1, 2)'}\n", "the condition f takes 1 arguments, not 2"},
	} {
		cfg, err := Parse([]byte(c.text), "tidemark.yaml")
		if err == nil {
			_, err = RulesOf(cfg, s, false)
		}
		if got := strings.Join(problemsOf(err), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%q:\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestSchemaAgreesOnRules(t *testing.T) {
	s, doc := published(t)
	sameKeys(t, "rules", part(t, doc, "properties", "rules", "properties"), rulesEntries)
	sameKeys(t, "rules of a table", part(t, doc, "$defs", "tableRules", "properties"), tableRulesEntries)
	sameWords(t, "default", strs(part(t, doc, "properties", "rules", "properties", "default", "enum")), ruleDefaults)
	sameWords(t, "guard", strs(part(t, doc, "$defs", "tableRules", "properties", "guard", "enum")), guards)
	for _, text := range []string{ruled, "rules:\n", "rules: {}\n", "rules: {default: public}", "rules: {tables: {t: {insert: 1}}}", "rules: {conditions: {a: 'x', 'b(c)': 'd'}}"} {
		if _, err := Parse([]byte(text), "f"); err != nil {
			t.Errorf("%q is not read: %v", text, err)
		}
		if err := valid(t, s, text); err != nil {
			t.Errorf("%q is not valid: %v", text, err)
		}
	}
	for _, text := range []string{
		"rules: x", "rules: {default: all}", "rules: {tables: {t: }}", "rules: {tables: {t: {}}}", "rules: {tables: {t: {insert: }}}", "rules: {tables: {t: {insert: ''}}}",
		"rules: {tables: {t: {insert: true}}}", "rules: {tables: {t: {insert: [a]}}}", "rules: {tables: {t: {select: none}}}", "rules: {tables: {t: {insert: none, guard: x}}}",
		"rules: {tables: {t: {immutable: [a]}}}", "rules: {tables: {t: {insert: none, immutable: a}}}", "rules: {conditions: {a: }}",
	} {
		if _, err := Parse([]byte(text), "f"); err == nil {
			t.Errorf("%q is read", text)
		}
		if err := valid(t, s, text); err == nil {
			t.Errorf("%q is valid", text)
		}
	}
}

// FuzzRules: whatever a condition says, it is refused or it is one expression.
func FuzzRules(f *testing.F) {
	for _, s := range []string{"NEW.id = 1", "member(NEW.project)", "1)--", "'", "/*", "x'", "\"", ":user", "may(may(1))", "$project", "NEW.\"id\" IN (SELECT 1)", "1 /* */", "(SELECT 1 UNION SELECT 2)"} {
		f.Add(s, s)
	}
	s := office(f)
	f.Fuzz(func(t *testing.T, condition, rule string) {
		d := &Rules{
			Conditions: []NamedCondition{{Name: Setting[string]{"may", At{1, 1}}, Params: []string{"project"}, SQL: Setting[string]{condition, At{1, 1}}}},
			Tables:     []TableRules{{Name: Setting[string]{"task", At{2, 1}}, Insert: Setting[string]{rule, At{2, 1}}, Update: Setting[string]{rule, At{2, 1}}}},
		}
		r, _ := RulesOf(&Config{Name: "f", Rules: d}, s, false)
		if r == nil {
			t.Fatal("no rules")
		}
	})
}
