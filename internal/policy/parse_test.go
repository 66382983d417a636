package policy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
)

const full = `# yaml-language-server: $schema=tidemark.schema.json
tables:
  task:
    policy: last-write
    columns:
      votes: counter
      labels: set
      price: { policy: custom, function: price }
    groups:
      - columns: [street, city, zip]
        policy: last-write
    on_delete: update-wins
    on_insert: renumber
    on_unique: { function: rename }
    references: { project_id: set-null, owner_id: reject }
    keep: losers
    keep_for: 30d
    max_skew: 5m
    lease: 100
  log: { policy: append-only }
  empty:
`

func TestParse(t *testing.T) {
	c, err := Parse([]byte(full), "tidemark.yaml")
	if err != nil {
		t.Fatal(err)
	}
	task := c.Tables[0]
	switch {
	case len(c.Tables) != 3 || task.Name != Setting[string]{"task", At{3, 3}}:
		t.Errorf("tables: %+v", c.Tables)
	case task.Policy != Setting[tidemark.Policy]{tidemark.PolicyLastWrite, At{4, 13}}:
		t.Errorf("policy: %+v", task.Policy)
	case task.Columns[2] != Column{Setting[string]{"price", At{8, 7}}, Setting[Rule]{Rule{tidemark.PolicyCustom, Setting[string]{"price", At{8, 42}}}, At{8, 24}}}:
		t.Errorf("custom: %+v", task.Columns[2])
	case len(task.Groups) != 1 || task.Groups[0].Columns[2] != Setting[string]{"zip", At{10, 33}} || task.Groups[0].At != At{10, 9}:
		t.Errorf("groups: %+v", task.Groups)
	case task.OnUnique != Setting[string]{"rename", At{14, 28}}:
		t.Errorf("on_unique: %+v", task.OnUnique)
	case !task.References[0].SetNull.Value || task.References[1].SetNull.Value || !task.References[1].SetNull.Declared():
		t.Errorf("references: %+v", task.References)
	case task.KeepFor.Value != 30*24*time.Hour || task.MaxSkew.Value != 5*time.Minute || task.Lease.Value != 100:
		t.Errorf("numbers: %+v", task)
	}
}

func TestParseNothing(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n", "---\n", "tables:\n", "tables: {}\n", "\ufefftables:\n", "~", "tables:\r\n  t:\r\n"} {
		if _, err := Parse([]byte(text), "x"); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// problemsOf returns what is wrong with a file, each as "line:column: message | hint".
func problemsOf(err error) []string {
	var ps Problems
	if !errors.As(err, &ps) {
		return nil
	}
	var out []string
	for _, p := range ps {
		out = append(out, strings.TrimPrefix(p.Error(), p.File+":")+" | "+p.Hint)
	}
	return out
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"table:\n", "1:1: unknown key table | did you mean tables?"},
		{"hello", "1:1: the file needs lines of the form KEY: VALUE"},
		{"- a\n", "1:1: the file needs lines"},
		{"tables: [a]\n", "1:9: tables needs lines of the form"},
		{"tables:\n  t: 5\n", "2:6: a table needs lines of the form"},
		{"tables:\n  t:\n    polcy: text\n", "3:5: unknown key polcy | did you mean policy?"},
		{"tables:\n  t:\n    on-delete: manual\n", "3:5: unknown key on-delete | did you mean on_delete?"},
		{"tables:\n  t:\n    policy: conter\n", "3:13: conter is no policy | did you mean counter?"},
		{"tables:\n  t:\n    policy: lastwrite\n", "3:13: lastwrite is no policy | did you mean last-write?"},
		{"tables:\n  t:\n    policy: {policy: custom, function: f}\n", "3:13: the policy of a table is one word"},
		{"tables:\n  t:\n    policy:\n", "3:13: the value is missing | write one of append-only, last-write"},
		{"tables:\n  t:\n    columns:\n      a: append-only\n", "4:10: append-only is no policy | there are: last-write"},
		{"tables:\n  t:\n    columns:\n      a: custom\n", "4:10: custom needs a function | write { policy: custom, function: NAME }"},
		{"tables:\n  t:\n    columns:\n      a: {policy: counter, function: f}\n", "4:38: the policy counter takes no function"},
		{"tables:\n  t:\n    columns:\n      a: {function: f}\n", "4:21: a function goes with the policy custom"},
		{"tables:\n  t:\n    columns:\n      a: {}\n", "4:10: the policy is missing"},
		{"tables:\n  t:\n    columns:\n      a: {polic: text}\n", "4:11: unknown key polic | did you mean policy?"},
		{"tables:\n  t:\n    columns:\n      a: [text]\n", "4:10: here goes one of"},
		{"tables:\n  t:\n    columns:\n      a: text\n      A: set\n", "5:7: column A is declared twice"},
		{"tables:\n  t:\n  t:\n", "3:3: mapping key \"t\" already defined at [2:3] | make one of both"},
		{"tables:\n  t:\n  T:\n", "3:3: table T is declared twice"},
		{"tables:\n  t:\n    groups: {columns: [a, b]}\n", "3:13: groups are a list"},
		{"tables:\n  t:\n    groups:\n      - columns: [a]\n", "4:19: a group of one column is none"},
		{"tables:\n  t:\n    groups:\n      - policy: manual\n", "4:9: the group has no columns"},
		{"tables:\n  t:\n    groups:\n      - {columns: [a, b], policy: counter}\n", "4:35: counter is no policy of a group | there are: last-write"},
		{"tables:\n  t:\n    on_unique: rename\n", "3:16: on_unique cannot be rename | write reject, or { function: NAME }"},
		{"tables:\n  t:\n    on_unique: {}\n", "3:16: the function is missing"},
		{"tables:\n  t:\n    references: {a: null-it}\n", "3:21: null-it is no choice for a reference"},
		{"tables:\n  t:\n    keep: everything\n", "3:11: everything is no choice | there are: losers, nothing"},
		{"tables:\n  t:\n    keep_for: 30\n", "3:15: \"30\" is not a duration | write a number and a unit"},
		{"tables:\n  t:\n    keep_for: 1 month\n", "\"1 month\" is not a duration"},
		{"tables:\n  t:\n    keep_for: 0d\n", "0d is no time at all"},
		{"tables:\n  t:\n    keep_for: 999999999w\n", "is longer than 100 years"},
		{"tables:\n  t:\n    max_skew: -5m\n", "\"-5m\" is not a duration"},
		{"tables:\n  t:\n    lease: 5000\n", "3:12: a lease is a number of ids from 16 to 1000, not 5000"},
		{"tables:\n  t:\n    lease: 1e2\n", "not 1e2"},
		{"tables:\n\tt:\n", "2:1: found character ' ' that cannot start any token | correct the YAML"},
		{"tables: &a\n  t:\n", "anchors, aliases"},
		{"tables:\n  t: &a {keep: losers}\n  u: *a\n", "anchors, aliases"},
		{"tables:\n  <<: {a: {}}\n", "2:3: anchors, aliases"},
		{"tables: !!map {}\n", "anchors, aliases"},
		{"tables:\n---\ntables:\n", "3:1: the file has more than one YAML document"},
		{strings.Repeat("x", maxLine+1), "1:1: the line has 10001 bytes"},
		{strings.Repeat("x\n", maxFile), "the file has 524288 bytes"},
		{strings.Repeat("[\n", maxBrackets+1), "more than 5000 brackets"},
	} {
		_, err := Parse([]byte(c.text), "tidemark.yaml")
		got := strings.Join(problemsOf(err), "\n")
		if !strings.Contains(got, c.want) {
			t.Errorf("%.60q:\n got %s\nwant %s", c.text, got, c.want)
		}
		if err != nil && (tidemark.CodeOf(err) != tidemark.CodeUsage || tidemark.HintOf(err) == "") {
			t.Errorf("%.60q: code %q, hint %q", c.text, tidemark.CodeOf(err), tidemark.HintOf(err))
		}
	}
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	_, err := Parse([]byte("tables:\n  t:\n    polcy: text\n    keep: x\n    columns:\n      a: b\n"), "f")
	if got := problemsOf(err); len(got) != 3 {
		t.Errorf("%q", got)
	}
}

func TestProblemShowsTheLine(t *testing.T) {
	_, err := Parse([]byte("tables:\n  t:\n    policy: conter\n"), "dir/tidemark.yaml")
	const want = `dir/tidemark.yaml:3:13: conter is no policy
   3 |     policy: conter
     |             ^
  next: did you mean counter?`
	if err.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(full)
	for _, s := range []string{"", "tables: {t: {groups: [{columns: [a, b]}]}}", "a: &a [*a]", "? a\n: b", "tables:\n  t: !!x y", "- - - -", "\"\\u0000\": |\n  x\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse([]byte(text), "f")
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v, error %v", c, err)
		}
		if err == nil {
			Overlay(c, inventory(t))
			Explain(c, Overlay(c, inventory(t)))
			return
		}
		if len(problemsOf(err)) == 0 || err.Error() == "" {
			t.Fatalf("an error without a problem: %#v", err)
		}
	})
}
