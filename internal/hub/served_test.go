package hub_test

import (
	"path/filepath"
	"testing"

	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// makeFile makes a database of a script.
func makeFile(t testing.TB, script string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "served.db")
	db, err := lite.Open(path, lite.Options{Create: true})
	must(t, err)
	must(t, db.Script(script))
	must(t, db.Close())
	return path
}

// openStore opens a store over a file, by what is declared beside it. Whoever
// opens it closes it.
func openStore(t testing.TB, path, space, declared string, functions policy.Functions) *sqlite.Store {
	t.Helper()
	cfg, err := policy.Parse([]byte(declared), "tidemark.yaml")
	must(t, err)
	s, err := sqlite.Open(path, sqlite.Options{Space: space, Policies: policy.For(cfg, functions), Scopes: policy.ScopesFor(cfg)})
	must(t, err)
	return s
}

// another opens a file as another program does.
func another(t testing.TB, path string) *lite.DB {
	t.Helper()
	db, err := lite.Open(path, lite.Options{})
	must(t, err)
	return db
}
