package sqlite

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// fixed is a random source that gives the same bytes each run.
func fixed() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

// makeFile runs a script in a new file and returns its path.
func makeFile(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.sqlite")
	shell(t, path, script)
	return path
}

// shell does what another program would: opens the file, writes, closes.
func shell(t *testing.T, path, script string) {
	t.Helper()
	db, err := lite.Open(path, lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Script(script); err != nil {
		t.Fatalf("%v in %s", err, script)
	}
}

func openStore(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path, Options{Space: "app", Rand: fixed(), Warn: func(m string) { t.Log(m) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// sequence runs a group that takes over what other programs did, as the hub does.
func sequence(t *testing.T, s *Store) tidemark.ForeignWork {
	t.Helper()
	var work tidemark.ForeignWork
	err := s.Group(context.Background(), func(tx tidemark.Tx) (err error) {
		work, err = tx.Foreign()
		if err != nil {
			return err
		}
		e := tidemark.LogEntry{Name: tidemark.Name{Replica: tidemark.FileReplica}, Effects: work.Changes}
		if work.Refused != nil {
			if err := tx.Undo(work.Changes); err != nil {
				return err
			}
			e.Effects = nil
			o := tidemark.Outcome{Kind: tidemark.Rejected, Code: work.Refused.Code, Message: work.Refused.Msg}
			if err := tx.SaveRejectedForeign(work.Changes, o); err != nil || work.Moved == nil {
				return err
			}
		} else if len(work.Changes) == 0 && work.Moved == nil {
			return nil
		}
		return tx.Append(e)
	})
	if err != nil {
		t.Fatal(err)
	}
	return work
}

func chinook(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("TIDEMARK_DATA")
	if dir == "" {
		dir = "../../../shared/data"
	}
	b, err := os.ReadFile(filepath.Join(dir, "chinook.sqlite"))
	if err != nil {
		t.Skip("set TIDEMARK_DATA to a folder with the sample databases: ", err)
	}
	path := filepath.Join(t.TempDir(), "chinook.sqlite")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestChinook(t *testing.T) {
	path := chinook(t)
	s := openStore(t, path)
	sequence(t, s)
	shell(t, path, "UPDATE Track SET Name='x' WHERE TrackId=1; DELETE FROM PlaylistTrack WHERE TrackId=1")
	w := sequence(t, s)
	// The track is on three lists.
	if len(w.Changes) != 4 || w.Refused != nil {
		t.Fatalf("%v, refused %v", w.Changes, w.Refused)
	}
	updated, deleted := 0, 0
	for _, c := range w.Changes {
		switch {
		case c.Op == tidemark.Update && slices.Equal(c.Key, []tidemark.Value{tidemark.Int(1)}) && slices.Equal(c.New, []tidemark.Value{tidemark.Text("x")}):
			updated++
		case c.Op == tidemark.Delete && len(c.Key) == 2 && c.Key[1] == tidemark.Int(1):
			deleted++
		}
	}
	if updated != 1 || deleted != 3 {
		t.Fatalf("%v", w.Changes)
	}
}

// TestAReplacedFileTakesNothing: what a server would confirm into a file that
// is no longer there would be lost, and closing must not touch the new one.
func TestAReplacedFileTakesNothing(t *testing.T) {
	const script = "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a')"
	for name, replace := range map[string]func(path string) error{
		"deleted": os.Remove,
		"moved":   func(path string) error { return os.Rename(path, path+".old") },
		"replaced": func(path string) error {
			return os.Rename(makeFile(t, script), path)
		},
		"log deleted": func(path string) error { return os.Remove(path + "-wal") },
	} {
		t.Run(name, func(t *testing.T) {
			path := makeFile(t, script)
			s := openStore(t, path)
			sequence(t, s)
			if err := replace(path); err != nil {
				t.Fatal(err)
			}
			err := s.Group(context.Background(), func(tidemark.Tx) error { return nil })
			if tidemark.CodeOf(err) != tidemark.CodeFileReplaced {
				t.Fatalf("group: %v", err)
			}
			err = s.View(context.Background(), func(tidemark.View) error { return nil })
			if tidemark.CodeOf(err) != tidemark.CodeFileReplaced {
				t.Fatalf("view: %v", err)
			}
		})
	}
}
