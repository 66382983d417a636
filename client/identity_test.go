package client

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

func TestACopiedFileGetsAnIdentityOfItsOwn(t *testing.T) {
	s := serve(t)
	a := s.clone(Options{})
	mustExec(t, a, "INSERT INTO artist VALUES (20, 'settled before')")
	mustSync(t, a)
	mustExec(t, a, "UPDATE album SET year = year + 1 WHERE id = 1")
	if _, err := a.DryRun(t.Context()); err != nil { // seals
		t.Fatal(err)
	}
	twin := filepath.Join(t.TempDir(), "twin.db")
	raw, err := lite.Open(a.Path(), lite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Run("VACUUM INTO ?1", tidemark.Text(twin)); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	b := open(t, twin, Options{})
	mustExec(t, a, "INSERT INTO artist VALUES (21, 'by the original')")
	mustExec(t, b, "INSERT INTO artist VALUES (22, 'by the copy')")
	mustSync(t, a)
	mustSync(t, b)
	s.converged(a, b)
	sa, _ := a.Status()
	sb, _ := b.Status()
	if sa.Replica == sb.Replica || sb.Replica == "" {
		t.Errorf("names %q and %q", sa.Replica, sb.Replica)
	}
	// The changeset that both had was applied once.
	if got := mustQuery(t, b, "SELECT year FROM album WHERE id = 1"); got != "1981" {
		t.Error(got)
	}
	if got := mustQuery(t, a, "SELECT count(*) FROM artist WHERE id IN (20, 21, 22)"); got != "3" {
		t.Error(got)
	}
}

func TestARestoredServerIsNoticed(t *testing.T) {
	s := serve(t)
	a, b := s.clone(Options{}), s.clone(Options{})
	mustExec(t, a, "INSERT INTO artist VALUES (30, 'in the backup')")
	mustSync(t, a)
	s.stop()
	backup := filepath.Join(t.TempDir(), "backup.sqlite")
	copyFile(t, s.file, backup)
	s.start()
	mustExec(t, a, "INSERT INTO artist VALUES (31, 'after the backup')")
	mustExec(t, a, "UPDATE artist SET name = 'changed after' WHERE id = 1")
	mustSync(t, a)
	mustSync(t, b)
	s.stop()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(s.file + suffix)
	}
	copyFile(t, backup, s.file)
	s.start()
	mustExec(t, a, "INSERT INTO artist VALUES (32, 'pending at the restore')")
	mustSync(t, a)
	s.converged(a, b)
	if got := mustQuery(t, b, "SELECT id FROM artist WHERE id > 29 ORDER BY id"); got != "30; 32" {
		t.Error(got)
	}
	list, err := a.Rejected()
	if err != nil || len(list) != 1 || list[0].Code != tidemark.CodeRecovered || len(list[0].Changes) != 2 {
		t.Fatalf("what the server lost is not kept: %+v %v", list, err)
	}
	// And can be brought back.
	if _, err := a.Retry(t.Context(), list[0].ID, false); err != nil {
		t.Fatal(err)
	}
	s.converged(a, b)
	if got := mustQuery(t, b, "SELECT name FROM artist WHERE id IN (1, 31) ORDER BY id"); got != "'changed after'; 'after the backup'" {
		t.Error(got)
	}
}

func TestAnotherIncarnationStopsAndKeepsPending(t *testing.T) {
	s := serve(t)
	a := s.clone(Options{})
	mustExec(t, a, "INSERT INTO artist VALUES (30, 'pending')")
	other := serve(t)
	db := open(t, a.Path(), Options{Server: other.address()})
	_, err := db.Sync(t.Context())
	codeIs(t, err, tidemark.CodeIncarnation)
	st, err := db.Status()
	if err != nil || st.Pending != 1 || st.Stopped != string(tidemark.CodeIncarnation) {
		t.Errorf("%+v %v", st, err)
	}
	if strings.Contains(dump(t, other.file), "pending") {
		t.Error("a changeset reached another space")
	}
	s.converged(a)
}
