package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/server"
)

func TestCopiesUnderAPrefix(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "app.sqlite")
	db, err := lite.Open(file, lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Script("CREATE TABLE t (id INTEGER PRIMARY KEY, v)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	srv, err := server.Open(file, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	web := httptest.NewServer(handler(srv))
	t.Cleanup(web.Close)

	path := filepath.Join(dir, "copy.db")
	if err := client.Clone(t.Context(), web.URL+"/sync/app", path, client.CloneOptions{}); err != nil {
		t.Fatal(err)
	}
	mine, err := client.Open(path, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mine.Close() })
	if _, err := mine.Exec(t.Context(), "INSERT INTO t VALUES (1, 'hello')"); err != nil {
		t.Fatal(err)
	}
	if r, err := mine.Sync(t.Context()); err != nil || r.Accepted != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	res, err := http.Get(web.URL + "/")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("the program's own page: %v, %v", res, err)
	}
	_ = res.Body.Close()
}
