package merge

import (
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

func TestWhatColumnsCarry(t *testing.T) {
	table := &tidemark.Table{
		Name: "t", Key: []int{0},
		Columns: []tidemark.Column{
			{Name: "id", Type: "INTEGER", Affinity: tidemark.AffinityInteger},
			{Name: "n", Type: "INT", Affinity: tidemark.AffinityInteger},
			{Name: "r", Type: "REAL", Affinity: tidemark.AffinityReal},
			{Name: "d", Type: "DECIMAL(10,2)", Affinity: tidemark.AffinityNumeric},
			{Name: "s", Type: "TEXT", Affinity: tidemark.AffinityText, Collation: "NOCASE"},
			{Name: "b", Type: "BLOB", Affinity: tidemark.AffinityBlob},
			{Name: "x", Affinity: tidemark.AffinityBlob},
			{Name: "j", Type: "JSON", Affinity: tidemark.AffinityNumeric},
			{Name: "string", Type: "STRING", Affinity: tidemark.AffinityNumeric},
			{Name: "ref", Type: "INTEGER", Affinity: tidemark.AffinityInteger},
			{Name: "street", Type: "TEXT", Affinity: tidemark.AffinityText, Group: "street+city"},
		},
		ForeignKeys: []tidemark.ForeignKey{{Columns: []int{9}, Parent: "p", To: []string{"id"}}},
	}
	const plain = "last-write latest-edit first-write reject manual"
	can := map[string]string{
		"id":     plain,
		"n":      plain + " max min custom counter",
		"r":      plain + " max min custom counter",
		"d":      plain + " max min custom counter",
		"s":      plain + " max min custom set json text",
		"b":      plain + " max min custom",
		"x":      plain + " max min custom set json text",
		"j":      plain + " max min custom set json",
		"string": plain + " max min custom counter",
		"ref":    plain + " max min custom",
		"street": plain,
	}
	for c := range table.Columns {
		name := table.Columns[c].Name
		for _, p := range append(policies, tidemark.PolicyReject, tidemark.PolicyAppendOnly, "lww", "") {
			err := Carries(table, c, p)
			want := p != "" && strings.Contains(" "+can[name]+" ", " "+string(p)+" ")
			if (err == nil) != want {
				t.Errorf("%s under %s: %v", name, p, err)
			}
			if err != nil && len(err.Error()) < 20 {
				t.Errorf("%s under %s says only %q", name, p, err)
			}
		}
	}
}

func TestStrictTables(t *testing.T) {
	table := &tidemark.Table{Name: "t", Strict: true, Columns: []tidemark.Column{
		{Name: "id", Type: "INTEGER", Affinity: tidemark.AffinityInteger},
		{Name: "any", Type: "ANY", Affinity: tidemark.AffinityNumeric},
		{Name: "also", Type: "any", Affinity: tidemark.AffinityBlob},
	}, Key: []int{0}}
	for c, p := range map[int]tidemark.Policy{1: tidemark.PolicyCounter, 2: tidemark.PolicyCounter} {
		if Carries(table, c, p) == nil {
			t.Errorf("%s carries %s", table.Columns[c].Name, p)
		}
	}
	if err := Carries(table, 2, tidemark.PolicySet); err != nil {
		t.Error(err)
	}
}
