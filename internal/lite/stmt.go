package lite

import (
	"fmt"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/tidemarkdb/tidemark"
)

// maxStatements bounds the cache of one connection.
const maxStatements = 512

// Stmt is a prepared statement. Bind all parameters, Step until it returns
// false, look at Err, then Reset.
type Stmt struct {
	db   *DB
	s    *sqlite3.Stmt
	err  error // of the last Step
	busy bool
	temp bool // not cached: close on Reset
}

// Prepare returns the cached statement for sql. A statement that is in use
// (a recursive caller) is prepared anew.
func (db *DB) Prepare(sql string) (*Stmt, error) {
	if s := db.stmts[sql]; s != nil && !s.busy {
		s.busy = true
		return s, nil
	}
	cached := db.stmts[sql] == nil
	flags := sqlite3.PrepareFlag(0)
	if cached {
		flags = sqlite3.PREPARE_PERSISTENT
	}
	ps, tail, err := db.prepare(sql, flags)
	if err != nil {
		return nil, err
	}
	if ps == nil {
		return nil, fmt.Errorf("lite: no statement in %q", sql)
	}
	if strings.TrimSpace(tail) != "" {
		_ = ps.Close()
		return nil, fmt.Errorf("lite: more than one statement in %q", sql)
	}
	s := &Stmt{db: db, s: ps, busy: true, temp: !cached}
	if cached {
		db.makeRoom()
		db.stmts[sql] = s
	}
	return s, nil
}

func (db *DB) makeRoom() {
	if len(db.stmts) < maxStatements {
		return
	}
	for sql, s := range db.stmts {
		if !s.busy {
			_ = s.s.Close()
			delete(db.stmts, sql)
		}
	}
}

// Bind sets parameter i, counted from 1.
func (s *Stmt) Bind(i int, v tidemark.Value) error {
	return guard(func() error { return s.bind(i, v) })
}

func (s *Stmt) bind(i int, v tidemark.Value) error {
	switch v.Kind() {
	case tidemark.KindInt:
		return s.s.BindInt64(i, v.Int64())
	case tidemark.KindReal:
		return s.s.BindFloat(i, v.Float64())
	case tidemark.KindText:
		return s.s.BindText(i, v.Str())
	case tidemark.KindBlob:
		if v.Str() == "" {
			return s.s.BindZeroBlob(i, 0)
		}
		return s.s.BindBlob(i, v.Bytes())
	}
	return s.s.BindNull(i)
}

// BindAll sets the parameters from the first on.
func (s *Stmt) BindAll(args ...tidemark.Value) error {
	for i, v := range args {
		if err := s.Bind(i+1, v); err != nil {
			return err
		}
	}
	return nil
}

// Step moves to the next row.
func (s *Stmt) Step() (more bool) {
	s.db.turn()
	s.err = guard(func() error {
		more = s.s.Step()
		return s.s.Err()
	})
	return more && s.err == nil
}

// Err returns the error that ended the last Step, if one did.
func (s *Stmt) Err() error { return s.err }

// Columns returns the number of result columns.
func (s *Stmt) Columns() int { return s.s.ColumnCount() }

// ColumnName returns the name of result column i, counted from 0.
func (s *Stmt) ColumnName(i int) string { return s.s.ColumnName(i) }

// Value returns result column i, counted from 0, as a copy.
func (s *Stmt) Value(i int) tidemark.Value {
	switch s.s.ColumnType(i) {
	case sqlite3.INTEGER:
		return tidemark.Int(s.s.ColumnInt64(i))
	case sqlite3.FLOAT:
		return tidemark.Real(s.s.ColumnFloat(i))
	case sqlite3.TEXT:
		return tidemark.Text(s.textOf(i))
	case sqlite3.BLOB:
		return tidemark.Blob(s.s.ColumnRawBlob(i))
	}
	return tidemark.Null
}

// Int returns result column i as an integer.
func (s *Stmt) Int(i int) int64 { return s.s.ColumnInt64(i) }

// Text returns result column i as text.
func (s *Stmt) Text(i int) string { return s.textOf(i) }

// Blob returns result column i as bytes, copied.
func (s *Stmt) Blob(i int) []byte { return s.s.ColumnBlob(i, nil) }

// Null reports whether result column i is NULL.
func (s *Stmt) Null(i int) bool { return s.s.ColumnType(i) == sqlite3.NULL }

// Row returns all result columns from column from on.
func (s *Stmt) Row(from int) []tidemark.Value {
	row := make([]tidemark.Value, s.Columns()-from)
	for i := range row {
		row[i] = s.Value(from + i)
	}
	return row
}

// Reset makes the statement ready for its next use and gives it back.
func (s *Stmt) Reset() error {
	err := guard(s.s.Reset)
	s.busy, s.err = false, nil
	if s.temp {
		return s.s.Close()
	}
	if cerr := s.s.ClearBindings(); err == nil {
		err = cerr
	}
	return err
}

// Run executes one statement with arguments and drops what it returns.
func (db *DB) Run(sql string, args ...tidemark.Value) error {
	return db.Each(sql, nil, args...)
}

// Each executes one statement and calls row for every result row. The
// statement may be used only during the call.
func (db *DB) Each(sql string, row func(*Stmt) error, args ...tidemark.Value) error {
	s, err := db.Prepare(sql)
	if err != nil {
		return err
	}
	if err := s.BindAll(args...); err != nil {
		_ = s.Reset()
		return err
	}
	for s.Step() {
		if row == nil {
			continue
		}
		if err := row(s); err != nil {
			_ = s.Reset()
			return err
		}
	}
	err = s.Err()
	if rerr := s.Reset(); err == nil {
		err = rerr
	}
	return err
}

// Get returns the first row of a query, or nil when there is none.
func (db *DB) Get(sql string, args ...tidemark.Value) ([]tidemark.Value, error) {
	var out []tidemark.Value
	err := db.Each(sql, func(s *Stmt) error {
		if out == nil {
			out = s.Row(0)
		}
		return nil
	}, args...)
	return out, err
}

// Int returns the first column of the first row as an integer, or 0.
func (db *DB) Int(sql string, args ...tidemark.Value) (int64, error) {
	row, err := db.Get(sql, args...)
	if err != nil || len(row) == 0 {
		return 0, err
	}
	return row[0].Int64(), nil
}

// Text returns the first column of the first row as text, or "".
func (db *DB) Text(sql string, args ...tidemark.Value) (string, error) {
	row, err := db.Get(sql, args...)
	if err != nil || len(row) == 0 {
		return "", err
	}
	return row[0].Str(), nil
}
