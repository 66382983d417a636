package hub

import (
	"maps"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// scopedCommit is what a commit means in a space with scopes. Each scope's part
// is encoded once, and there is one batch for all sessions that are at the same
// seq and hear the same parts.
type scopedCommit struct {
	parts   []part // of scopes that somebody listens to, by scope
	heard   map[*Session]partSet
	sets    partSets
	batches map[batchOf]*wire.Batch
	limit   int            // bytes of one batch
	reborn  map[rowID]bool // rows that died in one scope and are there again in another
	term    string
	schema  string
	tables  *tidemark.Schema
}

// part is what happened to one scope.
type part struct {
	wire.Part
	size  int
	whole bool // it can be sent: false for what is too much for one message
}

// batchOf names a batch.
type batchOf struct {
	from tidemark.Seq
	set  partSet
}

// partSet is a set of parts, 0 the empty one. partSets gives equal sets the same name.
type partSet int32

type partSets struct {
	nodes []setNode // nodes[i] is partSet i+1
	next  map[setNode]partSet
}

// setNode is a set of what parent has, and one part behind those.
type setNode struct {
	parent partSet
	part   int32
}

func (p *partSets) with(set partSet, part int) partSet {
	n := setNode{set, int32(part)}
	if known := p.next[n]; known != 0 {
		return known
	}
	if p.next == nil {
		p.next = map[setNode]partSet{}
	}
	p.nodes = append(p.nodes, n)
	p.next[n] = partSet(len(p.nodes))
	return p.next[n]
}

// list returns the parts of a set, in order.
func (p *partSets) list(set partSet) []int {
	var out []int
	for set != 0 {
		n := p.nodes[set-1]
		out, set = append(out, int(n.part)), n.parent
	}
	slices.Reverse(out)
	return out
}

// readParts reads what the group did to the scopes that somebody listens to.
func (g *group) readParts() error {
	c := g.commit
	if c.Scoped = g.scoped(); !c.Scoped || g.head == c.From || len(g.hub.listeners.scopes) == 0 {
		return nil
	}
	list, err := g.tx.Parts(c.From)
	if err != nil {
		return err
	}
	for i := range list {
		if len(g.hub.listeners.scopes[list[i].Scope]) > 0 {
			c.scoped.parts = append(c.scoped.parts, g.part(&list[i]))
		}
	}
	c.scoped.tables = g.tx.Schema()
	c.scoped.rebirths(c.scoped.tables)
	return nil
}

// part completes what the store says with how rows changed that stayed.
func (g *group) part(p *tidemark.ScopePart) part {
	out := part{whole: true}
	out.Scope, out.Sum = p.Scope, p.Sum
	out.Changes = make([]tidemark.Change, 0, len(p.Changes))
	for _, c := range p.Changes {
		if c.Op == tidemark.Update {
			t := g.tx.Schema().Table(c.Table)
			n := g.commit.net.rows[rowID{c.Table, t.KeyID(c.Key)}]
			if n == nil {
				continue // an effect that came to nothing in the end
			}
			c = *n
		}
		if c.Op == tidemark.Forget && planted.Is(planted.ForgetAsDelete) {
			c.Op = tidemark.Delete
		}
		out.Changes = append(out.Changes, c)
		out.size += sizeOf(&c)
	}
	slices.SortStableFunc(out.Changes, func(a, b tidemark.Change) int { return rank(a.Op) - rank(b.Op) })
	return out
}

// rank orders changes as net.changes does: what goes, what changes, what comes.
func rank(op tidemark.Op) int {
	switch op {
	case tidemark.Delete, tidemark.Forget:
		return 0
	case tidemark.Update:
		return 1
	}
	return 2
}

// absorb takes over the parts of a further transaction. Two of one scope are
// not folded: a group falls apart hardly ever, and who listens catches up.
func (c *scopedCommit) absorb(d *scopedCommit) {
	torn := map[string]bool{}
	for _, list := range [][]part{c.parts, d.parts} {
		for i := range list {
			torn[list[i].Scope] = true
		}
	}
	c.parts, c.reborn = nil, nil
	for _, scope := range slices.Sorted(maps.Keys(torn)) {
		c.parts = append(c.parts, part{Part: wire.Part{Scope: scope}})
	}
}

// seal finds who hears of what.
func (c *scopedCommit) seal(l *listeners, st tidemark.SpaceState, limit int) {
	c.term, c.schema, c.limit = st.Term, st.SchemaHash, limit
	c.heard, c.batches = map[*Session]partSet{}, map[batchOf]*wire.Batch{}
	for i := range c.parts {
		p := &c.parts[i]
		p.whole = p.whole && p.size <= limit
		for s := range l.scopes[p.Scope] {
			c.heard[s] = c.sets.with(c.heard[s], i)
		}
	}
}

// hears returns the parts that a session gets. For one whose scopes have
// changed since it is looked up anew.
func (c *scopedCommit) hears(s *Session, anew bool) partSet {
	if !anew || planted.Is(planted.LostPart) {
		return c.heard[s]
	}
	set := partSet(0)
	for i := range c.parts {
		if has(s.reach.ready, c.parts[i].Scope) {
			set = c.sets.with(set, i)
		}
	}
	return set
}

// batch returns the batch of some parts for sessions at from, nil when it is
// too much for one message.
func (c *scopedCommit) batch(from, to tidemark.Seq, set partSet) *wire.Batch {
	of := batchOf{from, set}
	b, known := c.batches[of]
	if !known {
		b = c.compose(from, to, set)
		c.batches[of] = b
	}
	return b
}

func (c *scopedCommit) compose(from, to tidemark.Seq, set partSet) *wire.Batch {
	b := &wire.Batch{From: from, To: to, Term: c.term, Schema: c.schema}
	size := 0
	for _, i := range c.sets.list(set) {
		p := &c.parts[i]
		if size += p.size; !p.whole || size > c.limit {
			return nil
		}
		if p.Raw == nil {
			p.Raw = wire.AppendChanges(nil, p.Changes, false)
		}
		b.Parts = append(b.Parts, p.Part)
	}
	if len(c.reborn) > 0 {
		c.revive(b)
	}
	return b
}
