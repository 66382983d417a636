package digest_test

import (
	"maps"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemarkdb/tidemark"
	_ "github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/digest"
)

var key = digest.Key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

// table makes a table of n columns whose key is the first.
func table(id, n int) *tidemark.Table {
	return &tidemark.Table{ID: id, Columns: make([]tidemark.Column, n), Key: []int{0}}
}

var values = rapid.Custom(func(t *rapid.T) tidemark.Value {
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return tidemark.Int(rapid.Int64().Draw(t, "int"))
	case 1:
		return tidemark.Real(rapid.Float64().Draw(t, "real"))
	case 2:
		return tidemark.Text(rapid.String().Draw(t, "text"))
	case 3:
		return tidemark.Blob(rapid.SliceOf(rapid.Byte()).Draw(t, "blob"))
	}
	return tidemark.Null
})

func rows(columns int) *rapid.Generator[[][]tidemark.Value] {
	return rapid.SliceOfN(rapid.SliceOfN(values, columns, columns), 0, 8)
}

func sumsOf(h *digest.Hasher, t *tidemark.Table, rows [][]tidemark.Value) digest.Sums {
	s := digest.Sums{}
	for _, row := range rows {
		s.Add(h, t, row, 1)
	}
	return s
}

func TestOrderDoesNotCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, tab := digest.New(key), table(3, 4)
		list := rows(4).Draw(t, "rows")
		want := sumsOf(h, tab, list)
		if got := sumsOf(h, tab, rapid.Permutation(list).Draw(t, "other order")); !maps.EqualFunc(got, want, equal) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

func equal(a, b []uint64) bool { return reflect.DeepEqual(a, b) }

func TestTakingAwayUndoesAdding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, tab := digest.New(key), table(3, 4)
		stay, leave := rows(4).Draw(t, "stay"), rows(4).Draw(t, "leave")
		s := sumsOf(h, tab, append(stay[:len(stay):len(stay)], leave...))
		for _, row := range leave {
			s.Add(h, tab, row, -1)
		}
		if got, want := s.Table(3), sumsOf(h, tab, stay).Table(3); got != want {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}

func TestRowIsTheSumOfItsCells(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, tab := digest.New(key), table(3, 4)
		row := rapid.SliceOfN(values, 4, 4).Draw(t, "row")
		var want uint64
		for c, v := range row {
			want += h.Cell(3, c, tab.KeyID(tab.KeyOf(row)), v)
		}
		sums := sumsOf(h, tab, [][]tidemark.Value{row})
		if got := h.Row(tab, row); got != want || sums.Table(3) != want {
			t.Fatalf("%x and %x, want %x", got, sums.Table(3), want)
		}
	})
}

// A column appended without a default changes no sum, and one with values
// leaves the sums of the others alone.
func TestAppendedColumn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := digest.New(key)
		row := rapid.SliceOfN(values, 3, 3).Draw(t, "row")
		narrow := sumsOf(h, table(3, 3), [][]tidemark.Value{row})
		wide := append(row[:3:3], tidemark.Null)
		if h.Row(table(3, 4), wide) != h.Row(table(3, 3), row) {
			t.Fatal("a NULL in a new column changed the row's hash")
		}
		full := append(row[:3:3], values.Draw(t, "new"))
		if got := sumsOf(h, table(3, 4), [][]tidemark.Value{full}); !equal(got[3][:3], narrow[3]) {
			t.Fatalf("%v, want %v", got[3][:3], narrow[3])
		}
	})
}

func TestEverythingCounts(t *testing.T) {
	h := digest.New(key)
	seen := map[uint64]string{}
	cell := func(name string, hash uint64) {
		if other, ok := seen[hash]; ok {
			t.Errorf("%s hashes like %s", name, other)
		}
		seen[hash] = name
	}
	one := tidemark.Int(1)
	cell("base", h.Cell(1, 1, "k", one))
	cell("other table", h.Cell(2, 1, "k", one))
	cell("other column", h.Cell(1, 2, "k", one))
	cell("other key", h.Cell(1, 1, "l", one))
	cell("column in the key", h.Cell(1, 2, "k\x01", one))
	cell("other secret", digest.New(digest.Key{9}).Cell(1, 1, "k", one))
	cell("real", h.Cell(1, 1, "k", tidemark.Real(1)))
	cell("text", h.Cell(1, 1, "k", tidemark.Text("1")))
	cell("blob", h.Cell(1, 1, "k", tidemark.BlobString("1")))
	cell("zero", h.Cell(1, 1, "k", tidemark.Int(0)))
	cell("0.0", h.Cell(1, 1, "k", tidemark.Real(0)))
	cell("-0.0", h.Cell(1, 1, "k", tidemark.Real(math.Copysign(0, -1))))
	cell("empty text", h.Cell(1, 1, "k", tidemark.Text("")))
	cell("empty blob", h.Cell(1, 1, "k", tidemark.Blob(nil)))
	cell("NULL", h.Cell(1, 1, "k", tidemark.Null))
	if h.Cell(1, 1, "k", tidemark.Null) != 0 {
		t.Error("NULL does not count nothing")
	}
}

// Two values that change places are two cells that changed.
func TestSwappedCells(t *testing.T) {
	h, tab := digest.New(key), table(1, 3)
	a, b := tidemark.Text("a"), tidemark.Text("b")
	if h.Row(tab, []tidemark.Value{tidemark.Int(1), a, b}) == h.Row(tab, []tidemark.Value{tidemark.Int(1), b, a}) {
		t.Error("columns may be swapped unseen")
	}
	before := h.Row(tab, []tidemark.Value{tidemark.Int(1), a, a}) + h.Row(tab, []tidemark.Value{tidemark.Int(2), b, b})
	after := h.Row(tab, []tidemark.Value{tidemark.Int(1), b, b}) + h.Row(tab, []tidemark.Value{tidemark.Int(2), a, a})
	if before == after {
		t.Error("rows may be swapped unseen")
	}
}

func TestTotal(t *testing.T) {
	h := digest.New(key)
	s := digest.Sums{}
	row := []tidemark.Value{tidemark.Int(1), tidemark.Text("x")}
	one, two := table(1, 2), table(2, 2)
	s.Add(h, one, row, 1)
	s.Add(h, two, row, 1)
	s.Add(h, two, nil, 1)
	schema := &tidemark.Schema{Tables: []*tidemark.Table{one, two, table(3, 2)}}
	if got, want := s.Total(schema), h.Row(one, row)+h.Row(two, row); got != want {
		t.Errorf("%x, want %x", got, want)
	}
	two.Out = "renamed"
	if got, want := s.Total(schema), h.Row(one, row); got != want {
		t.Errorf("a table that does not sync counts: %x, want %x", got, want)
	}
	c := s.Clone()
	c.Add(h, one, row, -1)
	if s.Table(1) != h.Row(one, row) || c.Table(1) != 0 {
		t.Error("a clone shares its sums")
	}
}

func TestNilRow(t *testing.T) {
	if digest.New(key).Row(table(1, 2), nil) != 0 {
		t.Error("a row that is not there counts")
	}
}

func TestCellDoesNotAllocate(t *testing.T) {
	h := digest.New(key)
	v := tidemark.Text("some text of a usual length")
	if n := testing.AllocsPerRun(100, func() { h.Cell(1, 2, "key", v) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRow(b *testing.B) {
	h, tab := digest.New(key), table(1, 7)
	row := []tidemark.Value{
		tidemark.Int(12345), tidemark.Text("a name of somebody"), tidemark.Real(19.99), tidemark.Int(1763712000000),
		tidemark.Null, tidemark.Text("open"), tidemark.Text("a note that says a little more than the name does"),
	}
	b.ReportAllocs()
	for b.Loop() {
		h.Row(tab, row)
	}
}
