package hub

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// merge turns what a replica meant into what is written, by the policy of each
// table. There is one policy so far, last write wins by column: values that
// somebody set meanwhile are overwritten, a row that somebody deleted stays
// deleted. Row tells who wrote a row last and when, which is what other
// policies go by.
func (g *group) merge(changes []tidemark.Change) (write []tidemark.Change, lost []tidemark.Cell, err error) {
	leaving := g.leaving(changes)
	write = make([]tidemark.Change, 0, len(changes))
	for i := range changes {
		c := &changes[i]
		t := g.tx.Schema().Table(c.Table)
		row, err := g.tx.Row(c.Table, c.Key)
		if err != nil {
			return nil, nil, err
		}
		keep, cells, err := mergeRow(t, c, row, leaving[rowID{c.Table, t.KeyID(c.Key)}])
		if err != nil {
			return nil, nil, err
		}
		if keep {
			write = append(write, *c)
		}
		lost = append(lost, cells...)
	}
	return write, lost, nil
}

// leaving lists the keys that the changeset itself makes free.
func (g *group) leaving(changes []tidemark.Change) rowSet {
	keys := rowSet{}
	for i := range changes {
		c := &changes[i]
		if c.Op == tidemark.Insert {
			continue
		}
		t := g.tx.Schema().Table(c.Table)
		id := t.KeyID(c.Key)
		if c.Op == tidemark.Delete || t.KeyID(movedTo(t, c)) != id {
			keys[rowID{c.Table, id}] = true
		}
	}
	return keys
}

// mergeRow decides about one change: whether it is written, which cells of it
// do not survive, or why its changeset is rejected.
func mergeRow(t *tidemark.Table, c *tidemark.Change, row tidemark.RowState, leaving bool) (keep bool, lost []tidemark.Cell, err error) {
	there := row.Values != nil
	switch c.Op {
	case tidemark.Delete:
		return there, nil, nil
	case tidemark.Update:
		if there {
			return true, nil, nil
		}
		if row.Seq == 0 && row.Writer == "" {
			return false, nil, neverThere(t, c)
		}
		return false, cells(t, c), nil
	default:
		if !there || leaving {
			return true, nil, nil
		}
		if slices.Equal(row.Values[:len(c.New)], c.New) {
			return false, nil, nil
		}
		return false, nil, taken(t, c)
	}
}

// neverThere rejects an update of a row that the server never had: the
// changeset that inserted it was rejected before.
func neverThere(t *tidemark.Table, c *tidemark.Change) error {
	return &tidemark.Error{
		Code: tidemark.CodeDependsOn, Table: t.Name, Key: c.Key,
		Msg: fmt.Sprintf("it changes a row of %s that the server never had: what inserted the row was rejected", t.Name),
	}
}

// taken rejects an insert under a key that another row has.
func taken(t *tidemark.Table, c *tidemark.Change) error {
	names := make([]string, len(t.Key))
	for i, place := range t.Key {
		names[i] = t.Columns[place].Name
	}
	return &tidemark.Error{
		Code: tidemark.CodeUnique, Table: t.Name, Key: c.Key, Columns: names,
		Msg: fmt.Sprintf("a row of %s with this primary key is there already", t.Name),
	}
}

// cells names the values of an update that found no row.
func cells(t *tidemark.Table, c *tidemark.Change) []tidemark.Cell {
	out := make([]tidemark.Cell, len(c.Cols))
	for i, col := range c.Cols {
		out[i] = tidemark.Cell{Table: t.Name, Key: c.Key, Column: t.Columns[col].Name}
	}
	return out
}
