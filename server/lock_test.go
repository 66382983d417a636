package server

import (
	"path/filepath"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

func TestOneServerPerFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.sqlite")
	db, err := lite.Open(path, lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Run("CREATE TABLE t (id INTEGER PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	first, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if second, err := Open(path, Options{}); tidemark.CodeOf(err) != tidemark.CodeBusy || tidemark.HintOf(err) == "" {
		t.Errorf("a second server: %v, %v", second, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	third, err := Open(path, Options{})
	if err != nil {
		t.Fatalf("after the first one has gone: %v", err)
	}
	if err := third.Close(); err != nil {
		t.Error(err)
	}
}
