package hub

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// Group judges submissions in order, after what other programs wrote, in one
// durable commit. Deliver its result to every session. keepOn says before each
// further submission whether the group may go on (the shell looks at its
// clock; nil: always); what is left comes back in Retry. On an error nothing
// was committed, and the submissions are still the caller's.
func (h *Hub) Group(ctx context.Context, now int64, subs []Submission, keepOn func() bool) (*Commit, error) {
	c := newCommit()
	err := h.run(ctx, now, c, func(g *group) error { return g.takeAll(subs, keepOn) })
	if errors.Is(err, tidemark.ErrTransactionGone) && len(subs) > 0 {
		err = h.apart(ctx, now, c, subs)
	}
	if err != nil {
		return nil, err
	}
	h.seal(c)
	return c, nil
}

// Scrub checks a slice of the stored rows against their hashes and sequences
// what capture missed. It returns the next cursor, "" at the end.
func (h *Hub) Scrub(ctx context.Context, now int64, cursor string, limit int) (next string, c *Commit, err error) {
	c = newCommit()
	err = h.run(ctx, now, c, func(g *group) error {
		missed, n, err := h.store.Scrub(ctx, g.tx, cursor, limit)
		if err != nil {
			return err
		}
		next = n
		g.commit.Missed = len(missed)
		if len(missed) == 0 {
			return nil
		}
		return g.appendForeign(missed)
	})
	if err != nil {
		return cursor, nil, err
	}
	h.seal(c)
	return next, c, nil
}

func (h *Hub) seal(c *Commit) {
	limit := min(liveChunks*h.opts.Chunk, h.opts.Limits.Message/2)
	if c.Scoped {
		c.scoped.seal(&h.listeners, h.state, limit)
	}
	c.seal(h.state, limit)
}

const (
	provedPerGroup = 256   // bounds what a storm of hellos adds to one group
	maxFailures    = 10000 // bounds the memory of failing changesets
)

// group is one transaction.
type group struct {
	hub    *Hub
	tx     tidemark.Tx
	now    int64
	state  tidemark.SpaceState // at the beginning, then at the end
	schema *tidemark.Schema    // at the end
	head   tidemark.Seq        // moves along
	commit *Commit

	replicas map[string]*tidemark.ReplicaState // to be saved at the end
	order    []string
	failures map[tidemark.Name]error // submissions that failed for a reason that may be theirs
	proved   []string                // replicas whose ticket before is dropped
	texts    groupTexts
	renum    groupNumbers
	looked   map[rowID]tidemark.RowState // rows that the changeset under way had looked up before its writes
	leases   groupLeases
	grants   groupGrants
}

// run makes one transaction: first what other programs wrote, then work. What
// it did counts only once the commit is durable.
func (h *Hub) run(ctx context.Context, now int64, c *Commit, work func(*group) error) error {
	var g *group
	err := h.store.Group(ctx, func(tx tidemark.Tx) error {
		g = &group{
			hub: h, tx: tx, now: now, commit: newCommit(),
			replicas: map[string]*tidemark.ReplicaState{},
			failures: map[tidemark.Name]error{},
		}
		return g.run(work)
	})
	if err != nil {
		return err
	}
	h.state, h.schema = g.state, g.schema
	h.remember(g)
	h.rememberGrants(g)
	c.absorb(g.commit)
	return nil
}

func (g *group) run(work func(*group) error) error {
	var err error
	if g.state, err = g.tx.State(); err != nil {
		return err
	}
	g.head, g.commit.From = g.state.Head, g.state.Head
	if err := g.foreign(); err != nil {
		return err
	}
	if err := work(g); err != nil {
		return err
	}
	if err := g.regrant(); err != nil {
		return err
	}
	if err := g.readParts(); err != nil {
		return err
	}
	if err := g.renewLeases(); err != nil {
		return err
	}
	if err := g.saveReplicas(); err != nil {
		return err
	}
	if g.state, err = g.tx.State(); err != nil {
		return err
	}
	g.schema, g.commit.To = g.tx.Schema(), g.state.Head
	return nil
}

func (g *group) takeAll(subs []Submission, keepOn func() bool) error {
	for i, sub := range subs {
		if i > 0 && keepOn != nil && !keepOn() {
			g.commit.Retry = append(g.commit.Retry, subs[i:]...)
			return nil
		}
		if err := g.take(sub, nil); err != nil {
			return err
		}
	}
	return nil
}

// apart judges each submission in a transaction of its own, after one of them
// had ended the transaction that they shared.
func (h *Hub) apart(ctx context.Context, now int64, c *Commit, subs []Submission) error {
	for i, sub := range subs {
		err := h.alone(ctx, now, c, sub)
		if err == nil {
			continue
		}
		if c.net == nil {
			return err // nothing is durable yet
		}
		c.Retry = append(c.Retry, subs[i:]...)
		for _, s := range subs[i:] {
			c.failed[s.Changeset.Replica] = err
		}
		return nil
	}
	return nil
}

// alone judges one submission. If it ends the transaction even so, it is the
// culprit: rejected for what it broke, or put off.
func (h *Hub) alone(ctx context.Context, now int64, c *Commit, sub Submission) error {
	if c.failed[sub.Changeset.Replica] != nil {
		c.Retry = append(c.Retry, sub)
		return nil
	}
	take := func(doom error) error {
		return h.run(ctx, now, c, func(g *group) error { return g.take(sub, doom) })
	}
	err := take(nil)
	if errors.Is(err, tidemark.ErrTransactionGone) {
		return take(err)
	}
	return err
}

// replica returns the state of a replica that this group saves at its end.
func (g *group) replica(id string) (*tidemark.ReplicaState, error) {
	if r := g.replicas[id]; r != nil {
		return r, nil
	}
	r, err := g.tx.Replica(id)
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = &tidemark.ReplicaState{ID: id}
	}
	r.Contact = g.now
	g.replicas[id], g.order = r, append(g.order, id)
	return r, nil
}

// unsee takes back the last call of replica: a group in which a changeset only
// began to wait has nothing to make durable.
func (g *group) unsee(id string) {
	delete(g.replicas, id)
	g.order = slices.DeleteFunc(g.order, func(s string) bool { return s == id })
}

// saveReplicas also drops the earlier tickets of replicas that have proved
// the newer one, whether they handed something in or not.
func (g *group) saveReplicas() error {
	for _, id := range slices.Sorted(maps.Keys(g.hub.confirmed)) {
		if len(g.proved) == provedPerGroup {
			break
		}
		r, err := g.replica(id)
		if err != nil {
			return err
		}
		r.Previous, g.proved = "", append(g.proved, id)
	}
	for _, id := range g.order {
		if err := g.tx.SaveReplica(*g.replicas[id]); err != nil {
			return err
		}
	}
	return nil
}

// remember keeps what a durable group means for the next ones.
func (h *Hub) remember(g *group) {
	h.renum.durable(&g.renum, g.state.Head)
	h.leases.durable(&g.leases)
	for _, id := range g.proved {
		delete(h.confirmed, id)
	}
	for _, o := range g.commit.judged {
		delete(h.failures, o.Name)
	}
	if len(h.failures) > maxFailures {
		clear(h.failures)
	}
	for name := range g.failures {
		h.failures[name]++
	}
	h.rememberTexts(g)
}
