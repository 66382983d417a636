package splice

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	_ "github.com/tidemarkdb/tidemark/internal/dice"
)

// alphabet has characters of one to four bytes, marks that combine, a joiner,
// what JSON escapes, and few enough letters that texts are full of repetitions.
var alphabet = []rune{'a', 'b', ' ', '\n', '"', '\\', 0, 1, 'é', '漢', '😀', '\u0301', '\u200d', '👍', '🏽', '\ufeff'}

func texts() *rapid.Generator[string] {
	return rapid.StringOfN(rapid.RuneFrom(alphabet), 0, 40, -1)
}

// rawTexts may hold invalid UTF-8 too.
func rawTexts() *rapid.Generator[string] {
	piece := rapid.OneOf(texts(), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 6), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"\xe2\x82", "\xac", "\xff", "\xed\xa0\x80", "é"[:1], "é"[1:]}))
	return rapid.Map(rapid.SliceOfN(piece, 0, 6), func(list []string) string { return strings.Join(list, "") })
}

// patches draws a patch of a text that says what it deletes.
func patches(t *rapid.T, text, label string) Patch {
	var out Patch
	at, n := 0, count(text)
	for i := rapid.IntRange(0, 4).Draw(t, label+"Splices"); i > 0 && at <= n; i-- {
		s := Splice{At: rapid.IntRange(at, n).Draw(t, label+"At")}
		s.Delete = rapid.IntRange(0, min(5, n-s.At)).Draw(t, label+"Delete")
		s.Insert = rapid.StringOfN(rapid.RuneFrom(alphabet), 0, 4, -1).Draw(t, label+"Insert")
		touches := len(out) > 0 && out[len(out)-1].At+out[len(out)-1].Delete == s.At
		if s.Insert != "" || s.Delete > 0 && !touches {
			out = append(out, s)
			if at = s.At + s.Delete; s.Delete == 0 || rapid.Bool().Draw(t, label+"Apart") {
				at++
			}
		}
	}
	full, err := out.Fill(text)
	if err != nil {
		t.Fatalf("a drawn patch: %v", err)
	}
	return full
}

func must(t rapid.TB, text string, p Patch) string {
	t.Helper()
	if err := p.check(); err != nil {
		t.Fatalf("%v: %v", p, err)
	}
	out, err := p.Apply(text)
	if err != nil {
		t.Fatalf("%v on %q: %v", p, text, err)
	}
	if utf8.ValidString(text) && !utf8.ValidString(out) {
		t.Fatalf("%v on %q gives %q, which is not UTF-8", p, text, out)
	}
	return out
}

func TestTransformConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := texts().Draw(t, "text")
		a, b := patches(t, text, "a"), patches(t, text, "b")
		first := rapid.Bool().Draw(t, "aFirst")
		a1, b1 := Transform(a, b, first)
		one, two := must(t, must(t, text, a), b1), must(t, must(t, text, b), a1)
		if one != two {
			t.Fatalf("%v and %v on %q: %q and %q", a, b, text, one, two)
		}
		b2, a2 := Transform(b, a, !first)
		if !reflect.DeepEqual(a1, a2) || !reflect.DeepEqual(b1, b2) {
			t.Fatalf("turned round: %v %v, not %v %v", a2, b2, a1, b1)
		}
	})
}

// TestTransformKeepsInsertions: what either inserts is there, what nobody
// deletes is there, and nothing else.
func TestTransformKeepsInsertions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := texts().Draw(t, "text")
		a, b := patches(t, text, "a"), patches(t, text, "b")
		_, b1 := Transform(a, b, rapid.Bool().Draw(t, "aFirst"))
		got := runes(must(t, must(t, text, a), b1))
		want := runes(text)
		gone := map[int]bool{}
		for _, p := range []Patch{a, b} {
			for _, s := range p {
				for r, n := range runes(s.Insert) {
					want[r] += n
				}
				for i := s.At; i < s.At+s.Delete; i++ {
					gone[i] = true
				}
			}
		}
		for i := range gone {
			want[[]rune(text)[i]]--
		}
		for _, r := range alphabet {
			if got[r] != want[r] {
				t.Fatalf("%d of %q, want %d", got[r], r, want[r])
			}
		}
	})
}

func runes(s string) map[rune]int {
	m := map[rune]int{}
	for _, r := range s {
		m[r]++
	}
	return m
}

func TestComposeDoesBoth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := texts().Draw(t, "text")
		a := patches(t, text, "a")
		mid := must(t, text, a)
		b := patches(t, mid, "b")
		end := must(t, mid, b)
		c := patches(t, end, "c")
		ab := Compose(a, b)
		if got := must(t, text, ab); got != end {
			t.Fatalf("%v then %v on %q: %v gives %q, want %q", a, b, text, ab, got, end)
		}
		if bare := Compose(a.Bare(), b.Bare()); must(t, text, bare) != end {
			t.Fatalf("without what is deleted: %v", bare)
		}
		left, right := Compose(ab, c), Compose(a, Compose(b, c))
		if !reflect.DeepEqual(left, right) || !reflect.DeepEqual(left, ComposeAll([]Patch{a, b, c})) {
			t.Fatalf("not associative: %v and %v", left, right)
		}
	})
}

func TestInvertTakesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := texts().Draw(t, "text")
		p := patches(t, text, "p")
		back, err := p.Invert()
		if err != nil {
			t.Fatal(err)
		}
		if got := must(t, must(t, text, p), back); got != text {
			t.Fatalf("%v and %v on %q give %q", p, back, text, got)
		}
		if got := must(t, text, Compose(p, back)); got != text {
			t.Fatalf("composed: %q", got)
		}
		if _, err := p.Bare().Invert(); err == nil && len(p) > 0 && p[0].Delete > 0 {
			t.Fatal("a patch that does not say what it deletes cannot be taken back")
		}
	})
}

func TestTransformOverTwo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := texts().Draw(t, "text")
		over := patches(t, text, "over")
		mine := text
		var pending []Patch
		for range rapid.IntRange(0, 4).Draw(t, "pending") {
			p := patches(t, mine, "p")
			mine, pending = must(t, mine, p), append(pending, p)
		}
		got, rest := must(t, text, over), over
		for _, p := range pending {
			p, rest = Transform(p, rest, true)
			got = must(t, got, p)
		}
		if want := must(t, mine, rest); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}

func TestDiffMakesTheNewText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rawTexts().Draw(t, "before")
		after := rawTexts().Draw(t, "after")
		if rapid.Bool().Draw(t, "alike") {
			after = before[:len(before)/3] + after + before[len(before)/2:]
		}
		p := Diff(before, after)
		if !utf8.ValidString(after) {
			return // what it inserts may not be valid, and is not sent
		}
		if got := must(t, before, p); got != after {
			t.Fatalf("%v makes %q, want %q", p, got, after)
		}
		if (len(p) == 0) != (before == after) {
			t.Fatalf("%v of %q and %q", p, before, after)
		}
		for _, s := range p {
			if s.Deleted == s.Insert {
				t.Fatalf("%v changes nothing", s)
			}
		}
	})
}

// TestDiffKeepsCharactersWhole: no splice begins or ends between a character
// and a mark that combines with it.
func TestDiffKeepsCharactersWhole(t *testing.T) {
	letters := []rune{'a', 'e', '\u0301', '\u0308', '\u200d', '👍', '🏽', 'x'}
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.StringOfN(rapid.RuneFrom(letters), 0, 20, -1)
		before, after := gen.Draw(t, "before"), gen.Draw(t, "after")
		p := Diff(before, after)
		if must(t, before, p) != after {
			t.Fatal("another text")
		}
		back, _ := p.Invert()
		for _, side := range []struct {
			text string
			p    Patch
		}{{before, p}, {after, back}} {
			rs := []rune(side.text)
			for _, s := range side.p {
				for _, at := range []int{s.At, s.At + s.Delete} {
					if at > 0 && at < len(rs) && clings(rs[at-1], rs[at]) {
						t.Fatalf("%v cuts %q at %d", p, side.text, at)
					}
				}
			}
		}
	})
}

func TestDiffOfSentences(t *testing.T) {
	for _, c := range []struct {
		before, after string
		want          Patch
	}{
		{"", "", nil},
		{"", "abc", Patch{{0, 0, "abc", ""}}},
		{"abc", "", Patch{{0, 3, "", "abc"}}},
		{"the cat sat", "the cat sat down", Patch{{11, 0, " down", ""}}},
		{"the cat sat", "the dog sat", Patch{{4, 3, "dog", "cat"}}},
		{"one two three", "One two Three", Patch{{0, 1, "O", "o"}, {8, 1, "T", "t"}}},
		{"color and color", "colour and colour", Patch{{4, 0, "u", ""}, {14, 0, "u", ""}}},
		{"漢字", "漢語字", Patch{{1, 0, "語", ""}}},
		{"中文一二三", "英文一四三", Patch{{0, 1, "英", "中"}, {3, 1, "四", "二"}}},
		{"e\u0301a", "a\u0301a", Patch{{0, 2, "a\u0301", "e\u0301"}}},
		{"e", "e\u0301", Patch{{0, 1, "e\u0301", "e"}}},
		{"😀😁", "😀😂", Patch{{1, 1, "😂", "😁"}}},
		{"👍", "👍🏽", Patch{{0, 1, "👍🏽", "👍"}}},
	} {
		if got := Diff(c.before, c.after); !reflect.DeepEqual(got, c.want) && len(got)+len(c.want) > 0 {
			t.Errorf("%q → %q: %+v, want %+v", c.before, c.after, got, c.want)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	for name, p := range map[string]Patch{
		"beyond the end":     {{At: 4, Insert: "x"}},
		"deletes too much":   {{At: 2, Delete: 2}},
		"another text":       {{At: 0, Delete: 1, Deleted: "x"}},
		"negative":           {{At: -1, Insert: "x"}},
		"negative length":    {{At: 0, Delete: -1, Insert: "x"}},
		"touching":           {{At: 0, Delete: 1}, {At: 1, Delete: 1}},
		"out of order":       {{At: 2, Delete: 1}, {At: 0, Delete: 1}},
		"changes nothing":    {{At: 1}},
		"half a character":   {{At: 1, Insert: "\xe2\x82"}},
		"overflows":          {{At: maxPlace, Delete: maxPlace}},
		"counts otherwise":   {{At: 0, Delete: 2, Deleted: "a"}},
		"second beyond ends": {{At: 0, Delete: 1}, {At: 4, Insert: "x"}},
	} {
		if out, err := p.Apply("abc"); !errors.Is(err, ErrFit) {
			t.Errorf("%s: %q, %v", name, out, err)
		}
		if _, err := p.Fill("abc"); name != "another text" && !errors.Is(err, ErrFit) {
			t.Errorf("%s: Fill says %v", name, err)
		}
	}
}

func TestInvalidTextSurvives(t *testing.T) {
	text := "a\xffb\xe2\x82c"
	out := must(t, text, Patch{{At: 2, Insert: "é"}, {At: 5, Delete: 1, Insert: "z"}})
	if out != "a\xff\u00e9b\xe2\x82z" {
		t.Fatalf("%q", out)
	}
}

func TestTransformTies(t *testing.T) {
	a, b := Patch{{At: 1, Insert: "A"}}, Patch{{At: 1, Insert: "B"}}
	for first, want := range map[bool]string{true: "xABy", false: "xBAy"} {
		_, b1 := Transform(a, b, first)
		if got := must(t, must(t, "xy", a), b1); got != want {
			t.Errorf("a first %v: %q, want %q", first, got, want)
		}
	}
}

func TestTransformMovedConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		view := texts().Draw(t, "view")
		near := texts().Draw(t, "near")
		if rapid.Bool().Draw(t, "moved") {
			near = string(rapid.Permutation([]rune(view)).Draw(t, "order"))
		}
		guess := Diff(view, near)
		p := patches(t, view, "p")
		p1, guess1 := TransformMoved(p, guess)
		if one, two := must(t, must(t, view, p), guess1), must(t, near, p1); one != two {
			t.Fatalf("%q and %q", one, two)
		}
	})
}

func TestWhatMovedIsDeletedWhereItIs(t *testing.T) {
	guess := Diff("<foo bar>", "<bar foo>")
	p1, _ := TransformMoved(Patch{{At: 1, Delete: 4}}, guess)
	if got := must(t, "<bar foo>", p1); strings.Contains(got, "f") || !strings.Contains(got, "bar") {
		t.Fatalf("%q", got)
	}
}
