package tracker

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark/internal/lite"
)

func open(t *testing.T, path string) *lite.DB {
	t.Helper()
	db, err := lite.Open(path, lite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestTheFilesKeepTheirOwnRules(t *testing.T) {
	for _, s := range Spaces {
		dir := t.TempDir()
		if made, err := s.Create(t.Context(), dir); err != nil || !made {
			t.Fatalf("%s: %v, %v", s.Name, made, err)
		}
		db := open(t, s.Path(dir))
		for _, check := range []string{"SELECT count(*) FROM pragma_foreign_key_check", "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"} {
			if n, err := db.Int(check); err != nil || n != 0 {
				t.Errorf("%s: %s: %d, %v", s.Name, check, n, err)
			}
		}
		if n, err := db.Int("SELECT count(*) FROM task"); err != nil || n == 0 {
			t.Errorf("%s: %d tasks, %v", s.Name, n, err)
		}
	}
}

// The page hands out tokens for those whom the rules know.
func TestThePeopleAreThoseOfTheTracker(t *testing.T) {
	dir := t.TempDir()
	if _, err := Spaces[0].Create(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	var ids []string
	err := open(t, Spaces[0].Path(dir)).Each("SELECT id FROM person ORDER BY id", func(s *lite.Stmt) error {
		ids = append(ids, s.Text(0))
		return nil
	})
	if err != nil || !slices.Equal(ids, People) {
		t.Fatalf("%v, %v", ids, err)
	}
}

// What the guide of the demo has people type.
func TestATaskNeedsABoardAndATitle(t *testing.T) {
	dir := t.TempDir()
	if _, err := Spaces[0].Create(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	db := open(t, Spaces[0].Path(dir))
	for range 2 {
		if err := db.Run("INSERT INTO task (board_id, title) VALUES ('opening', 'By hand')"); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := db.Int("SELECT count(DISTINCT id) FROM task WHERE title = 'By hand' AND state = 'todo' AND created_at > '2020'"); err != nil || n != 2 {
		t.Fatalf("%d, %v", n, err)
	}
}

func TestWhatIsThereStays(t *testing.T) {
	dir := t.TempDir()
	lab := Spaces[1]
	own := filepath.Join(dir, "lab.tidemark.yaml")
	if err := os.WriteFile(own, []byte("tables: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := lab.Create(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(lab.Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	if made, err := lab.Create(t.Context(), dir); err != nil || made {
		t.Fatalf("made again: %v, %v", made, err)
	}
	after, err := os.ReadFile(lab.Path(dir))
	if err != nil || string(before) != string(after) {
		t.Fatalf("the file changed, %v", err)
	}
	if b, err := os.ReadFile(own); err != nil || string(b) != "tables: {}\n" {
		t.Fatalf("the policies changed: %q, %v", b, err)
	}
}
