package hub

import (
	"maps"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// liveChunks is how many catch-up chunks' worth of bytes a live batch may hold.
// A larger one is not sent as one: sessions catch up by chunks.
const liveChunks = 4

// Submission is a changeset that a session received and that waits for its outcome.
type Submission struct {
	Session   *Session
	Principal tidemark.Principal // of the session when the changeset came
	Changeset tidemark.Changeset
	Offset    int64 // milliseconds to add to the replica's clock to have the server's
}

// Commit is what one group did.
type Commit struct {
	From, To tidemark.Seq
	Batch    *wire.Batch        // nil when no seq was given, or too much changed for one message
	Schema   *wire.Schema       // the schema moved in this group
	Rejected []tidemark.Outcome // foreign changes that were undone
	Retry    []Submission       // got no outcome for a passing reason: hand in again, in this order
	Foreign  int                // changes by other programs that were sequenced
	Missed   int                // changes that capture had missed and a scrub found
	More     bool               // a sweep has not come to the end: sweep again soon
	Scoped   bool               // the space declares scopes: there is no Batch that is everybody's
	Granted  int                // how often grants were evaluated

	answers map[*Session]*answer
	judged  []tidemark.Outcome
	failed  map[string]error // by replica: why submissions of it are in Retry
	net     *net

	scoped    scopedCommit
	regranted map[*Session]bool // whose grants were evaluated and are others
}

// answer is what one session hears of its own submissions.
type answer struct {
	outcomes []tidemark.Outcome
	refusals []*wire.Refusal
	deaf     bool // a fork: what else it sent is dropped
}

func newCommit() *Commit {
	return &Commit{answers: map[*Session]*answer{}, failed: map[string]error{}, regranted: map[*Session]bool{}}
}

// Outcomes lists what was judged in this commit, in order, without replays.
func (c *Commit) Outcomes() []tidemark.Outcome { return c.judged }

// Failed returns why a submission in Retry could not be judged, or nil when
// the group just ended before it. One that failed needs a pause.
func (c *Commit) Failed(s Submission) error { return c.failed[s.Changeset.Replica] }

func (c *Commit) answer(s *Session) *answer {
	a := c.answers[s]
	if a == nil {
		a = &answer{}
		c.answers[s] = a
	}
	return a
}

// absorb takes over what one durable transaction did.
func (c *Commit) absorb(d *Commit) {
	if c.net == nil {
		c.From, c.net, c.scoped = d.From, d.net, d.scoped
	} else {
		c.scoped.absorb(&d.scoped)
		c.net.schema = d.net.schema
		for _, id := range d.net.order {
			c.net.add([]tidemark.Change{*d.net.rows[id]})
		}
	}
	c.To = d.To
	if d.Schema != nil {
		c.Schema = d.Schema
	}
	c.Rejected = append(c.Rejected, d.Rejected...)
	c.Retry = append(c.Retry, d.Retry...)
	c.Foreign += d.Foreign
	c.Missed += d.Missed
	c.More = d.More
	c.Scoped = d.Scoped
	c.Granted += d.Granted
	maps.Copy(c.regranted, d.regranted)
	c.judged = append(c.judged, d.judged...)
	for s, a := range d.answers {
		mine := c.answer(s)
		mine.outcomes = append(mine.outcomes, a.outcomes...)
		mine.refusals = append(mine.refusals, a.refusals...)
		mine.deaf = mine.deaf || a.deaf
		s.deaf = s.deaf || a.deaf
	}
	for id, err := range d.failed {
		c.failed[id] = err
	}
}

// seal makes the one batch that every session at From gets, encoded once.
func (c *Commit) seal(st tidemark.SpaceState, limit int) {
	n := c.net
	c.net = nil
	if c.Scoped || n == nil || c.To == c.From || n.size() > limit {
		return
	}
	changes := n.changes()
	c.Batch = &wire.Batch{
		From: c.From, To: c.To, Term: st.Term, Schema: st.SchemaHash, Sum: st.Sum,
		Changes: changes, Raw: wire.AppendChanges(nil, changes, false),
	}
}

// Deliver returns what a commit means for this session: its outcomes, then the
// batch if the session is exactly at the commit's From. A session that is
// behind gets only outcomes and catches up with Next. In a space with scopes
// it gets the parts of its scopes, from wherever it is; a commit needs to be
// delivered only to those whom it Concerns.
func (s *Session) Deliver(c *Commit) []wire.Down {
	if c.Scoped || s.reach != nil {
		return s.deliver(c, true)
	}
	if c.Batch == nil || s.over || s.replica == "" || s.at != c.From {
		return s.Answers(c)
	}
	var down []wire.Down
	if s.schema != c.Batch.Schema {
		if c.Schema == nil {
			// The schema moved in a commit that this session did not see: Next brings both.
			return s.Answers(c)
		}
		down, s.schema = append(down, c.Schema), c.Schema.Hash
	}
	outcomes, refusals := s.split(c)
	s.at, s.place = c.To, nil
	down = append(append(down, outcomes...), s.leases()...)
	return append(append(down, c.Batch), refusals...)
}

// Answers is Deliver without the batch, for a session that has no room for it:
// it stays where it is and is behind from then on.
func (s *Session) Answers(c *Commit) []wire.Down {
	if c.Scoped || s.reach != nil {
		return s.deliver(c, false)
	}
	outcomes, refusals := s.split(c)
	return append(outcomes, refusals...)
}

func (s *Session) split(c *Commit) (outcomes, refusals []wire.Down) {
	a := c.answers[s]
	if a == nil || s.over {
		return nil, nil
	}
	if len(a.outcomes) > 0 {
		outcomes = []wire.Down{&wire.Outcomes{List: a.outcomes}}
	}
	for _, r := range a.refusals {
		refusals = append(refusals, r)
	}
	return outcomes, refusals
}
