package tidemark_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemarkdb/tidemark"
	_ "github.com/tidemarkdb/tidemark/internal/dice"
)

// What is given as a Go value comes back as the Go value that database/sql has for it.
func TestValueOfAndAny(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i, f := rapid.Int64().Draw(t, "int"), rapid.Float64().Draw(t, "real")
		s, b := rapid.String().Draw(t, "text"), rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "blob")
		for _, x := range []any{i, f, s, nil} {
			v, err := tidemark.ValueOf(x)
			if err != nil || v.Any() != x {
				t.Fatalf("%v came back as %v, %v", x, v.Any(), err)
			}
		}
		v, err := tidemark.ValueOf(b)
		if err != nil || string(v.Any().([]byte)) != string(b) || v.Kind() != tidemark.KindBlob {
			t.Fatalf("%v came back as %v, %v", b, v, err)
		}
	})
}

func TestValueOfKinds(t *testing.T) {
	for _, c := range []struct {
		in   any
		want tidemark.Value
	}{
		{true, tidemark.Int(1)}, {false, tidemark.Int(0)}, {int8(-1), tidemark.Int(-1)}, {uint32(math.MaxUint32), tidemark.Int(math.MaxUint32)},
		{float32(0.5), tidemark.Real(0.5)}, {math.NaN(), tidemark.Null}, {[]byte(nil), tidemark.Null}, {[]byte{}, tidemark.Blob(nil)},
		{tidemark.Text("x"), tidemark.Text("x")},
	} {
		if got, err := tidemark.ValueOf(c.in); err != nil || got != c.want {
			t.Errorf("%T %v: %v, %v", c.in, c.in, got, err)
		}
	}
	if _, err := tidemark.ValueOf(struct{}{}); err == nil {
		t.Error("a struct was taken")
	}
}

// Two values are equal when storage class and bits are.
func TestValueEquality(t *testing.T) {
	distinct := []tidemark.Value{
		tidemark.Null, tidemark.Int(0), tidemark.Real(0), tidemark.Real(math.Copysign(0, -1)), tidemark.Text(""), tidemark.Blob(nil),
		tidemark.Int(1), tidemark.Real(1), tidemark.Text("1"), tidemark.BlobString("1"),
	}
	for i, a := range distinct {
		for j, b := range distinct {
			if (a == b) != (i == j) {
				t.Errorf("%v == %v is %v", a, b, a == b)
			}
		}
	}
}

func TestValueString(t *testing.T) {
	for want, v := range map[string]tidemark.Value{
		"NULL": tidemark.Null, "-5": tidemark.Int(-5), "1.0": tidemark.Real(1), "-0.0": tidemark.Real(math.Copysign(0, -1)),
		"9e999": tidemark.Real(math.Inf(1)), "1e+300": tidemark.Real(1e300), "'it''s'": tidemark.Text("it's"), "x'00ff'": tidemark.BlobString("\x00\xff"),
	} {
		if got := v.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
