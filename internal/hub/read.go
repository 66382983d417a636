package hub

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// maxSchemas bounds the decoded schemas that a hub keeps.
const maxSchemas = 64

// read decodes a changeset and checks it against the schema under which it was
// made. Whatever is wrong is an *Error that rejects.
func (g *group) read(cs *tidemark.Changeset) ([]tidemark.Change, error) {
	limits := g.hub.opts.Limits
	if cs.Body == nil {
		return nil, &tidemark.Error{
			Code: tidemark.CodeTooLarge,
			Msg:  fmt.Sprintf("the changeset is larger than the %d bytes that this server takes", limits.Changeset),
		}
	}
	if len(cs.Body) > limits.Changeset {
		return nil, &tidemark.Error{
			Code: tidemark.CodeTooLarge,
			Msg:  fmt.Sprintf("the changeset has %d bytes, this server takes %d", len(cs.Body), limits.Changeset),
		}
	}
	changes, err := wire.DecodeChanges(cs.Body)
	if err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeSchema, Msg: "the changeset cannot be read: " + err.Error()}
	}
	made, err := g.schemaOf(cs.Schema)
	if err != nil {
		return nil, err
	}
	r := reader{made: made, now: g.tx.Schema(), row: limits.Row, left: rowSet{}, reached: rowSet{}}
	for i := range changes {
		if err := r.check(&changes[i]); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// schemaOf returns the schema that a changeset names.
func (g *group) schemaOf(hash string) (*tidemark.Schema, error) {
	if s := g.tx.Schema(); s.Hash == hash {
		return s, nil
	}
	if s := g.hub.schemas[hash]; s != nil {
		return s, nil
	}
	body, err := g.tx.SchemaBody(hash)
	if err != nil {
		return nil, err
	}
	if body == nil {
		return nil, &tidemark.Error{Code: tidemark.CodeSchema, Msg: fmt.Sprintf("the changeset was made under schema %q, which this space never had", hash)}
	}
	s, err := schema.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("hub: schema %s cannot be read: %w", hash, err)
	}
	if len(g.hub.schemas) >= maxSchemas {
		clear(g.hub.schemas)
	}
	g.hub.schemas[hash] = s
	return s, nil
}

// reader checks the changes of one changeset.
type reader struct {
	made *tidemark.Schema // when the changeset was made
	now  *tidemark.Schema
	row  int // bytes that a row may have
	// A row may leave a key that another one takes, but no two leave or take the same.
	left, reached rowSet
}

func (r *reader) check(c *tidemark.Change) error {
	t, err := r.table(c.Table)
	if err != nil {
		return err
	}
	if err := r.shape(t, c); err != nil {
		return err
	}
	if err := notNull(t, c.Key); err != nil {
		return err
	}
	to := c.Key
	if c.Op == tidemark.Update {
		to = movedTo(t, c)
		if err := notNull(t, to); err != nil {
			return err
		}
	}
	if n := rowBytes(c); n > r.row {
		return &tidemark.Error{
			Code: tidemark.CodeTooLarge, Table: t.Name, Key: c.Key,
			Msg: fmt.Sprintf("a row of %s has %d bytes, this server takes %d", t.Name, n, r.row),
		}
	}
	if c.Op != tidemark.Insert && !r.left.add(rowID{c.Table, t.KeyID(c.Key)}) ||
		c.Op != tidemark.Delete && !r.reached.add(rowID{c.Table, t.KeyID(to)}) {
		return misfit(t, "changes one row twice")
	}
	return nil
}

// rowBytes is the size of what a change says of its row, as limits count it.
func rowBytes(c *tidemark.Change) int {
	n := 0
	for _, v := range c.New {
		n += v.Size()
	}
	for _, e := range c.Edits {
		n += len(e.Body)
	}
	return n
}

// rowSet is a set of rows.
type rowSet map[rowID]bool

// add reports whether the row was not there.
func (s rowSet) add(id rowID) bool {
	if s[id] {
		return false
	}
	s[id] = true
	return true
}

// table finds a table as it was when the changeset was made, if it still syncs.
func (r *reader) table(id int) (*tidemark.Table, error) {
	made, now := r.made.Table(id), r.now.Table(id)
	switch {
	case made == nil:
		return nil, &tidemark.Error{Code: tidemark.CodeSchema, Msg: fmt.Sprintf("the changeset names table %d, which its schema does not have", id)}
	case now == nil:
		return nil, &tidemark.Error{Code: tidemark.CodeSchema, Table: made.Name, Msg: fmt.Sprintf("table %s no longer syncs: it is gone from the server", made.Name)}
	case now.Out != "":
		return nil, &tidemark.Error{Code: tidemark.CodeSchema, Table: now.Name, Msg: fmt.Sprintf("table %s no longer syncs: %s", now.Name, now.Out)}
	case len(made.Columns) > len(now.Columns) || len(made.Key) != len(now.Key):
		return nil, misfit(made, "does not fit the table that the server has")
	}
	return made, nil
}

// shape checks that keys, columns and values are as many as the table says.
func (r *reader) shape(t *tidemark.Table, c *tidemark.Change) error {
	if c.Op == tidemark.Insert {
		if len(c.New) != len(t.Columns) || len(c.Cols) != 0 {
			return misfit(t, fmt.Sprintf("inserts %d values into %d columns", len(c.New), len(t.Columns)))
		}
		key := t.KeyOf(c.New)
		if len(c.Key) != 0 && !slices.Equal(c.Key, key) {
			return misfit(t, "inserts a row under the key of another")
		}
		c.Key = key
		if len(c.Edits) > 0 {
			return misfit(t, "inserts a row and edits it")
		}
		return nil
	}
	if len(c.Key) != len(t.Key) {
		return misfit(t, fmt.Sprintf("names a row by %d values, the key has %d", len(c.Key), len(t.Key)))
	}
	if len(c.Cols) != len(c.New) {
		return misfit(t, "has another number of values than of columns")
	}
	switch {
	case c.Op == tidemark.Delete && len(c.New) > 0:
		return misfit(t, "deletes a row and gives it values")
	case c.Op != tidemark.Delete && c.Op != tidemark.Update:
		return misfit(t, fmt.Sprintf("wants %s", c.Op))
	}
	for i, col := range c.Cols {
		if col < 0 || col >= len(t.Columns) || i > 0 && col <= c.Cols[i-1] {
			return misfit(t, fmt.Sprintf("names column %d of %d out of place", col, len(t.Columns)))
		}
	}
	return edits(t, c)
}

// edits checks that each edit is of the kind that its column's policy makes.
// What their bodies say is read where they are put on a value.
func edits(t *tidemark.Table, c *tidemark.Change) error {
	if len(c.Edits) == 0 {
		c.Edits = nil
		return nil
	}
	if len(c.Edits) != len(c.Cols) {
		return misfit(t, "has another number of edits than of columns")
	}
	for i, e := range c.Edits {
		col := &t.Columns[c.Cols[i]]
		switch {
		case e.Kind == tidemark.EditSet:
		case merge.Natural(e.Kind) != t.PolicyOf(c.Cols[i]) || col.Group != "" || slices.Contains(t.Key, c.Cols[i]):
			return misfit(t, fmt.Sprintf("edits column %s in a way that it does not merge by", col.Name))
		}
	}
	return nil
}

// movedTo returns the key that a row has after an update.
func movedTo(t *tidemark.Table, c *tidemark.Change) []tidemark.Value {
	key := c.Key
	for i, place := range t.Key {
		if at, ok := slices.BinarySearch(c.Cols, place); ok {
			if &key[0] == &c.Key[0] {
				key = slices.Clone(key)
			}
			key[i] = c.New[at]
		}
	}
	return key
}

// notNull rejects keys with NULL. SQLite lets them into some tables, where
// they name no row.
func notNull(t *tidemark.Table, key []tidemark.Value) error {
	for i, v := range key {
		if v.IsNull() {
			name := t.Columns[t.Key[i]].Name
			return &tidemark.Error{
				Code: tidemark.CodeNotNull, Table: t.Name, Key: key, Columns: []string{name},
				Msg: fmt.Sprintf("%s.%s belongs to the primary key and is NULL", t.Name, name),
			}
		}
	}
	return nil
}

func misfit(t *tidemark.Table, what string) *tidemark.Error {
	return &tidemark.Error{Code: tidemark.CodeSchema, Table: t.Name, Msg: fmt.Sprintf("a change of %s %s", t.Name, what)}
}
