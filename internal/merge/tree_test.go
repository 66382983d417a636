package merge

import (
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTreesReadWhatOthersReadAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := document0(t, "a"), document0(t, "b")
		x, err := parse(a, maxIntent)
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		y, err := parse(b, maxIntent)
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if got, want := same(x, y), reflect.DeepEqual(meaning(t, a), meaning(t, b)); got != want {
			t.Fatalf("%s and %s are equal: %v, want %v", a, b, got, want)
		}
		if x.text() != a {
			t.Fatalf("%s was written as %s", a, x.text())
		}
		var short strings.Builder
		x.compact(&short)
		var want strings.Builder
		writeCompact(&want, a)
		if short.String() != want.String() {
			t.Fatalf("%s became %s, want %s", a, short.String(), want.String())
		}
	})
}

func document0(t *rapid.T, name string) string {
	return rapid.Custom(func(t *rapid.T) string { return document(t, 3) }).Draw(t, name)
}

func writeCompact(b *strings.Builder, text string) {
	var raw json.RawMessage = []byte(text)
	inString, escaped := false, false
	for _, c := range raw {
		if !inString && strings.ContainsRune(" \t\r\n", rune(c)) {
			continue
		}
		b.WriteByte(c)
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		}
	}
}

// meaning reads JSON with the standard library, numbers as fractions.
func meaning(t *rapid.T, text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var x any
	if err := d.Decode(&x); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return exact(x)
}

func exact(x any) any {
	switch x := x.(type) {
	case json.Number:
		r, _ := new(big.Rat).SetString(x.String())
		return r.String()
	case []any:
		for i := range x {
			x[i] = exact(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = exact(x[k])
		}
	}
	return x
}

func TestWhatIsNotJSONIsRefused(t *testing.T) {
	for _, in := range []string{
		``, ` `, `nul`, `nulll`, `tru`, `[`, `]`, `[1`, `[1,]`, `[,1]`, `[1 2]`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `{'a':1}`, `{"a":1 "b":2}`,
		`01`, `-`, `+1`, `1.`, `.5`, `1e`, `1e+`, `0x10`, `NaN`, `Infinity`, `"`, `"\`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\ud800"`, `"\udc00"`, `"\ud800\u0041"`, `"\ud800x"`,
		"\"\n\"", "\"\xff\"", "[1]\x00", "\ufeff[1]", `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `[{"a":1,"a":2}]`, `[1]//`, `/**/[1]`, "[1]]", "[1]{}",
		strings.Repeat("[", 33) + strings.Repeat("]", 33), strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 1<<19),
		`"` + strings.Repeat("a", maxIntent) + `"`,
	} {
		if n, err := parse(in, maxIntent); err == nil {
			t.Errorf("%.40q was read as %s", in, n.text())
		}
	}
	for _, in := range []string{
		"\t\r\n []", `"\b\f\n\r\t\/\\\"\u00fC\ud834\udd1E"`, `-0.0e-0`, `1E+5`, strings.Repeat("[", 32) + strings.Repeat("]", 32), `{"":{"":0}}`,
	} {
		if _, err := parse(in, maxIntent); err != nil {
			t.Errorf("%q was refused: %v", in, err)
		}
	}
}

func TestNumbersAreComparedByValue(t *testing.T) {
	for _, list := range [][]string{
		{"0", "-0", "0.000", "0e99", "-0.0E-7"},
		{"1", "1.0", "10e-1", "0.1e1", "100E-2", "1e0", "1e-0", "1e+0"},
		{"100", "1e2", "1E+2", "0.001e5", "100.00"},
		{"9007199254740993", "9007199254740993.0", "9007199254740.993e3"},
		{"9007199254740992"},
		{"-1", "-1.0"},
		{"0.1", "1e-1"},
		{"1e400", "10e399"},
		{"1e99999999999999999999"},
		{"-1e99999999999999999999"},
	} {
		checkAlike(t, list)
	}
	seen := map[string]string{}
	for _, n := range []string{"0", "1", "100", "9007199254740993", "9007199254740992", "-1", "0.1", "1e400", "1e99999999999999999999", "-1e99999999999999999999"} {
		c := string(appendNumber(nil, n))
		if seen[c] != "" {
			t.Errorf("%s and %s are taken for one number", n, seen[c])
		}
		seen[c] = n
	}
}

func checkAlike(t *testing.T, list []string) {
	t.Helper()
	want := string(appendNumber(nil, list[0]))
	for _, n := range list[1:] {
		if got := string(appendNumber(nil, n)); got != want {
			t.Errorf("%s has %s, %s has %s", list[0], want, n, got)
		}
	}
}
