package main

import (
	"path/filepath"
	"testing"

	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/rehearsal"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// TestRules runs rules-test.yaml as tidemark rules test does.
func TestRules(t *testing.T) {
	folder := t.TempDir()
	if err := write(folder); err != nil {
		t.Fatal(err)
	}
	database := filepath.Join(folder, "tracker.sqlite")
	c, err := policy.Load(policy.Beside(database))
	if err != nil {
		t.Fatal(err)
	}
	a, err := sqlite.Look(database)
	if err != nil {
		t.Fatal(err)
	}
	if err := policy.CheckRules(c, a.Schema); err != nil {
		t.Fatal(err)
	}
	suite, err := rehearsal.Read(filepath.Join(folder, "rules-test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	results, err := suite.Run(database, a.Schema, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: %s should be %s: %s", r.Test, r.As, r.Want, r.Why)
		}
	}
	if len(results) < 60 {
		t.Errorf("only %d tests ran", len(results))
	}
	if err := write(folder); err == nil {
		t.Error("it writes over what is there")
	}
}
