package twin

import (
	"fmt"
	"math"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// long makes a text of many lines, so that a difference is looked for line by
// line. Some have most in common with others, some so little that the search
// ends at its bound.
func (x *extras) long() string {
	if x.r.IntN(2) == 0 {
		return x.mostlyAlike()
	}
	lines := make([]string, 20+x.r.IntN(400))
	for i := range lines {
		lines[i] = []string{"first line", "second é", "𝄞 third", "", "word " + x.letter(), x.words()}[x.r.IntN(6)]
	}
	return strings.Join(lines, "\n")
}

func (x *extras) mostlyAlike() string {
	lines := make([]string, 300)
	for i := range lines {
		lines[i] = fmt.Sprintf("%d %s", i, []string{"first line", "second é", "𝄞 third", "", "the quick brown fox"}[i%5])
	}
	for range x.r.IntN(6) {
		lines[x.r.IntN(len(lines))] = x.words()
	}
	return strings.Join(lines[x.r.IntN(3):], "\n")
}

func (x *extras) maybe(v tidemark.Value) tidemark.Value {
	if x.r.IntN(5) == 0 {
		return tidemark.Null
	}
	return v
}

func (x *extras) letter() string { return string([]rune("abcdeABCDEäß")[x.r.IntN(12)]) }

// awkward are values on which two languages may well differ.
var awkward = []tidemark.Value{
	tidemark.Null, tidemark.Int(0), tidemark.Int(-1), tidemark.Int(math.MaxInt64), tidemark.Int(math.MinInt64), tidemark.Int(1<<53 + 1),
	tidemark.Real(0), tidemark.Real(math.Copysign(0, -1)), tidemark.Real(math.Inf(1)), tidemark.Real(math.Inf(-1)), tidemark.Real(5e-324),
	tidemark.Real(1e21), tidemark.Real(123456789.125), tidemark.Real(1e15), tidemark.Real(0.1), tidemark.Real(-2.5e-7), tidemark.Real(1 << 53),
	tidemark.Text(""), tidemark.Text("a\x00b"), tidemark.Text("\xff\xfe"), tidemark.Text("\xed\xa0\x80"), tidemark.Text("\ufeffbom"), tidemark.Text("𝄞é\u0301"),
	tidemark.Text("12"), tidemark.Text(" 12.50 "), tidemark.Text("\u2028\"\\/<>&\x7f\x01"), tidemark.Text("[1,1.0,\"1\"]"), tidemark.Text(`{"a":1,"a":2}`),
	tidemark.Text(`{"a":{"b":[1e2,-0,0.10]},"\u00e9":null}`), tidemark.Text(`["x", "x" ,1e400]`), tidemark.Text(`[`), tidemark.Text(`{"b":"\ud800"}`),
	tidemark.Blob(nil), tidemark.Blob([]byte{0, 255}), tidemark.Blob([]byte("[1]")),
}

func (x *extras) value() tidemark.Value {
	if x.r.IntN(2) == 0 {
		return tidemark.Int(x.r.Int64N(20))
	}
	return awkward[x.r.IntN(len(awkward))]
}

// words makes a text of several lines, from a small stock, so that edits meet.
func (x *extras) words() string {
	stock := []string{"alpha", "beta", "gamma", " ", " ", "\n", "\r\n", "𝄞", "é", "e\u0301", "x", "the quick brown fox", "ß", "\t",
		"漢字かな", "ไทยภาษา", "слово", "👩\u200d👧", "a\u0323\u0308", "_id7", "\u00a0"}
	var b strings.Builder
	for range x.r.IntN(14) {
		b.WriteString(stock[x.r.IntN(len(stock))])
	}
	return b.String()
}

// tokens are JSON in many spellings, some of which mean the same.
var tokens = []string{`1`, `1.0`, `1e0`, `10E-1`, `-0`, `0`, `0.10`, `12345678901234567890`, `1e400`, `"a"`, `"\u0061"`, `"b"`, `"é"`, `"\u00e9"`, `"1"`,
	`true`, `false`, `null`, `[1,2]`, `[ 1 , 2 ]`, `[2,1]`, `[]`, `{"k":1,"j":2}`, `{"j":2,"k":1}`, `{"j": 2.0, "k":1 }`, `{}`, `"\ud834\udd1e"`, `"𝄞"`}

func (x *extras) token() string { return tokens[x.r.IntN(len(tokens))] }

// space is what may stand between tokens.
func (x *extras) space() string {
	return []string{"", "", "", " ", "\n  ", "\t"}[x.r.IntN(6)]
}

func (x *extras) labels() string {
	var list []string
	for range x.r.IntN(5) {
		list = append(list, x.space()+x.token()+x.space())
	}
	return "[" + strings.Join(list, ",") + "]"
}

func (x *extras) prefs() string { return x.object(0) }

func (x *extras) object(depth int) string {
	var list []string
	for range x.r.IntN(4) {
		key := []string{`"a"`, `"\u0061"`, `"b"`, `"c"`, `"ä"`, `""`}[x.r.IntN(6)]
		value := x.token()
		if depth < 3 && x.r.IntN(3) == 0 {
			value = x.object(depth + 1)
		}
		list = append(list, x.space()+key+x.space()+":"+x.space()+value)
	}
	return "{" + strings.Join(list, ",") + x.space() + "}"
}
