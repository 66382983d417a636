package policy

import (
	"regexp"
	"testing"

	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

const oddSQL = `
CREATE TABLE "null" ("#" INTEGER PRIMARY KEY, ": a" TEXT, "it's" TEXT, "two
lines" TEXT, "tab	stop", "say ""x""" TEXT, "- y" TEXT, "{z}" TEXT, "ü" TEXT UNIQUE, "true" REAL, "12" TEXT, "back\slash" TEXT, "" TEXT);
CREATE TABLE "a: b #c" (k TEXT PRIMARY KEY, v REFERENCES "null", w REFERENCES "null") WITHOUT ROWID;
`

// setting is a line that a person would take the # from.
var setting = regexp.MustCompile(`(?m)^( +)#(\S)`)

func TestDraftSaysWhatHoldsWithoutIt(t *testing.T) {
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.Script(inventorySQL + oddSQL); err != nil {
		t.Fatal(err)
	}
	s, _, err := schema.Inspect(db, nil)
	if err != nil {
		t.Fatal(err)
	}
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
