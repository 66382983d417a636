package policy

import (
	"regexp"
	"strings"
	"testing"
)

const oddSQL = `
CREATE TABLE "null" ("#" INTEGER PRIMARY KEY, ": a" TEXT, "it's" TEXT, "two
lines" TEXT, "tab	stop", "say ""x""" TEXT, "- y" TEXT, "{z}" TEXT, "ü" TEXT UNIQUE, "true" REAL, "12" TEXT, "back\slash" TEXT, "" TEXT);
CREATE TABLE "a: b #c" (k TEXT PRIMARY KEY, v REFERENCES "null", w REFERENCES "null") WITHOUT ROWID;
`

// setting is a line that a person would take the # from.
var setting = regexp.MustCompile(`(?m)^( +)#(\S)`)

func TestDraftSaysWhatHoldsWithoutIt(t *testing.T) {
	s := inspect(t, inventorySQL+oddSQL)
	draft := string(Draft("shop.sqlite", s))
	published, _ := published(t)
	for name, text := range map[string]string{"as it is": draft, "with every # away": setting.ReplaceAllString(draft, "$1$2")} {
		c, err := Parse([]byte(text), "draft")
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		if err := valid(t, published, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		out, err := Apply(c, s, Functions{})
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
		for _, table := range Overlay(nil, s).Tables {
			now := out.Named(table.Name)
			for i := range table.Columns {
				if now.PolicyOf(i) != table.PolicyOf(i) {
					t.Errorf("%s: %s.%s: %s", name, table.Name, table.Columns[i].Name, now.PolicyOf(i))
				}
			}
			if now.Policy.OnInsert != or(table.Policy.OnInsert, "reject") && name != "as it is" {
				t.Errorf("%s: %s: %+v", name, table.Name, now.Policy)
			}
		}
	}
}

// scoped are the lines of the example of scopes.
var scoped = regexp.MustCompile(`(?m)^#(scopes:|  )`)

// TestDraftOfScopes takes the comment away from the example, for tables of all sorts.
func TestDraftOfScopes(t *testing.T) {
	published, _ := published(t)
	for sql, want := range map[string]string{
		inventorySQL: "#  artist:\n",
		oddSQL:       "#  null:\n",
		`CREATE TABLE "a.b" ("all" TEXT PRIMARY KEY NOT NULL); CREATE TABLE c (id INTEGER PRIMARY KEY, "x.y ""z""" TEXT REFERENCES "a.b")`: "#  part:\n",
		"CREATE TABLE one (k INTEGER PRIMARY KEY, v)":                                                        "#      one: k\n",
		"CREATE TABLE pair (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID":                                         "",
		`CREATE TABLE p ("" INTEGER PRIMARY KEY, up REFERENCES p, "[x" TEXT)`:                                "#  p:\n",
		`CREATE TABLE p ("" INTEGER PRIMARY KEY); CREATE TABLE c ("'x: #" INTEGER PRIMARY KEY REFERENCES p)`: "#  p:\n",
	} {
		s := inspect(t, sql)
		draft := string(Draft("x.sqlite", s))
		if strings.Contains(draft, "#scopes:") != (want != "") || !strings.Contains(draft, want) {
			t.Errorf("%s:\n%s", sql, draft)
			continue
		}
		text := scoped.ReplaceAllString(draft, "$1")
		c, err := Parse([]byte(text), "draft")
		if err != nil {
			t.Errorf("%s: %v\n%s", sql, err, text)
			continue
		}
		if err := valid(t, published, text); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		d, err := ScopesOf(c, s)
		if err != nil || want != "" && (len(d.List) != 1 || len(d.List[0].Members) == 0) {
			t.Errorf("%s: %v, %v\n%s", sql, d, err, text)
		}
	}
}
