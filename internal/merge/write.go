package merge

import (
	"strings"

	"github.com/tidemarkdb/tidemark/internal/literal"
)

// get returns the member of an object, or nil.
func (n *node) get(key string) *node {
	if i := n.find(key); i >= 0 {
		return n.items[i].val
	}
	return nil
}

// set puts a member in the place of the one of that key, or at the end.
func (n *node) set(key string, val *node) {
	n.edited = true
	if i := n.find(key); i >= 0 && n.items[i].val != nil {
		n.items[i].val = val
		return
	}
	n.items = append(n.items, item{name: quote(key) + n.colon(), key: key, val: val})
	if n.index != nil {
		n.index[key] = len(n.items) - 1
	} else if len(n.items) > small {
		n.makeIndex()
	}
}

// remove takes a member away.
func (n *node) remove(key string) {
	if i := n.find(key); i >= 0 && n.items[i].val != nil {
		n.items[i].val = nil
		n.edited = true
	}
}

// push puts an element at the end of an array.
func (n *node) push(val *node) {
	n.items = append(n.items, item{val: val})
	n.edited = true
}

func newObject() *node {
	return &node{kind: '{', open: "{", close: "}", edited: true}
}

// text writes the value: what was not edited as it was read, what is new in
// the style of what stands around it.
func (n *node) text() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *node) write(b *strings.Builder) {
	if !n.edited {
		b.WriteString(n.raw)
		return
	}
	first := true
	comma := n.comma()
	for i := range n.items {
		it := &n.items[i]
		switch {
		case it.val == nil:
			continue
		case first:
			b.WriteString(n.open)
		case it.gap != "":
			b.WriteString(it.gap)
		default:
			b.WriteString(comma)
		}
		first = false
		b.WriteString(it.name)
		it.val.write(b)
	}
	if first { // nothing is left
		b.WriteByte(n.kind)
		b.WriteByte(n.kind + 2)
		return
	}
	b.WriteString(n.close)
}

// comma is what separates items: as between the last two that were read;
// where there were not two, a comma and the space that the only one has in
// front of it.
func (n *node) comma() string {
	for i := len(n.items) - 1; i > 0; i-- {
		if n.items[i].gap != "" {
			return n.items[i].gap
		}
	}
	if space := n.open[1:]; space != "" {
		return "," + space
	}
	if n.kind == '{' && strings.HasSuffix(n.colon(), " ") {
		return ", "
	}
	return ","
}

// colon is what separates a key from its value: as in the last member that was read.
func (n *node) colon() string {
	if len(n.items) == 0 {
		return ":"
	}
	name := n.items[len(n.items)-1].name
	return name[strings.LastIndexByte(name, '"')+1:]
}

// quote writes a string as JSON.
func quote(s string) string { return string(literal.Append(make([]byte, 0, len(s)+2), s)) }

// compact writes a value without the space between its tokens.
func (n *node) compact(b *strings.Builder) {
	if n.kind != '[' && n.kind != '{' {
		b.WriteString(n.raw)
		return
	}
	b.WriteByte(n.kind)
	for i := range n.items {
		if i > 0 {
			b.WriteByte(',')
		}
		if n.kind == '{' {
			b.WriteString(strings.TrimRight(n.items[i].name, " \t\r\n:") + ":")
		}
		n.items[i].val.compact(b)
	}
	b.WriteByte(n.kind + 2)
}
