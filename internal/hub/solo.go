package hub

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// maxSolo bounds what a hub remembers of rows that one replica edits.
const maxSolo = 10_000

// solo remembers which cells of a row nobody but one replica wrote, from a seq
// that it had seen up to a durable one, so that a long chain of its own edits
// is not looked at again with each of them.
type solo struct {
	rows map[replicaRow]span
}

type replicaRow struct {
	replica string
	row     rowID
}

// span is a part of a row's past in which others wrote only some columns.
type span struct {
	seen, seq tidemark.Seq
	others    []int
}

// since returns the seq behind which the past of some units is still to be read.
func (a *solo) since(cs *tidemark.Changeset, t *tidemark.Table, key []tidemark.Value, units [][]int) tidemark.Seq {
	if len(a.rows) == 0 {
		return cs.Seen
	}
	s, ok := a.rows[replicaRow{cs.Replica, rowID{t.ID, t.KeyID(key)}}]
	if !ok || cs.Seen < s.seen || cs.Seen >= s.seq {
		return cs.Seen
	}
	for _, unit := range units {
		if slices.ContainsFunc(unit, func(col int) bool { return slices.Contains(s.others, col) }) {
			return cs.Seen
		}
	}
	return s.seq
}

// note is for a past that was read to its end, as far as seq, which no
// savepoint can undo.
func (a *solo) note(cs *tidemark.Changeset, p *past, key []tidemark.Value, seq tidemark.Seq) {
	if seq <= cs.Seen {
		return
	}
	id := replicaRow{cs.Replica, rowID{p.t.ID, p.t.KeyID(key)}}
	s, ok := a.rows[id]
	if !ok || cs.Seen < s.seen || cs.Seen >= s.seq {
		s = span{seen: cs.Seen}
	}
	s.seq = seq
	for i := range p.effects {
		if c := &p.effects[i].Change; !p.own[i] {
			if c.Op != tidemark.Update {
				return
			}
			s.others = append(s.others[:len(s.others):len(s.others)], c.Cols...)
		}
	}
	slices.Sort(s.others)
	s.others = slices.Compact(s.others)
	if a.rows == nil || len(a.rows) >= maxSolo {
		a.rows = map[replicaRow]span{}
	}
	a.rows[id] = s
}
