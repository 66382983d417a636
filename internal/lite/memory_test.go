package lite

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/tidemarkdb/tidemark"
)

// TestValuesBeyondMemoryAreErrors: large values pass, and one that is too large
// ends its statement, not the program.
func TestValuesBeyondMemoryAreErrors(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "a.db"), Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Script("CREATE TABLE t (id INTEGER PRIMARY KEY, v, w)"); err != nil {
		t.Fatal(err)
	}
	large := tidemark.Blob(make([]byte, 60<<20))
	if err := db.Run("INSERT INTO t VALUES (1, ?1, ?1)", large); err != nil {
		t.Fatal(err)
	}
	huge := tidemark.Blob(make([]byte, 500<<20))
	if err := db.Run("INSERT INTO t VALUES (2, ?1, ?2)", huge, huge); !errors.Is(err, sqlite3.NOMEM) {
		t.Fatalf("%v", err)
	}
	if err := db.Run("INSERT INTO t VALUES (3, 'small', NULL)"); err != nil {
		t.Fatal(err)
	}
}
