package wire

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/tidemarkdb/tidemark"
)

// A value is null, a string, a number or an object with one member:
//
//	NULL                     null
//	integer                  12, {"i":"9223372036854775807"} beyond 2^53
//	real, not whole          1.5, 1e-7 (always with a point or an exponent)
//	real, whole or infinite  {"f":1}, {"f":-0}, {"f":"inf"}, {"f":"-inf"}
//	text                     "abc", {"t":"_w"} when it is not UTF-8
//	blob                     {"b":"_w"}, base64url without padding
//
// A whole real needs its tag because a reader that knows one number type only
// takes 1.0 for 1.

// AppendValue encodes one value.
func AppendValue(b []byte, v tidemark.Value) []byte {
	switch v.Kind() {
	case tidemark.KindInt:
		return appendInt(b, v.Int64())
	case tidemark.KindReal:
		return appendReal(b, v.Float64())
	case tidemark.KindText:
		if s := v.Str(); utf8.ValidString(s) {
			return appendString(b, s)
		}
		return appendTagged(b, 't', v.Str())
	case tidemark.KindBlob:
		return appendTagged(b, 'b', v.Str())
	}
	return append(b, "null"...)
}

func appendInt(b []byte, n int64) []byte {
	if -maxInt <= n && n <= maxInt {
		return strconv.AppendInt(b, n, 10)
	}
	return append(strconv.AppendInt(append(b, `{"i":"`...), n, 10), `"}`...)
}

func appendReal(b []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, `{"f":"inf"}`...)
	case math.IsInf(f, -1):
		return append(b, `{"f":"-inf"}`...)
	case f == math.Trunc(f):
		return append(appendFloat(append(b, `{"f":`...), f), '}')
	}
	return appendFloat(b, f)
}

// appendFloat writes the shortest number that reads back as f, spelled as
// ECMAScript spells it, -0 excepted.
func appendFloat(b []byte, f float64) []byte {
	if abs := math.Abs(f); abs == 0 || 1e-6 <= abs && abs < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	if n := len(b); b[n-4] == 'e' && b[n-2] == '0' { // e-07 → e-7
		b[n-2] = b[n-1]
		b = b[:n-1]
	}
	return b
}

func appendTagged(b []byte, tag byte, s string) []byte {
	b = append(b, '{', '"', tag, '"', ':', '"')
	b = base64.RawURLEncoding.AppendEncode(b, []byte(s))
	return append(b, '"', '}')
}

// AppendValues encodes a list of values, such as a row or a key; nil is null.
func AppendValues(b []byte, vs []tidemark.Value) []byte {
	if vs == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, v := range vs {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendValue(b, v)
	}
	return append(b, ']')
}

// DecodeValue reads what AppendValue wrote.
func DecodeValue(b []byte) (tidemark.Value, error) {
	r := newReader(b)
	v := r.value()
	if err := r.finish(); err != nil {
		return tidemark.Null, err
	}
	return v, nil
}

// DecodeValues reads what AppendValues wrote.
func DecodeValues(b []byte) ([]tidemark.Value, error) {
	r := newReader(b)
	vs := r.values()
	if err := r.finish(); err != nil {
		return nil, err
	}
	return vs, nil
}

func (r *reader) values() []tidemark.Value {
	if r.peek() == 'n' {
		r.literal("null")
		return nil
	}
	vs := []tidemark.Value{}
	for a := r.array(); a.next(); {
		vs = append(vs, r.value())
	}
	return vs
}

func (r *reader) value() tidemark.Value {
	switch r.peek() {
	case 'n':
		r.literal("null")
		return tidemark.Null
	case '"':
		return tidemark.Text(r.str())
	case '{':
		return r.tagged()
	}
	text, whole := r.number()
	if r.err != nil {
		return tidemark.Null
	}
	if !whole {
		f := r.float(text)
		if f == math.Trunc(f) {
			r.fail(`a whole real must be written {"f":...}`)
		}
		return tidemark.Real(f)
	}
	n, ok := parseWhole(text)
	if !ok || text == "-0" {
		r.fail(`an integer beyond 2^53 must be written {"i":"..."}, a negative zero {"f":-0}`)
	}
	return tidemark.Int(n)
}

func (r *reader) float(text string) float64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		r.fail("a number that no double can hold")
	}
	return f
}

// tagged reads an object with one member.
func (r *reader) tagged() tidemark.Value {
	r.eat('{')
	tag := r.str()
	r.eat(':')
	var v tidemark.Value
	switch tag {
	case "b":
		v = tidemark.BlobString(string(r.base64()))
	case "t":
		v = tidemark.Text(string(r.base64()))
	case "i":
		v = tidemark.Int(r.bigInt())
	case "f":
		v = tidemark.Real(r.taggedReal())
	default:
		r.fail("no such tag")
	}
	r.eat('}')
	return v
}

func (r *reader) bigInt() int64 {
	s := r.str()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != s {
		r.fail("not a 64-bit integer")
	}
	return n
}

func (r *reader) taggedReal() float64 {
	if r.peek() != '"' {
		text, _ := r.number()
		if r.err != nil {
			return 0
		}
		return r.float(text)
	}
	switch r.str() {
	case "inf":
		return math.Inf(1)
	case "-inf":
		return math.Inf(-1)
	}
	r.fail("not a real")
	return 0
}
