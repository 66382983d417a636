package merge

import (
	"slices"
	"strconv"
	"strings"
)

// canon returns a string that two JSON values share exactly when they are
// equal: numbers by value, whatever their size and spelling; strings by what
// they say; arrays in order; objects whatever the order of their keys.
func (n *node) canon() string { return string(n.appendCanon(nil)) }

// id is canon for the members of one set. That of a string costs nothing when
// it has no escapes: all but the quote at its end.
func (n *node) id() string {
	switch {
	case n.kind != '"':
		return n.canon()
	case len(n.str) == len(n.raw)-2:
		return n.raw[:len(n.raw)-1]
	}
	return `"` + n.str
}

func (n *node) appendCanon(b []byte) []byte {
	switch n.kind {
	case '"':
		return appendCounted(append(b, '"'), n.str)
	case '0':
		return append(appendNumber(b, n.raw), ';')
	case '[':
		b = append(b, '[')
		for i := range n.items {
			if v := n.items[i].val; v != nil {
				b = v.appendCanon(b)
			}
		}
		return append(b, ']')
	case '{':
		b = append(b, '{')
		for _, key := range n.sorted() {
			b = n.get(key).appendCanon(appendCounted(b, key))
		}
		return append(b, '}')
	}
	return append(b, n.kind) // null, true, false
}

func appendCounted(b []byte, s string) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	return append(append(b, ':'), s...)
}

// sorted lists the keys of an object in the order of their bytes.
func (n *node) sorted() []string {
	keys := make([]string, 0, len(n.items))
	for i := range n.items {
		if n.items[i].val != nil {
			keys = append(keys, n.items[i].key)
		}
	}
	slices.Sort(keys)
	return keys
}

// appendNumber writes a number as its digits without zeros at either end and
// the power of ten behind them. Powers that no 64 bits hold stand as spelled:
// nobody computes with them.
func appendNumber(b []byte, raw string) []byte {
	mantissa, power := raw, int64(0)
	if i := strings.IndexAny(raw, "eE"); i >= 0 {
		n, err := strconv.ParseInt(raw[i+1:], 10, 62)
		if err != nil {
			return append(append(b, '?'), raw...)
		}
		mantissa, power = raw[:i], n
	}
	digits, negative := strings.CutPrefix(mantissa, "-")
	if whole, fraction, ok := strings.Cut(digits, "."); ok {
		digits = whole + fraction
		power -= int64(len(fraction))
	}
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		return append(b, '0')
	}
	short := strings.TrimRight(digits, "0")
	power += int64(len(digits) - len(short))
	if negative {
		b = append(b, '-')
	}
	return strconv.AppendInt(append(append(b, short...), 'e'), power, 10)
}

// same reports whether two JSON values are equal; nil is no value.
func same(a, b *node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.kind == b.kind && (a.raw == b.raw && !a.edited && !b.edited || a.canon() == b.canon())
}
