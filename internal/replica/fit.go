package replica

import (
	"errors"
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// misfit says why a changeset cannot be put on top of the rows as they are.
type misfit struct {
	code    tidemark.Code
	message string
	table   string
	key     []tidemark.Value
	columns []string
	on      int64 // the suspended changeset that it builds on, 0 for none
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

// sketch is what a changeset makes of the rows that it touches.
type sketch struct {
	tables        map[rowID]*tidemark.Table
	order         []rowID // as first touched
	before, after images
	moved         map[rowID]rowID // where an arriving row comes from
}

// strict says what to do with an update of a row that is gone: nothing when a
// pending changeset is put back, since the server will drop that change too;
// a misfit when a person asks for the change.
type strictness bool

const (
	lax    strictness = false
	strict strictness = true
)

// sketchOf works a changeset out on the rows as they are: first what leaves,
// then what changes in place, then what arrives. So rows may trade keys.
func (a *attempt) sketchOf(changes []tidemark.Change, how strictness) (*sketch, error) {
	s := &sketch{tables: map[rowID]*tidemark.Table{}, before: images{}, after: images{}, moved: map[rowID]rowID{}}
	for i := range changes {
		if err := a.see(s, &changes[i]); err != nil {
			return nil, err
		}
	}
	for i := range changes {
		s.leave(a.r.schema, &changes[i])
	}
	for i := range changes {
		if err := a.arriveAt(s, &changes[i], how); err != nil {
			return s, err
		}
	}
	return s, nil
}

// see reads the rows that a change touches.
func (a *attempt) see(s *sketch, c *tidemark.Change) error {
	t := synced(a.r.schema, c.Table)
	if t == nil {
		return nil
	}
	if len(c.Key) != len(t.Key) || len(c.New) > len(t.Columns) {
		return &misfit{code: tidemark.CodeSchema, message: "a change does not fit the table", table: t.Name}
	}
	for _, id := range rowsOf(t, c) {
		if s.tables[id] != nil {
			continue
		}
		image, err := a.read(t, id)
		if err != nil {
			return err
		}
		s.tables[id], s.before[id], s.after[id] = t, image, image
		s.order = append(s.order, id)
	}
	return nil
}

func (s *sketch) leave(sc *tidemark.Schema, c *tidemark.Change) {
	t := synced(sc, c.Table)
	if t == nil {
		return
	}
	if ids := rowsOf(t, c); c.Op == tidemark.Delete || len(ids) == 2 {
		s.after[ids[0]] = nil
	}
}

func (a *attempt) arriveAt(s *sketch, c *tidemark.Change, how strictness) error {
	t := synced(a.r.schema, c.Table)
	if t == nil || c.Op == tidemark.Delete {
		return nil
	}
	ids := rowsOf(t, c)
	from, to := ids[0], ids[len(ids)-1]
	if c.Op == tidemark.Update && s.before[from] == nil {
		return a.missing(t, from, c, how)
	}
	if c.Op == tidemark.Update && from == to {
		s.after[to] = withColumns(t, s.after[to], c)
		return nil
	}
	after := c.New
	if c.Op == tidemark.Update {
		after = withColumns(t, s.before[from], c)
	}
	if there := s.after[to]; there != nil {
		if c.Op == tidemark.Insert && equal(there[:min(len(there), len(after))], after) {
			return nil
		}
		return &misfit{code: tidemark.CodeUnique, message: "the key is taken", table: t.Name, key: keyAfter(t, c), columns: keyNames(t),
			on: a.down.touched[to]}
	}
	s.after[to] = after
	if c.Op == tidemark.Update {
		s.moved[to] = from
	}
	return nil
}

// missing judges an update of a row that is not here.
func (a *attempt) missing(t *tidemark.Table, id rowID, c *tidemark.Change, how strictness) error {
	if _, would := a.down.arrived[id]; would {
		return &misfit{code: tidemark.CodeDependsOn, message: "the row is not there", table: t.Name, key: c.Key, on: a.down.touched[id]}
	}
	if how == strict {
		return &misfit{code: tidemark.CodeNotFound, message: "the row is gone", table: t.Name, key: c.Key}
	}
	return nil
}

func keyNames(t *tidemark.Table) []string {
	names := make([]string, len(t.Key))
	for i, c := range t.Key {
		names[i] = t.Columns[c].Name
	}
	return names
}

// rows are the sketch's row changes, as capture would have seen them.
func (s *sketch) rows() []capture.RowChange {
	var rows []capture.RowChange
	left := map[rowID]bool{}
	for _, to := range s.order {
		if from, ok := s.moved[to]; ok {
			left[from] = true
		}
	}
	for _, id := range s.order {
		t, before, after := s.tables[id], s.before[id], s.after[id]
		if left[id] {
			before = nil // it goes with the row that moved
		}
		if from, ok := s.moved[id]; ok {
			rows = append(rows, capture.RowChange{Table: t, Before: s.before[from], After: after})
			after = nil
		}
		if !equal(before, after) {
			rows = append(rows, capture.RowChange{Table: t, Before: before, After: after})
		}
	}
	return rows
}

// write brings a sketch into the tables: deletes, then updates, then inserts.
func (a *attempt) write(s *sketch) error {
	w := &rowWriter{db: a.db}
	for pass := 0; pass < 3; pass++ {
		for _, id := range s.order {
			before, after := s.before[id], s.after[id]
			if passOf(before, after) != pass || equal(before, after) {
				continue
			}
			if err := w.set(s.tables[id], id, before, after); err != nil {
				return asMisfit(s.tables[id], after, err)
			}
		}
	}
	err := w.finish(func(t *tidemark.Table, _ rowID, after []tidemark.Value, why error) error {
		return asMisfit(t, after, why)
	})
	if err != nil {
		return err
	}
	return a.readBack(s)
}

func passOf(before, after []tidemark.Value) int {
	switch {
	case after == nil:
		return 0
	case before != nil:
		return 1
	}
	return 2
}

// readBack completes images that were shorter than their table.
func (a *attempt) readBack(s *sketch) error {
	for _, id := range s.order {
		t, after := s.tables[id], s.after[id]
		if after == nil || len(after) == len(t.Columns) {
			continue
		}
		image, err := row.Get(a.db, t, t.KeyOf(after))
		if err != nil {
			return err
		}
		s.after[id] = image
	}
	return nil
}

func asMisfit(t *tidemark.Table, after []tidemark.Value, err error) error {
	v := refusalOf(err)
	if v == nil {
		return err
	}
	m := &misfit{code: v.Code, message: v.Msg, table: t.Name, columns: v.Columns}
	if after != nil {
		m.key = t.KeyOf(after)
	}
	return m
}

// fit puts a changeset on top of the tables, or returns a misfit. Call it
// inside a savepoint.
func (a *attempt) fit(changes []tidemark.Change, how strictness) (*sketch, error) {
	s, err := a.sketchOf(changes, how)
	if err == nil {
		err = a.write(s)
	}
	if err == nil {
		err = a.lookUp(s)
	}
	var m *misfit
	if errors.As(err, &m) && m.on == 0 && s != nil {
		m.on = a.down.under(s.order)
	}
	return s, err
}

// lookUp checks the foreign keys of the rows that a sketch changed.
func (a *attempt) lookUp(s *sketch) error {
	for _, id := range s.order {
		if equal(s.before[id], s.after[id]) {
			continue
		}
		b, err := a.r.refs.check(a.db, s.tables[id], s.before[id], s.after[id])
		if err != nil {
			return err
		}
		if b != nil {
			return &misfit{code: tidemark.CodeForeignKey, table: b.ref.child.Name, columns: columnNames(b.ref.child, b.ref.cols),
				message: fmt.Sprintf("%s refers to a row of %s that is not there", b.ref.child.Name, b.ref.parent.Name),
				on:      a.down.parent(b)}
		}
	}
	return nil
}

func columnNames(t *tidemark.Table, cols []int) []string {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = t.Columns[c].Name
	}
	return names
}

// putBack applies pending changesets in order, each if it fits.
func (a *attempt) putBack(ns []int64) error {
	for _, n := range ns {
		if a.settled(n) {
			a.keepEffect(n)
			continue
		}
		p, err := loadPending(a.db, n)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		if err := p.decode(); err != nil {
			return err
		}
		if err := a.putBackOne(p); err != nil {
			return err
		}
	}
	return nil
}

// keepEffect does nothing, unless the fault of doing something is planted.
func (a *attempt) keepEffect(n int64) {
	if !planted.Is(planted.KeepRejected) {
		return
	}
	for i := range a.settle {
		if p := a.settle[i].p; p.n == n && p.decode() == nil {
			_ = a.db.Savepoint("fit", func() error { _, err := a.fit(p.changes, lax); return err })
		}
	}
}

func (a *attempt) putBackOne(p *record) error {
	err := a.db.Savepoint("fit", func() error {
		_, err := a.fit(p.changes, lax)
		return err
	})
	var m *misfit
	switch {
	case err == nil:
		return a.resume(p)
	case !errors.As(err, &m):
		return err
	}
	if err := a.narrow(whole, m.message); err != nil {
		return err
	}
	a.down.add(a.r.schema, p)
	return a.suspend(p, m.cause())
}

func (a *attempt) suspend(p *record, cause string) error {
	was := p.suspended
	if was && p.cause == cause {
		return nil
	}
	p.suspended, p.cause = true, cause
	if !was {
		a.out.Suspended = append(a.out.Suspended, p.public())
	}
	return markPending(a.db, p)
}

func (a *attempt) resume(p *record) error {
	if !p.suspended {
		return nil
	}
	p.suspended, p.cause = false, ""
	a.out.Resumed = append(a.out.Resumed, p.n)
	return markPending(a.db, p)
}

func markPending(db *lite.DB, p *record) error {
	suspended := tidemark.Int(0)
	if p.suspended {
		suspended = tidemark.Int(1)
	}
	return db.Run("UPDATE main._tm_pending SET suspended = ?1, cause = ?2 WHERE n = ?3", suspended, tidemark.Text(p.cause), tidemark.Int(p.n))
}
