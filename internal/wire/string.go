package wire

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// str reads a string.
func (r *reader) str() string {
	if !r.eat('"') {
		return ""
	}
	start, ascii := r.i, true
	for ; r.i < len(r.s); r.i++ {
		switch c := r.s[r.i]; {
		case c == '"':
			s := r.s[start:r.i]
			if !ascii && !utf8.ValidString(s) {
				r.fail("a string is not UTF-8")
				return ""
			}
			r.i++
			return s
		case c == '\\':
			return r.escaped(start)
		case c < 0x20:
			r.fail("a control character in a string")
			return ""
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	r.fail("a string has no end")
	return ""
}

// escaped reads the rest of a string that has escapes.
func (r *reader) escaped(start int) string {
	out := []byte(r.s[start:r.i])
	for r.i < len(r.s) {
		c := r.s[r.i]
		switch {
		case c == '"':
			r.i++
			if !utf8.Valid(out) {
				r.fail("a string is not UTF-8")
				return ""
			}
			return string(out)
		case c == '\\':
			out = r.escape(out)
		case c < 0x20:
			r.fail("a control character in a string")
		default:
			out = append(out, c)
			r.i++
		}
	}
	r.fail("a string has no end")
	return ""
}

// escape reads one escape.
func (r *reader) escape(out []byte) []byte {
	if r.i+1 >= len(r.s) {
		r.fail("a string has no end")
		return out
	}
	c := r.s[r.i+1]
	switch c {
	case '"', '\\', '/':
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'u':
		return r.unicode(out)
	default:
		r.fail("no such escape")
		return out
	}
	r.i += 2
	return append(out, c)
}

// unicode reads \uXXXX, two of them for a character beyond U+FFFF. Half of a
// pair names no character and is refused.
func (r *reader) unicode(out []byte) []byte {
	c := r.hex4()
	switch {
	case 0xDC00 <= c && c <= 0xDFFF:
		r.fail("half of a surrogate pair")
	case 0xD800 <= c && c <= 0xDBFF:
		low := r.hex4()
		if low < 0xDC00 || low > 0xDFFF {
			r.fail("half of a surrogate pair")
			return out
		}
		c = (c-0xD800)<<10 + (low - 0xDC00) + 0x10000
	}
	return utf8.AppendRune(out, c)
}

func (r *reader) hex4() rune {
	if len(r.s)-r.i < 6 || r.s[r.i] != '\\' || r.s[r.i+1] != 'u' {
		r.fail(`expected \u and four digits`)
		return 0
	}
	n, err := strconv.ParseUint(r.s[r.i+2:r.i+6], 16, 16)
	if err != nil {
		r.fail(`expected \u and four digits`)
		return 0
	}
	r.i += 6
	return rune(n)
}

var strict = base64.RawURLEncoding.Strict()

// base64 reads a string of base64url without padding.
func (r *reader) base64() []byte {
	s := r.str()
	out, err := strict.DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		r.fail("not base64url without padding")
		return nil
	}
	return out
}

// bin reads bytes of a fixed length; "" stands for zeros.
func (r *reader) bin(p []byte) {
	got := r.base64()
	if len(got) != 0 && len(got) != len(p) {
		r.fail(fmt.Sprintf("expected %d bytes in base64url", len(p)))
		return
	}
	copy(p, got)
}
