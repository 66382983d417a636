package replica

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// differences are those between a copy and the server's rows.
type differences struct {
	r    *Replica
	n    int // rows that differ
	from []source
	// theirs makes the replica's rows the server's, each as its source says; mine
	// makes rows, though not in which scopes they are, what they were.
	theirs, mine []tidemark.Change
}

// take passes what makes the copy the server's.
func (d *differences) take(fn taker) error {
	for i := range d.theirs {
		if err := fn(d.from[i], &d.theirs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *differences) add(from source, c tidemark.Change) {
	d.from, d.theirs = append(d.from, from), append(d.theirs, c)
}

// find compares a range.
func (d *differences) find(p *RangeRows) error {
	r := d.r
	t := synced(r.schema, p.Table)
	if t == nil {
		return &tidemark.Error{Code: tidemark.CodeSchema, Msg: fmt.Sprintf("table %d does not sync here", p.Table)}
	}
	here, there := images{}, images{}
	scopes := map[rowID][]string{}
	err := r.confirmed(t, p.After, p.Upto, func(key, image []tidemark.Value, _ bool) error {
		here[idOf(t, key)] = image
		return nil
	})
	if err != nil {
		return err
	}
	for i, image := range p.Rows {
		id := idOf(t, t.KeyOf(image))
		if there[id] = image; i < len(p.Scopes) {
			scopes[id] = p.Scopes[i]
		}
	}
	all := images{}
	for id := range here {
		all[id] = nil
	}
	for id := range there {
		all[id] = nil
	}
	for _, id := range inOrder(all) {
		if err := d.compare(t, id, here[id], there[id], scopes[id]); err != nil {
			return err
		}
	}
	return nil
}

func (d *differences) compare(t *tidemark.Table, id rowID, here, there []tidemark.Value, scopes []string) error {
	differ := !equal(here, there)
	if differ {
		d.mine = append(d.mine, stepTo(t, there, here))
	}
	if !d.r.server.Scoped() {
		if differ {
			d.n++
			d.add(source{}, stepTo(t, here, there))
		}
		return nil
	}
	d.n++
	if there == nil {
		d.add(source{}, stepTo(t, here, nil))
		return nil
	}
	was, err := d.r.scopesOf(id)
	if err != nil {
		return err
	}
	if slices.Sort(scopes); !differ && slices.Equal(was, scopes) {
		d.n--
		return nil
	}
	// Each row is a message of its own, so that all of its words count.
	put := tidemark.Change{Table: t.ID, Op: tidemark.Insert, Key: t.KeyOf(there), New: there}
	for _, s := range scopes {
		d.add(source{s, d.n}, put)
	}
	for _, s := range was {
		if !slices.Contains(scopes, s) {
			d.add(source{s, d.n}, tidemark.Change{Table: t.ID, Op: tidemark.Forget, Key: put.Key})
		}
	}
	return nil
}

// scopesOf names the scopes that a row is in, in order.
func (r *Replica) scopesOf(id rowID) (list []string, err error) {
	table, key := id.args()
	err = r.db.Each("SELECT s.name FROM main._tm_member m JOIN main._tm_scope s ON s.i = m.s WHERE m.t = ?1 AND m.key = ?2 ORDER BY s.name",
		func(s *lite.Stmt) error {
			list = append(list, s.Text(0))
			return nil
		}, table, key)
	return list, err
}

// stepTo is the change that makes one image the other.
func stepTo(t *tidemark.Table, from, to []tidemark.Value) tidemark.Change {
	switch {
	case to == nil:
		return tidemark.Change{Table: t.ID, Op: tidemark.Delete, Key: t.KeyOf(from)}
	case from == nil:
		return tidemark.Change{Table: t.ID, Op: tidemark.Insert, Key: t.KeyOf(to), New: to}
	}
	cols, values := differing(from, to)
	return tidemark.Change{Table: t.ID, Op: tidemark.Update, Key: t.KeyOf(from), Cols: cols, New: values}
}
