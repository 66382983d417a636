package sqlite

import (
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// A stray is a row of a table that does not sync but refers to one that does.
// While a closed changeset is written with foreign keys off, SQLite does nothing
// for strays, so their part is noted before and done behind it, by rowid.
type stray struct {
	ref   reference
	rowid tidemark.Value
	had   []tidemark.Value // what it refers to
	does  *tidemark.Change // nil: the declared action does nothing
}

// strayReferences reads the foreign keys of tables that do not sync, by parent.
func (x *tx) strayReferences() (map[int][]reference, error) {
	refs := x.references()
	if refs.strays != nil {
		return refs.strays, nil
	}
	strays := map[int][]reference{}
	for _, o := range x.schema.Objects {
		t := x.schema.Named(o.Name)
		if o.Type != "table" || isVirtual(o) || t != nil && t.Out == "" || !strings.Contains(strings.ToUpper(o.SQL), "REFERENCES") {
			continue
		}
		if err := x.straysOf(o.Name, strays); err != nil {
			return nil, err
		}
	}
	refs.strays = strays
	return strays, nil
}

func (x *tx) straysOf(table string, strays map[int][]reference) error {
	child := &tidemark.Table{Name: table}
	err := x.db.Each("SELECT name, dflt_value FROM pragma_table_xinfo(?1, 'main')", func(s *lite.Stmt) error {
		child.Columns = append(child.Columns, tidemark.Column{Name: s.Text(0), Default: s.Text(1), Collation: "BINARY"})
		return nil
	}, tidemark.Text(table))
	if err != nil {
		return err
	}
	byID := map[int64]*tidemark.ForeignKey{}
	err = x.db.Each(`SELECT id, "table", "from", "to", on_update, on_delete FROM pragma_foreign_key_list(?1, 'main') ORDER BY id, seq`, func(s *lite.Stmt) error {
		fk := byID[s.Int(0)]
		if fk == nil {
			fk = &tidemark.ForeignKey{Parent: s.Text(1), OnUpdate: s.Text(4), OnDelete: s.Text(5)}
			byID[s.Int(0)] = fk
		}
		fk.Columns = append(fk.Columns, places(child, []string{s.Text(2)})...)
		if !s.Null(3) {
			fk.To = append(fk.To, s.Text(3))
		}
		return nil
	}, tidemark.Text(table))
	if err != nil {
		return err
	}
	for _, id := range sortedKeys(byID) {
		fk := byID[id]
		parent := x.schema.Named(fk.Parent)
		if parent == nil || parent.Out != "" {
			continue
		}
		if len(fk.To) == 0 {
			fk.To = parent.ColumnNames(parent.Key)
		}
		if len(fk.To) == len(fk.Columns) {
			strays[parent.ID] = append(strays[parent.ID], reference{child: child, key: fk, parent: parent, to: places(parent, fk.To)})
		}
	}
	return nil
}

// noteStrays remembers the strays under a parent's values that go.
func (b *batch) noteStrays(i *item, before, after []tidemark.Value) error {
	all, err := b.x.strayReferences()
	if err != nil {
		return err
	}
	for _, ref := range all[i.table.ID] {
		had, ok := ref.lost(before, after)
		if !ok {
			continue
		}
		does, err := b.x.action(ref, nil, after)
		if err != nil {
			return err
		}
		where, ok := ref.where()
		if !ok {
			continue
		}
		err = b.x.db.Each("SELECT rowid FROM main."+lite.Quote(ref.child.Name)+" WHERE "+where, func(s *lite.Stmt) error {
			b.strays = append(b.strays, stray{ref, s.Value(0), had, does})
			return nil
		}, had...)
		if err != nil {
			return err
		}
	}
	return nil
}

// settleStrays does what was noted. A stray that still refers to nothing, with
// no action declared, holds its parent like any other child.
func (b *batch) settleStrays() error {
	for _, s := range b.strays {
		if err := b.settleStray(s); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) settleStray(s stray) error {
	table := "main." + lite.Quote(s.ref.child.Name)
	switch {
	case s.does == nil:
		there, err := b.x.hasParent(s.ref, s.had)
		if err != nil || there {
			return err
		}
		return b.x.orphan(s.ref, []tidemark.Value{s.rowid})
	case s.does.Op == tidemark.Delete:
		return b.x.db.Run("DELETE FROM "+table+" WHERE rowid = ?1", s.rowid)
	}
	for j, c := range s.does.Cols {
		err := b.x.db.Run("UPDATE "+table+" SET "+lite.Quote(s.ref.child.Columns[c].Name)+" = ?2 WHERE rowid = ?1", s.rowid, s.does.New[j])
		if err != nil {
			return err
		}
	}
	return nil
}
