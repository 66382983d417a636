package lite

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestOpenTakesPathsAsTheyAre(t *testing.T) {
	for _, name := range []string{"plain.db", "with space.db", "50%25.db", "what?vfs=none.db", "a#b.db", "quo'te\".db", "näme 表 🌊.db", "a&b=c.db", "file:x.db"} {
		path := filepath.Join(t.TempDir(), name)
		db, err := Open(path, Options{Create: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := db.Run("CREATE TABLE t (x)"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s was made under another name: %v", name, err)
		}
	}
}

// The last connection to close and the first to open lock the file for a
// moment; whoever opens meanwhile waits.
func TestOpenWaitsForOthersThatOpenAndClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	first, err := Open(path, Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	// Alone: SQLite does not wait for others when it changes the journal mode.
	if err := first.Run("PRAGMA journal_mode = WAL"); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 50 {
				db, err := Open(path, Options{Create: true})
				if err != nil {
					t.Errorf("open: %v", err)
					return
				}
				if _, err := db.Int("SELECT count(*) FROM sqlite_master"); err != nil {
					t.Errorf("read: %v", err)
				}
				if err := db.Run("PRAGMA user_version = 1"); err != nil {
					t.Errorf("write: %v", err)
				}
				if err := db.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}
		})
	}
	wg.Wait()
}
