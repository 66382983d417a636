package wire

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

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

// space skips space and returns the place of what follows.
func (r *reader) space() int {
	r.peek()
	return r.i
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

// short cuts what is quoted in an error.
func short(s string) string {
	if len(s) > 20 {
		return s[:20]
	}
	return s
}
