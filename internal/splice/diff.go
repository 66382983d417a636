package splice

import (
	"unicode"
	"unicode/utf8"
)

// hunk says that before[a0:a1] became after[b0:b1]. Offsets are bytes, at
// boundaries of code points of both texts.
type hunk struct{ a0, a1, b0, b1 int }

// longMiddle is the size from which changed text is compared by lines before
// it is compared by words.
const longMiddle = 4 << 10

// Diff returns a patch that makes after of before, with what it deletes. What
// both begin and end with is found first; what is left is compared by lines and
// words, which keeps words that were not touched and does not tear apart those
// that were. The cost is bounded: of very different texts it finds less in
// common. A patch never separates a character from the marks that combine with it.
func Diff(before, after string) Patch {
	h := trim(before, after, hunk{0, len(before), 0, len(after)})
	if h.a0 == h.a1 && h.b0 == h.b1 {
		return nil
	}
	return patchOf(before, after, widen(before, after, refine(before, after, h)))
}

// refine cuts a hunk into smaller ones.
func refine(before, after string, h hunk) []hunk {
	if h.a1-h.a0 < longMiddle && h.b1-h.b0 < longMiddle {
		return byTokens(before, after, h, wordEnd)
	}
	var out []hunk
	for _, line := range byTokens(before, after, h, lineEnd) {
		out = append(out, byTokens(before, after, line, wordEnd)...)
	}
	return out
}

// byTokens compares the tokens of a hunk.
func byTokens(before, after string, h hunk, end func(string, int) int) []hunk {
	if h.a0 == h.a1 || h.b0 == h.b1 {
		return []hunk{h}
	}
	a, as := tokens(before[:h.a1], h.a0, end)
	b, bs := tokens(after[:h.b1], h.b0, end)
	var out []hunk
	for _, d := range differences(a, b) {
		t := trim(before, after, hunk{as[d.a0], as[d.a1], bs[d.b0], bs[d.b1]})
		if t.a0 < t.a1 || t.b0 < t.b1 {
			out = append(out, t)
		}
	}
	return out
}

// tokens splits a text from an offset on. at has the offset of each token and of the end.
func tokens(text string, from int, end func(string, int) int) (list []string, at []int) {
	for from < len(text) {
		next := end(text, from)
		list, at = append(list, text[from:next]), append(at, from)
		from = next
	}
	return list, append(at, from)
}

func lineEnd(text string, i int) int {
	for ; i < len(text); i++ {
		if text[i] == '\n' {
			return i + 1
		}
	}
	return i
}

// wordEnd ends a run of letters and digits, or any other single code point.
func wordEnd(text string, i int) int {
	start := i
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !isWord(r) {
			if i == start {
				i += n
			}
			return i
		}
		i += n
	}
	return i
}

func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) && !unicode.In(r, unspaced...)
}

// unspaced are scripts that do not put spaces between words: there each
// character is compared by itself.
var unspaced = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
}

// trim takes from a hunk what both of its texts begin and end with.
func trim(before, after string, h hunk) hunk {
	n := samePrefix(before[h.a0:h.a1], after[h.b0:h.b1])
	h.a0, h.b0 = h.a0+n, h.b0+n
	n = sameSuffix(before[h.a0:h.a1], after[h.b0:h.b1])
	h.a1, h.b1 = h.a1-n, h.b1-n
	return h
}

// stride is how much text is compared at once.
const stride = 256

// samePrefix returns the length of the longest common prefix that ends at a
// boundary of code points in both texts.
func samePrefix(a, b string) int {
	n, most := 0, min(len(a), len(b))
	for n+stride <= most && a[n:n+stride] == b[n:n+stride] {
		n += stride
	}
	for n < most && a[n] == b[n] {
		n++
	}
	for n > 0 && !(boundary(a, n) && boundary(b, n)) {
		n--
	}
	return n
}

func sameSuffix(a, b string) int {
	n, most := 0, min(len(a), len(b))
	for n+stride <= most && a[len(a)-n-stride:len(a)-n] == b[len(b)-n-stride:len(b)-n] {
		n += stride
	}
	for n < most && a[len(a)-n-1] == b[len(b)-n-1] {
		n++
	}
	for n > 0 && !(boundary(a, len(a)-n) && boundary(b, len(b)-n)) {
		n--
	}
	return n
}

// boundary reports whether a code point begins at s[i], or s ends there. A
// byte that could go on what stands before it may still be one that counts alone.
func boundary(s string, i int) bool {
	if i == len(s) || i == 0 || utf8.RuneStart(s[i]) {
		return true
	}
	start := max(0, i-utf8.UTFMax+1)
	for at := start; at < i; at++ {
		if utf8.RuneStart(s[at]) && at+width(s, at) > i {
			return false
		}
	}
	return true
}

func patchOf(before, after string, hunks []hunk) Patch {
	out := make(Patch, len(hunks))
	at, done := 0, 0
	for i, h := range hunks {
		at += count(before[done:h.a0])
		s := Splice{At: at, Delete: count(before[h.a0:h.a1]), Insert: after[h.b0:h.b1], Deleted: before[h.a0:h.a1]}
		out[i], at, done = s, at+s.Delete, h.a1
	}
	return out
}
