package sqlite

import (
	"fmt"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T, script string) *storetest.Space { return space(t, script) })
}

// TestContractInAnotherFile runs the suite on a file of another kind.
func TestContractInAnotherFile(t *testing.T) {
	const kind = "PRAGMA encoding = 'UTF-16be'; PRAGMA page_size = 512; PRAGMA journal_mode = WAL;"
	storetest.Run(t, func(t *testing.T, script string) *storetest.Space { return space(t, kind+script) })
}

func space(t *testing.T, script string) *storetest.Space {
	path := makeFile(t, script)
	var scopes *tidemark.Scopes
	declared := func(*tidemark.Schema) (*tidemark.Scopes, error) { return scopes, nil }
	s := openScoped(t, path, declared)
	sp := &storetest.Space{Store: s}
	t.Cleanup(func() { _ = s.Close() })
	sp.Exec = func(script string) error { return run(path, script, true) }
	sp.Smuggle = func(script string) error { return run(path, script, false) }
	sp.Reopen = func() error {
		if err := s.Close(); err != nil {
			return err
		}
		s = openScoped(t, path, declared)
		sp.Store = s
		return nil
	}
	sp.Scope = func(d *tidemark.Scopes) error {
		return s.SetScopes(func(*tidemark.Schema) (*tidemark.Scopes, error) {
			scopes = d
			return d, nil
		})
	}
	sp.Rule = func(r *tidemark.Rules) error {
		return s.SetRules(func(*tidemark.Schema) (*tidemark.Rules, error) { return r, nil })
	}
	sp.Check = func() error { return sound(path) }
	return sp
}

func openScoped(t *testing.T, path string, scopes func(*tidemark.Schema) (*tidemark.Scopes, error)) *Store {
	t.Helper()
	s, err := Open(path, Options{Space: "app", Rand: fixed(), RuleSteps: 200_000, Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run does what another program would, with or without the file's triggers.
func run(path, script string, triggers bool) error {
	db, err := lite.Open(path, lite.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.SetTriggers(triggers); err != nil {
		return err
	}
	return db.Script(script)
}

// sound asks Doctor, who must not find an error.
func sound(path string) error {
	found, err := Doctor(path)
	for _, f := range found {
		if f.Level == "error" || f.About == "digest" && f.Level != "ok" || f.About == "constraints" && f.Level != "ok" || f.About == "scopes" && f.Level != "ok" {
			return fmt.Errorf("doctor: %s: %s", f.About, f.Message)
		}
	}
	return err
}
