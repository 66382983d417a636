package ids

import (
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

func table(id int, name string, columns []string, fks ...tidemark.ForeignKey) *tidemark.Table {
	t := &tidemark.Table{ID: id, Name: name, Key: []int{0}, RowidAlias: true, ForeignKeys: fks}
	t.Policy.OnInsert = tidemark.InsertRenumber
	for _, c := range columns {
		t.Columns = append(t.Columns, tidemark.Column{Name: c})
	}
	return t
}

func to(col int, parent, column string) tidemark.ForeignKey {
	return tidemark.ForeignKey{Columns: []int{col}, Parent: parent, To: []string{column}}
}

// music refers to artists in every way, and to albums in one.
func music() *tidemark.Schema {
	bio := table(3, "bio", []string{"artist", "text"}, to(0, "Artist", "ID"))
	bio.Policy.OnInsert = tidemark.InsertMerge
	guest := table(5, "guest", []string{"album", "artist", "fee"}, to(1, "artist", "id"), to(0, "album", "id"))
	guest.Key, guest.RowidAlias = []int{1, 0}, false
	pair := table(6, "pair", []string{"id", "a", "b"}, tidemark.ForeignKey{Columns: []int{1, 2}, Parent: "artist", To: []string{"name", "id"}})
	gone := table(7, "gone", []string{"id", "artist"}, to(1, "artist", "id"))
	gone.Out = "it is gone"
	return &tidemark.Schema{Tables: []*tidemark.Table{
		table(1, "artist", []string{"id", "name", "idol", "best"}, to(2, "artist", "id"), to(3, "album", "id")),
		table(2, "album", []string{"id", "artist", "year"}, to(1, "artist", "id")),
		bio, table(4, "line", []string{"id", "bio"}, to(1, "bio", "artist")), guest, pair, gone,
	}}
}

func ints(ns ...int64) []tidemark.Value {
	vs := make([]tidemark.Value, len(ns))
	for i, n := range ns {
		vs[i] = tidemark.Int(n)
	}
	return vs
}

func TestRenameFollowsReferences(t *testing.T) {
	// Artists 7 and 8 trade their ids; everything else that is 7 or 8 stays.
	swap := func(of *tidemark.Table, id int64) (int64, bool) {
		if of.Name != "artist" || id != 7 && id != 8 {
			return id, false
		}
		return 15 - id, true
	}
	insert := func(table int, key []tidemark.Value, row ...tidemark.Value) tidemark.Change {
		return tidemark.Change{Table: table, Op: tidemark.Insert, Key: key, New: row}
	}
	update := func(table int, key []tidemark.Value, cols []int, values ...tidemark.Value) tidemark.Change {
		return tidemark.Change{Table: table, Op: tidemark.Update, Key: key, Cols: cols, New: values}
	}
	for name, c := range map[string]struct{ is, want tidemark.Change }{
		"its key":            {insert(1, ints(7), ints(7, 7, 8, 7)...), insert(1, ints(8), ints(8, 7, 7, 7)...)},
		"a column":           {insert(2, ints(7), ints(7, 7, 7)...), insert(2, ints(7), ints(7, 8, 7)...)},
		"an update's column": {update(2, ints(7), []int{1, 2}, ints(8, 8)...), update(2, ints(7), []int{1, 2}, ints(7, 8)...)},
		"another column":     {update(2, ints(7), []int{2}, ints(8)...), update(2, ints(7), []int{2}, ints(8)...)},
		"a key that refers":  {insert(3, ints(7), ints(7, 7)...), insert(3, ints(8), ints(8, 7)...)},
		"through that key":   {insert(4, ints(7), ints(7, 7)...), insert(4, ints(7), ints(7, 8)...)},
		"part of a key":      {tidemark.Change{Table: 5, Op: tidemark.Delete, Key: ints(7, 7)}, tidemark.Change{Table: 5, Op: tidemark.Delete, Key: ints(8, 7)}},
		"a move":             {update(1, ints(7), []int{0}, ints(9)...), update(1, ints(8), []int{0}, ints(9)...)},
		"a wider reference":  {insert(6, ints(7), ints(7, 7, 7)...), insert(6, ints(7), ints(7, 7, 8)...)},
		"as text":            {insert(2, ints(1), tidemark.Int(1), tidemark.Text("7")), insert(2, ints(1), tidemark.Int(1), tidemark.Text("8"))},
		"as a real":          {insert(2, ints(1), tidemark.Int(1), tidemark.Real(7)), insert(2, ints(1), tidemark.Int(1), tidemark.Real(8))},
		"no id at all":       {insert(2, ints(1), tidemark.Int(1), tidemark.Text("7 dwarfs")), insert(2, ints(1), tidemark.Int(1), tidemark.Text("7 dwarfs"))},
		"a NULL":             {insert(2, ints(1), tidemark.Int(1), tidemark.Null), insert(2, ints(1), tidemark.Int(1), tidemark.Null)},
		"a shorter row":      {insert(2, ints(7), ints(7)...), insert(2, ints(7), ints(7)...)},
		"out of sync":        {insert(7, ints(7), ints(7, 7)...), insert(7, ints(7), ints(7, 7)...)},
		"an edit":            {tidemark.Change{Table: 2, Op: tidemark.Update, Key: ints(1), Cols: []int{1}, New: ints(7), Edits: []tidemark.Edit{{Kind: tidemark.EditAdd, Body: "7"}}}, tidemark.Change{Table: 2, Op: tidemark.Update, Key: ints(1), Cols: []int{1}, New: ints(7)}},
	} {
		list := []tidemark.Change{c.is}
		key, row := slices.Clone(c.is.Key), slices.Clone(c.is.New)
		got, changed := Of(music()).Rename(list, swap)
		if !slices.Equal(got[0].Key, c.want.Key) || !slices.Equal(got[0].New, c.want.New) {
			t.Errorf("%s: key %v, values %v; want %v, %v", name, got[0].Key, got[0].New, c.want.Key, c.want.New)
		}
		if differs := !slices.Equal(key, c.want.Key) || !slices.Equal(row, c.want.New); changed != differs {
			t.Errorf("%s: changed is %v", name, changed)
		}
		if !slices.Equal(list[0].Key, key) || !slices.Equal(list[0].New, row) {
			t.Errorf("%s: what was given changed", name)
		}
		back, _ := Of(music()).Rename(got, swap)
		if !slices.Equal(back[0].New, row) || name != "a move" && !slices.Equal(back[0].Key, key) {
			t.Errorf("%s: it does not come back", name)
		}
	}
}

func TestEachNamesIDsByTheirTable(t *testing.T) {
	c := tidemark.Change{Table: 5, Op: tidemark.Update, Key: ints(3, 4), Cols: []int{0, 2}, New: ints(5, 6)}
	got := map[string][]int64{}
	Of(music()).Each(&c, func(of *tidemark.Table, id int64) { got[of.Name] = append(got[of.Name], id) })
	slices.Sort(got["album"])
	if !slices.Equal(got["artist"], []int64{3}) || !slices.Equal(got["album"], []int64{4, 5}) || len(got) != 2 {
		t.Errorf("%v", got)
	}
}

func TestArrival(t *testing.T) {
	artist := music().Tables[0]
	for _, c := range []struct {
		change tidemark.Change
		id     int64
		ok     bool
	}{
		{tidemark.Change{Op: tidemark.Insert, Key: ints(4), New: ints(4)}, 4, true},
		{tidemark.Change{Op: tidemark.Update, Key: ints(4), Cols: []int{0}, New: ints(5)}, 5, true},
		{tidemark.Change{Op: tidemark.Update, Key: ints(4), Cols: []int{0}, New: ints(4)}, 0, false},
		{tidemark.Change{Op: tidemark.Update, Key: ints(4), Cols: []int{1}, New: ints(5)}, 0, false},
		{tidemark.Change{Op: tidemark.Delete, Key: ints(4)}, 0, false},
	} {
		if id, ok := Arrival(artist, &c.change); id != c.id || ok != c.ok {
			t.Errorf("%v: %d %v", c.change, id, ok)
		}
	}
}

func TestRenumbersAndGiven(t *testing.T) {
	s := music()
	if !Of(s).Given() || Renumbers(s.Tables[2]) || Renumbers(s.Tables[6]) {
		t.Error("the wrong tables renumber")
	}
	for _, t := range s.Tables {
		t.Policy.OnInsert = tidemark.InsertReject
	}
	if Of(s).Given() {
		t.Error("no table renumbers")
	}
}
