package spec

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
)

// tableOf makes a table whose key columns have these collations and stand first.
func tableOf(id, columns int, collations ...string) *tidemark.Table {
	t := &tidemark.Table{ID: id, Columns: make([]tidemark.Column, max(columns, len(collations)))}
	for i, c := range collations {
		t.Columns[i].Collation = c
		t.Key = append(t.Key, i)
	}
	return t
}

// testKeys: "id" is the identity of a row with one of these keys. All the keys
// of a case name the same row, and no key of another case does.
func testKeys(t *testing.T, text []byte) {
	type vector struct {
		Name       string
		Collations []string
		Keys       [][]value
		ID         string
	}
	seen := map[string]string{}
	cases(t, text, func(c *vector) string { return c.Name }, func(t *testing.T, c *vector) {
		for _, key := range c.Keys {
			got := hex.EncodeToString([]byte(tableOf(1, 0, c.Collations...).KeyID(plain(key))))
			if got != c.ID {
				t.Errorf("%v has %s, want %s", key, got, c.ID)
			}
		}
		if other, ok := seen[c.ID]; ok {
			t.Errorf("the same row as %s", other)
		}
		seen[c.ID] = c.Name
	})
}

// testDigest: "cells" are the hashes of a row's cells, "row" their sum,
// "members" by scopes those that it is in. The key columns stand first.
func testDigest(t *testing.T, text []byte) {
	type vector struct {
		Name       string
		Secret     string
		Table      int
		Collations []string
		Values     []value
		Cells      []string
		Row        string
		Members    map[string]string
	}
	cases(t, text, func(c *vector) string { return c.Name }, func(t *testing.T, c *vector) {
		var key digest.Key
		unhex(t, c.Secret, key[:])
		h, tab, row := digest.New(key), tableOf(c.Table, len(c.Values), c.Collations...), plain(c.Values)
		id := tab.KeyID(tab.KeyOf(row))
		if len(c.Cells) != len(row) {
			t.Fatalf("%d cells of %d", len(c.Cells), len(row))
		}
		for i, v := range row {
			if got := fmt.Sprintf("%016x", h.Cell(c.Table, i, id, v)); got != c.Cells[i] {
				t.Errorf("cell %d has %s, want %s", i, got, c.Cells[i])
			}
		}
		if got := fmt.Sprintf("%016x", h.Row(tab, row)); got != c.Row {
			t.Errorf("the row has %s, want %s", got, c.Row)
		}
		for scope, want := range c.Members {
			if got := fmt.Sprintf("%016x", h.Member(c.Table, id, scope)); got != want {
				t.Errorf("that it is in %s has %s, want %s", scope, got, want)
			}
		}
	})
}
