package hub

import (
	"errors"
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
)

// Bounds on how often one changeset is run, with what was declared for that which
// refused it: one unique value that is taken takes a run.
const (
	maxRuns   = 8      // in any case
	maxWrites = 20_000 // changes, over more runs than that
	maxTries  = 16     // for one row
)

// trial turns what the author of one changeset meant into what is written, by
// the policies of the tables it touches, and writes it. Where a refusal of the
// store is one that a declaration answers, it is run again with that answer.
type trial struct {
	g      *group
	cs     *tidemark.Changeset
	author string
	offset int64 // what the replica's clock lacks

	principal tidemark.Principal // on whose behalf it came
	session   *Session

	chain map[tidemark.Seq]bool // seqs under other names: whether they are the author's own
	fixes fixes                 // answers to earlier refusals

	// Of one run.
	schema  *tidemark.Schema
	changes []tidemark.Change // what the author meant
	leaving rowSet            // keys that the changeset itself makes free; nil: not looked for yet
	times   map[rowID]int64   // when the author edited each row; nil: not looked for yet
	write   []tidemark.Change
	outcome tidemark.Outcome
	records []record
}

// tryAll runs a changeset until it stands or nothing more can be done about
// what refuses it. Its error is one of the data, or of the store.
func (j *trial) tryAll(record func(tidemark.Outcome) error) (o tidemark.Outcome, effects []tidemark.Change, err error) {
	for round := 1; ; round++ {
		err = j.g.tx.Savepoint(func() error {
			if effects, err = j.run(); err != nil {
				return err
			}
			return record(j.outcome)
		})
		if err == nil || round >= maxRuns && round*len(j.changes) >= maxWrites || errors.Is(err, tidemark.ErrTransactionGone) {
			return j.outcome, effects, err
		}
		again, aerr := j.answer(err)
		if aerr != nil {
			return j.outcome, nil, aerr
		}
		if !again {
			return j.outcome, nil, err
		}
	}
}

// run merges, writes and appends the changeset.
func (j *trial) run() ([]tidemark.Change, error) {
	if err := j.begin(); err != nil {
		return nil, err
	}
	if err := j.merge(); err != nil {
		return nil, err
	}
	if err := j.mend(); err != nil {
		return nil, err
	}
	if err := j.consult(); err != nil {
		return nil, err
	}
	asked := len(j.write)
	if err := j.keepRecords(); err != nil {
		return nil, err
	}
	if err := j.writeAll(asked); err != nil {
		return nil, err
	}
	if err := j.g.tx.Settle(j.write); err != nil {
		return nil, err
	}
	effects, err := j.g.tx.Effects()
	if err != nil {
		return nil, err
	}
	if err := j.onlyAdded(effects); err != nil {
		return nil, err
	}
	if planted.Is(planted.NoCascades) {
		effects = j.g.withoutCascades(effects, j.write)
	}
	if len(j.outcome.Lost)+len(j.outcome.Over) > 0 {
		j.outcome.Kind = tidemark.Merged
	}
	return effects, j.keep(effects)
}

// writeAll writes what the author asks for, as far as the rules allow it, and
// what the server adds.
func (j *trial) writeAll(asked int) error {
	if err := j.g.tx.WriteAs(tidemark.Author{Principal: j.principal, Now: j.g.now}, j.write[:asked]); err != nil || asked == len(j.write) {
		return err
	}
	return j.g.tx.WriteAll(j.write[asked:])
}

// begin reads the changeset anew: a run changes what was read.
func (j *trial) begin() error {
	g := j.g
	g.texts.restart()
	clear(g.looked)
	j.schema, j.leaving, j.times, j.records = g.tx.Schema(), nil, nil, nil
	j.outcome = tidemark.Outcome{Name: j.cs.Name, Kind: tidemark.Accepted, Seq: g.head + 1}
	changes, err := g.read(j.cs)
	if err != nil {
		return err
	}
	j.changes, j.outcome.Renumbered, err = g.renumber(j.session, j.cs, changes)
	j.write = make([]tidemark.Change, 0, len(j.changes))
	return err
}

// keep appends what the changeset did, and what later edits are merged by.
func (j *trial) keep(effects []tidemark.Change) error {
	if err := j.g.textEffects(j.cs.Name, j.cs.Seen, effects); err != nil {
		return err
	}
	if err := j.g.saveTimes(effects, j.made); err != nil {
		return err
	}
	return j.g.append(j.cs.Name, j.author, effects)
}

// merge decides about each change.
func (j *trial) merge() error {
	for i := range j.changes {
		c := &j.changes[i]
		t := j.schema.Table(c.Table)
		if c.Op != tidemark.Insert && t.AppendOnly() {
			return addedOnly(t, c)
		}
		row, err := j.g.row(t, c.Key)
		if err != nil {
			return err
		}
		seen := true
		if c.Op != tidemark.Insert || row.Values != nil {
			if seen, err = j.sees(t, c.Key, row); err != nil {
				return err
			}
		}
		switch {
		case c.Op == tidemark.Insert:
			err = j.insert(t, c, row, seen)
		case !seen:
			err = j.unseen(t, c)
		case c.Op == tidemark.Update:
			err = j.update(t, c, row)
		default:
			err = j.remove(t, c, row)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leaves reports whether the changeset itself makes a key free.
func (j *trial) leaves(id rowID) bool {
	if j.leaving == nil {
		j.leaving = rowSet{}
		for i := range j.changes {
			c := &j.changes[i]
			if c.Op == tidemark.Insert {
				continue
			}
			t := j.schema.Table(c.Table)
			key := t.KeyID(c.Key)
			if c.Op == tidemark.Delete || t.KeyID(movedTo(t, c)) != key {
				j.leaving[rowID{c.Table, key}] = true
			}
		}
	}
	return j.leaving[id]
}

// row reads a row that the changeset under way is about.
func (g *group) row(t *tidemark.Table, key []tidemark.Value) (tidemark.RowState, error) {
	if len(g.looked) > 0 {
		if row, ok := g.looked[rowID{t.ID, t.KeyID(key)}]; ok {
			return row, nil
		}
	}
	return g.tx.Row(t.ID, key)
}

// look is row for who reads before the changes are decided, which then do not
// read again.
func (g *group) look(t *tidemark.Table, key []tidemark.Value) (tidemark.RowState, error) {
	id := rowID{t.ID, t.KeyID(key)}
	if row, ok := g.looked[id]; ok {
		return row, nil
	}
	row, err := g.tx.Row(t.ID, key)
	if err == nil {
		if g.looked == nil {
			g.looked = map[rowID]tidemark.RowState{}
		}
		g.looked[id] = row
	}
	return row, err
}

// onlyAdded rejects what would change or remove rows of append-only tables as
// a consequence of something else.
func (j *trial) onlyAdded(effects []tidemark.Change) error {
	for i := range effects {
		c := &effects[i]
		if t := j.schema.Table(c.Table); c.Op != tidemark.Insert && t != nil && t.AppendOnly() {
			return addedOnly(t, c)
		}
	}
	return nil
}

func addedOnly(t *tidemark.Table, c *tidemark.Change) error {
	return &tidemark.Error{
		Code: tidemark.CodeForbidden, Table: t.Name, Key: c.Key,
		Msg: fmt.Sprintf("rows of %s can be added, and neither changed nor removed (%s)", t.Name, tidemark.PolicyAppendOnly),
	}
}
