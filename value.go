package tidemark

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Kind is one of SQLite's five storage classes.
type Kind uint8

// The storage classes. The zero Kind is NULL.
const (
	KindNull Kind = iota
	KindInt
	KindReal
	KindText
	KindBlob
)

// Value is one SQLite value, exact to the bit. The zero Value is NULL.
// Values compare with ==: two values are equal when storage class and bits
// are, so 1 and 1.0 differ, 0.0 and -0.0 differ, and 'a' and x'61' differ.
type Value struct {
	kind Kind
	n    uint64 // integer or IEEE 754 bits
	s    string // text or blob bytes
}

// Null is the NULL value.
var Null Value

// Int makes an integer value.
func Int(n int64) Value { return Value{kind: KindInt, n: uint64(n)} }

// Real makes a floating-point value. SQLite stores NaN as NULL, and so does Real.
func Real(f float64) Value {
	if math.IsNaN(f) {
		return Null
	}
	return Value{kind: KindReal, n: math.Float64bits(f)}
}

// Text makes a text value. The string may hold NUL and, as SQLite allows it, invalid UTF-8.
func Text(s string) Value { return Value{kind: KindText, s: s} }

// Blob makes a blob value from a copy of b.
func Blob(b []byte) Value { return Value{kind: KindBlob, s: string(b)} }

// BlobString makes a blob value whose bytes are those of s, without a copy.
func BlobString(s string) Value { return Value{kind: KindBlob, s: s} }

// Kind returns the storage class.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is NULL.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Int64 returns the integer, or 0 when v is not an integer.
func (v Value) Int64() int64 {
	if v.kind != KindInt {
		return 0
	}
	return int64(v.n)
}

// Float64 returns the number of an integer or real value, or 0.
func (v Value) Float64() float64 {
	switch v.kind {
	case KindInt:
		return float64(int64(v.n))
	case KindReal:
		return math.Float64frombits(v.n)
	}
	return 0
}

// Str returns the bytes of a text or blob value, or "".
func (v Value) Str() string { return v.s }

// Bytes returns a copy of the bytes of a text or blob value.
func (v Value) Bytes() []byte { return []byte(v.s) }

// Size returns the bytes that v takes, roughly, for limits and budgets.
func (v Value) Size() int { return 9 + len(v.s) }

// String shows v as an SQL literal, for messages and logs.
func (v Value) String() string {
	switch v.kind {
	case KindInt:
		return strconv.FormatInt(int64(v.n), 10)
	case KindReal:
		return realLiteral(math.Float64frombits(v.n))
	case KindText:
		return "'" + strings.ReplaceAll(v.s, "'", "''") + "'"
	case KindBlob:
		return fmt.Sprintf("x'%x'", v.s)
	}
	return "NULL"
}

func realLiteral(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "9e999"
	case math.IsInf(f, -1):
		return "-9e999"
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

// ValueOf converts a Go value that database/sql users pass as an argument:
// nil, bool, the integer and float types, string, []byte and Value itself.
func ValueOf(x any) (Value, error) {
	switch x := x.(type) {
	case nil:
		return Null, nil
	case Value:
		return x, nil
	case bool:
		if x {
			return Int(1), nil
		}
		return Int(0), nil
	case int:
		return Int(int64(x)), nil
	case int8:
		return Int(int64(x)), nil
	case int16:
		return Int(int64(x)), nil
	case int32:
		return Int(int64(x)), nil
	case int64:
		return Int(x), nil
	case uint8:
		return Int(int64(x)), nil
	case uint16:
		return Int(int64(x)), nil
	case uint32:
		return Int(int64(x)), nil
	case float32:
		return Real(float64(x)), nil
	case float64:
		return Real(x), nil
	case string:
		return Text(x), nil
	case []byte:
		if x == nil {
			return Null, nil
		}
		return Blob(x), nil
	}
	return Null, fmt.Errorf("tidemark: cannot store a Go value of type %T in SQLite", x)
}

// Any converts v to the Go type that database/sql would return:
// nil, int64, float64, string or []byte.
func (v Value) Any() any {
	switch v.kind {
	case KindInt:
		return int64(v.n)
	case KindReal:
		return math.Float64frombits(v.n)
	case KindText:
		return v.s
	case KindBlob:
		return []byte(v.s)
	}
	return nil
}
