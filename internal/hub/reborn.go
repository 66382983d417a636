package hub

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// rebirths finds rows that died in one scope and came in another: they were
// deleted and made anew within one group.
func (c *scopedCommit) rebirths(s *tidemark.Schema) {
	died := map[rowID]bool{}
	each := func(op tidemark.Op, fn func(rowID)) {
		for i := range c.parts {
			for k := range c.parts[i].Changes {
				if ch := &c.parts[i].Changes[k]; ch.Op == op {
					fn(rowID{ch.Table, s.Table(ch.Table).KeyID(ch.Key)})
				}
			}
		}
	}
	each(tidemark.Delete, func(row rowID) { died[row] = true })
	if len(died) == 0 {
		return
	}
	each(tidemark.Insert, func(row rowID) {
		if died[row] {
			if c.reborn == nil {
				c.reborn = map[rowID]bool{}
			}
			c.reborn[row] = true
		}
	})
}

// revive turns the deletes of rows that come in another part of a batch into
// forgets: parts say in no order between them what came first.
func (c *scopedCommit) revive(b *wire.Batch) {
	here := map[rowID]bool{}
	for i := range b.Parts {
		for k := range b.Parts[i].Changes {
			if ch := &b.Parts[i].Changes[k]; ch.Op == tidemark.Insert {
				here[rowID{ch.Table, c.tables.Table(ch.Table).KeyID(ch.Key)}] = true
			}
		}
	}
	for i := range b.Parts {
		p := &b.Parts[i]
		changes := slices.Clone(p.Changes)
		for k := range changes {
			row := rowID{changes[k].Table, c.tables.Table(changes[k].Table).KeyID(changes[k].Key)}
			if changes[k].Op == tidemark.Delete && c.reborn[row] && here[row] {
				changes[k].Op, p.Changes, p.Raw = tidemark.Forget, changes, nil
			}
		}
		if p.Raw == nil {
			p.Raw = wire.AppendChanges(nil, p.Changes, false)
		}
	}
}
