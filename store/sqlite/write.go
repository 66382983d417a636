package sqlite

import (
	"errors"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// item is one change of a batch on its way into the tables.
type item struct {
	c     *tidemark.Change
	table *tidemark.Table
	key   []tidemark.Value // where the row is now: parking may have moved it
	done  bool

	// Of a batch that rules judge.
	said   *tidemark.Change // what the author said, before the actions of foreign keys were laid over it; nil: c
	free   bool             // it is the work of foreign keys and needs no rule
	named  bool             // the author named it, and foreign keys do the same once its cause is written
	cause  *item            // of what is free or named
	brings []*item          // what is the work of foreign keys because of it
	saved  []tidemark.Value // the row before it was parked
	err    error            // why it could not be written yet
}

// batch writes the changes of one changeset so that they do not stand in each
// other's way: updates that meet no unique value, the updates that met one, deletes, inserts.
//
// An update or insert that meets a unique value makes room in its table: rows
// that the changeset deletes go at once, rows that it gives other unique values
// are parked on placeholders. What is met after that is a violation.
type batch struct {
	x      *tx
	items  []*item
	roomy  map[string]bool // tables in which room was made
	todo   []*item         // see close
	strays []stray
	guard  *guard // nil: nothing is judged
}

// Write applies one change.
func (x *tx) Write(c tidemark.Change) error { return x.WriteAll([]tidemark.Change{c}) }

// WriteAll applies the changes of one changeset, see tidemark.Tx.
func (x *tx) WriteAll(changes []tidemark.Change) error {
	b, err := x.batch(changes)
	if err != nil {
		return err
	}
	return b.writeAll()
}

// batch makes sure that changes can be written at all.
func (x *tx) batch(changes []tidemark.Change) (*batch, error) {
	if err := x.ready(); err != nil {
		return nil, err
	}
	b := &batch{x: x, roomy: map[string]bool{}}
	for i := range changes {
		t, err := x.table(changes[i].Table)
		if err != nil {
			return nil, err
		}
		if err := x.fits(t, &changes[i]); err != nil {
			return nil, err
		}
		b.items = append(b.items, &item{c: &changes[i], table: t, key: changes[i].Key})
	}
	return b, nil
}

func (b *batch) writeAll() error {
	if b.uproots() {
		return b.runClosed()
	}
	if len(b.items) > 1 {
		if err := b.deferKeys(); err != nil {
			return err
		}
	}
	return b.run()
}

// fits makes sure that a change has the shape of its table, whoever made it.
func (x *tx) fits(t *tidemark.Table, c *tidemark.Change) error {
	ok := len(c.Key) == len(t.Key) && len(c.Cols) <= len(t.Columns)
	switch c.Op {
	case tidemark.Insert:
		ok = ok && len(c.New) <= len(t.Columns)
		for _, k := range t.Key {
			ok = ok && k < len(c.New)
		}
	case tidemark.Update:
		ok = ok && len(c.Cols) == len(c.New)
		for _, col := range c.Cols {
			ok = ok && col >= 0 && col < len(t.Columns)
		}
	case tidemark.Delete:
	default:
		ok = false
	}
	if ok {
		return nil
	}
	return &tidemark.Error{Code: tidemark.CodeSchema, Space: x.s.opts.Space, Table: t.Name, Key: c.Key, Msg: "the change does not fit table " + t.Name}
}

// deferKeys puts foreign keys off where one change may rely on another. The
// pragma makes SQLite prepare all statements again, so it is not used for nothing.
func (b *batch) deferKeys() error {
	for _, i := range b.items {
		if len(i.table.ForeignKeys) > 0 || len(b.x.references().to(i.table)) > 0 {
			return b.x.deferKeys()
		}
	}
	return nil
}

func (x *tx) deferKeys() error {
	if x.deferred {
		return nil
	}
	x.deferred = true
	return x.db.Run("PRAGMA defer_foreign_keys = ON")
}

func (b *batch) run() error {
	if b.guard != nil {
		return b.runGuarded()
	}
	single := len(b.items) == 1
	for _, i := range b.items {
		if i.c.Op != tidemark.Update {
			continue
		}
		if err := b.write(i); err != nil && (single || !isUnique(err)) {
			return err
		}
	}
	for _, op := range []tidemark.Op{tidemark.Update, tidemark.Delete, tidemark.Insert} {
		for _, i := range b.items {
			if i.c.Op != op || i.done {
				continue
			}
			if err := b.insist(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// insist writes an item and makes room for it once if it must.
func (b *batch) insist(i *item) error {
	err := b.write(i)
	for isUnique(err) && len(b.items) > 1 {
		table := i.table
		var met *tidemark.Error
		if errors.As(err, &met) && b.x.schema.Named(met.Table) != nil {
			table = b.x.schema.Named(met.Table) // a cascade met it in another table
		}
		if b.roomy[table.Name] {
			return err
		}
		b.roomy[table.Name] = true
		if rerr := b.makeRoom(table, i); rerr != nil {
			return rerr
		}
		err = b.write(i)
	}
	return err
}

func (b *batch) write(i *item) error {
	if b.guard != nil {
		if err := b.guard.allow(i); err != nil {
			return err
		}
	}
	err := b.x.attempt(func() error { return b.put(i) })
	if err != nil {
		return b.x.refusal(err, i)
	}
	i.done = true
	if i.saved != nil {
		b.guard.settled(i)
	}
	return nil
}

func (b *batch) put(i *item) error {
	db := b.x.db
	switch i.c.Op {
	case tidemark.Insert:
		for k, v := range i.table.KeyOf(i.c.New) {
			if v.IsNull() {
				// SQLite would make a key up, or let the row be without one.
				return &tidemark.Error{Code: tidemark.CodeNotNull, Space: b.x.s.opts.Space, Table: i.table.Name, Key: i.c.Key,
					Columns: i.table.ColumnNames(i.table.Key[k : k+1]), Msg: "a primary key must not be NULL"}
			}
		}
		return row.Insert(db, i.table, i.c.New)
	case tidemark.Delete:
		_, err := row.Delete(db, i.table, i.key)
		return err
	}
	_, err := row.Update(db, i.table, i.key, i.c.Cols, i.c.New)
	return err
}

// keyAfter is the key that an update leaves its row with.
func keyAfter(i *item) []tidemark.Value {
	key := append([]tidemark.Value(nil), i.c.Key...)
	for k, place := range i.table.Key {
		for j, col := range i.c.Cols {
			if col == place {
				key[k] = i.c.New[j]
			}
		}
	}
	return key
}

// attempt runs a write. Immediate foreign keys that refuse it are put off, so
// that Settle can say which row is to blame.
func (x *tx) attempt(write func() error) error {
	err := write()
	if err == nil {
		return nil
	}
	if v := lite.Violation(err); v != nil && v.Code == tidemark.CodeForeignKey && !x.deferred && x.db.InTransaction() {
		if derr := x.deferKeys(); derr != nil {
			return derr
		}
		err = write()
	}
	if err != nil && x.db.InTransaction() && x.s.mirrorFailed(x, err) {
		return x.s.withoutBroken(err, write)
	}
	return err
}
