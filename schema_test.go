package tidemark_test

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

var collations = []string{"BINARY", "NOCASE", "RTRIM"}

// keyed makes a table whose key columns have these collations.
func keyed(collations ...string) *tidemark.Table {
	t := &tidemark.Table{ID: 1}
	for i, c := range collations {
		t.Columns = append(t.Columns, tidemark.Column{Name: fmt.Sprint("k", i), Collation: c})
		t.Key = append(t.Key, i)
	}
	return t
}

// alike are values of which SQLite takes some for equal.
var alike = []tidemark.Value{
	tidemark.Null,
	tidemark.Int(0), tidemark.Real(0), tidemark.Real(math.Copysign(0, -1)),
	tidemark.Int(1), tidemark.Real(1), tidemark.Real(1.5), tidemark.Text("1"), tidemark.BlobString("1"),
	tidemark.Int(1 << 53), tidemark.Int(1<<53 + 1), tidemark.Real(1 << 53), tidemark.Int(math.MaxInt64),
	tidemark.Real(1 << 63), tidemark.Int(math.MinInt64), tidemark.Real(-1 << 63),
	tidemark.Real(math.Inf(1)), tidemark.Real(math.Inf(-1)), tidemark.Real(math.MaxFloat64),
	tidemark.Text(""), tidemark.Text(" "), tidemark.Text("a"), tidemark.Text("A "), tidemark.Text("A"),
	tidemark.Text("ä"), tidemark.Text("Ä"), tidemark.Text("["), tidemark.Text("{"), tidemark.Text("@"), tidemark.Text("`"),
	tidemark.Text("\xff"), tidemark.Text("a\x00b"), tidemark.Text("A\x00c"), tidemark.Text("a\x00bb"), tidemark.Text("a\x00"),
}

var near = rapid.OneOf(
	rapid.SampledFrom(alike),
	rapid.Custom(func(t *rapid.T) tidemark.Value {
		return tidemark.Text(rapid.StringOfN(rapid.RuneFrom([]rune("aAbB \x00äÄ_[")), 0, 4, -1).Draw(t, "text"))
	}),
	rapid.Custom(func(t *rapid.T) tidemark.Value {
		return tidemark.Blob(rapid.SliceOfN(rapid.ByteRange('a', 'b'), 0, 2).Draw(t, "blob"))
	}),
	rapid.Custom(func(t *rapid.T) tidemark.Value { return tidemark.Int(rapid.Int64().Draw(t, "int")) }),
)

// KeyID is equal exactly when SQLite takes two keys for the same.
func TestKeyIDAgreesWithSQLite(t *testing.T) {
	db, err := lite.Open(filepath.Join(t.TempDir(), "keys.db"), lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	compare := func(t require, collation string, a, b tidemark.Value) {
		row, err := db.Get("SELECT ?1 IS ?2 COLLATE "+collation, a, b)
		if err != nil {
			t.Fatalf("%v", err)
		}
		tab := keyed(collation)
		same := tab.KeyID([]tidemark.Value{a}) == tab.KeyID([]tidemark.Value{b})
		if want := row[0].Int64() == 1; same != want {
			t.Fatalf("%q and %q under %s: same row %v, SQLite says %v", a, b, collation, same, want)
		}
	}
	for _, collation := range collations {
		for _, a := range alike {
			for _, b := range alike {
				compare(t, collation, a, b)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		compare(t, rapid.SampledFrom(collations).Draw(t, "collation"), near.Draw(t, "a"), near.Draw(t, "b"))
	})
}

// require is what testing.T and rapid.T have in common.
type require interface{ Fatalf(string, ...any) }

// What ParseKeyID gives names the same row.
func TestParseKeyID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := keyed(rapid.SliceOfN(rapid.SampledFrom(collations), 1, 4).Draw(t, "collations")...)
		key := rapid.SliceOfN(near, len(tab.Key), len(tab.Key)).Draw(t, "key")
		id := tab.KeyID(key)
		got, err := tidemark.ParseKeyID(id)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(key) || tab.KeyID(got) != id {
			t.Fatalf("%v came back as %v", key, got)
		}
	})
}

// No two keys run together: the parts of a key are told apart.
func TestKeyIDSeparatesParts(t *testing.T) {
	tab := keyed("BINARY", "BINARY")
	keys := [][]tidemark.Value{
		{tidemark.Text("a"), tidemark.Text("bc")}, {tidemark.Text("ab"), tidemark.Text("c")},
		{tidemark.Text("abc"), tidemark.Text("")}, {tidemark.Text(""), tidemark.Text("abc")},
		{tidemark.Null, tidemark.Text("n")}, {tidemark.Text("n"), tidemark.Null},
		{tidemark.Text("at\x01b"), tidemark.Text("c")}, {tidemark.Text("a"), tidemark.Text("t\x01bc")},
	}
	seen := map[string]bool{}
	for _, k := range keys {
		seen[tab.KeyID(k)] = true
	}
	if len(seen) != len(keys) {
		t.Errorf("%d keys have %d names", len(keys), len(seen))
	}
}

func FuzzParseKeyID(f *testing.F) {
	tab := keyed("BINARY")
	for _, v := range []tidemark.Value{tidemark.Int(-5), tidemark.Real(0.5), tidemark.Text("abc"), tidemark.BlobString("x"), tidemark.Null} {
		f.Add(tab.KeyID([]tidemark.Value{v}))
	}
	f.Add("t\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
	f.Fuzz(func(t *testing.T, id string) {
		key, err := tidemark.ParseKeyID(id)
		if err != nil {
			return
		}
		tab := keyed(slices.Repeat([]string{"BINARY"}, len(key))...)
		name := tab.KeyID(key)
		again, err := tidemark.ParseKeyID(name)
		if err != nil || tab.KeyID(again) != name {
			t.Fatalf("%q: %v came back as %v, %v", id, key, again, err)
		}
	})
}

func TestColumnsByNameAndPlace(t *testing.T) {
	table := &tidemark.Table{Columns: []tidemark.Column{{Name: "id"}, {Name: "Straße"}, {Name: "b"}}}
	for name, want := range map[string]int{"ID": 0, "straße": 1, "b": 2, "c": -1, "": -1} {
		if got := table.Place(name); got != want {
			t.Errorf("%q is at %d, want %d", name, got, want)
		}
	}
	if got := strings.Join(table.ColumnNames([]int{2, -1, 0}), " "); got != "b ? id" {
		t.Errorf("%s", got)
	}
	if got := table.ColumnNames(nil); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

func TestNamesFoldAsSQLiteFoldsThem(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"Task", "tASK", true}, {"", "", true}, {"a_1", "A_1", true}, {"Ünit", "ÜNIT", true},
		{"Éa", "éa", false}, {"K", "\u212a", false}, {"s", "\u017f", false}, {"I", "ı", false}, {"a", "b", false}, {"a", "aa", false},
	} {
		if got := tidemark.SameName(c.a, c.b); got != c.same {
			t.Errorf("SameName(%q, %q) = %t", c.a, c.b, got)
		}
		if asks := oneTable(t, c.a, c.b); c.a != "" && asks != c.same {
			t.Errorf("SQLite takes %q and %q for one: %t, SameName says %t", c.a, c.b, asks, c.same)
		}
	}
}

// oneTable reports whether SQLite refuses to make two tables of these names.
func oneTable(t *testing.T, a, b string) bool {
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.Run("CREATE TABLE " + lite.Quote(a) + " (x)"); err != nil {
		t.Fatal(err)
	}
	return db.Run("CREATE TABLE "+lite.Quote(b)+" (x)") != nil
}
