package wire

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidemarkdb/tidemark"
)

// maxDepth bounds the nesting of what is skipped or passed on unread.
const maxDepth = 64

// maxInt is the largest whole number that every JSON reader keeps exactly.
const maxInt = 1 << 53

// reader reads JSON tokens. The first error sticks and makes every later read
// return zero values at once.
type reader struct {
	b   []byte // the input
	s   string // a copy of it, which values share
	i   int
	err error
}

func newReader(b []byte) *reader { return &reader{b: b, s: string(b)} }

// fail records an error at the place that was reached.
func (r *reader) fail(msg string) {
	if r.err == nil {
		r.err = &tidemark.Error{Code: tidemark.CodeProtocol, Op: "decode", Msg: fmt.Sprintf("%s at byte %d", msg, r.i)}
	}
	r.i = len(r.s)
}

// finish checks that nothing but space is left.
func (r *reader) finish() error {
	if r.err == nil && r.peek() != 0 {
		r.fail("something follows the end of the message")
	}
	return r.err
}

// peek skips space and returns the next byte, 0 at the end.
func (r *reader) peek() byte {
	for r.i < len(r.s) {
		switch c := r.s[r.i]; c {
		case ' ', '\t', '\n', '\r':
			r.i++
		case 0:
			r.fail("a zero byte")
			return 0
		default:
			return c
		}
	}
	return 0
}

// eat takes the byte c.
func (r *reader) eat(c byte) bool {
	if r.peek() != c {
		r.fail("expected " + strconv.QuoteRune(rune(c)))
		return false
	}
	r.i++
	return true
}

func (r *reader) literal(word string) bool {
	if !strings.HasPrefix(r.s[r.i:], word) {
		r.fail("expected " + word)
		return false
	}
	r.i += len(word)
	return true
}

// number takes a number by JSON's grammar and says whether it is written as a
// whole one.
func (r *reader) number() (text string, whole bool) {
	r.peek()
	start := r.i
	if r.at('-') {
		r.i++
	}
	if r.at('0') {
		r.i++
	} else if !r.digits() {
		return "", false
	}
	whole = true
	if r.at('.') {
		r.i++
		whole = false
		if !r.digits() {
			return "", false
		}
	}
	if r.at('e') || r.at('E') {
		r.i++
		whole = false
		if r.at('+') || r.at('-') {
			r.i++
		}
		if !r.digits() {
			return "", false
		}
	}
	return r.s[start:r.i], whole
}

func (r *reader) at(c byte) bool { return r.i < len(r.s) && r.s[r.i] == c }

func (r *reader) digits() bool {
	start := r.i
	for r.i < len(r.s) && '0' <= r.s[r.i] && r.s[r.i] <= '9' {
		r.i++
	}
	if r.i == start {
		r.fail("expected a number")
	}
	return r.i > start
}

// int reads a whole number that every JSON reader keeps exactly.
func (r *reader) int() int64 {
	text, whole := r.number()
	if r.err != nil {
		return 0
	}
	n, ok := parseWhole(text)
	if !whole || !ok || text == "-0" {
		r.fail("expected a whole number of at most 2^53")
		return 0
	}
	return n
}

// parseWhole reads a number of at most 16 digits.
func parseWhole(text string) (int64, bool) {
	digits := strings.TrimPrefix(text, "-")
	if len(digits) > 16 {
		return 0, false
	}
	var n int64
	for i := range len(digits) {
		n = n*10 + int64(digits[i]-'0')
	}
	if n > maxInt {
		return 0, false
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, true
}

// place reads a position: of a table, a column.
func (r *reader) place() int {
	n := r.int()
	if n < 0 || n > 1<<31-1 {
		r.fail("no such position")
		return 0
	}
	return int(n)
}

func (r *reader) bool() bool {
	if r.peek() == 't' {
		return r.literal("true")
	}
	r.literal("false")
	return false
}

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

// raw passes over one value, checking its grammar, and returns its bytes; nil for null.
func (r *reader) raw() []byte {
	c := r.peek()
	start := r.i
	r.skip(0)
	if r.err != nil || c == 'n' {
		return nil
	}
	return r.b[start:r.i:r.i]
}

// skip passes over one value.
func (r *reader) skip(depth int) {
	if depth > maxDepth {
		r.fail("nested too deeply")
		return
	}
	switch r.peek() {
	case '[':
		for a := r.array(); a.next(); {
			r.skip(depth + 1)
		}
	case '{':
		r.skipObject(depth)
	case '"':
		r.str()
	case 't', 'f':
		r.bool()
	case 'n':
		r.literal("null")
	default:
		r.number()
	}
}

func (r *reader) skipObject(depth int) {
	r.eat('{')
	if r.peek() == '}' {
		r.i++
		return
	}
	for r.err == nil {
		r.str()
		r.eat(':')
		r.skip(depth + 1)
		if r.peek() == '}' {
			r.i++
			return
		}
		r.eat(',')
	}
}

// short cuts what is quoted in an error.
func short(s string) string {
	if len(s) > 20 {
		return s[:20]
	}
	return s
}

// space skips space and returns the place of what follows.
func (r *reader) space() int {
	r.peek()
	return r.i
}
