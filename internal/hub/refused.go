package hub

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// maxRefused bounds how many rows of one rejected changeset are remembered.
const maxRefused = 10_000

// saveRefused remembers the rows that a rejected changeset would have made, so
// that a later one of the same replica which builds on them is told apart from
// one that means another's row of the same key. Nothing is ever taken away:
// an entry counts only for what was made before its author saw the row that is
// there now. as is the name under which its replica knows the changeset.
func (g *group) saveRefused(cs *tidemark.Changeset, as tidemark.Name) error {
	changes, err := g.readRefused(cs)
	if err != nil {
		return err
	}
	saved := 0
	for i := range changes {
		c := &changes[i]
		t := g.tx.Schema().Table(c.Table)
		key := movedTo(t, c)
		if c.Op == tidemark.Delete || c.Op == tidemark.Update && t.KeyID(key) == t.KeyID(c.Key) {
			continue
		}
		if saved++; saved > maxRefused {
			return nil
		}
		if err := g.tx.SaveRefused(as.Replica, as.N, t.ID, key); err != nil {
			return err
		}
	}
	return nil
}

// readRefused reads a rejected changeset, as far as anybody can.
func (g *group) readRefused(cs *tidemark.Changeset) ([]tidemark.Change, error) {
	changes, err := g.read(cs)
	if reason(err) != nil {
		return nil, nil // nobody knows what it is about
	}
	return changes, err
}

// builtOnRefused rejects an update of a row that is another's: what the author
// changed is a row of its own, whose insert was rejected.
func (j *trial) builtOnRefused(t *tidemark.Table, c *tidemark.Change, row tidemark.RowState) error {
	n, err := j.refusedBy(t, c.Key, row)
	if n == 0 && err == nil {
		return nil
	}
	return j.dependsOn(t, c, n, err)
}

// refusedBy returns the number of the changeset whose rejection explains that
// the row which is there is not the one that the author means, or 0.
func (j *trial) refusedBy(t *tidemark.Table, key []tidemark.Value, row tidemark.RowState) (int64, error) {
	n, err := j.g.tx.Refused(j.cs.Replica, t.ID, key)
	if n == 0 || err != nil {
		return 0, err
	}
	p, err := j.past(t, key, row, everything)
	if err != nil {
		return 0, err
	}
	i := p.birth()
	if i >= 0 && p.own[i] || i < 0 && p.whole {
		return 0, nil
	}
	return n, nil
}

// refusedInsert is refusedBy for a row that is not there: unless the author had
// seen a row of that key, or inserted it again since.
func (j *trial) refusedInsert(t *tidemark.Table, key []tidemark.Value, p *past) (int64, error) {
	n, err := j.g.tx.Refused(j.cs.Replica, t.ID, key)
	if n == 0 || err != nil || p.seen() != nil {
		return 0, err
	}
	for i := range p.effects {
		if p.own[i] && p.effects[i].Change.Op == tidemark.Insert && p.effects[i].Name.N > n {
			return 0, nil
		}
	}
	return n, nil
}

// dependsOn rejects what builds on a rejected changeset.
func (j *trial) dependsOn(t *tidemark.Table, c *tidemark.Change, n int64, err error) error {
	if err != nil {
		return err
	}
	return dependsOn(t, c.Key, n, "changes")
}

func dependsOn(t *tidemark.Table, key []tidemark.Value, n int64, how string) error {
	return &tidemark.Error{
		Code: tidemark.CodeDependsOn, Table: t.Name, Key: key,
		Msg: fmt.Sprintf("it %s a row of %s that changeset %d inserted, which was rejected", how, t.Name, n),
	}
}

// blameParent finds out whether a missing parent is a row that an earlier
// changeset of the same replica would have inserted.
func (j *trial) blameParent(err error) error {
	var e *tidemark.Error
	if !errors.As(err, &e) || e.Code != tidemark.CodeForeignKey {
		return err
	}
	refs, rerr := j.refsOf(e)
	if rerr != nil {
		return rerr
	}
	for _, r := range refs {
		n, rerr := j.g.tx.Refused(j.cs.Replica, r.parent.ID, r.key)
		if rerr != nil {
			return rerr
		}
		if n > 0 {
			return dependsOn(r.parent, r.key, n, "refers to")
		}
	}
	return err
}

// asMeant names the row of a refusal as its author does: the numbers that the
// changeset's rows were given in this trial go with it.
func (j *trial) asMeant(why *tidemark.Error) *tidemark.Error {
	t := j.schema.Named(why.Table)
	if t == nil || len(why.Key) != len(t.Key) || len(j.outcome.Renumbered) == 0 {
		return why
	}
	back := slices.Clone(j.outcome.Renumbered)
	for i := range back {
		back[i].From, back[i].To = back[i].To, back[i].From
	}
	row := mapRenumbered(j.schema, []tidemark.Change{{Table: t.ID, Op: tidemark.Delete, Key: why.Key}}, back)
	own := *why
	own.Key = row[0].Key
	return &own
}
