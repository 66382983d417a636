package sim

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// ledger is what an all-knowing bookkeeper would write down: every changeset
// that a device committed, every outcome that the server recorded or told, and
// every state of the space.
type ledger struct {
	w      *world
	locals []*local
	bySalt map[tidemark.Salt]*local
	byHash map[tidemark.Hash]*local
	now    *history
	terms  map[string]*history // which history a term belongs to
	order  map[string]place    // the last judged changeset by replica

	rewound       bool // the server's file was replaced by an older one
	forked        bool // a device was copied: who an author was is hard to tell
	recordedSoFar int  // outcomes so far
	renumbered    []renumbered
	refused       map[string]map[rowName]tidemark.Seq // by replica
	broken        map[string]bool                     // text cells that a rejected changeset edited
}

// place is where a replica's last judged changeset stood.
type place struct {
	n   int64
	seq tidemark.Seq
}

// local is one changeset that a device committed.
type local struct {
	id       int
	device   *device // who made it
	own      bool    // made through the library: its boundary is exact
	recorded bool    // own: it has a mark
	poison   bool    // breaks a constraint that the device did not enforce
	before   oracle.State
	after    oracle.State
	changes  []oracle.Change
	sealed   []oracle.Change // the same as they are written down: with edits in place of values
	salt     tidemark.Salt
	hash     tidemark.Hash
	names    []tidemark.Name   // the names under which it was submitted
	was      map[string]string // by the replica that submitted it, the name of that replica before
	earlier  []int64           // numbers that it had before under other names
	outcome  *tidemark.Outcome // as the server recorded it durably
	told     bool
	unsure   bool
	met      bool   // something of it did not survive, or it overwrote a concurrent edit
	undone   bool   // the server's file went back behind its outcome
	merged   *local // sealed as a part of this one
	wiped    bool   // its device was wiped while it was pending
	seen     tidemark.Seq

	place int // among all outcomes
}

func seqOf(n int) tidemark.Seq { return tidemark.Seq(n) }

// history is one line of states of the space; a restored server begins another.
type history struct {
	states []oracle.State
	log    []tidemark.Hash         // log[k] is the changeset accepted at k; zero for the file's own
	first  map[string]tidemark.Seq // where a row first was, by table and key
	by     []string                // by[k] is the replica that made the changeset at k
	in     map[rowName][]string    // the scopes that a row is in, or was in when it went
	told   *secrets

	writers writers
}

func newHistory(told *secrets, s oracle.State) *history {
	h := &history{
		first: map[string]tidemark.Seq{}, in: map[rowName][]string{}, told: told,
		writers: writers{map[rowName][]stamp{}, map[rowName]stamp{}, map[rowName]burial{}},
	}
	h.append(s, tidemark.Hash{}, "")
	return h
}

// ever reports whether a row was there at any time.
func (h *history) ever(table, key string) bool {
	_, was := h.first[table+" "+key]
	return was
}

// judge asks the oracle about a changeset at the head, under the name of a
// replica; fresh are the rows that it was told other keys of.
func (l *ledger) judge(c *local, as string, fresh []tidemark.Renumbered) oracle.Verdict {
	p := l.pastOf(c, as)
	return l.w.model.JudgeAs(c.device.owner, l.now.at(l.now.head()), l.follow(c, p.own, fresh), p, l.now.ever)
}

func (h *history) head() tidemark.Seq { return tidemark.Seq(len(h.states) - 1) }

func (h *history) at(k tidemark.Seq) oracle.State {
	if k < 0 || int(k) >= len(h.states) {
		return nil
	}
	return h.states[k]
}

// append adds the state that a changeset of a replica makes.
func (h *history) append(s oracle.State, hash tidemark.Hash, by string) {
	var before oracle.State
	if len(h.states) > 0 {
		before = h.states[len(h.states)-1]
	}
	h.states = append(h.states, s)
	h.log = append(h.log, hash)
	h.by = append(h.by, by)
	h.writers.note(before, s, stamp{h.head(), by})
	h.place(s)
	for table, rows := range s {
		for key := range rows {
			if !h.ever(table, key) {
				h.first[table+" "+key] = h.head()
			}
		}
	}
}

// place notes in which scopes the rows are.
func (h *history) place(s oracle.State) {
	if !h.told.model.Scoped() {
		return
	}
	for table, rows := range s {
		for key, row := range rows {
			h.in[rowName{table, key}] = h.told.model.In(s, table, row)
		}
	}
	h.told.see(h, s)
}

// cut returns the history up to k.
func (h *history) cut(k tidemark.Seq) *history {
	out := newHistory(h.told, h.states[0])
	for i := tidemark.Seq(1); i <= k; i++ {
		out.append(h.states[i], h.log[i], h.by[i])
	}
	return out
}

func newLedger(w *world) *ledger {
	return &ledger{
		w: w, bySalt: map[tidemark.Salt]*local{}, byHash: map[tidemark.Hash]*local{},
		terms: map[string]*history{}, order: map[string]place{}, refused: map[string]map[rowName]tidemark.Seq{}, broken: map[string]bool{},
	}
}

// begin starts the first history.
func (l *ledger) begin(s oracle.State) {
	l.now = newHistory(l.w.secrets, s)
}

// commit writes a local commit down, before anybody sealed it.
func (l *ledger) commit(c *local) {
	c.id, c.was = len(l.locals)+1, map[string]string{}
	l.locals = append(l.locals, c)
	l.w.stats.Commits++
	if c.salt != (tidemark.Salt{}) {
		l.bySalt[c.salt] = c
	}
}

// sealed learns the name of a changeset from the push that carries it.
func (l *ledger) sealed(c *local, p *wire.Push) {
	c.salt, c.seen = p.Salt, p.Seen
	c.hash = wire.HashOf(p.Salt, p.Body)
	l.bySalt[c.salt] = c
	l.byHash[c.hash] = c
}

// submitted learns under which name a changeset reached the server.
func (l *ledger) submitted(cs *tidemark.Changeset) {
	c := l.bySalt[cs.Salt]
	if c == nil || c.hash != cs.Hash {
		l.w.fail("I1", "the server got a changeset %s/%d that no device committed", cs.Replica, cs.N)
	}
	for _, n := range c.names {
		if n.Replica == cs.Replica && n.N == cs.N {
			return
		}
	}
	c.names = append(c.names, cs.Name)
	if cs.Was != nil {
		c.was[cs.Replica] = cs.Was.Replica
		c.earlier = append(c.earlier, cs.Was.N)
	}
	if c.outcome == nil {
		return
	}
	for _, r := range c.outcome.Renumbered {
		l.renumbered = append(l.renumbered, renumbered{r, cs.Replica})
	}
	if c.outcome.Kind == tidemark.Rejected {
		l.refuse(c, cs.Replica) // what it would have made is refused by this name, too
	}
}

// toldBy checks that a message to a device says only what is durable.
func (l *ledger) toldBy(m wire.Down) {
	switch m := m.(type) {
	case *wire.Outcomes:
		for i := range m.List {
			l.toldOutcome(&m.List[i])
		}
	case *wire.Batch:
		if m.To > l.now.head() {
			l.w.fail("I2", "a batch to seq %d was sent at head %d", m.To, l.now.head())
		}
	case *wire.Welcome:
		if m.Head > l.now.head() {
			l.w.fail("I2", "the server told head %d at head %d", m.Head, l.now.head())
		}
	}
}

func (l *ledger) toldOutcome(o *tidemark.Outcome) {
	c := l.byHash[o.Hash]
	if c == nil {
		l.w.fail("I3", "the server told an outcome of %s/%d, a changeset that no device committed", o.Replica, o.N)
	}
	if c.outcome == nil {
		l.w.fail("I2", "changeset %d was told %s@%d before it was durable", c.id, o.Kind, o.Seq)
	}
	if c.outcome.Kind != o.Kind || c.outcome.Seq != o.Seq || c.outcome.Code != o.Code {
		l.w.fail("I3", "changeset %d was told %s@%d %s, recorded is %s@%d %s",
			c.id, o.Kind, o.Seq, o.Code, c.outcome.Kind, c.outcome.Seq, c.outcome.Code)
	}
	c.told = true
}
