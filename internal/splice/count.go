package splice

import (
	"encoding/binary"
	"unicode/utf8"
)

// high has the first bit of each of eight bytes: none of them is set in ASCII.
const high = 0x8080808080808080

// ascii8 reports whether eight ASCII bytes stand at s[i].
func ascii8(s string, i int) bool {
	if len(s)-i < 8 {
		return false
	}
	var b [8]byte
	copy(b[:], s[i:])
	return binary.LittleEndian.Uint64(b[:])&high == 0
}

// count returns the number of code points.
func count(s string) int {
	n := 0
	for i := 0; i < len(s); n++ {
		for ascii8(s, i) {
			i, n = i+8, n+8
		}
		if i == len(s) {
			return n
		}
		i += width(s, i)
	}
	return n
}

// offset returns where the n-th code point begins, and how many there were
// when there are fewer.
func offset(s string, n int) (at, seen int) {
	for at < len(s) && seen < n {
		if n-seen >= 8 && ascii8(s, at) {
			at, seen = at+8, seen+8
			continue
		}
		at += width(s, at)
		seen++
	}
	return at, seen
}

func width(s string, i int) int {
	if s[i] < utf8.RuneSelf {
		return 1
	}
	_, n := utf8.DecodeRuneInString(s[i:])
	return n
}

// cut splits a text behind n code points.
func cut(s string, n int) (head, tail string) {
	at, _ := offset(s, n)
	return s[:at], s[at:]
}
