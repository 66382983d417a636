// Package literal reads and writes JSON strings in the one way that bodies,
// edits and values share: with the escapes that JSON demands and no others, and
// of whole characters only.
package literal

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	errEnd     = errors.New("a string has no end")
	errControl = errors.New("a control character in a string")
	errUTF8    = errors.New("a string is not UTF-8")
	errEscape  = errors.New("no such escape")
	errDigits  = errors.New(`expected \u and four digits`)
	errHalf    = errors.New("half of a surrogate pair")
)

const hexDigits = "0123456789abcdef"

// Append writes s. Bytes that are not UTF-8 are written as they are: that they
// do not occur is the caller's to know.
func Append(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = appendEscape(append(b, s[done:i]...), c)
		done = i + 1
	}
	return append(append(b, s[done:]...), '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// Read reads the string in s whose opening quote stands before i, and returns
// what it says and the place behind its closing quote; with an error the place
// of what is wrong. A string without escapes shares the bytes of s.
func Read(s string, i int) (text string, end int, err error) {
	for start := i; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return whole(s[start:i], i)
		case c == '\\':
			return escaped(s, start, i)
		case c < 0x20:
			return "", i, errControl
		}
	}
	return "", i, errEnd
}

func whole(text string, quote int) (string, int, error) {
	if !utf8.ValidString(text) {
		return "", quote, errUTF8
	}
	return text, quote + 1, nil
}

// escaped reads the string that begins at start from its first escape on.
func escaped(s string, start, i int) (_ string, end int, err error) {
	out := []byte(s[start:i])
	for i < len(s) {
		switch c := s[i]; {
		case c == '"':
			return whole(string(out), i)
		case c == '\\':
			if out, i, err = escape(out, s, i); err != nil {
				return "", i, err
			}
		case c < 0x20:
			return "", i, errControl
		default:
			out = append(out, c)
			i++
		}
	}
	return "", i, errEnd
}

func escape(out []byte, s string, i int) ([]byte, int, error) {
	if i+1 >= len(s) {
		return out, i, errEnd
	}
	c := s[i+1]
	if c == 'u' {
		return unicode(out, s, i)
	}
	at := strings.IndexByte(`"\/bfnrt`, c)
	if at < 0 {
		return out, i, errEscape
	}
	return append(out, "\"\\/\b\f\n\r\t"[at]), i + 2, nil
}

// unicode reads \uXXXX, two of them for a character beyond U+FFFF. Half of a
// pair names no character and is refused.
func unicode(out []byte, s string, i int) ([]byte, int, error) {
	c, i, err := digits(s, i)
	switch {
	case err != nil:
		return out, i, err
	case 0xDC00 <= c && c <= 0xDFFF:
		return out, i, errHalf
	case 0xD800 <= c && c <= 0xDBFF:
		var low rune
		if low, i, err = digits(s, i); err != nil {
			return out, i, err
		}
		if low < 0xDC00 || low > 0xDFFF {
			return out, i, errHalf
		}
		c = (c-0xD800)<<10 + (low - 0xDC00) + 0x10000
	}
	return utf8.AppendRune(out, c), i, nil
}

func digits(s string, i int) (rune, int, error) {
	if !strings.HasPrefix(s[i:], `\u`) || len(s)-i < 6 {
		return 0, i, errDigits
	}
	n, err := strconv.ParseUint(s[i+2:i+6], 16, 16)
	if err != nil {
		return 0, i, errDigits
	}
	return rune(n), i + 6, nil
}
