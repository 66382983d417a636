package replica

import (
	"errors"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// rowWriter sets rows of the tables to images. A row whose unique value is
// still held by another row waits until finish, where all that wait leave the
// tables before the first comes back: rows may swap unique values.
//
// Confirmed rows are not judged by a CHECK: the server has them, be it by an
// older rule, or because they were accepted as they were when it was adopted.
type rowWriter struct {
	db        *lite.DB
	confirmed bool
	waiting   map[rowID]*waiting
}

type waiting struct {
	t             *tidemark.Table
	before, after []tidemark.Value
}

// set changes a row from before, which it holds, to after; nil is no row.
func (w *rowWriter) set(t *tidemark.Table, id rowID, before, after []tidemark.Value) error {
	if held := w.waiting[id]; held != nil {
		held.after = after
		return nil
	}
	err := w.put(t, before, after)
	if v := refusalOf(err); v == nil || v.Code != tidemark.CodeUnique {
		return err
	}
	if w.waiting == nil {
		w.waiting = map[rowID]*waiting{}
	}
	w.waiting[id] = &waiting{t, before, after}
	return nil
}

// shown is the image that the row will have; ok is false when it does not wait.
func (w *rowWriter) shown(id rowID) (image []tidemark.Value, ok bool) {
	if held := w.waiting[id]; held != nil {
		return held.after, true
	}
	return nil, false
}

// finish writes the rows that wait. A refused one is handed to refused, which
// decides by its error whether that is the end; the row is not there then.
func (w *rowWriter) finish(refused func(t *tidemark.Table, id rowID, after []tidemark.Value, why error) error) error {
	ids := inOrder(w.waiting)
	for _, id := range ids {
		held := w.waiting[id]
		if err := w.put(held.t, held.before, nil); err != nil {
			return err
		}
	}
	for _, id := range ids {
		held := w.waiting[id]
		err := w.put(held.t, nil, held.after)
		if refusalOf(err) != nil {
			err = refused(held.t, id, held.after, err)
		}
		if err != nil {
			return err
		}
	}
	w.waiting = nil
	return nil
}

func (w *rowWriter) put(t *tidemark.Table, before, after []tidemark.Value) error {
	err := put(w.db, t, before, after)
	if v := refusalOf(err); !w.confirmed || v == nil || v.Code != tidemark.CodeCheck {
		return err
	}
	return unchecked(w.db, func() error { return put(w.db, t, before, after) })
}

func unchecked(db *lite.DB, fn func() error) error {
	if err := db.Run("PRAGMA ignore_check_constraints = ON"); err != nil {
		return err
	}
	err := fn()
	if off := db.Run("PRAGMA ignore_check_constraints = OFF"); err == nil {
		err = off
	}
	return err
}

// put changes one row. after may be shorter than the table.
func put(db *lite.DB, t *tidemark.Table, before, after []tidemark.Value) error {
	var err error
	switch {
	case before == nil && after == nil:
	case after == nil:
		_, err = row.Delete(db, t, t.KeyOf(before))
	case before == nil:
		err = row.Insert(db, t, after)
	default:
		cols, values := differing(before, after)
		if len(cols) > 0 {
			_, err = row.Update(db, t, t.KeyOf(before), cols, values)
		}
	}
	return blame(t, err)
}

func differing(before, after []tidemark.Value) (cols []int, values []tidemark.Value) {
	for i, v := range after {
		if i >= len(before) || before[i] != v {
			cols, values = append(cols, i), append(values, v)
		}
	}
	return cols, values
}

// refusalOf explains err when the row itself was refused.
func refusalOf(err error) *tidemark.Error {
	var m *mirrorFailure
	if err == nil || errors.As(err, &m) {
		return nil
	}
	return lite.Violation(err)
}

func equal(a, b []tidemark.Value) bool {
	return (a == nil) == (b == nil) && slices.Equal(a, b)
}
