package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// patience is how often a changeset may fail for a reason that is not in its
// data while the store works, before it is rejected and its replica's next
// ones can go ahead.
const patience = 5

// take gives one submission its answer: the recorded outcome, a new one, a
// refusal, or a place in Retry. doom is the error with which it ended a
// transaction of its own. An error that take returns ends the group.
func (g *group) take(sub Submission, doom error) error {
	cs, s := &sub.Changeset, sub.Session
	if s.deaf || s.replica != cs.Replica || g.commit.answer(s).deaf {
		return nil // it said hello anew, or must: what it sent before is void
	}
	if g.commit.failed[cs.Replica] != nil {
		g.commit.Retry = append(g.commit.Retry, sub)
		return nil
	}
	known := g.replicas[cs.Replica] != nil
	r, err := g.replica(cs.Replica)
	if err != nil {
		return err
	}
	o, refusal, err := g.fate(cs, r)
	if err != nil {
		return err
	}
	if refusal != nil {
		g.refuse(s, refusal)
		return nil
	}
	if o == nil {
		if o, err = g.decide(&sub, r, doom); err != nil {
			if !known && errors.Is(err, ErrWait) {
				g.unsee(cs.Replica)
			}
			return g.putOff(sub, err, doom != nil)
		}
		g.commit.judged = append(g.commit.judged, *o)
	}
	r.LastN = max(r.LastN, cs.N) // never further than by one, see fate
	a := g.commit.answer(s)
	a.outcomes = append(a.outcomes, *o)
	return nil
}

// refuse answers without an outcome. Of a row of gaps only the first is told:
// the replica sent them before it could know.
func (g *group) refuse(s *Session, r *wire.Refusal) {
	a := g.commit.answer(s)
	if r.Code == tidemark.CodeGap && len(a.refusals) > 0 {
		return
	}
	a.refusals = append(a.refusals, r)
	a.deaf = a.deaf || r.Code == tidemark.CodeFork
}

// fate looks for an outcome that was given before, and for a number that
// cannot be next.
func (g *group) fate(cs *tidemark.Changeset, r *tidemark.ReplicaState) (*tidemark.Outcome, *wire.Refusal, error) {
	o, err := g.tx.Outcome(cs.Replica, cs.N)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case cs.N > r.LastN && cs.N-r.LastN > 1 && !planted.Is(planted.IgnoreGap):
		// Also when it has an outcome by the name that a copy gave it.
		return nil, &wire.Refusal{
			Code:    tidemark.CodeGap,
			Message: fmt.Sprintf("changeset %d came, %d is next", cs.N, r.LastN+1),
		}, nil
	case o != nil && (o.Hash == cs.Hash || planted.Is(planted.IgnoreTicket)):
		return o, nil, nil
	case o != nil || cs.N <= r.LastN || cs.N <= r.Settled:
		return nil, &wire.Refusal{
			Code:    tidemark.CodeFork,
			Message: fmt.Sprintf("another changeset had number %d: the file is a copy, or an older state, of a replica that went on", cs.N),
			Hint:    "the copy takes a name of its own and keeps what is pending",
		}, nil
	}
	o, err = g.inherited(cs, r)
	return o, nil, err
}

// inherited finds the outcome of a changeset that its replica sent under an
// earlier name, and records it under the new one.
func (g *group) inherited(cs *tidemark.Changeset, r *tidemark.ReplicaState) (*tidemark.Outcome, error) {
	was, err := g.forebear(cs, r)
	if was == nil || err != nil || planted.Is(planted.DedupOff) {
		return nil, err
	}
	for _, name := range []tidemark.Name{*was, byContent(*was)} {
		o, err := g.tx.Outcome(name.Replica, name.N)
		if err != nil {
			return nil, err
		}
		if o != nil && o.Hash == cs.Hash {
			o.Name = cs.Name
			if err := g.inheritRenumbered(cs, o); err != nil {
				return nil, err
			}
			if o.Kind == tidemark.Rejected {
				if err := g.saveRefused(cs, cs.Name); err != nil {
					return nil, err
				}
			}
			return o, g.tx.SaveOutcome(*o)
		}
	}
	return nil, nil
}

// byContent is the name under which an outcome is kept when another changeset
// has the name that it once had. That happens to what a copied file sealed
// before it got a name of its own, while the original went on numbering.
func byContent(was tidemark.Name) tidemark.Name {
	was.Replica += "#" + was.Hash.String()
	return was
}

// forebear returns the earlier name of a changeset if it can have had it: the
// same content, from the same principal, or from nobody.
func (g *group) forebear(cs *tidemark.Changeset, r *tidemark.ReplicaState) (*tidemark.Name, error) {
	if cs.Was == nil || cs.Was.Hash != cs.Hash || cs.Was.Replica == tidemark.FileReplica || cs.Was.Replica == cs.Replica {
		return nil, nil
	}
	before, err := g.tx.Replica(cs.Was.Replica)
	if err != nil || before != nil && before.Principal != "" && before.Principal != r.Principal {
		return nil, err
	}
	return cs.Was, nil // also when a restored server has lost that name
}

// decide judges a changeset that has no outcome yet and records the outcome.
func (g *group) decide(sub *Submission, r *tidemark.ReplicaState, doom error) (*tidemark.Outcome, error) {
	cs := &sub.Changeset
	if why := g.hopeless(cs); why != nil {
		return g.reject(sub, r, why)
	}
	if doom != nil {
		if why := reason(doom); why != nil {
			return g.reject(sub, r, why)
		}
		return nil, doom
	}
	j := &trial{g: g, cs: cs, author: r.Principal, offset: sub.Offset, principal: sub.Principal, session: sub.Session}
	o, effects, err := j.tryAll(func(o tidemark.Outcome) error { return g.record(cs, r, o) })
	if err == nil {
		g.advance(effects)
		return &o, nil
	}
	if errors.Is(err, tidemark.ErrTransactionGone) {
		return nil, err
	}
	if err = j.blameParent(err); reason(err) == nil {
		return nil, err
	}
	why, err := j.concealed(reason(err))
	if err != nil {
		return nil, err
	}
	return g.reject(sub, r, j.asMeant(why))
}

func (g *group) reject(sub *Submission, r *tidemark.ReplicaState, why *tidemark.Error) (*tidemark.Outcome, error) {
	cs := &sub.Changeset
	o := g.rejected(cs.Name, why)
	err := g.tx.Savepoint(func() error {
		if err := g.refuseTexts(sub.Session, cs); err != nil {
			return err
		}
		if err := g.saveRefused(cs, cs.Name); err != nil {
			return err
		}
		if was, err := g.forebear(cs, r); err != nil {
			return err
		} else if was != nil {
			// The file that this one was copied from may build on it, too.
			if err := g.saveRefused(cs, *was); err != nil {
				return err
			}
		}
		return g.record(cs, r, o)
	})
	if err == nil {
		g.textsStand()
	}
	return &o, err
}

// hopeless returns why a changeset is not even tried any more, or nil.
func (g *group) hopeless(cs *tidemark.Changeset) *tidemark.Error {
	n := g.hub.failures[cs.Name]
	if n < patience {
		return nil
	}
	return &tidemark.Error{
		Code: tidemark.CodeInternal,
		Msg:  fmt.Sprintf("the server failed %d times to apply it, while it could apply others; its log says why", n),
	}
}

// record keeps an outcome, also under the name that the changeset had in the
// file that this one was copied from: that one may still send it.
func (g *group) record(cs *tidemark.Changeset, r *tidemark.ReplicaState, o tidemark.Outcome) error {
	if o.Kind == tidemark.Accepted && planted.Is(planted.ForgetOutcome) {
		return nil
	}
	if err := g.tx.SaveOutcome(o); err != nil {
		return err
	}
	was, err := g.forebear(cs, r)
	if was == nil || err != nil {
		return err
	}
	known, err := g.tx.Outcome(was.Replica, was.N)
	if err != nil {
		return err
	}
	o.Name = *was
	if known != nil {
		o.Name = byContent(*was)
	}
	return g.tx.SaveOutcome(o)
}

// withoutCascades keeps the effects that the changeset itself names: the
// mistake of the fault that is planted where it is called.
func (g *group) withoutCascades(effects, changes []tidemark.Change) []tidemark.Change {
	named := rowSet{}
	for i := range changes {
		t := g.tx.Schema().Table(changes[i].Table)
		named[rowID{t.ID, t.KeyID(changes[i].Key)}] = true
		named[rowID{t.ID, t.KeyID(movedTo(t, &changes[i]))}] = true
	}
	return slices.DeleteFunc(effects, func(c tidemark.Change) bool {
		return !named[rowID{c.Table, g.tx.Schema().Table(c.Table).KeyID(c.Key)}]
	})
}

// rejected makes the outcome for an error in the data.
func (g *group) rejected(name tidemark.Name, why *tidemark.Error) tidemark.Outcome {
	message := why.Msg
	if message == "" {
		message = why.Error()
	}
	return tidemark.Outcome{
		Name: name, Kind: tidemark.Rejected, Seq: g.head, Code: why.Code, Message: message,
		Table: why.Table, Key: why.Key, Columns: why.Columns,
	}
}

// putOff leaves a submission for later, with all that its replica sends after
// it. The group goes on, unless its transaction is lost; gone says that err is
// of an earlier transaction.
func (g *group) putOff(sub Submission, err error, gone bool) error {
	if errors.Is(err, tidemark.ErrTransactionGone) && !gone {
		return err
	}
	g.commit.Retry = append(g.commit.Retry, sub)
	g.commit.failed[sub.Changeset.Replica] = err
	if !passing(err) {
		g.failures[sub.Changeset.Name] = err
	}
	return nil
}

// reason returns the error if it is one of the data, which rejects.
func reason(err error) *tidemark.Error {
	var e *tidemark.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code {
	case tidemark.CodeForbidden, tidemark.CodeNotFound, tidemark.CodeUnique, tidemark.CodeForeignKey,
		tidemark.CodeCheck, tidemark.CodeNotNull, tidemark.CodeStale, tidemark.CodeDependsOn,
		tidemark.CodeSchema, tidemark.CodeTooLarge, tidemark.CodeConflict, tidemark.CodeRaised,
		tidemark.CodeType:
		return e
	}
	if _, own := e.Code.App(); own {
		return e
	}
	return nil
}

// passing reports whether err says that the machine, not the changeset, is at fault.
func passing(err error) bool {
	switch tidemark.CodeOf(err) {
	case tidemark.CodeBusy, tidemark.CodeFull, tidemark.CodeShutdown:
		return true
	}
	return errors.Is(err, ErrWait) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
