package wire

import (
	"encoding/json"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
)

func TestValuesRoundTrip(t *testing.T) {
	r := dice.New(t)
	check := func(v tidemark.Value) {
		b := AppendValue(nil, v)
		if !json.Valid(b) {
			t.Fatalf("%v became %q, which is not JSON", v, b)
		}
		got, err := DecodeValue(b)
		if err != nil {
			t.Fatalf("%v as %q: %v", v, b, err)
		}
		if got != v {
			t.Fatalf("%v came back as %v, by way of %q", v, got, b)
		}
	}
	for _, v := range oddValues {
		check(v)
	}
	for range 50000 {
		check(randomValue(r))
	}
}

// Whoever reads a number as a double must see the difference between 1 and 1.0
// in the text, and lose nothing of an integer.
func TestNumbersSurviveADoubleReader(t *testing.T) {
	r := dice.New(t)
	for range 50000 {
		v := randomValue(r)
		var x any
		if err := json.Unmarshal(AppendValue(nil, v), &x); err != nil {
			t.Fatal(err)
		}
		f, plain := x.(float64)
		if !plain {
			continue
		}
		if v.Kind() == tidemark.KindInt && (int64(f) != v.Int64()) {
			t.Fatalf("%v reads as %v", v, f)
		}
		if v.Kind() == tidemark.KindReal && (f != v.Float64() || f == float64(int64(f))) {
			t.Fatalf("%v reads as %v", v, f)
		}
	}
}

func TestNilIsNotEmpty(t *testing.T) {
	for _, in := range []string{"null", "[]", "[null]"} {
		vs, err := DecodeValues([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(AppendValues(nil, vs)); got != in {
			t.Errorf("%s came back as %s", in, got)
		}
	}
}

func TestBadValues(t *testing.T) {
	for _, in := range []string{
		``, ` `, `nul`, `nullx`, `true`, `[1]`, `1 2`, `-`, `01`, `1.`, `.5`, `1e`, `+1`, `-0`, `1.0`, `1e2`, `0.0`, `1e999`,
		`9007199254740993`, `12345678901234567890`, `"a`, `"\x"`, `"\u12"`, `"\ud800"`, `"\udc00\ud800"`, "\"\n\"", "\"\x00\"",
		"\"\xff\"", "\"a\\n\xff\"", `{}`, `{"b"}`, `{"b":1}`, `{"b":"a"}`, `{"b":"ab=="}`, `{"b":"_x"}`, `{"b":"a\nbc"}`, `{"z":1}`,
		`{"i":1}`, `{"i":"x"}`, `{"i":"+1"}`, `{"i":"9223372036854775808"}`, `{"f":"nan"}`, `{"f":null}`, `{"f":1e999}`,
		`{"b":"","b":""}`, `{"b":""`, "\x00", "1\x00",
	} {
		if v, err := DecodeValue([]byte(in)); err == nil {
			t.Errorf("%q came back as %v", in, v)
		}
	}
}

func TestLenientValues(t *testing.T) {
	for in, want := range map[string]tidemark.Value{
		" 1 ":                    tidemark.Int(1),
		`{ "f" : 1.5 }`:          tidemark.Real(1.5),
		`{"i":"7"}`:              tidemark.Int(7),
		`"\u00e4\/\ud834\udd1e"`: tidemark.Text("ä/𝄞"),
		`{"t":"YWJj"}`:           tidemark.Text("abc"),
		`2.50`:                   tidemark.Real(2.5),
		`1E-7`:                   tidemark.Real(1e-7),
	} {
		if got, err := DecodeValue([]byte(in)); err != nil || got != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
}
