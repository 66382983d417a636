package replica

import (
	"cmp"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
)

// compareKeys orders two keys of a table as SQLite orders its rows.
func compareKeys(t *tidemark.Table, a, b []tidemark.Value) int {
	for i := range min(len(a), len(b)) {
		if c := merge.Order(a[i], b[i], t.Columns[t.Key[i]].Collation); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// within reports whether a key lies behind after and not behind upto; nil is open.
func within(t *tidemark.Table, key, after, upto []tidemark.Value) bool {
	return (after == nil || compareKeys(t, key, after) > 0) && (upto == nil || compareKeys(t, key, upto) <= 0)
}
