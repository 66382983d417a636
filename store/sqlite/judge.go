package sqlite

import (
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// judge is a memory database with the synced tables, empty and without foreign
// keys. To insert one row there tells whether CHECK, NOT NULL and STRICT types
// allow it, whatever the program ignored that wrote it into the file.
type judge struct {
	db   *lite.DB
	made map[int]bool // whether the table could be made
}

func (j *judge) close() { _ = j.db.Close() }

// breaksCheck judges the rows that result. A row that broke the same kind of
// constraint before was accepted then, and stays so.
func (s *Store) breaksCheck(all map[rowID]*image) (*tidemark.Error, error) {
	for _, id := range inOrder(all) {
		m := all[id]
		if m.after == nil {
			continue
		}
		j, err := s.judgeFor(m.table)
		if err != nil || j == nil {
			return nil, err
		}
		refused, err := j.try(m.table, m.after)
		if err != nil || refused == nil {
			if err != nil {
				return nil, err
			}
			continue
		}
		if m.before != nil {
			before, err := j.try(m.table, m.before)
			if err != nil {
				return nil, err
			}
			if before != nil && before.Msg == refused.Msg {
				continue
			}
		}
		refused.Space, refused.Table, refused.Key = s.opts.Space, m.table.Name, m.table.KeyOf(m.after)
		return refused, nil
	}
	return nil, nil
}

// judgeFor returns the judge with this table made in it.
func (s *Store) judgeFor(t *tidemark.Table) (*judge, error) {
	if s.judge == nil {
		db, err := lite.Open(":memory:", lite.Options{Create: true})
		if err != nil {
			return nil, err
		}
		s.judge = &judge{db: db, made: map[int]bool{}}
		if err := db.SetForeignKeys(false); err != nil {
			return nil, err
		}
	}
	j := s.judge
	if _, tried := j.made[t.ID]; !tried {
		// A definition that cannot be made alone judges nothing.
		j.made[t.ID] = j.db.Script(t.SQL) == nil
	}
	return j, nil
}

// forgetJudge drops the tables when the schema moved.
func (s *Store) forgetJudge() {
	if s.judge != nil {
		s.judge.close()
		s.judge = nil
	}
}

func (j *judge) try(t *tidemark.Table, values []tidemark.Value) (*tidemark.Error, error) {
	if !j.made[t.ID] {
		return nil, nil
	}
	for k, v := range t.KeyOf(values) {
		if v.IsNull() {
			return &tidemark.Error{Code: tidemark.CodeNotNull, Columns: t.ColumnNames(t.Key[k : k+1]), Msg: "a primary key must not be NULL"}, nil
		}
	}
	if err := j.db.Run("BEGIN"); err != nil {
		return nil, err
	}
	err := row.Insert(j.db, t, values)
	if j.db.InTransaction() {
		if rerr := j.db.Run("ROLLBACK"); rerr != nil {
			return nil, rerr
		}
	}
	v := lite.Violation(err)
	if v == nil {
		return nil, err
	}
	if rest, ok := strings.CutPrefix(v.Msg, "NOT NULL constraint failed: "+t.Name+"."); ok {
		v.Columns = []string{rest}
	}
	return v, nil
}
