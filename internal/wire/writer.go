package wire

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/literal"
)

// writer writes one array. Elements at the end that have their zero value are
// cut off again.
type writer struct {
	b    []byte
	keep int // length of b behind the last element that must stay
}

// sep begins an element.
func (w *writer) sep() {
	if w.keep == 0 {
		w.b = append(w.b, '[')
		w.keep = len(w.b)
		return
	}
	if w.b[len(w.b)-1] != '[' {
		w.b = append(w.b, ',')
	}
}

// set ends an element that may be left out when it is zero.
func (w *writer) set(zero bool) {
	if !zero {
		w.keep = len(w.b)
	}
}

func (w *writer) kind(s string) { w.sep(); w.b = appendString(w.b, s); w.set(false) }
func (w *writer) str(s string)  { w.sep(); w.b = appendString(w.b, s); w.set(s == "") }
func (w *writer) int(n int64)   { w.sep(); w.b = strconv.AppendInt(w.b, n, 10); w.set(n == 0) }
func (w *writer) bool(t bool)   { w.sep(); w.b = strconv.AppendBool(w.b, t); w.set(!t) }

// bin writes bytes of a fixed length; all zero is written as "".
func (w *writer) bin(p []byte) {
	w.sep()
	w.b = append(w.b, '"')
	zero := allZero(p)
	if !zero {
		w.b = base64.RawURLEncoding.AppendEncode(w.b, p)
	}
	w.b = append(w.b, '"')
	w.set(zero)
}

// raw writes a value that is encoded already.
func (w *writer) raw(p []byte) {
	w.sep()
	if len(p) == 0 {
		w.b = append(w.b, "null"...)
	} else {
		w.b = append(w.b, p...)
	}
	w.set(len(p) == 0)
}

func (w *writer) values(vs []tidemark.Value) {
	w.sep()
	w.b = AppendValues(w.b, vs)
	w.set(vs == nil)
}

func (w *writer) ints(list []int) {
	w.sep()
	w.b = appendInts(w.b, list)
	w.set(len(list) == 0)
}

// list writes n inner arrays.
func (w *writer) list(n int, each func(in *writer, i int)) {
	w.sep()
	w.b = append(w.b, '[')
	for i := range n {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		in := writer{b: w.b}
		each(&in, i)
		w.b = in.end()
	}
	w.b = append(w.b, ']')
	w.set(n == 0)
}

// end closes the array.
func (w *writer) end() []byte {
	if w.keep == 0 {
		return append(w.b, "[]"...)
	}
	return append(w.b[:w.keep], ']')
}

func appendInts(b []byte, list []int) []byte {
	b = append(b, '[')
	for i, n := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return append(b, ']')
}

func allZero(p []byte) bool {
	for _, c := range p {
		if c != 0 {
			return false
		}
	}
	return true
}

// appendString writes a JSON string. Bytes that are not UTF-8 become U+FFFD:
// only names and sentences for people come here unchecked, values do not.
func appendString(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	return literal.Append(b, s)
}
