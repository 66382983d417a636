package lite

import (
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// TestErrorInADefinition compiles statements on a table that needs a function
// which is not here, named far behind the statement's own length.
func TestErrorInADefinition(t *testing.T) {
	db, err := Open(":memory:", Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	def := "CREATE TABLE a(id INTEGER PRIMARY KEY, v DEFAULT '" + strings.Repeat("x", 5000) + "' CHECK (elsewhere(v)))"
	if err := db.Script("PRAGMA writable_schema = ON"); err != nil {
		t.Fatal(err)
	}
	if err := db.Run("INSERT INTO sqlite_master VALUES('table', 'a', 'a', 0, ?1)", tidemark.Text(def)); err != nil {
		t.Fatal(err)
	}
	if err := db.Script("PRAGMA writable_schema = RESET"); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"Compile": db.Compile("INSERT INTO a VALUES(1, 2)"), "Run": db.Run("INSERT INTO a VALUES(1, 2)")} {
		if err == nil || !strings.Contains(err.Error(), "elsewhere") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := db.Script("INSERT INTO a VALUES(1, 2)"); err == nil {
		t.Error("Script inserts without the function")
	}
	if n, err := db.Int("SELECT count(*) FROM sqlite_master"); n != 1 || err != nil {
		t.Errorf("the connection is no good afterwards: %d, %v", n, err)
	}
}
