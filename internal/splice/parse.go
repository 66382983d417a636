package splice

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark/internal/literal"
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
	text, end, err := literal.Read(p.s, p.i)
	p.i = end
	if err != nil {
		p.fail(err.Error())
	}
	return text
}
