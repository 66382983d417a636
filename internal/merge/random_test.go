package merge

import (
	"math"
	"strconv"
	"strings"

	"pgregory.net/rapid"

	"github.com/tidemarkdb/tidemark"
	_ "github.com/tidemarkdb/tidemark/internal/dice"
)

// numbers are integers and reals, with those at the edges more often than chance would have it.
var numbers = rapid.Custom(func(t *rapid.T) tidemark.Value {
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return tidemark.Int(rapid.Int64().Draw(t, "integer"))
	case 1:
		return tidemark.Int(rapid.Int64Range(-9, 9).Draw(t, "small"))
	case 2:
		return rapid.SampledFrom([]tidemark.Value{
			tidemark.Int(math.MaxInt64), tidemark.Int(math.MinInt64), tidemark.Int(1 << 53), tidemark.Int(1<<53 + 1),
			tidemark.Real(1 << 53), tidemark.Real(1 << 63), tidemark.Real(-1 << 63), tidemark.Real(0), tidemark.Real(math.Copysign(0, -1)),
			tidemark.Real(math.Inf(1)), tidemark.Real(math.Inf(-1)), tidemark.Real(math.MaxFloat64), tidemark.Real(math.SmallestNonzeroFloat64),
		}).Draw(t, "edge")
	case 3:
		return tidemark.Real(float64(rapid.IntRange(-40, 40).Draw(t, "quarters")) / 4)
	case 4:
		return tidemark.Real(float64(rapid.IntRange(-40, 40).Draw(t, "tenths")) / 10)
	}
	return tidemark.Real(rapid.Float64().Draw(t, "real"))
})

// values are of every storage class; texts are often JSON.
var values = rapid.Custom(func(t *rapid.T) tidemark.Value {
	switch rapid.IntRange(0, 6).Draw(t, "class") {
	case 0:
		return tidemark.Null
	case 1:
		return numbers.Draw(t, "number")
	case 2:
		return tidemark.BlobString(rapid.StringN(0, 4, 8).Draw(t, "blob"))
	case 3:
		return tidemark.Text(rapid.SampledFrom([]string{"", "a", "A", "a ", "a\x00b", "a\x00C", "\xff", "\xfe", "ü", "{", "[1"}).Draw(t, "text"))
	case 4:
		return tidemark.Text(arrays.Draw(t, "array"))
	case 5:
		return tidemark.Text(objects.Draw(t, "object"))
	}
	return tidemark.Text(rapid.String().Draw(t, "string"))
})

// spellings of few JSON values, so that equal ones meet.
var scalars = rapid.SampledFrom([]string{
	`1`, `1.0`, `10e-1`, `0.1E+1`, `2`, `-0`, `0`, `0.0`, `1e400`, `10e399`, `12345678901234567890123`, `12345678901234567890124`,
	`"a"`, `"\u0061"`, `"b"`, `""`, `"\ud834\udd1e"`, `"𝄞"`, `"\n\"\\"`, `null`, `true`, `false`,
})

func document(t *rapid.T, depth int) string {
	if depth == 0 {
		return scalars.Draw(t, "scalar")
	}
	switch rapid.IntRange(0, 3).Draw(t, "form") {
	case 0:
		return array(t, depth)
	case 1:
		return object(t, depth)
	}
	return scalars.Draw(t, "scalar")
}

// space draws one of the ways in which people and libraries lay JSON out.
type space struct{ open, comma, colon, close string }

var spaces = rapid.SampledFrom([]space{
	{"", ",", ":", ""}, {"", ", ", ": ", ""}, {"\n  ", ",\n  ", ": ", "\n"}, {" ", " ,\t", " : ", " "},
})

func array(t *rapid.T, depth int) string {
	s := spaces.Draw(t, "space")
	var list []string
	for range rapid.IntRange(0, 4).Draw(t, "length") {
		list = append(list, document(t, depth-1))
	}
	return wrap("[", "]", s, list)
}

func object(t *rapid.T, depth int) string {
	s := spaces.Draw(t, "space")
	keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", "ü", "\"", "e:"}), 0, 4, rapid.ID[string]).Draw(t, "keys")
	var list []string
	for _, k := range keys {
		list = append(list, strconv.Quote(k)+s.colon+document(t, depth-1))
	}
	return wrap("{", "}", s, list)
}

func wrap(open, end string, s space, list []string) string {
	if len(list) == 0 {
		return open + strings.TrimSpace(s.open) + end
	}
	return open + s.open + strings.Join(list, s.comma) + s.close + end
}

var (
	arrays  = rapid.Custom(func(t *rapid.T) string { return array(t, 2) })
	objects = rapid.Custom(func(t *rapid.T) string { return object(t, 3) })
)
