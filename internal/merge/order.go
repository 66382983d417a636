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

// compare is Order, but values that SQLite takes for equal and that are not the
// same are ordered, too, so that the result never depends on who came first: an
// integer stands before the real of its value, -0.0 before 0.0, text by its bytes.
func compare(a, b tidemark.Value, collation string) int {
	switch c := Order(a, b, collation); {
	case c != 0:
		return c
	case a.Kind() != b.Kind():
		return cmp.Compare(a.Kind(), b.Kind())
	case a.Kind() == tidemark.KindReal:
		return cmp.Compare(negative(b), negative(a))
	}
	return strings.Compare(a.Str(), b.Str())
}

func negative(v tidemark.Value) int {
	if math.Signbit(v.Float64()) {
		return 1
	}
	return 0
}

// Order compares values as SQLite does: numbers by value, then text by the
// collation, then blobs by bytes; NULL in front of all.
func Order(a, b tidemark.Value, collation string) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch a.Kind() {
	case tidemark.KindInt, tidemark.KindReal:
		return compareNumbers(a, b)
	case tidemark.KindText:
		return strings.Compare(tidemark.Collated(a.Str(), collation), tidemark.Collated(b.Str(), collation))
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
	case a.Kind() == tidemark.KindReal && b.Kind() == tidemark.KindReal:
		return cmp.Compare(a.Float64(), b.Float64())
	case a.Kind() == tidemark.KindReal:
		return -compareMixed(b.Int64(), a.Float64())
	case b.Kind() == tidemark.KindReal:
		return compareMixed(a.Int64(), b.Float64())
	}
	return cmp.Compare(a.Int64(), b.Int64())
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
