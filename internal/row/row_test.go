package row

import (
	"fmt"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// place is a table whose every name needs quoting and whose key has two
// columns, in another order than the table's.
var place = &tidemark.Table{
	ID:   1,
	Name: `sel"ect [1]`,
	Columns: []tidemark.Column{
		{Name: "va lue", Collation: "BINARY"},
		{Name: "group", Collation: "NOCASE"},
		{Name: "né", Collation: "BINARY"},
	},
	Key: []int{2, 1},
}

func openPlaces(t *testing.T) *lite.DB {
	t.Helper()
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if check, err := db.Text("PRAGMA integrity_check"); err != nil || check != "ok" {
			t.Errorf("integrity_check: %q, %v", check, err)
		}
		_ = db.Close()
	})
	if err := db.Script(`CREATE TABLE "sel""ect [1]" ("va lue" DEFAULT 'd', "group" TEXT COLLATE NOCASE, "né" INTEGER, PRIMARY KEY ("né", "group")) WITHOUT ROWID`); err != nil {
		t.Fatal(err)
	}
	return db
}

func key(n int64, g string) []tidemark.Value {
	return []tidemark.Value{tidemark.Int(n), tidemark.Text(g)}
}

func TestRowLife(t *testing.T) {
	db := openPlaces(t)
	row := []tidemark.Value{tidemark.Text("x"), tidemark.Text("A"), tidemark.Int(1)}
	if err := Insert(db, place, row); err != nil {
		t.Fatal(err)
	}
	got, err := Get(db, place, key(1, "a")) // NOCASE: another spelling, the same row
	if err != nil || fmt.Sprint(got) != fmt.Sprint(row) {
		t.Fatalf("got %v, %v", got, err)
	}
	if ok, err := Update(db, place, key(1, "a"), []int{0}, []tidemark.Value{tidemark.Null}); err != nil || !ok {
		t.Fatalf("update: %v, %v", ok, err)
	}
	if got, _ := Get(db, place, key(1, "A")); !got[0].IsNull() {
		t.Fatalf("after the update: %v", got)
	}
	if ok, err := Update(db, place, key(9, "a"), []int{0}, []tidemark.Value{tidemark.Null}); err != nil || ok {
		t.Fatalf("update of a row that is not there: %v, %v", ok, err)
	}
	if ok, err := Delete(db, place, key(1, "a")); err != nil || !ok {
		t.Fatalf("delete: %v, %v", ok, err)
	}
	if ok, err := Delete(db, place, key(1, "a")); err != nil || ok {
		t.Fatalf("second delete: %v, %v", ok, err)
	}
	if got, err := Get(db, place, key(1, "a")); err != nil || got != nil {
		t.Fatalf("after the delete: %v, %v", got, err)
	}
}

func TestInsertOfAShorterRowTakesDefaults(t *testing.T) {
	db := openPlaces(t)
	short := &tidemark.Table{Name: place.Name, Columns: []tidemark.Column{{Name: "né"}, {Name: "group"}, {Name: "va lue"}}, Key: []int{0, 1}}
	if err := Insert(db, short, key(1, "a")); err != nil {
		t.Fatal(err)
	}
	got, err := Get(db, place, key(1, "a"))
	if err != nil || got[0] != tidemark.Text("d") {
		t.Fatalf("got %v, %v", got, err)
	}
}

func TestScanCutsRangesByTheWholeKey(t *testing.T) {
	db := openPlaces(t)
	for n := int64(1); n <= 3; n++ {
		for _, g := range []string{"a", "b", "c"} {
			if err := Insert(db, place, []tidemark.Value{tidemark.Null, tidemark.Text(g), tidemark.Int(n)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		after, upto []tidemark.Value
		limit       int
		want        string
	}{
		{nil, nil, 0, "1a 1b 1c 2a 2b 2c 3a 3b 3c "},
		{key(1, "b"), key(2, "A"), 0, "1c 2a "},
		{key(2, "c"), nil, 2, "3a 3b "},
		{nil, key(1, "a"), 0, "1a "},
		{key(3, "c"), nil, 0, ""},
	} {
		var got string
		err := Scan(db, place, c.after, c.upto, c.limit, func(row []tidemark.Value) error {
			got += fmt.Sprint(row[2]) + row[1].Str() + " "
			return nil
		})
		if err != nil || got != c.want {
			t.Errorf("behind %v upto %v: %q, %v; want %q", c.after, c.upto, got, err, c.want)
		}
	}
}
