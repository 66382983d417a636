package replica

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// live brings the next commit, as the parts of the scopes that are held. One
// in which nothing happened to them is left out, as long as none waits for it.
func (w *scopedWorld) live() {
	at := w.seq()
	if int(at) == len(w.states)-1 || w.chunk != nil {
		return
	}
	b := &wire.Batch{From: at, Term: "term", Schema: w.o.schema.Hash}
	for b.To = at + 1; ; b.To++ {
		b.Parts = w.parts(b.To-1, b.To, false, nil)
		if len(b.Parts) > 0 || int(b.To) == len(w.states)-1 || len(w.outcomes) > 0 && w.outcomes[0].Seq <= b.To {
			break
		}
	}
	w.apply(b)
}

// catchUp brings all that happened, and the scopes that are not whole yet, some
// of it in a chunk before.
func (w *scopedWorld) catchUp() {
	at, head := w.seq(), tidemark.Seq(len(w.states)-1)
	round := map[string]bool{}
	for s := range w.granted {
		if !w.held[s] {
			round[s] = true
		}
	}
	b := &wire.Batch{From: at, To: head, Term: "term", Schema: w.o.schema.Hash, Parts: w.parts(at, head, true, round)}
	if w.n(3) == 0 && len(b.Parts) > 0 {
		c := *b
		c.More, c.Cursor = true, fmt.Sprint("c", len(w.log))
		c.Parts = slices.Clone(b.Parts[:1+w.n(len(b.Parts))])
		last := &c.Parts[len(c.Parts)-1]
		last.Changes = last.Changes[:w.n(len(last.Changes)+1)]
		w.say("chunk at %d-%d: %v", at, head, c.Parts)
		w.d.apply(&c)
		if w.chunk == nil { // the round began there
			w.chunk = &c
		}
		return
	}
	w.apply(b)
}

func (w *scopedWorld) apply(b *wire.Batch) {
	before := w.confirmed(b.From)
	for _, p := range b.Parts {
		w.held[p.Scope] = true
	}
	ready := w.due(b.To)
	w.say("apply %d-%d of %d parts, %d outcomes", b.From, b.To, len(b.Parts), len(ready))
	a := w.d.apply(b, ready...)
	if a.Repair != "" {
		for _, p := range b.Parts {
			w.say("%s %v", p.Scope, p.Changes)
		}
		w.say("should be %v", w.confirmed(b.To))
		w.say("is %v", w.d.rows())
		w.fail("to repair: %s", a.Repair)
	}
	w.chunk = nil
	w.follow(before, b.To, b.From)
	w.settled(ready, b.From, b.To)
	w.say("suspended %v resumed %v left %v", sortedNs(a.Suspended), a.Resumed, a.Left)
}

// parts says what happened from one state to another to what is held and to
// the scopes of a round. As a catch-up it tells whole rows.
func (w *scopedWorld) parts(from, to tidemark.Seq, whole bool, round map[string]bool) (parts []wire.Part) {
	names := maps.Clone(w.held)
	maps.Copy(names, round)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		p := wire.Part{Scope: name, Changes: []tidemark.Change{}}
		seen := images{}
		for s := from; s <= to; s++ {
			for id := range w.states[s] {
				seen[id] = nil
			}
		}
		sum := images{}
		for _, id := range inOrder(seen) {
			image := w.states[to][id]
			if scopesIn(w.o.schema, w.states[to], id)[name] {
				sum[id] = image
			}
			if c := w.told(id, name, from, to, whole, round[name]); c != nil {
				p.Changes = append(p.Changes, *c)
			}
		}
		p.Sum = sumOf(w.o.key, w.o.schema, sum)
		if len(p.Changes) > 0 || round[name] {
			parts = append(parts, p)
		}
	}
	return parts
}

func (w *scopedWorld) told(id rowID, name string, from, to tidemark.Seq, whole, all bool) *tidemark.Change {
	t := w.o.schema.Table(id.t)
	was, changed := false, false
	if all { // since its round began
		if from = to; w.chunk != nil {
			from = w.chunk.To
		}
	}
	for s := from; s < to; s++ {
		in := scopesIn(w.o.schema, w.states[s], id)[name]
		was = was || in
		changed = changed || in != scopesIn(w.o.schema, w.states[s+1], id)[name] || !slices.Equal(w.states[s][id], w.states[s+1][id])
	}
	image := w.states[to][id]
	is := scopesIn(w.o.schema, w.states[to], id)[name]
	switch {
	case is && (!was || whole && changed || all):
		return &tidemark.Change{Table: t.ID, Op: tidemark.Insert, Key: t.KeyOf(image), New: image}
	case is && changed:
		c := stepTo(t, w.states[from][id], image)
		return &c
	case is || !was:
		return nil
	}
	key, err := tidemark.ParseKeyID(id.key)
	must(w.t, err)
	if image == nil {
		return &tidemark.Change{Table: t.ID, Op: tidemark.Delete, Key: key}
	}
	return &tidemark.Change{Table: t.ID, Op: tidemark.Forget, Key: key}
}
