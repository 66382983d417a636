package capture

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// A move says where a row went; netting follows the moves forward to learn
// which row at the end is which row of the beginning.
type move struct {
	kind moveKind
	id   rowID
	to   rowID // moved only
}

type moveKind uint8

const (
	appears moveKind = iota
	disappears
	moved
)

// origins tells for the rows that were moved or made which key they had when
// the segment began; nobody means that they are new. A row that is not listed
// has always been where it is.
func (p *pass) origins() map[rowID]rowID {
	nobody := rowID{}
	at := map[rowID]rowID{}
	for _, m := range slices.Backward(p.moves) {
		switch {
		case m.kind != moved:
			at[m.id] = nobody
		case m.id != m.to:
			from, known := at[m.id]
			if !known {
				from = m.id
			}
			at[m.to] = from
			at[m.id] = nobody
		}
	}
	return at
}

// net compares the two ends of the segment.
func (p *pass) net() []RowChange {
	p.sortTouched()
	from, left := p.links()
	var out []RowChange
	add := func(t *tidemark.Table, before, after image, at int64) {
		if (before != nil || after != nil) && !same(before, after) {
			out = append(out, RowChange{Table: t, Before: before, After: after, EditedAt: at})
		}
	}
	for _, id := range p.touched {
		r := p.rows[id]
		before, at := r.now, r.edited()
		if left[id] {
			before = nil // told as the beginning of the row that left
		}
		if o, ok := from[id]; ok {
			add(r.table, before, nil, at) // what was here made room
			before, at = p.rows[o].now, max(at, p.rows[o].edited())
		}
		add(r.table, before, r.after, at)
	}
	return out
}

// links finds the rows that ended under another key than they began with:
// from gives each its old place, left lists the places that they left. Where
// the same row stands at both ends, nothing moved that anyone could see.
func (p *pass) links() (from map[rowID]rowID, left map[rowID]bool) {
	if !slices.ContainsFunc(p.moves, func(m move) bool { return m.kind == moved }) {
		return nil, nil
	}
	from, left = map[rowID]rowID{}, map[rowID]bool{}
	origin := p.origins()
	for _, id := range p.touched {
		o, ok := origin[id]
		if !ok || o == id || left[o] {
			continue
		}
		r, start := p.rows[id], p.rows[o]
		if start == nil || start.now == nil || r.after == nil || same(r.now, r.after) {
			continue
		}
		from[id] = o
		left[o] = true
	}
	return from, left
}

func same(a, b image) bool { return a != nil && b != nil && slices.Equal(a, b) }
