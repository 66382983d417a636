package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
)

// Hook judges the changesets of replicas, before rules and constraints do. nil
// accepts, with what it amended by the methods of the call; an error of Reject
// rejects with a code of the app's own, which reaches the author's replica. Any
// other error says that the hook could not judge: the changeset waits, with
// those behind it, and is shown again later.
//
// A hook may take its time: only the replica that waits for it is delayed. One
// that takes longer than Options.HookTimeout should return when its context
// ends, and has then failed. Several calls may run at once, of one replica only
// one at a time.
//
// The same changeset may be shown more than once (after a restart; when rows
// changed before the hook had answered) and be refused after the hook accepted
// it: so a hook should decide, and leave deeds to who reads the accepted rows.
// What other programs write into the served file is shown to no hook.
type Hook func(ctx context.Context, call *HookCall) error

// HookCall is one changeset that a Hook judges. It belongs to the hook until
// that returns; only its methods may change it.
type HookCall struct {
	Space     string
	Replica   string
	N         int64 // number of the changeset, which Replica, N and Hash name
	Hash      tidemark.Hash
	Principal tidemark.Principal
	MadeAt    time.Time     // by the replica's clock
	Try       int           // how often this changeset was shown: 1, 2 ...
	Changes   []*HookChange // what would be written, by whichever policy holds; at least one

	schema *tidemark.Schema
	shown  []*HookChange
	added  []tidemark.Change
	wrong  error // a misuse
}

// HookChange is one row that a changeset would write. What follows from it by
// foreign keys' actions is not shown.
type HookChange struct {
	Table   string
	Op      tidemark.Op
	Key     HookRow  // its primary key: before the change, or after it for an insert
	Old     HookRow  // the whole row as it is now; nil for an insert
	New     HookRow  // the whole row as it would be; nil for a delete
	Columns []string // update: which columns are written

	call *HookCall
	of   *hub.Proposed
	drop bool
	set  map[int]tidemark.Value
}

// HookRow is a row, or a part of one, by the names of its columns.
type HookRow map[string]tidemark.Value

// Reject makes the error by which a hook rejects. The author's replica gets
// the code as "app:" + code and the message, and keeps the changeset until
// somebody disposes of it. A code is made of lower-case letters, digits and
// underscores, and begins with a letter.
func Reject(code, message string) error {
	own, ok := tidemark.AppCode(strings.TrimPrefix(code, "app:"))
	if !ok {
		return &misuse{fmt.Sprintf("the hook rejects with %q, which cannot be the code of an app: use lower-case letters, digits and underscores, a letter first", code)}
	}
	return &tidemark.Error{Code: own, Msg: short(message)}
}

// Reject is the function Reject for one row and, if any are named, some of its
// columns. Names that the table does not have are passed over.
func (c *HookChange) Reject(code, message string, columns ...string) error {
	err := Reject(code, message)
	e, ok := err.(*tidemark.Error) //nolint:errorlint // Reject made it
	if !ok {
		return err
	}
	e.Table, e.Key = c.of.Table.Name, c.of.Key
	for _, name := range columns {
		if col := c.of.Table.Place(name); col >= 0 {
			e.Columns = append(e.Columns, c.of.Table.Columns[col].Name)
		}
	}
	return e
}

// maxReason bounds the message of a rejection, in bytes.
const maxReason = 2000

func short(message string) string {
	message = strings.ToValidUTF8(message, "\uFFFD")
	if len(message) <= maxReason {
		return message
	}
	cut := maxReason
	for !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut]
}

// Set gives a column of the row another value. A value of the author's that
// does not survive makes the outcome merged, and is kept like one that lost
// against another edit. Columns of the primary key cannot be set: Drop the
// change and add another.
func (c *HookChange) Set(column string, v tidemark.Value) {
	t := c.of.Table
	col := t.Place(column)
	switch {
	case c.Op == tidemark.Delete:
		c.call.misuse("sets %s of a row of %s that is deleted", column, t.Name)
	case col < 0:
		c.call.misuse("sets %s, which table %s does not have, or which is computed", column, t.Name)
	case slices.Contains(t.Key, col):
		c.call.misuse("sets %s.%s, which belongs to the primary key", t.Name, column)
	default:
		if c.set == nil {
			c.set = map[int]tidemark.Value{}
		}
		c.set[col] = v
		c.New[t.Columns[col].Name] = v
	}
}

// Drop leaves the change out. What its author meant by it is kept like an edit
// that lost.
func (c *HookChange) Drop() { c.drop = true }

// Insert adds a row to what is written. Columns that are left out get their
// defaults, an integer primary key the next free number.
func (h *HookCall) Insert(table string, row HookRow) {
	t := h.table(table)
	if t == nil {
		return
	}
	values, ok := h.place(t, row)
	if !ok {
		return
	}
	last := slices.Max(t.Key)
	for col := range values {
		last = max(last, col)
	}
	c := tidemark.Change{Table: t.ID, Op: tidemark.Insert, New: make([]tidemark.Value, last+1)}
	for col := range c.New {
		if v, given := values[col]; given {
			c.New[col] = v
			continue
		}
		if c.New[col], ok = hub.Constant(t.Columns[col].Default); !ok {
			h.misuse("inserts a row of %s without %s, whose default is computed", t.Name, t.Columns[col].Name)
			return
		}
	}
	h.append(c)
}

// Update adds an update of another row. key names all columns of its primary
// key, set the columns that change. Where the row is not there nothing happens.
func (h *HookCall) Update(table string, key, set HookRow) {
	t := h.table(table)
	if t == nil {
		return
	}
	c := tidemark.Change{Table: t.ID, Op: tidemark.Update}
	values, ok := h.place(t, set)
	if c.Key = h.keyOf(t, key); c.Key == nil || !ok {
		return
	}
	for col := range t.Columns {
		v, given := values[col]
		if given && slices.Contains(t.Key, col) {
			h.misuse("sets %s.%s, which belongs to the primary key", t.Name, t.Columns[col].Name)
			return
		}
		if given {
			c.Cols, c.New = append(c.Cols, col), append(c.New, v)
		}
	}
	if len(c.Cols) > 0 {
		h.append(c)
	}
}

// Delete adds a delete of another row. Where it is not there nothing happens.
func (h *HookCall) Delete(table string, key HookRow) {
	if t := h.table(table); t != nil {
		if k := h.keyOf(t, key); k != nil {
			h.append(tidemark.Change{Table: t.ID, Op: tidemark.Delete, Key: k})
		}
	}
}

// maxAdded bounds what a hook may add to one changeset.
const maxAdded = 10_000

func (h *HookCall) append(c tidemark.Change) {
	if len(h.added) == maxAdded {
		h.misuse("adds more than %d changes", maxAdded)
		return
	}
	h.added = append(h.added, c)
}

func (h *HookCall) table(name string) *tidemark.Table {
	t := h.schema.Named(name)
	if t == nil || t.Out != "" {
		h.misuse("writes table %s, which does not sync", name)
		return nil
	}
	return t
}

// place finds the columns of a row.
func (h *HookCall) place(t *tidemark.Table, row HookRow) (map[int]tidemark.Value, bool) {
	values := make(map[int]tidemark.Value, len(row))
	for name, v := range row {
		col := t.Place(name)
		if col < 0 {
			h.misuse("names %s, which table %s does not have, or which is computed", name, t.Name)
			return nil, false
		}
		values[col] = v
	}
	return values, true
}

// keyOf returns a whole key, or nil after it has noted a misuse.
func (h *HookCall) keyOf(t *tidemark.Table, row HookRow) []tidemark.Value {
	values, ok := h.place(t, row)
	if !ok {
		return nil
	}
	key := make([]tidemark.Value, len(t.Key))
	for i, col := range t.Key {
		v, given := values[col]
		if !given || v.IsNull() || len(row) != len(t.Key) {
			h.misuse("names a row of %s by other columns than those of its key", t.Name)
			return nil
		}
		key[i] = v
	}
	return key
}

// misuse notes the first mistake of a hook. Its answer does not count then.
func (h *HookCall) misuse(format string, args ...any) {
	if h.wrong == nil {
		h.wrong = &misuse{"the hook " + fmt.Sprintf(format, args...)}
	}
}

// misuse is a mistake in a hook: trying again alone does not help.
type misuse struct{ what string }

func (m *misuse) Error() string { return m.what }

// newHookCall shows a proposal to a hook.
func newHookCall(space string, p *hub.Proposal, try int) *HookCall {
	h := &HookCall{
		Space: space, Replica: p.Name.Replica, N: p.Name.N, Hash: p.Name.Hash, Principal: p.Principal,
		MadeAt: time.UnixMilli(p.MadeAt), Try: try, Changes: make([]*HookChange, len(p.Changes)), schema: p.Schema,
	}
	for i := range p.Changes {
		of := &p.Changes[i]
		key := make(HookRow, len(of.Key))
		for i, col := range of.Table.Key {
			key[of.Table.Columns[col].Name] = of.Key[i]
		}
		c := &HookChange{
			Table: of.Table.Name, Op: of.Op, Key: key,
			Old: hookRow(of.Table, of.Old), New: hookRow(of.Table, of.New), call: h, of: of,
		}
		if of.Op == tidemark.Update {
			c.Columns = of.Table.ColumnNames(of.Cols)
		}
		h.Changes[i] = c
	}
	h.shown = slices.Clone(h.Changes)
	return h
}

func hookRow(t *tidemark.Table, values []tidemark.Value) HookRow {
	if values == nil {
		return nil
	}
	row := make(HookRow, len(values))
	for i, v := range values {
		row[t.Columns[i].Name] = v
	}
	return row
}

// verdict is what the hook made of the call.
func (h *HookCall) verdict() (*hub.Verdict, error) {
	if h.wrong != nil {
		return nil, h.wrong
	}
	v := &hub.Verdict{Add: h.added}
	for _, c := range h.shown {
		switch {
		case c.drop:
			if v.Drop == nil {
				v.Drop = map[hub.RowOf]bool{}
			}
			v.Drop[c.of.Row()] = true
		case len(c.set) > 0:
			if v.Set == nil {
				v.Set = map[hub.RowOf]map[int]tidemark.Value{}
			}
			v.Set[c.of.Row()] = c.set
		}
	}
	return v, nil
}
