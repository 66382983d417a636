package sqlite

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

func TestReadBesideAServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.sqlite")
	db, err := lite.Open(path, lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Run("CREATE TABLE t (id INTEGER PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); tidemark.CodeOf(err) != tidemark.CodeNotAdopted {
		t.Errorf("a plain file: %v", err)
	}
	s, err := Open(path, Options{Space: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r := mustRead(t, path)
	if r.Space != "shop" || r.Incarnation == "" || r.Head != 0 || len(r.Schema.Tables) != 2 || r.Unsequenced {
		t.Errorf("%+v", r)
	}
	if err := db.Run("INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if r := mustRead(t, path); !r.Unsequenced {
		t.Error("a fresh write went unnoticed")
	}
}

func mustRead(t *testing.T, path string) *Reader {
	t.Helper()
	r, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.Replicas()
	if err := errors.Join(err, r.Log(0, 3, func(tidemark.LogEntry) error { return nil }), r.Close()); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
	return r
}
