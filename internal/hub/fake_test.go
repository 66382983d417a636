package hub_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// memoryStore keeps a space in maps. It knows three constraints, on the name
// of an item: names are unique, 'bad' breaks a CHECK, and the names below make
// the machine fail.
type memoryStore struct {
	now     books
	waiting *tidemark.ForeignWork
	missed  []tidemark.Change
	commits int
	asked   int  // evaluations of grants
	full    bool // every write fails as on a full disk
	rule    func(tidemark.Author, tidemark.Change) error
}

const (
	nameGone   = "gone"   // a trigger that says RAISE(ROLLBACK)
	nameBroken = "broken" // an I/O error
	nameCrash  = "crash"  // an I/O error that ends the transaction
)

var errDisk = errors.New("disk I/O error")

// books are what a transaction changes and a failure restores.
type books struct {
	space    tidemark.SpaceState
	schema   *tidemark.Schema
	bodies   map[string][]byte
	rows     map[string]memoryRow
	replicas map[string]tidemark.ReplicaState
	outcomes map[string]tidemark.Outcome
	terms    []term
	log      []tidemark.LogEntry
	undone   []tidemark.Outcome
	effects  map[string]effect
	kept     kept
	feed     map[string]memoryFed // by row and scope
}

type term struct {
	name  string
	first tidemark.Seq
}

type memoryRow struct {
	table  int
	keyID  string
	key    []tidemark.Value
	values []tidemark.Value // nil: deleted
	seq    tidemark.Seq
	writer string
}

type effect struct{ before, after []tidemark.Value }

func (b books) copy() books {
	b.bodies, b.rows, b.replicas = maps.Clone(b.bodies), maps.Clone(b.rows), maps.Clone(b.replicas)
	b.outcomes, b.effects, b.kept = maps.Clone(b.outcomes), maps.Clone(b.effects), b.kept.copy()
	b.feed = maps.Clone(b.feed)
	b.terms, b.log, b.undone = slices.Clone(b.terms), slices.Clone(b.log), slices.Clone(b.undone)
	return b
}

// items is the schema of the tests: a table that syncs and one that does not any more.
func items(columns ...string) *tidemark.Schema {
	columns = append([]string{"id", "name", "note"}, columns...)
	t := &tidemark.Table{ID: 1, Name: "item", Key: []int{0}, RowidAlias: true}
	for _, c := range columns {
		t.Columns = append(t.Columns, tidemark.Column{Name: c, Collation: "BINARY"})
	}
	out := &tidemark.Table{
		ID: 2, Name: "old", Key: []int{0}, Out: "its key changed",
		Columns: []tidemark.Column{{Name: "id", Collation: "BINARY"}},
	}
	return &tidemark.Schema{Hash: fmt.Sprintf("schema%d", len(columns)), Tables: []*tidemark.Table{t, out}}
}

func newMemoryStore() *memoryStore {
	m := &memoryStore{now: books{
		space:  tidemark.SpaceState{Space: "shop", Incarnation: "inc"},
		bodies: map[string][]byte{}, rows: map[string]memoryRow{}, replicas: map[string]tidemark.ReplicaState{},
		outcomes: map[string]tidemark.Outcome{}, effects: map[string]effect{}, kept: newKept(), feed: map[string]memoryFed{},
	}}
	m.now.setSchema(items())
	return m
}

func (b *books) setSchema(s *tidemark.Schema) {
	b.schema, b.space.SchemaHash = s, s.Hash
	b.bodies[s.Hash] = schema.Encode(s)
}

func (m *memoryStore) Group(_ context.Context, fn func(tidemark.Tx) error) error {
	tx := &memoryTx{m: m, books: m.now.copy()}
	tx.books.effects = map[string]effect{}
	err := fn(tx)
	switch {
	case err != nil:
		return err
	case tx.gone:
		return tidemark.ErrTransactionGone
	case m.full:
		return &tidemark.Error{Code: tidemark.CodeFull, Msg: "no room"}
	}
	m.now = tx.books
	m.commits++
	if tx.tookForeign {
		m.waiting = nil
	}
	return nil
}

func (m *memoryStore) View(_ context.Context, fn func(tidemark.View) error) error {
	if m.waiting != nil {
		return &tidemark.Error{Code: tidemark.CodeBusy, Msg: "changes wait"}
	}
	return fn(&memoryTx{m: m, books: m.now})
}

func (m *memoryStore) Dirty(context.Context) (bool, error) { return m.waiting != nil, nil }

func (m *memoryStore) Snapshot(context.Context, string) (tidemark.SnapshotInfo, error) {
	return tidemark.SnapshotInfo{}, errors.New("no files here")
}

func (m *memoryStore) Scrub(_ context.Context, tx tidemark.Tx, cursor string, _ int) ([]tidemark.Change, string, error) {
	missed := m.missed
	m.missed = nil
	if cursor == "" {
		return missed, "next", nil
	}
	return missed, "", nil
}

func (m *memoryStore) Close() error { return nil }

// foreignWrite is what another program does to the file: rows change at once,
// the changes wait for Foreign.
func (m *memoryStore) foreignWrite(refused *tidemark.Error, changes ...tidemark.Change) {
	if m.waiting == nil {
		m.waiting = &tidemark.ForeignWork{}
	}
	m.waiting.Changes = append(m.waiting.Changes, changes...)
	m.waiting.Refused = refused
}

type memoryTx struct {
	m           *memoryStore
	books       books
	gone        bool
	tookForeign bool
	concerned   map[string]bool
}

func (x *memoryTx) Schema() *tidemark.Schema { return x.books.schema }

func (x *memoryTx) State() (tidemark.SpaceState, error) {
	st := x.books.space
	h := fnv.New64a()
	for _, id := range slices.Sorted(maps.Keys(x.books.rows)) {
		if r := x.books.rows[id]; r.values != nil {
			fmt.Fprint(h, id, r.values)
		}
	}
	st.Sum = h.Sum64()
	return st, nil
}

func (x *memoryTx) SchemaBody(hash string) ([]byte, error) { return x.books.bodies[hash], nil }

func (x *memoryTx) Since(c tidemark.Cursor, fn func(tidemark.Cursor, tidemark.Change) bool) error {
	list := slices.Collect(maps.Values(x.books.rows))
	slices.SortFunc(list, func(a, b memoryRow) int {
		if a.seq != b.seq {
			return int(a.seq - b.seq)
		}
		return strings.Compare(a.keyID, b.keyID)
	})
	for _, r := range list {
		if r.seq < c.Seq || r.seq == c.Seq && (c.Table == 0 || r.table < c.Table || r.table == c.Table && r.keyID <= c.KeyID) {
			continue
		}
		change := tidemark.Change{Table: r.table, Op: tidemark.Insert, Key: r.key, New: r.values}
		if r.values == nil {
			change.Op = tidemark.Delete
		}
		if !fn(tidemark.Cursor{Seq: r.seq, Table: r.table, KeyID: r.keyID}, change) {
			return nil
		}
	}
	return nil
}

func (x *memoryTx) Ranges(_ []string, _ int, _, _ []tidemark.Value, bounds [][]tidemark.Value) ([]tidemark.RangeSum, error) {
	return make([]tidemark.RangeSum, len(bounds)+1), nil
}

func (x *memoryTx) Rows(scopes []string, table int, after, _ []tidemark.Value, limit int) ([][]tidemark.Value, bool, error) {
	var out [][]tidemark.Value
	for _, id := range slices.Sorted(maps.Keys(x.books.rows)) {
		if r := x.books.rows[id]; r.values != nil && r.table == table && (after == nil || id > x.id(table, after)) && (scopes == nil || slices.ContainsFunc(scopesIn(r.values), func(s string) bool { return slices.Contains(scopes, s) })) {
			out = append(out, r.values)
		}
	}
	if limit == 0 {
		return out, false, nil
	}
	return out[:min(limit, len(out))], limit < len(out), nil
}

func (x *memoryTx) id(table int, key []tidemark.Value) string {
	return fmt.Sprintf("%d/%s", table, x.books.schema.Table(table).KeyID(key))
}

func (x *memoryTx) Row(table int, key []tidemark.Value) (tidemark.RowState, error) {
	r := x.books.rows[x.id(table, key)]
	return tidemark.RowState{Values: r.values, Seq: r.seq, Writer: r.writer}, nil
}

func (x *memoryTx) Replica(id string) (*tidemark.ReplicaState, error) {
	if r, ok := x.books.replicas[id]; ok {
		return &r, nil
	}
	return nil, nil
}

func outcomeID(replica string, n int64) string { return fmt.Sprintf("%s %020d", replica, n) }

func (x *memoryTx) Outcome(replica string, n int64) (*tidemark.Outcome, error) {
	if o, ok := x.books.outcomes[outcomeID(replica, n)]; ok {
		return &o, nil
	}
	return nil, nil
}

func (x *memoryTx) Outcomes(replica string, n int64, limit int) ([]tidemark.Outcome, error) {
	var out []tidemark.Outcome
	for _, id := range slices.Sorted(maps.Keys(x.books.outcomes)) {
		if o := x.books.outcomes[id]; o.Replica == replica && o.N > n && len(out) < limit {
			out = append(out, o)
		}
	}
	return out, nil
}

func (x *memoryTx) TermEnd(name string) (tidemark.Seq, bool, error) {
	for i, t := range x.books.terms {
		if t.name != name {
			continue
		}
		if i+1 < len(x.books.terms) {
			return x.books.terms[i+1].first - 1, true, nil
		}
		return x.books.space.Head, true, nil
	}
	return 0, false, nil
}

func (x *memoryTx) Log(after tidemark.Seq, _ int, fn func(tidemark.LogEntry) error) error {
	for _, e := range x.books.log[after:] {
		if err := fn(e); err != nil {
			return err
		}
	}
	return nil
}

func (x *memoryTx) StartTerm(name string) error {
	x.books.terms = append(x.books.terms, term{name, x.books.space.Head + 1})
	x.books.space.Term = name
	return nil
}

func (x *memoryTx) Foreign() (tidemark.ForeignWork, error) {
	x.tookForeign = true
	w := x.m.waiting
	if w == nil {
		return tidemark.ForeignWork{}, nil
	}
	if w.Moved != nil {
		x.books.setSchema(w.Moved.Schema)
	}
	if w.Refused == nil {
		for _, c := range w.Changes {
			x.put(c)
		}
	}
	return *w, nil
}

func (x *memoryTx) Undo([]tidemark.Change) error { return nil }

func (x *memoryTx) Savepoint(fn func() error) error {
	before := x.books.copy()
	err := fn()
	if x.gone {
		return fmt.Errorf("%w: %w", tidemark.ErrTransactionGone, err)
	}
	if err != nil {
		x.books = before
	}
	return err
}

// put changes a row and notes the effect.
func (x *memoryTx) put(c tidemark.Change) {
	id := x.id(c.Table, c.Key)
	t := x.books.schema.Table(c.Table)
	r := x.books.rows[id]
	before := r.values
	switch c.Op {
	case tidemark.Insert:
		r = memoryRow{table: c.Table, keyID: t.KeyID(c.Key), key: c.Key, seq: r.seq, writer: r.writer}
		r.values = make([]tidemark.Value, len(t.Columns))
		copy(r.values, c.New)
	case tidemark.Update:
		r.values = slices.Clone(r.values)
		for i, col := range c.Cols {
			r.values[col] = c.New[i]
		}
		if moved := t.KeyOf(r.values); t.KeyID(moved) != r.keyID {
			x.put(tidemark.Change{Table: c.Table, Op: tidemark.Insert, Key: moved, New: r.values})
			r.values = nil
		}
	case tidemark.Delete:
		r.values = nil
	}
	x.books.rows[id] = r
	e, known := x.books.effects[id]
	if !known {
		e.before = before
	}
	e.after = r.values
	x.books.effects[id] = e
}

func (x *memoryTx) Write(c tidemark.Change) error { return x.WriteAll([]tidemark.Change{c}) }

func (x *memoryTx) WriteAs(author tidemark.Author, changes []tidemark.Change) error {
	for _, c := range changes {
		if x.m.rule == nil {
			break
		}
		if err := x.m.rule(author, c); err != nil {
			return err
		}
	}
	return x.WriteAll(changes)
}

func (x *memoryTx) WriteAll(changes []tidemark.Change) error {
	if x.m.full {
		return &tidemark.Error{Code: tidemark.CodeFull, Msg: "no room"}
	}
	for _, op := range []tidemark.Op{tidemark.Delete, tidemark.Update, tidemark.Insert} {
		for _, c := range changes {
			if c.Op == op {
				x.put(c)
			}
		}
	}
	return x.constraints()
}

func (x *memoryTx) constraints() error {
	names := map[string][]tidemark.Value{}
	for _, id := range slices.Sorted(maps.Keys(x.books.rows)) {
		r := x.books.rows[id]
		if r.values == nil || r.table != 1 {
			continue
		}
		name := r.values[1].Str()
		switch {
		case name == nameGone || name == nameCrash:
			x.gone = true
			if name == nameCrash {
				return errDisk
			}
			return &tidemark.Error{Code: tidemark.CodeRaised, Msg: "not in this shop", Table: "item"}
		case name == nameBroken:
			return errDisk
		case name == "bad":
			return &tidemark.Error{Code: tidemark.CodeCheck, Msg: "name is bad", Table: "item", Key: r.key}
		case name != "" && names[name] != nil:
			return x.nameTaken(r, names[name])
		}
		names[name] = r.key
	}
	return nil
}

// Settle knows one reference: the note 'orphan' refers to a row that is not there.
func (x *memoryTx) Settle(changes []tidemark.Change) error {
	for _, c := range changes {
		if c.Table == 1 && len(c.New) > 0 && c.New[len(c.New)-1] == tidemark.Text("orphan") {
			return &tidemark.Error{Code: tidemark.CodeForeignKey, Msg: "no such parent", Table: "item", Key: c.Key}
		}
	}
	return x.orphans()
}

func (x *memoryTx) Effects() ([]tidemark.Change, error) {
	var out []tidemark.Change
	for _, id := range slices.Sorted(maps.Keys(x.books.effects)) {
		e, r := x.books.effects[id], x.books.rows[id]
		c := tidemark.Change{Table: r.table, Key: r.key}
		switch {
		case slices.Equal(e.before, e.after):
			continue
		case e.after == nil:
			c.Op, c.Old = tidemark.Delete, e.before
		case e.before == nil:
			c.Op, c.New = tidemark.Insert, e.after
		default:
			c.Op = tidemark.Update
			for i := range e.after {
				if e.before[i] != e.after[i] {
					c.Cols, c.New, c.Old = append(c.Cols, i), append(c.New, e.after[i]), append(c.Old, e.before[i])
				}
			}
		}
		out = append(out, c)
	}
	x.books.effects = map[string]effect{}
	return out, nil
}

func (x *memoryTx) Append(e tidemark.LogEntry) error {
	if e.Seq != x.books.space.Head+1 {
		return fmt.Errorf("seq %d behind head %d", e.Seq, x.books.space.Head)
	}
	x.books.space.Head++
	for _, c := range e.Effects {
		id := x.id(c.Table, c.Key)
		r := x.books.rows[id]
		r.seq, r.writer = e.Seq, e.Name.Replica
		x.books.rows[id] = r
	}
	x.follow(e)
	x.books.effects = map[string]effect{}
	x.books.log = append(x.books.log, e)
	return nil
}

func (x *memoryTx) SaveOutcome(o tidemark.Outcome) error {
	id := outcomeID(o.Replica, o.N)
	if _, known := x.books.outcomes[id]; known {
		return fmt.Errorf("a second outcome for %s", id)
	}
	x.books.outcomes[id] = o
	return nil
}

func (x *memoryTx) SaveReplica(r tidemark.ReplicaState) error {
	x.books.replicas[r.ID] = r
	return nil
}

func (x *memoryTx) SaveRejectedForeign(_ []tidemark.Change, o tidemark.Outcome) error {
	x.books.undone = append(x.books.undone, o)
	return nil
}

var _ tidemark.Store = (*memoryStore)(nil)
