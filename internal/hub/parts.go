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

// Concerns lists the sessions to which a commit has to be delivered, or says
// that it is all of them.
func (c *Commit) Concerns() (list []*Session, all bool) {
	if !c.Scoped || c.Schema != nil {
		return nil, true
	}
	for s := range c.scoped.heard {
		list = append(list, s)
	}
	for s := range c.answers {
		if _, known := c.scoped.heard[s]; !known {
			list = append(list, s)
		}
	}
	for s := range c.regranted {
		_, heard := c.scoped.heard[s]
		if _, answered := c.answers[s]; !heard && !answered {
			list = append(list, s)
		}
	}
	return list, false
}

// deliver is Deliver in a space with scopes: first which scopes the session has
// from here on, then what it is due of the commit.
func (s *Session) deliver(c *Commit, room bool) []wire.Down {
	if s.over || s.replica == "" {
		return nil
	}
	if s.reach == nil || !c.Scoped {
		outcomes, refusals := s.split(c)
		return append(append(outcomes, refusals...), s.refuse(declaredAnew())...)
	}
	r := s.reach
	var down []wire.Down
	anew := r.stale
	if m := s.rescope(); m != nil {
		if down = append(down, m); s.over {
			return down
		}
	}
	set := c.scoped.hears(s, anew)
	outcomes, refusals := s.split(c)
	due := s.at < c.To && (set != 0 || len(outcomes) > 0 || s.schema != c.scoped.schema)
	live := due && s.live()
	var b *wire.Batch
	if live && room {
		b = c.scoped.batch(s.at, c.To, set)
	}
	if due && b == nil || s.schema != c.scoped.schema && c.Schema == nil {
		r.lagging, b = true, nil
	}
	if b == nil {
		return append(append(down, outcomes...), refusals...)
	}
	if s.schema != c.scoped.schema {
		down, s.schema = append(down, c.Schema), c.Schema.Hash
	}
	s.at = c.To
	down = append(append(down, outcomes...), s.leases()...)
	return append(append(down, b), refusals...)
}

// live reports whether the session's ready scopes are at Session.at what they
// were when the last commit began.
func (s *Session) live() bool {
	r := s.reach
	return !r.lagging && !r.unsure && r.place == nil
}

// declaredAnew ends a session when scopes are declared for the first time, or
// are no more: the replica's tables are made for the other case.
func declaredAnew() *wire.Refusal {
	return fatal(tidemark.CodeSchema, "the space declares scopes now, or does not any more", "clone it anew; what is pending in this copy stays there")
}
