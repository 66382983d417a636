package replica

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// source says where a confirmed change comes from.
type source struct {
	scope   string // whose part it stands in; "" where none are declared, or none is meant
	message int    // a row that stands in several parts of one message is changed once
}

// part applies a change as one scope tells it. Rows that leave a scope wait to
// the end: they may come in by another.
func (in *incoming) part(from source, t *tidemark.Table, c *tidemark.Change) error {
	if from.message != in.message {
		in.message = from.message
		clear(in.once)
	}
	id := idOf(t, c.Key)
	if c.Op == tidemark.Delete {
		return in.remove(t, id, c)
	}
	s, err := in.scope(from.scope)
	if err != nil {
		return err
	}
	switch c.Op {
	case tidemark.Insert:
		return in.enter(t, id, s, c)
	case tidemark.Forget:
		return in.forget(t, id, s)
	}
	if in.once[id] {
		return nil
	}
	in.once[id] = true
	return in.change(t, id, c)
}

// scope finds the number of a scope.
func (in *incoming) scope(name string) (int64, error) {
	if s, known := in.numbers[name]; known {
		return s, nil
	}
	s, err := numberOf(in.a.db, name)
	in.numbers[name] = s
	return s, err
}

// numberOf finds the number of a scope that the server listed.
func numberOf(db *lite.DB, name string) (int64, error) {
	s, err := db.Int("SELECT i FROM main._tm_scope WHERE name = ?1", tidemark.Text(name))
	if err == nil && s == 0 {
		err = &tidemark.Error{Code: tidemark.CodeProtocol, Msg: fmt.Sprintf("changes came of %s, which the server does not list for this copy", name)}
	}
	return s, err
}

// enter puts a row into a scope.
func (in *incoming) enter(t *tidemark.Table, id rowID, s int64, c *tidemark.Change) error {
	if !in.once[id] {
		in.once[id] = true
		if err := in.change(t, id, c); err != nil {
			return err
		}
	}
	if err := in.found(id); err != nil {
		return err
	}
	table, key := id.args()
	err := in.a.db.Run("INSERT OR IGNORE INTO main._tm_member (t, key, s) VALUES (?1, ?2, ?3)", table, key, tidemark.Int(s))
	if err != nil || in.a.db.Conn().Changes() == 0 {
		return err
	}
	image := c.New
	if len(image) < len(t.Columns) {
		if image, err = in.now(t, id); err != nil {
			return err
		}
	}
	in.a.tally.scopes.add(s, in.a.tally.hasher.Row(t, image))
	return nil
}

// forget takes a row out of a scope.
func (in *incoming) forget(t *tidemark.Table, id rowID, s int64) error {
	table, key := id.args()
	err := in.a.db.Run("DELETE FROM main._tm_member WHERE t = ?1 AND key = ?2 AND s = ?3", table, key, tidemark.Int(s))
	if err != nil || in.a.db.Conn().Changes() == 0 {
		return err
	}
	in.leaving[id] = true
	image, err := in.now(t, id)
	in.a.tally.scopes.add(s, -in.a.tally.hasher.Row(t, image))
	return err
}

// remove deletes a row, whatever scopes it was in.
func (in *incoming) remove(t *tidemark.Table, id rowID, c *tidemark.Change) error {
	if err := in.change(t, id, c); err != nil {
		return err
	}
	if err := in.found(id); err != nil {
		return err
	}
	if in.a.died == nil {
		in.a.died = map[rowID]bool{}
	}
	in.a.died[id] = true
	table, key := id.args()
	return in.a.db.Run("DELETE FROM main._tm_member WHERE t = ?1 AND key = ?2", table, key)
}

// found takes back that a row is lost: what became of it is known again.
func (in *incoming) found(id rowID) error {
	delete(in.a.died, id)
	if !in.a.pending[id.t] {
		return nil
	}
	table, key := id.args()
	return in.a.db.Run("DELETE FROM main._tm_lost WHERE t = ?1 AND key = ?2", table, key)
}

// leave takes rows out of the copy that are in no scope any more.
func (in *incoming) leave() error {
	for _, id := range in.a.job.leave {
		in.leaving[id] = true
	}
	for _, id := range inOrder(in.leaving) {
		table, key := id.args()
		stays, err := in.a.db.Int("SELECT EXISTS (SELECT 1 FROM main._tm_member WHERE t = ?1 AND key = ?2)", table, key)
		if err != nil {
			return err
		}
		if stays != 0 {
			continue
		}
		if t := synced(in.a.r.schema, id.t); t != nil {
			err = in.leaveOne(t, id)
		} else {
			err = in.leaveOut(id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leaveOut takes a row out of a table that does not sync any more: what was lost
// with its scope must not stay for that. A table that was made anew here, so that
// it cannot be asked for the row, is the app's.
func (in *incoming) leaveOut(id rowID) error {
	t := in.a.r.schema.Table(id.t)
	key, err := tidemark.ParseKeyID(id.key)
	if t == nil || err != nil {
		return err
	}
	err = in.a.db.Savepoint("out", func() error {
		gone, err := row.Delete(in.a.db, t, key)
		if gone {
			in.a.tables[id.t] = true
			in.a.gone(id)
		}
		return err
	})
	if lite.Environment(err) {
		return err
	}
	return nil
}

func (in *incoming) leaveOne(t *tidemark.Table, id rowID) error {
	image, err := in.now(t, id)
	if err != nil || image == nil {
		return err
	}
	c := &tidemark.Change{Table: t.ID, Op: tidemark.Delete, Key: t.KeyOf(image)}
	if err := in.change(t, id, c); err != nil {
		return err
	}
	in.a.gone(id)
	if !in.a.pending[t.ID] {
		return nil
	}
	_, held, err := baseImage(in.a.db, id)
	if err != nil || !held {
		return err
	}
	return lose(in.a.db, id)
}

// now is what a row is confirmed to be at this moment of the job.
func (in *incoming) now(t *tidemark.Table, id rowID) ([]tidemark.Value, error) {
	if image, waits := in.w.shown(id); waits {
		return image, nil
	}
	if in.held != nil && in.a.pending[t.ID] {
		if image, held, err := in.lookAside(id); held || err != nil {
			return image, err
		}
	}
	return in.a.read(t, id)
}

// membersOf lists the scopes that a row is in.
func membersOf(db *lite.DB, id rowID) (list []int64, err error) {
	table, key := id.args()
	err = db.Each("SELECT s FROM main._tm_member WHERE t = ?1 AND key = ?2", func(s *lite.Stmt) error {
		list = append(list, s.Int(0))
		return nil
	}, table, key)
	return list, err
}
