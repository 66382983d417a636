package replica

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
)

// misfit says why a changeset cannot be put on top of the rows as they are.
type misfit struct {
	code    tidemark.Code
	message string
	table   string
	key     []tidemark.Value
	columns []string
	on      int64 // the suspended changeset that it builds on, 0 for none
	row     rowID // the row of the changeset that did not fit, where it is known
}

func (m *misfit) Error() string { return fmt.Sprintf("%s: %s", m.code, m.message) }

func (m *misfit) cause() string {
	if m.on != 0 {
		return causeOn(m.on)
	}
	return string(m.code)
}

// fallen are the changesets that were suspended in this rebase: what later
// ones may have built on.
type fallen struct {
	touched map[rowID]int64
	arrived map[rowID][]tidemark.Value // rows that they would have brought
}

func (f *fallen) add(sc *tidemark.Schema, p *record) {
	if f.touched == nil {
		f.touched, f.arrived = map[rowID]int64{}, map[rowID][]tidemark.Value{}
	}
	for i := range p.changes {
		c := &p.changes[i]
		t := synced(sc, c.Table)
		if t == nil {
			continue
		}
		ids := rowsOf(t, c)
		for _, id := range ids {
			if f.touched[id] == 0 {
				f.touched[id] = p.n
			}
		}
		if c.Op == tidemark.Insert {
			f.arrived[ids[0]] = c.New
		} else if len(ids) == 2 {
			f.arrived[ids[1]] = nil
		}
	}
}

// under finds the suspended changeset that brought, or would have brought, one
// of the rows.
func (f *fallen) under(ids []rowID) int64 {
	for _, id := range ids {
		if n := f.touched[id]; n != 0 {
			return n
		}
	}
	return 0
}

// parent finds the suspended changeset that would have brought a row that a
// foreign key asks for.
func (f *fallen) parent(b *broken) int64 {
	for _, id := range inOrder(f.arrived) {
		if id.t != b.ref.parent.ID {
			continue
		}
		if values, whole := pick(f.arrived[id], b.ref.to); whole && equal(values, b.values) {
			return f.touched[id]
		}
	}
	return 0
}

func asMisfit(t *tidemark.Table, after []tidemark.Value, err error) error {
	v := refusalOf(err)
	if v == nil {
		return err
	}
	m := &misfit{code: v.Code, message: v.Msg, table: t.Name, columns: v.Columns}
	if after != nil {
		m.key = t.KeyOf(after)
		m.row = idOf(t, m.key)
	}
	return m
}
