package merge

import (
	"math"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// maxExact is the largest integer up to which a real holds every integer.
const maxExact = 1 << 53

// addIntent is the difference of two numbers. Where it is not exact (integers
// further apart than 64 bits say, reals that round) the edit is a plain set.
func addIntent(before, after tidemark.Value) tidemark.Edit {
	d := difference(before, after)
	if d.IsNull() {
		return tidemark.Edit{}
	}
	sum, err := add(before, d)
	if err != nil || sum != after && (sum.Kind() == after.Kind() || compareMixedValues(after, sum) != 0) {
		return tidemark.Edit{}
	}
	return tidemark.Edit{Kind: tidemark.EditAdd, Body: string(wire.AppendValue(nil, d))}
}

// compareMixedValues compares a whole number with the real that stands for it:
// a column that stores 2.0 as 2 was added to in reals.
func compareMixedValues(whole, sum tidemark.Value) int {
	if whole.Kind() != tidemark.KindInt || sum.Kind() != tidemark.KindReal {
		return 1
	}
	return compareMixed(whole.Int64(), sum.Float64())
}

// difference returns what added to before gives after, or NULL.
func difference(before, after tidemark.Value) tidemark.Value {
	if before.Kind() == tidemark.KindInt && after.Kind() == tidemark.KindInt {
		a, b := before.Int64(), after.Int64()
		d := b - a
		if (d > 0) != (b > a) && d != 0 {
			return tidemark.Null
		}
		return tidemark.Int(d)
	}
	if !real(before) || !real(after) {
		return tidemark.Null
	}
	d := after.Float64() - before.Float64()
	if math.IsInf(d, 0) {
		return tidemark.Null
	}
	return tidemark.Real(d)
}

// real reports whether a number can be taken for a real without rounding it.
func real(v tidemark.Value) bool {
	switch v.Kind() {
	case tidemark.KindInt:
		return -maxExact <= v.Int64() && v.Int64() <= maxExact
	case tidemark.KindReal:
		return true
	}
	return false
}

// applyAdd adds what a body says. NULL counts as 0.
func applyAdd(now tidemark.Value, body string) (tidemark.Value, error) {
	d, err := differenceOf(body)
	if err != nil {
		return tidemark.Null, err
	}
	return add(now, d)
}

func differenceOf(body string) (tidemark.Value, error) {
	d, err := wire.DecodeValue([]byte(body))
	if err != nil {
		return tidemark.Null, unreadable(err.Error())
	}
	if d.Kind() != tidemark.KindInt && (d.Kind() != tidemark.KindReal || math.IsInf(d.Float64(), 0)) {
		return tidemark.Null, unreadable("the difference is no number")
	}
	return d, nil
}

// add adds two numbers, integers as integers, anything else as reals. Sums of
// integers depend on no order. Sums of reals commute, but (a+b)+c and a+(b+c)
// may round differently.
func add(now, d tidemark.Value) (tidemark.Value, error) {
	switch now.Kind() {
	case tidemark.KindNull:
		return d, nil
	case tidemark.KindInt:
		if d.Kind() == tidemark.KindInt {
			return addInts(now.Int64(), d.Int64())
		}
	case tidemark.KindReal:
	default:
		return tidemark.Null, mismatch("a number", now)
	}
	sum := now.Float64() + d.Float64()
	if math.IsNaN(sum) || math.IsInf(sum, 0) && !math.IsInf(now.Float64(), 0) {
		return tidemark.Null, errorOf(tidemark.CodeCheck, "the sum %s + %s is too large for a real", now, d)
	}
	return tidemark.Real(sum), nil
}

func addInts(a, b int64) (tidemark.Value, error) {
	sum := a + b
	if (sum > a) != (b > 0) && b != 0 {
		return tidemark.Null, errorOf(tidemark.CodeCheck, "the sum %d + %d does not fit into 64 bits", a, b)
	}
	return tidemark.Int(sum), nil
}
