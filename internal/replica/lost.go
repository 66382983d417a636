package replica

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// saveLost keeps the part of a merged changeset that did not survive, as the
// server named it. It stands among the rejected ones, where it can be looked
// at, exported, retried and discarded.
func (r *Replica) saveLost(p *record, o *tidemark.Outcome) error {
	if len(o.Lost) == 0 {
		return nil
	}
	if err := p.decode(); err != nil {
		return err
	}
	lost := r.lostChanges(p.changes, o.Lost)
	if len(lost) == 0 {
		return nil
	}
	first := o.Lost[0]
	return r.keepRejected(Rejected{N: p.n, Code: tidemark.CodeNotFound, Table: first.Table, Key: first.Key,
		Message: "the row was deleted meanwhile, and this edit of it did not survive; the rest of the transaction was accepted",
		Seq:     o.Seq, MadeAt: p.madeAt, At: r.now, Schema: p.schema}, p.hash[:], wire.AppendChanges(nil, lost, false))
}

// lostChanges picks the changes, and of each the columns, that cells name.
func (r *Replica) lostChanges(changes []tidemark.Change, cells []tidemark.Cell) []tidemark.Change {
	named := map[rowID][]string{}
	for _, cell := range cells {
		if t := r.schema.Named(cell.Table); t != nil {
			id := idOf(t, cell.Key)
			named[id] = append(named[id], cell.Column)
		}
	}
	var lost []tidemark.Change
	for _, c := range changes {
		t := synced(r.schema, c.Table)
		if t == nil {
			continue
		}
		columns := named[idOf(t, c.Key)]
		if len(columns) == 0 {
			continue
		}
		if c.Op == tidemark.Update && !slices.Contains(columns, "") {
			c = onlyColumns(t, c, columns)
		}
		lost = append(lost, c)
	}
	return lost
}

func onlyColumns(t *tidemark.Table, c tidemark.Change, names []string) tidemark.Change {
	part := tidemark.Change{Table: c.Table, Op: c.Op, Key: c.Key}
	for i, col := range c.Cols {
		if slices.Contains(names, t.Columns[col].Name) {
			part.Cols, part.New = append(part.Cols, col), append(part.New, c.New[i])
		}
	}
	return part
}
