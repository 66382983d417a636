package replica

import (
	"cmp"
	"math"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// compareKeys orders two keys of a table as SQLite orders its rows.
func compareKeys(t *tidemark.Table, a, b []tidemark.Value) int {
	for i := range min(len(a), len(b)) {
		if c := compareValues(a[i], b[i], t.Columns[t.Key[i]].Collation); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// within reports whether a key lies behind after and not behind upto; nil is open.
func within(t *tidemark.Table, key, after, upto []tidemark.Value) bool {
	return (after == nil || compareKeys(t, key, after) > 0) && (upto == nil || compareKeys(t, key, upto) <= 0)
}

// compareValues orders NULL, numbers, text, blobs, as SQLite does.
func compareValues(a, b tidemark.Value, collation string) int {
	if c := cmp.Compare(class(a), class(b)); c != 0 {
		return c
	}
	switch a.Kind() {
	case tidemark.KindInt, tidemark.KindReal:
		return compareNumbers(a, b)
	case tidemark.KindText:
		return compareText(a.Str(), b.Str(), collation)
	case tidemark.KindBlob:
		return strings.Compare(a.Str(), b.Str())
	}
	return 0
}

func class(v tidemark.Value) int {
	switch v.Kind() {
	case tidemark.KindInt, tidemark.KindReal:
		return 1
	case tidemark.KindText:
		return 2
	case tidemark.KindBlob:
		return 3
	}
	return 0
}

func compareNumbers(a, b tidemark.Value) int {
	switch {
	case a.Kind() == tidemark.KindInt && b.Kind() == tidemark.KindInt:
		return cmp.Compare(a.Int64(), b.Int64())
	case a.Kind() == tidemark.KindReal && b.Kind() == tidemark.KindReal:
		return cmp.Compare(a.Float64(), b.Float64())
	case a.Kind() == tidemark.KindInt:
		return compareIntReal(a.Int64(), b.Float64())
	}
	return -compareIntReal(b.Int64(), a.Float64())
}

// compareIntReal compares without rounding the integer.
func compareIntReal(n int64, f float64) int {
	switch {
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	whole := math.Trunc(f)
	if c := cmp.Compare(n, int64(whole)); c != 0 {
		return c
	}
	return cmp.Compare(whole, f)
}

func compareText(a, b, collation string) int {
	switch collation {
	case "NOCASE":
		return strings.Compare(lower(a), lower(b))
	case "RTRIM":
		return strings.Compare(strings.TrimRight(a, " "), strings.TrimRight(b, " "))
	}
	return strings.Compare(a, b)
}

// lower folds A to Z only, as SQLite's NOCASE does.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
