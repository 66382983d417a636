package sim

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// catchUp reads what the server recorded since the last look, folds it into
// the oracle and compares: the log entry by entry, every new outcome, and in
// the end every row.
func (l *ledger) catchUp(s *server) {
	entries, outcomes := l.recorded(s)
	foreign := s.foreignChanges()
	sound := !s.foreignLoose && len(l.w.model.Violations(l.now.at(l.now.head()), l.written(foreign))) == 0
	l.judgeRejected(outcomes, l.now.head())
	for _, e := range entries {
		l.accept(s, e, outcomes)
		l.judgeRejected(outcomes, e.Seq)
	}
	if len(foreign) > 0 && sound && !s.foreignDone {
		l.w.fail("I1", "what was written into the server's file was not sequenced:\n%v", foreign)
	}
	s.forgetForeign()
	l.noteOutcomes(outcomes)
	l.compareServer(s)
}

// verdict is a newly recorded outcome of a changeset that we know.
type verdict struct {
	of *local
	o  tidemark.Outcome
}

func (l *ledger) recorded(s *server) (entries []tidemark.LogEntry, outcomes []verdict) {
	err := s.store.View(context.Background(), func(v tidemark.View) error {
		err := v.Log(l.now.head(), 1<<30, func(e tidemark.LogEntry) error {
			entries = append(entries, e)
			return nil
		})
		if err != nil {
			return err
		}
		outcomes, err = l.newOutcomes(v)
		return err
	})
	l.w.must(err, "reading the server's log")
	return entries, outcomes
}

// newOutcomes looks up every changeset that was submitted and has no outcome yet.
func (l *ledger) newOutcomes(v tidemark.View) ([]verdict, error) {
	var out []verdict
	for _, c := range l.locals {
		if c.outcome != nil {
			continue
		}
		for i := len(c.names) - 1; i >= 0; i-- {
			n := c.names[i]
			o, err := v.Outcome(n.Replica, n.N)
			if err != nil {
				return nil, err
			}
			if o != nil && o.Hash == c.hash {
				out = append(out, verdict{c, *o})
				break
			}
		}
	}
	return out, nil
}

// accept folds one log entry.
func (l *ledger) accept(s *server, e tidemark.LogEntry, outcomes []verdict) {
	w := l.w
	if e.Seq != l.now.head()+1 {
		w.fail("I4", "the log jumps from %d to %d", l.now.head(), e.Seq)
	}
	if e.Name.Replica == tidemark.FileReplica {
		l.acceptForeign(s, e)
		return
	}
	c := l.byHash[e.Name.Hash]
	if c == nil {
		w.fail("I3", "seq %d holds a changeset %s/%d that no device committed", e.Seq, e.Name.Replica, e.Name.N)
	}
	if slices.Contains(l.now.log, c.hash) {
		w.fail("I3", "changeset %d (%s/%d) was applied twice, again at seq %d", c.id, e.Name.Replica, e.Name.N, e.Seq)
	}
	if c.seen >= e.Seq && !l.rewound {
		w.fail("I10", "changeset %d had seen %d and was accepted at %d", c.id, c.seen, e.Seq)
	}
	l.whim(c, "")
	fresh := freshKeys(c, outcomes)
	v := l.judge(c, e.Name.Replica, fresh)
	l.renumber(c, e.Name.Replica, l.pastOf(c, e.Name.Replica), fresh)
	if c.device.owner != "" && slices.Contains(v.Refused, tidemark.CodeForbidden) {
		w.fail("I23", "seq %d: changeset %d of %s was accepted against the rules\n%v", e.Seq, c.id, c.device.owner, c.changes)
	}
	if len(v.Refused) > 0 {
		w.fail("I14", "seq %d: changeset %d was accepted, the oracle refuses it: %v\n%v", e.Seq, c.id, v.Refused, c.changes)
	}
	c.met, c.unsure = v.Lost+v.Over > 0, v.Unsure
	state := l.choose(s, e, v)
	if !l.forked && !l.rewound {
		l.checkRecords(s, e, v.Losers)
	}
	l.speak(s, e)
	l.now.append(state, c.hash, e.Name.Replica)
	if text := w.work.invariant(state); text != "" && !(w.model.Scoped() && w.faults.frames) {
		w.fail("I5", "seq %d: %s", e.Seq, text)
	}
}

// freshKeys are the keys that a changeset's outcome gives to its rows.
func freshKeys(c *local, outcomes []verdict) []tidemark.Renumbered {
	for _, v := range outcomes {
		if v.of == c {
			return v.o.Renumbered
		}
	}
	return nil
}

// acceptForeign folds what other programs wrote into the server's file.
func (l *ledger) acceptForeign(s *server, e tidemark.LogEntry) {
	if s.moving {
		l.moved(s)
		return
	}
	changes := s.foreignChanges()
	if len(changes) == 0 {
		l.w.fail("I14", "seq %d holds a change of the server's file that nobody made: %v", e.Seq, e.Effects)
	}
	next := l.written(changes)
	if s.foreignLoose {
		// What the server makes of writes without foreign keys is its business, as
		// long as the result holds: it does what the actions would have done.
		next = l.w.put(l.now.at(l.now.head()), l.effected(s.hub.Schema(), e.Effects))
	}
	if broken := l.w.model.Violations(l.now.at(l.now.head()), next); len(broken) > 0 {
		l.w.fail("I15", "seq %d: what was written into the server's file breaks %v and was sequenced: %v", e.Seq, broken, changes)
	}
	s.foreignDone = true
	l.now.append(next, tidemark.Hash{}, tidemark.FileReplica)
}

// written says what changes make of the state that somebody wrote into the
// served file, where SQLite has done already what foreign keys do.
func (l *ledger) written(changes []oracle.Change) oracle.State {
	next, _ := l.w.model.Apply(l.now.at(l.now.head()), changes)
	return next
}

// judgeRejected checks the changesets that were rejected at seq k.
func (l *ledger) judgeRejected(outcomes []verdict, k tidemark.Seq) {
	for _, v := range outcomes {
		if v.o.Kind != tidemark.Rejected || v.o.Seq != k {
			continue
		}
		if l.whim(v.of, v.o.Code) {
			l.refuse(v.of, v.o.Replica)
			continue
		}
		if l.loose() && (v.o.Code == tidemark.CodeStale || v.o.Code == tidemark.CodeDependsOn) {
			l.refuse(v.of, v.o.Replica)
			continue // a copy may build on a text that only the original can tell, or on a damaged one
		}
		if v.o.Code == tidemark.CodeDependsOn && l.brokenText(v.of) {
			l.refuse(v.of, v.o.Replica)
			continue
		}
		want := l.judge(v.of, v.o.Replica, l.wouldBe(v.of))
		if want.Untold && v.o.Code == tidemark.CodeForbidden {
			l.refuse(v.of, v.o.Replica)
			continue
		}
		if len(want.Refused) == 0 {
			l.w.fail("I14", "changeset %d was rejected (%s: %s) at seq %d, the oracle accepts it\n%v",
				v.of.id, v.o.Code, v.o.Message, k, v.of.changes)
		}
		l.refuse(v.of, v.o.Replica)
		parent := v.o.Code == tidemark.CodeDependsOn && slices.Contains(want.Refused, tidemark.CodeForeignKey)
		if !slices.Contains(want.Refused, v.o.Code) && !parent {
			l.w.fail("I14", "changeset %d was rejected as %s, the oracle says %v", v.of.id, v.o.Code, want.Refused)
		}
	}
}

// brokenText reports whether a changeset edits a text that a rejected one
// edited: what it meant may not be known then.
func (l *ledger) brokenText(c *local) (broken bool) {
	l.eachText(c, func(cell string) { broken = broken || l.broken[cell] })
	return broken
}

// eachText names the text cells that a changeset writes.
func (l *ledger) eachText(c *local, fn func(cell string)) {
	for _, ch := range c.changes {
		t := l.w.model.Table(ch.Table)
		for _, col := range ch.Cols {
			if t.Policy[col] == "text" {
				fn(fmt.Sprint(t.Name, col, t.KeyOf(ch.Key)))
			}
		}
	}
}

// noteOutcomes keeps the new outcomes; from here on they may never change.
func (l *ledger) noteOutcomes(outcomes []verdict) {
	sort.SliceStable(outcomes, func(i, j int) bool { return outcomes[i].o.N < outcomes[j].o.N })
	for _, v := range outcomes {
		o := v.o
		v.of.outcome = &o
		v.of.place = l.recordedSoFar
		l.recordedSoFar++
		accepted := o.Kind != tidemark.Rejected
		if accepted != slices.Contains(l.now.log, v.of.hash) {
			l.w.fail("I3", "changeset %d has outcome %s@%d; in the log: %v", v.of.id, o.Kind, o.Seq, !accepted)
		}
		if accepted && l.now.log[o.Seq] != v.of.hash {
			l.w.fail("I3", "changeset %d has outcome %s@%d, the log has another one there", v.of.id, o.Kind, o.Seq)
		}
		if accepted && (o.Kind == tidemark.Merged) != v.of.met && !v.of.unsure && !l.forked && !l.rewound {
			l.w.fail("I6", "changeset %d met others: %v, and is told %s: lost %v, over %v\n%v", v.of.id, v.of.met, o.Kind, o.Lost, o.Over, v.of.changes)
		}
		l.count(o.Kind)
		l.w.trace("outcome %d %s@%d %s", v.of.id, o.Kind, o.Seq, o.Code)
	}
	l.inOrder(outcomes)
}

// inOrder checks that a replica's changesets are judged by number.
func (l *ledger) inOrder(outcomes []verdict) {
	for _, v := range outcomes {
		last := l.order[v.o.Replica]
		if v.o.N <= last.n || v.o.Seq < last.seq {
			l.w.fail("I4", "replica %s: changeset %d was judged at seq %d, after %d at %d", v.o.Replica, v.o.N, v.o.Seq, last.n, last.seq)
		}
		l.order[v.o.Replica] = place{v.o.N, v.o.Seq}
	}
}

func (l *ledger) count(kind tidemark.OutcomeKind) {
	switch kind {
	case tidemark.Accepted:
		l.w.stats.Accepted++
	case tidemark.Merged:
		l.w.stats.Merged++
	default:
		l.w.stats.Rejected++
	}
}

// compareServer compares every row of the server's file with the oracle.
func (l *ledger) compareServer(s *server) {
	got, err := dump(s.shell, l.w.model)
	if s.host.Dead() {
		return
	}
	l.w.must(err, "dumping the server's file")
	if text := oracle.Diff(l.now.at(l.now.head()), got.Declare(l.now.at(l.now.head()).Declared()), 8); text != "" {
		l.w.fail("I14", "the server at seq %d differs from the oracle:\n%s", l.now.head(), text)
	}
}

// stillTrue checks, after a restart, that everything the server ever told stands.
func (l *ledger) stillTrue(s *server) {
	err := s.store.View(context.Background(), func(v tidemark.View) error {
		st, err := v.State()
		if err != nil {
			return err
		}
		if st.Head < l.now.head() {
			l.w.fail("I2", "the server came back at seq %d, it had committed %d", st.Head, l.now.head())
		}
		for _, c := range l.locals {
			if c.outcome != nil && c.told {
				l.sameFate(v, c)
			}
		}
		return nil
	})
	l.w.must(err, "reading the restarted server")
}

func (l *ledger) sameFate(v tidemark.View, c *local) {
	o, err := v.Outcome(c.outcome.Replica, c.outcome.N)
	l.w.must(err, "reading an outcome")
	if o == nil || o.Kind != c.outcome.Kind || o.Seq != c.outcome.Seq || o.Hash != c.hash {
		l.w.fail("I2", "changeset %d was told %s@%d, now the server says %+v", c.id, c.outcome.Kind, c.outcome.Seq, o)
	}
}
