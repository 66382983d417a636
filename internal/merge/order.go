package merge

import (
	"cmp"
	"math"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// pick is max (sign 1) and min (sign -1). NULL loses against anything. It is
// commutative, associative and idempotent.
func (m *Meeting) pick(mine tidemark.Value, sign int) Verdict {
	value := m.Theirs
	switch {
	case mine.IsNull():
	case value.IsNull() || sign*compare(mine, value, m.collation()) > 0:
		value = mine
	}
	return Verdict{Value: value, Mine: mine, Lost: value != mine, Over: value != m.Theirs}
}

func (m *Meeting) collation() string {
	if m.Column == nil {
		return ""
	}
	return m.Column.Collation
}

// compare orders values as SQLite does: numbers by value, then text by the
// collation, then blobs by bytes; NULL in front of all. Values that SQLite takes for equal and
// that are not the same are ordered, too, so that the result never depends on
// who came first: an integer stands before the real of its value, -0.0 before 0.0, text by its bytes.
func compare(a, b tidemark.Value, collation string) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch a.Kind() {
	case tidemark.KindInt, tidemark.KindReal:
		return compareNumbers(a, b)
	case tidemark.KindText:
		if c := compareTexts(a.Str(), b.Str(), collation); c != 0 {
			return c
		}
	}
	return strings.Compare(a.Str(), b.Str())
}

// rank is the place of a storage class.
func rank(v tidemark.Value) int {
	if v.Kind() == tidemark.KindReal {
		return int(tidemark.KindInt)
	}
	return int(v.Kind())
}

func compareNumbers(a, b tidemark.Value) int {
	switch {
	case a.Kind() == b.Kind() && a.Kind() == tidemark.KindInt:
		return cmp.Compare(a.Int64(), b.Int64())
	case a.Kind() == b.Kind():
		if c := cmp.Compare(a.Float64(), b.Float64()); c != 0 {
			return c
		}
		return cmp.Compare(negative(b), negative(a))
	case a.Kind() == tidemark.KindInt:
		if c := compareMixed(a.Int64(), b.Float64()); c != 0 {
			return c
		}
		return -1
	}
	return -compareNumbers(b, a)
}

func negative(v tidemark.Value) int {
	if math.Signbit(v.Float64()) {
		return 1
	}
	return 0
}

// compareMixed compares without rounding the integer.
func compareMixed(n int64, f float64) int {
	switch {
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	whole := math.Floor(f)
	if c := cmp.Compare(n, int64(whole)); c != 0 {
		return c
	}
	return cmp.Compare(whole, f)
}

// compareTexts compares by one of SQLite's own collations; no other takes part in a space.
func compareTexts(a, b, collation string) int {
	switch collation {
	case "NOCASE":
		return compareNoCase(a, b)
	case "RTRIM":
		return strings.Compare(strings.TrimRight(a, " "), strings.TrimRight(b, " "))
	}
	return strings.Compare(a, b)
}

// compareNoCase compares with A to Z lowered, up to the first zero byte; behind it the
// lengths decide.
func compareNoCase(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := lower(a[i]), lower(b[i])
		if x != y {
			return cmp.Compare(x, y)
		}
		if x == 0 {
			break
		}
	}
	return cmp.Compare(len(a), len(b))
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
