package splice

import (
	"math"
	"strings"
)

// kind is what a part of a patch does.
type kind byte

const (
	retain kind = iota // keep text
	insert
	remove
)

// part is a piece of a patch: the retained text between two splices, what a
// splice inserts, or what it deletes.
type part struct {
	kind kind
	n    int    // code points
	text string // inserted; deleted, where it is known
}

// cursor walks over a patch part by part. Behind the last splice everything is retained.
type cursor struct {
	part
	p  Patch
	at int
	// what of p[0] comes next: the text before it, what it inserts, what it deletes
	phase kind
}

func walk(p Patch) *cursor {
	c := &cursor{p: p}
	c.next()
	return c
}

// over reports whether nothing but retained text is left.
func (c *cursor) over() bool { return len(c.p) == 0 && c.kind == retain }

func (c *cursor) next() {
	for len(c.p) > 0 {
		s := &c.p[0]
		switch c.phase {
		case retain:
			c.part, c.phase, c.at = part{retain, s.At - c.at, ""}, insert, s.At
		case insert:
			c.part, c.phase = part{insert, count(s.Insert), s.Insert}, remove
		case remove:
			c.part, c.phase, c.at, c.p = part{remove, s.Delete, s.Deleted}, retain, s.At+s.Delete, c.p[1:]
		}
		if c.n > 0 {
			return
		}
	}
	c.part = part{retain, math.MaxInt, ""}
}

// take consumes n code points of the present part.
func (c *cursor) take(n int) part {
	if n == c.n {
		out := c.part
		c.next()
		return out
	}
	out := part{c.kind, n, ""}
	if c.text != "" {
		out.text, c.text = cut(c.text, n)
	}
	if c.n != math.MaxInt {
		c.n -= n
	}
	return out
}

func (c *cursor) all() part { return c.take(c.n) }

// builder makes a patch of parts. What is inserted and then deleted at one
// place becomes one splice; what is inserted behind deleted text begins another.
type builder struct {
	p        Patch
	at       int // in the text before the patch
	open     bool
	cur      Splice
	in, out  []string // what cur inserts and deletes
	nameless bool     // not all that cur deletes is known
}

func (b *builder) retain(n int) {
	if n > 0 {
		b.close()
		b.at += n
	}
}

func (b *builder) splice() *Splice {
	if !b.open {
		b.open, b.cur = true, Splice{At: b.at}
	}
	return &b.cur
}

func (b *builder) insert(text string) {
	if text == "" {
		return
	}
	if b.cur.Delete > 0 {
		b.close()
	}
	b.splice()
	b.in = append(b.in, text)
}

func (b *builder) remove(p part) {
	if p.n == 0 {
		return
	}
	b.splice().Delete += p.n
	b.at += p.n
	b.out = append(b.out, p.text)
	b.nameless = b.nameless || p.text == ""
}

func (b *builder) close() {
	if !b.open {
		return
	}
	b.cur.Insert = strings.Join(b.in, "")
	if !b.nameless {
		b.cur.Deleted = strings.Join(b.out, "")
	}
	b.p = append(b.p, b.cur)
	b.cur, b.open, b.nameless, b.in, b.out = Splice{}, false, false, b.in[:0], b.out[:0]
}

func (b *builder) patch() Patch {
	b.close()
	return b.p
}
