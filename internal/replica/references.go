package replica

import (
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// reference is a foreign key between two tables that both sync. The engine's
// connection does not enforce foreign keys; it looks up the keys of the rows
// that a pending changeset touches.
type reference struct {
	child, parent *tidemark.Table
	cols          []int // of the child
	to            []int // of the parent
	findParent    string
	findChild     string
}

// references are the foreign keys of a schema.
type references struct {
	from map[int][]*reference // by the child's ID
	to   map[int][]*reference // by the parent's ID
}

func newReferences(s *tidemark.Schema) references {
	refs := references{map[int][]*reference{}, map[int][]*reference{}}
	for _, t := range s.Tables {
		for i := range t.ForeignKeys {
			if ref := newReference(s, t, &t.ForeignKeys[i]); ref != nil {
				refs.from[t.ID] = append(refs.from[t.ID], ref)
				refs.to[ref.parent.ID] = append(refs.to[ref.parent.ID], ref)
			}
		}
	}
	return refs
}

// newReference returns nil for what cannot be judged here: a parent that does
// not sync has no rows on a copy, one behind a loose key need not be here, and generated columns are not in an image.
func newReference(s *tidemark.Schema, child *tidemark.Table, fk *tidemark.ForeignKey) *reference {
	parent := s.Named(fk.Parent)
	if fk.Loose || parent == nil || parent.Out != "" || child.Out != "" || len(fk.To) != len(fk.Columns) {
		return nil
	}
	ref := &reference{child: child, parent: parent}
	for i, c := range fk.Columns {
		p := parent.Place(fk.To[i])
		if c < 0 || p < 0 {
			return nil
		}
		ref.cols, ref.to = append(ref.cols, c), append(ref.to, p)
	}
	ref.findParent = "SELECT 1 FROM main." + lite.Quote(parent.Name) + " WHERE " + ref.equals(parent, ref.to) + " LIMIT 1"
	ref.findChild = "SELECT 1 FROM main." + lite.Quote(child.Name) + " WHERE " + ref.equals(child, ref.cols) + " LIMIT 1"
	return ref
}

// listChildren finds the keys of the rows that refer to one.
func (ref *reference) listChildren() string {
	names := make([]string, len(ref.child.Key))
	for i, c := range ref.child.Key {
		names[i] = lite.Quote(ref.child.Columns[c].Name)
	}
	return "SELECT " + strings.Join(names, ", ") + " FROM main." + lite.Quote(ref.child.Name) + " WHERE " + ref.equals(ref.child, ref.cols)
}

// equals compares columns with parameters by the parent's collation, as
// SQLite does for foreign keys on both sides.
func (ref *reference) equals(t *tidemark.Table, cols []int) string {
	parts := make([]string, len(cols))
	for i, c := range cols {
		parts[i] = lite.Quote(t.Columns[c].Name) + " = ?" + strconv.Itoa(i+1)
		if by := ref.parent.Columns[ref.to[i]].Collation; by != t.Columns[c].Collation {
			parts[i] += " COLLATE " + lite.Quote(by)
		}
	}
	return strings.Join(parts, " AND ")
}

// linked reports whether a table has a foreign key to or from one of tables.
func (refs references) linked(t int, tables map[int]bool) bool {
	for _, ref := range refs.from[t] {
		if tables[ref.parent.ID] {
			return true
		}
	}
	for _, ref := range refs.to[t] {
		if tables[ref.child.ID] {
			return true
		}
	}
	return false
}

// widen adds the tables that are linked with some of tables.
func (refs references) widen(tables map[int]bool) map[int]bool {
	out := map[int]bool{}
	for id := range tables {
		out[id] = true
		for _, ref := range refs.from[id] {
			out[ref.parent.ID] = true
		}
		for _, ref := range refs.to[id] {
			out[ref.child.ID] = true
		}
	}
	return out
}

// broken is a foreign key that does not hold.
type broken struct {
	ref    *reference
	values []tidemark.Value
}

// check looks up the foreign keys that the step from before to after of a row
// concerns. It returns nil when all hold among the rows that are here.
func (refs references) check(db *lite.DB, t *tidemark.Table, before, after []tidemark.Value) (*broken, error) {
	for _, ref := range refs.from[t.ID] {
		values, whole := pick(after, ref.cols)
		if old, had := pick(before, ref.cols); !whole || had && equal(old, values) {
			continue
		}
		if ok, err := found(db, ref.findParent, values); err != nil || !ok {
			return &broken{ref, values}, err
		}
	}
	for _, ref := range refs.to[t.ID] {
		values, whole := pick(before, ref.to)
		if kept, has := pick(after, ref.to); !whole || has && equal(kept, values) {
			continue
		}
		orphans, err := found(db, ref.findChild, values)
		if err != nil {
			return nil, err
		}
		if !orphans {
			continue
		}
		if ok, err := found(db, ref.findParent, values); err != nil || !ok {
			return &broken{ref, values}, err
		}
	}
	return nil, nil
}

// pick takes columns of an image; whole is false when one of them is NULL or
// there is no image, so that no foreign key is concerned.
func pick(image []tidemark.Value, cols []int) (values []tidemark.Value, whole bool) {
	if image == nil {
		return nil, false
	}
	values = make([]tidemark.Value, len(cols))
	for i, c := range cols {
		if c >= len(image) || image[c].IsNull() {
			return nil, false
		}
		values[i] = image[c]
	}
	return values, true
}

func found(db *lite.DB, query string, values []tidemark.Value) (bool, error) {
	row, err := db.Get(query, values...)
	return row != nil, err
}
