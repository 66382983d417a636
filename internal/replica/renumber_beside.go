package replica

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// textNote is one row of _tm_text.
type textNote struct {
	id         rowID
	col, moved int64
}

// renameTexts lets what is noted of text cells follow their rows.
func (a *attempt) renameTexts(p *record) error {
	was, err := a.textNotes(p.n)
	if err != nil || len(was) == 0 {
		return err
	}
	to := map[rowID]rowID{}
	for i := range p.raw {
		if t := synced(a.r.schema, p.raw[i].Table); t != nil {
			to[idOf(t, keyAfter(t, &p.raw[i]))] = idOf(t, keyAfter(t, &p.changes[i]))
		}
	}
	if err := a.db.Run("DELETE FROM main._tm_text WHERE n = ?1", tidemark.Int(p.n)); err != nil {
		return err
	}
	for _, note := range was {
		id, known := to[note.id]
		if !known {
			id = note.id
		}
		t, key := id.args()
		err := a.db.Run("INSERT OR REPLACE INTO main._tm_text (t, key, col, n, moved) VALUES (?1, ?2, ?3, ?4, ?5)",
			t, key, tidemark.Int(note.col), tidemark.Int(p.n), tidemark.Int(note.moved))
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *attempt) textNotes(n int64) (list []textNote, err error) {
	err = a.db.Each("SELECT t, key, col, moved FROM main._tm_text WHERE n = ?1", func(s *lite.Stmt) error {
		list = append(list, textNote{rowID{int(s.Int(0)), string(s.Blob(1))}, s.Int(2), s.Int(3)})
		return nil
	}, tidemark.Int(n))
	return list, err
}

// renameUnsynced lets rows of tables that do not sync follow the rows that
// they refer to. The newest id goes first: an earlier row may have got the
// number that a later one lost.
func (a *attempt) renameUnsynced(list []tidemark.Renumbered) error {
	refs, err := a.unsyncedReferences()
	if err != nil {
		return err
	}
	for _, r := range slices.Backward(list) {
		for _, ref := range refs {
			if t := a.r.schema.Named(r.Table); t == nil || t.ID != ref.parent.ID {
				continue
			}
			sql := fmt.Sprintf("UPDATE main.%s SET %s = ?1 WHERE %s = ?2", lite.Quote(ref.table), lite.Quote(ref.column), lite.Quote(ref.column))
			err := a.db.Savepoint("follow", func() error { return a.db.Run(sql, tidemark.Int(r.To), tidemark.Int(r.From)) })
			if err != nil {
				a.out.Skipped = append(a.out.Skipped, fmt.Sprintf("references of %s to %s %d, which is %d now: %v", ref.table, r.Table, r.From, r.To, err))
			}
		}
	}
	return nil
}

// unsyncedReference is a column of a table beside the synced ones that refers
// to the integer key of one.
type unsyncedReference struct {
	table, column string
	parent        *tidemark.Table
}

func (a *attempt) unsyncedReferences() (list []unsyncedReference, err error) {
	var names []string
	err = a.db.Each(`SELECT name FROM main.sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'
		AND substr(name, 1, 4) <> '_tm_' AND substr(name, 1, 7) <> 'sqlite_'`, func(s *lite.Stmt) error {
		if t := a.r.schema.Named(s.Text(0)); t == nil || t.Out != "" {
			names = append(names, s.Text(0))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		err := a.db.Each(`SELECT "from", "table", "to" FROM pragma_foreign_key_list(?1, 'main')`, func(s *lite.Stmt) error {
			parent := syncedNamed(a.r.schema, s.Text(1))
			if parent == nil || !parent.RowidAlias {
				return nil
			}
			if s.Null(2) || parent.Place(s.Text(2)) == parent.Key[0] {
				list = append(list, unsyncedReference{name, s.Text(0), parent})
			}
			return nil
		}, tidemark.Text(name))
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// syncedNamed finds a table that still syncs by its name, or nil.
func syncedNamed(s *tidemark.Schema, name string) *tidemark.Table {
	if t := s.Named(name); t != nil && t.Out == "" {
		return t
	}
	return nil
}
