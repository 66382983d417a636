package hub

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
)

// sees reports whether the session of the changeset under way may see a row:
// it is in a scope that its principal is granted. Of a row that is gone: it was
// in one when it went.
func (j *trial) sees(t *tidemark.Table, key []tidemark.Value, row tidemark.RowState) (bool, error) {
	if !j.schema.Scoped() || planted.Is(planted.WriteUnseen) {
		return true, nil
	}
	return j.g.sees(j.session, t, key, row)
}

func (g *group) sees(s *Session, t *tidemark.Table, key []tidemark.Value, row tidemark.RowState) (bool, error) {
	if !g.scoped() {
		return true, nil
	}
	if row.Values == nil && row.Seq == 0 {
		return false, nil // nobody ever saw it
	}
	scopes, err := g.tx.ScopesOf(t.ID, key)
	if err != nil {
		return false, err
	}
	granted, err := g.granted(s)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(scopes, func(in tidemark.RowScope) bool {
		if row.Values != nil {
			return in.Live && has(granted, in.Scope)
		}
		return in.Seq == row.Seq && has(granted, in.Scope)
	}), nil
}

// unseen decides about an update or a delete of a row that its author may not
// see. What it says must not tell whether there is such a row.
func (j *trial) unseen(t *tidemark.Table, c *tidemark.Change) error {
	n, err := j.g.tx.Refused(j.cs.Replica, t.ID, c.Key)
	switch {
	case err != nil:
		return err
	case n > 0 && c.Op == tidemark.Delete:
		return nil // what the author meant was never there
	case n > 0:
		return dependsOn(t, c.Key, n, "changes")
	}
	return &tidemark.Error{
		Code: tidemark.CodeForbidden, Table: t.Name, Key: c.Key,
		Msg: fmt.Sprintf("there is no such row of %s, or the author may not see it", t.Name),
	}
}

// concealed takes out of a refusal what names a row that is not the author's to see.
func (j *trial) concealed(why *tidemark.Error) (*tidemark.Error, error) {
	t := j.schema.Named(why.Table)
	if !j.schema.Scoped() || t == nil {
		return why, nil
	}
	own := *why
	if hidden, err := j.hidden(t, why.Other); err != nil {
		return nil, err
	} else if hidden {
		own.Other, own.Err = nil, nil
		own.Msg = fmt.Sprintf("a row of %s that the author may not see has the same %s", t.Name, strings.Join(why.Columns, ", "))
	}
	if hidden, err := j.hidden(t, why.Key); err != nil {
		return nil, err
	} else if hidden {
		own.Key, own.Other, own.Err = nil, nil, nil
		own.Msg = fmt.Sprintf("a row of %s that the author may not see stands in the way (%s)", t.Name, why.Code)
	}
	return &own, nil
}

// hidden reports whether a key that a refusal names is that of a row which the
// author may not see, and of which the changeset does not speak.
func (j *trial) hidden(t *tidemark.Table, key []tidemark.Value) (bool, error) {
	if len(key) != len(t.Key) || j.names(t, key) {
		return false, nil
	}
	row, err := j.g.tx.Row(t.ID, key)
	if err != nil {
		return false, err
	}
	sees, err := j.sees(t, key, row)
	return !sees, err
}

// names reports whether the changeset itself speaks of a row.
func (j *trial) names(t *tidemark.Table, key []tidemark.Value) bool {
	id := t.KeyID(key)
	speaks := func(c tidemark.Change) bool {
		return c.Table == t.ID && (t.KeyID(c.Key) == id || c.Op == tidemark.Update && t.KeyID(movedTo(t, &c)) == id)
	}
	return slices.ContainsFunc(j.changes, speaks) || slices.ContainsFunc(j.write, speaks)
}
