package merge

import (
	"errors"
	"unicode/utf8"

	"github.com/tidemarkdb/tidemark/internal/literal"
)

// Bounds of the JSON that merges. What is beyond them is a value like any
// other: it is set as a whole.
const (
	maxIntent = 1 << 20  // bytes of a value of which an intent is made
	maxMerge  = 16 << 20 // bytes of a value, or of an edit, that meets another
	maxDepth  = 32       // arrays and objects within each other; a message takes a few more around them
)

var (
	errJSON  = errors.New("it is not JSON")
	errTwice = errors.New("an object has one key twice")
	errDeep  = errors.New("it is nested too deeply")
	errLarge = errors.New("it is too large")
)

// node is one JSON value with its spelling, so that what does not change is
// written as it was read.
type node struct {
	kind   byte           // first byte of the value; '0' for all numbers
	raw    string         // as spelled
	str    string         // what a string says
	edited bool           // raw is out of date
	items  []item         // of an array or object
	open   string         // from the bracket to the first item
	close  string         // behind the last item, with the bracket
	index  map[string]int // of a large object: where the keys stand in items
}

// item is an element of an array or a member of an object.
type item struct {
	gap  string // what stands between the item before and this one; "" for the first
	name string // spelling of the key, with the colon and the space around it; "" in arrays
	key  string
	val  *node // nil: removed
}

// parse reads one JSON value by RFC 8259, and more narrowly: strings are whole
// characters, no object has a key twice. Such a value means the same to every
// reader.
func parse(s string, limit int) (*node, error) {
	if len(s) > limit {
		return nil, errLarge
	}
	if !utf8.ValidString(s) {
		return nil, errJSON
	}
	p := parser{s: s}
	p.space()
	n := p.value(0)
	p.space()
	if p.err == nil && p.i < len(s) {
		p.err = errJSON
	}
	return n, p.err
}

type parser struct {
	s    string
	i    int
	err  error
	room []node // made in advance
}

// node makes one.
func (p *parser) node() *node {
	if len(p.room) == 0 {
		p.room = make([]node, min(16, 1+(len(p.s)-p.i)/4))
	}
	n := &p.room[0]
	p.room = p.room[1:]
	return n
}

func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
	p.i = len(p.s)
}

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *parser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

func (p *parser) value(depth int) *node {
	start := p.i
	n := p.node()
	n.kind = p.peek()
	switch n.kind {
	case '{', '[':
		p.container(n, depth+1)
	case '"':
		n.str = p.string()
	case 't':
		p.literal("true")
	case 'f':
		p.literal("false")
	case 'n':
		p.literal("null")
	default:
		n.kind = '0'
		p.number()
	}
	if p.err == nil {
		n.raw = p.s[start:p.i]
	}
	return n
}

// container reads an array or object.
func (p *parser) container(n *node, depth int) {
	if depth > maxDepth {
		p.fail(errDeep)
		return
	}
	start := p.i
	p.i++
	p.space()
	n.open = p.s[start:p.i]
	if p.peek() == n.kind+2 { // '{' and '}', '[' and ']' are two apart
		n.open, n.close = n.open[:1], p.s[p.i:p.i+1]
		p.i++
		return
	}
	for gap, more := "", true; more; {
		it := item{gap: gap}
		if n.kind == '{' {
			it.key, it.name = p.name()
		}
		it.val = p.value(depth)
		n.items = append(n.items, it)
		gap, more = p.behind(n)
	}
	if n.kind == '{' && p.err == nil && !n.named() {
		p.fail(errTwice)
	}
}

// behind reads what follows an item: a comma, with the space around it, or the end.
func (p *parser) behind(n *node) (gap string, more bool) {
	start := p.i
	p.space()
	switch p.peek() {
	case n.kind + 2:
		p.i++
		n.close = p.s[start:p.i]
		return "", false
	case ',':
		p.i++
		p.space()
		return p.s[start:p.i], p.err == nil
	}
	p.fail(errJSON)
	return "", false
}

// name reads the key of a member up to its value.
func (p *parser) name() (key, spelling string) {
	start := p.i
	key = p.string()
	p.space()
	if p.peek() != ':' {
		p.fail(errJSON)
		return "", ""
	}
	p.i++
	p.space()
	return key, p.s[start:p.i]
}

// small is up to how many keys are looked for one by one.
const small = 8

// named reports whether the keys of an object differ, and indexes many of them.
func (n *node) named() bool {
	if len(n.items) > small {
		n.makeIndex()
		return len(n.index) == len(n.items)
	}
	for i := range n.items {
		if n.find(n.items[i].key) != i {
			return false
		}
	}
	return true
}

// makeIndex indexes the keys that are there.
func (n *node) makeIndex() {
	n.index = make(map[string]int, len(n.items))
	for i := range n.items {
		if n.items[i].val != nil {
			n.index[n.items[i].key] = i
		}
	}
}

// find returns where a key stands in an object, or -1.
func (n *node) find(key string) int {
	if n.index != nil {
		if i, ok := n.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range n.items {
		if n.items[i].key == key && n.items[i].val != nil {
			return i
		}
	}
	return -1
}

func (p *parser) literal(word string) {
	if len(p.s)-p.i < len(word) || p.s[p.i:p.i+len(word)] != word {
		p.fail(errJSON)
		return
	}
	p.i += len(word)
}

func (p *parser) number() {
	if p.peek() == '-' {
		p.i++
	}
	if p.peek() == '0' {
		p.i++
	} else {
		p.digits()
	}
	if p.peek() == '.' {
		p.i++
		p.digits()
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.i++
		if c := p.peek(); c == '+' || c == '-' {
			p.i++
		}
		p.digits()
	}
}

func (p *parser) digits() {
	start := p.i
	for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
		p.i++
	}
	if p.i == start {
		p.fail(errJSON)
	}
}

// string reads a string and returns what it says.
func (p *parser) string() string {
	if p.peek() != '"' {
		p.fail(errJSON)
		return ""
	}
	text, end, err := literal.Read(p.s, p.i+1)
	p.i = end
	if err != nil {
		p.fail(errJSON)
	}
	return text
}
