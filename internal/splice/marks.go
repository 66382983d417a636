package splice

import (
	"unicode"
	"unicode/utf8"
)

// maxMarks bounds how far a hunk grows for the sake of combining marks.
const maxMarks = 64

const joiner = '\u200d' // makes one picture of two

// widen makes hunks cut no character off the marks that combine with it, and
// one hunk of those that touch then. Between two hunks both texts are the same.
func widen(before, after string, hunks []hunk) []hunk {
	var out []hunk
	for i, h := range hunks {
		right := len(before)
		if i+1 < len(hunks) {
			right = hunks[i+1].a0
		}
		left := 0
		if len(out) > 0 {
			left = out[len(out)-1].a1
		}
		h = grow(before, after, h, left, right)
		if len(out) > 0 && h.a0 == left {
			last := &out[len(out)-1]
			last.a1, last.b1 = h.a1, h.b1
			continue
		}
		out = append(out, h)
	}
	return out
}

// grow widens one hunk as far as the bounds in before allow.
func grow(before, after string, h hunk, left, right int) hunk {
	for i := 0; i < maxMarks && h.a1 < right; i++ {
		r, n := utf8.DecodeRuneInString(before[h.a1:])
		if !clings(lastRune(before[:h.a1]), r) && !clings(lastRune(after[:h.b1]), r) {
			break
		}
		h.a1, h.b1 = h.a1+n, h.b1+n
	}
	for i := 0; i < maxMarks && h.a0 > left; i++ {
		r, n := utf8.DecodeLastRuneInString(before[:h.a0])
		if !clings(r, firstRune(before[h.a0:])) && !clings(r, firstRune(after[h.b0:])) {
			break
		}
		h.a0, h.b0 = h.a0-n, h.b0-n
	}
	return h
}

// clings reports whether next belongs to the character in front of it.
func clings(prev, next rune) bool {
	if next < 0x300 {
		return prev == joiner && next != 0
	}
	return prev == joiner || next == joiner || 0x1F3FB <= next && next <= 0x1F3FF || unicode.Is(unicode.M, next)
}

func lastRune(s string) rune {
	if s == "" {
		return 0
	}
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
}

func firstRune(s string) rune {
	if s == "" {
		return 0
	}
	r, _ := utf8.DecodeRuneInString(s)
	return r
}
