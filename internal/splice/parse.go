package splice

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parser reads the one form in which edits are written: JSON without space,
// members in order.
type parser struct {
	s   string
	i   int
	err error
}

func (p *parser) fail(msg string) {
	if p.err == nil {
		p.err = fmt.Errorf("text edit: %s at byte %d", msg, p.i)
	}
	p.i = len(p.s)
}

func (p *parser) finish() error {
	if p.err == nil && p.i < len(p.s) {
		p.fail("something follows its end")
	}
	return p.err
}

// take passes over a word if it comes next.
func (p *parser) take(word string) bool {
	if !strings.HasPrefix(p.s[p.i:], word) {
		return false
	}
	p.i += len(word)
	return true
}

func (p *parser) word(word string) {
	if p.err == nil && !p.take(word) {
		p.fail("expected " + word)
	}
}

// maxWhole is the largest number that every JSON reader keeps exactly.
const maxWhole = 1<<53 - 1

// patch reads splices and checks that they are a patch.
func (p *parser) patch(deleted bool) Patch {
	out := Patch{}
	p.word("[")
	for p.err == nil && !p.take("]") {
		if len(out) > 0 {
			p.word(",")
		}
		out = append(out, p.splice(deleted))
	}
	if p.err == nil {
		if err := out.check(); err != nil {
			p.fail(err.Error())
		}
	}
	return out
}

func (p *parser) splice(deleted bool) Splice {
	var s Splice
	p.word("[")
	s.At = p.place()
	p.word(",")
	s.Delete = p.place()
	p.word(",")
	s.Insert = p.str()
	if deleted && p.take(",") {
		s.Deleted = p.str()
		if s.Deleted == "" {
			p.fail("an empty text is deleted")
		}
	}
	p.word("]")
	return s
}

func (p *parser) place() int {
	n := p.int()
	if n > maxPlace {
		p.fail("no such position")
		return 0
	}
	return int(n)
}

func (p *parser) int() int64 {
	start := p.i
	for p.i < len(p.s) && '0' <= p.s[p.i] && p.s[p.i] <= '9' {
		p.i++
	}
	text := p.s[start:p.i]
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > maxWhole || len(text) > 1 && text[0] == '0' {
		p.fail("expected a whole number")
		return 0
	}
	return n
}

func (p *parser) str() string {
	if !p.take(`"`) {
		p.fail("expected a string")
		return ""
	}
	start := p.i
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return p.text(p.s[start : p.i-1])
		case c == '\\':
			return p.escaped(p.s[start:p.i])
		case c < 0x20:
			p.fail("a control character in a string")
			return ""
		}
		p.i++
	}
	p.fail("a string has no end")
	return ""
}

func (p *parser) text(s string) string {
	if !utf8.ValidString(s) {
		p.fail("a string is not UTF-8")
		return ""
	}
	return s
}

// escaped reads the rest of a string that has escapes.
func (p *parser) escaped(head string) string {
	out := []byte(head)
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return p.text(string(out))
		case c == '\\':
			out = p.escape(out)
		case c < 0x20:
			p.fail("a control character in a string")
		default:
			out = append(out, c)
			p.i++
		}
	}
	p.fail("a string has no end")
	return ""
}

func (p *parser) escape(out []byte) []byte {
	if p.i+1 >= len(p.s) {
		p.fail("a string has no end")
		return out
	}
	c := p.s[p.i+1]
	if c == 'u' {
		return p.unicode(out)
	}
	at := strings.IndexByte(`"\/bfnrt`, c)
	if at < 0 {
		p.fail("no such escape")
		return out
	}
	p.i += 2
	return append(out, "\"\\/\b\f\n\r\t"[at])
}

// unicode reads \uXXXX, two of them for a character beyond U+FFFF. Half of a
// pair names no character and is refused.
func (p *parser) unicode(out []byte) []byte {
	c := p.hex4()
	switch {
	case 0xDC00 <= c && c <= 0xDFFF:
		p.fail("half of a surrogate pair")
		return out
	case 0xD800 <= c && c <= 0xDBFF:
		low := p.hex4()
		if low < 0xDC00 || low > 0xDFFF {
			p.fail("half of a surrogate pair")
			return out
		}
		c = (c-0xD800)<<10 + (low - 0xDC00) + 0x10000
	}
	return utf8.AppendRune(out, c)
}

func (p *parser) hex4() rune {
	if len(p.s)-p.i < 6 || p.s[p.i] != '\\' || p.s[p.i+1] != 'u' {
		p.fail(`expected \u and four digits`)
		return 0
	}
	n, err := strconv.ParseUint(p.s[p.i+2:p.i+6], 16, 16)
	if err != nil {
		p.fail(`expected \u and four digits`)
		return 0
	}
	p.i += 6
	return rune(n)
}
