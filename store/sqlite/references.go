package sqlite

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// reference is a declared foreign key with both ends looked up.
type reference struct {
	child  *tidemark.Table
	key    *tidemark.ForeignKey
	parent *tidemark.Table // nil when the parent does not sync
	to     []int           // places in the parent's Columns; -1 for a generated column
}

// references are the foreign keys of a schema by either end.
type references struct {
	hash     string
	byChild  map[int][]reference
	byParent map[int][]reference
	strays   map[int][]reference // see strayReferences
}

func newReferences(s *tidemark.Schema) *references {
	r := &references{hash: s.Hash, byChild: map[int][]reference{}, byParent: map[int][]reference{}}
	for _, child := range s.Tables {
		if child.Out != "" {
			continue
		}
		for i := range child.ForeignKeys {
			ref := reference{child: child, key: &child.ForeignKeys[i], parent: s.Named(child.ForeignKeys[i].Parent)}
			if ref.parent != nil {
				ref.to = places(ref.parent, ref.key.To)
				r.byParent[ref.parent.ID] = append(r.byParent[ref.parent.ID], ref)
			}
			r.byChild[child.ID] = append(r.byChild[child.ID], ref)
		}
	}
	return r
}

func places(t *tidemark.Table, columns []string) []int {
	out := make([]int, len(columns))
	for i, name := range columns {
		out[i] = t.Place(name)
	}
	return out
}

// to lists the foreign keys that refer to a table.
func (r *references) to(t *tidemark.Table) []reference { return r.byParent[t.ID] }

// concerns reports whether a foreign key refers to one of these columns.
func (r *references) concerns(t *tidemark.Table, cols []int) bool {
	for _, ref := range r.byParent[t.ID] {
		for _, to := range ref.to {
			for _, c := range cols {
				if c == to {
					return true
				}
			}
		}
	}
	return false
}

// references returns those of the current schema.
func (x *tx) references() *references {
	if x.s.refs == nil || x.s.refs.hash != x.schema.Hash {
		x.s.refs = newReferences(x.schema)
	}
	return x.s.refs
}

// broken looks up the foreign keys of touched rows, both ways, and names the
// first row that refers to a parent that is not there; nil when there is none.
// Only what changed is looked at: an old orphan that was accepted stays one.
func (x *tx) broken(all map[rowID]*image) (*tidemark.Error, error) {
	for _, id := range inOrder(all) {
		m := all[id]
		for _, ref := range x.references().byChild[m.table.ID] {
			e, err := x.brokenChild(ref, m)
			if e != nil || err != nil {
				return e, err
			}
		}
		for _, ref := range x.references().byParent[m.table.ID] {
			children, err := x.orphans(ref, m.before, m.after)
			if err != nil {
				return nil, err
			}
			if len(children) > 0 {
				return x.orphan(ref, children[0]), nil
			}
		}
	}
	return nil, nil
}

// brokenChild looks for the parent of a row that was inserted or put under another.
func (x *tx) brokenChild(ref reference, m *image) (*tidemark.Error, error) {
	values, ok := pick(m.after, ref.key.Columns)
	if !ok {
		return nil, nil
	}
	if before, ok := pick(m.before, ref.key.Columns); ok && sameRow(before, values) {
		return nil, nil
	}
	there, err := x.hasParent(ref, values)
	if err != nil || there {
		return nil, err
	}
	return x.orphan(ref, ref.child.KeyOf(m.after)), nil
}

// pick takes columns from a row; ok is false when the row is absent, a value
// NULL, or a column generated: then there is nothing to look up.
func pick(values []tidemark.Value, cols []int) (out []tidemark.Value, ok bool) {
	if values == nil {
		return nil, false
	}
	for _, c := range cols {
		if c < 0 || c >= len(values) || values[c].IsNull() {
			return nil, false
		}
		out = append(out, values[c])
	}
	return out, true
}

// same compares two keys of the parent as SQLite does: a key that is only
// spelled in another way is the same one, and no action follows.
func (ref reference) same(a, b []tidemark.Value) bool {
	key := tidemark.Table{Columns: ref.parent.Columns, Key: ref.to}
	return key.KeyID(a) == key.KeyID(b)
}

// lost returns what a parent's row had that a child may refer to, when it does
// not have it any more.
func (ref reference) lost(before, after []tidemark.Value) ([]tidemark.Value, bool) {
	had, ok := pick(before, ref.to)
	if !ok {
		return nil, false
	}
	if has, ok := pick(after, ref.to); ok && ref.same(had, has) {
		return nil, false
	}
	return had, true
}

// hasParent compares as a foreign key does: by the parent's affinity and collation.
func (x *tx) hasParent(ref reference, values []tidemark.Value) (bool, error) {
	parts := make([]string, len(values))
	for i, name := range ref.key.To {
		parts[i] = lite.Quote(name) + " = ?" + strconv.Itoa(i+1)
	}
	r, err := x.db.Get("SELECT 1 FROM main."+lite.Quote(ref.key.Parent)+" WHERE "+strings.Join(parts, " AND ")+" LIMIT 1", values...)
	return r != nil, err
}

// orphans lists the keys of children that a parent has left behind: it had
// these values, has them no more, and no other row has them.
func (x *tx) orphans(ref reference, before, after []tidemark.Value) ([][]tidemark.Value, error) {
	had, ok := ref.lost(before, after)
	if !ok {
		return nil, nil
	}
	there, err := x.hasParent(ref, had)
	if err != nil || there {
		return nil, err
	}
	return x.childrenOf(ref, had)
}

// orphan says which row refers to nothing.
func (x *tx) orphan(ref reference, key []tidemark.Value) *tidemark.Error {
	columns := ref.child.ColumnNames(ref.key.Columns)
	return &tidemark.Error{
		Code: tidemark.CodeForeignKey, Space: x.s.opts.Space, Table: ref.child.Name, Key: key, Columns: columns,
		Msg: fmt.Sprintf("%s (%s) refers to a row of %s that is not there", ref.child.Name, strings.Join(columns, ", "), ref.key.Parent),
	}
}
