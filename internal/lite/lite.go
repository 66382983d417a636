// Package lite is the one place that touches the SQLite driver: connections,
// cached statements, exact values, identifier quoting and error classes. The
// driver has a v0 API, so nothing else may import it except the shells that
// hand a database/sql connection to an app.
//
// A DB belongs to one goroutine at a time.
package lite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/tidemarkdb/tidemark"
)

// Options of Open. The zero value opens an existing file for reading and writing.
type Options struct {
	ReadOnly bool
	Create   bool          // make the file when it is not there
	VFS      string        // name of a registered file system; default the operating system's
	Busy     time.Duration // how long to wait for a lock; default 5 s, negative not at all
}

// maxStatements bounds the cache of one connection.
const maxStatements = 512

// DB is one connection.
type DB struct {
	conn  *sqlite3.Conn
	path  string
	stmts map[string]*Stmt
}

// Open opens a database file.
func Open(path string, o Options) (*DB, error) {
	flags := sqlite3.OPEN_READWRITE
	switch {
	case o.ReadOnly:
		flags = sqlite3.OPEN_READONLY
	case o.Create:
		flags |= sqlite3.OPEN_CREATE
	}
	conn, err := sqlite3.OpenFlags(o.name(path), flags|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	return &DB{conn: conn, path: path, stmts: map[string]*Stmt{}}, nil
}

// name writes the path as a URI. The driver reads the file while it opens it,
// so the patience for locks must stand there: set later it would be too late.
func (o Options) name(path string) string {
	busy := o.Busy
	if busy == 0 {
		busy = 5 * time.Second
	}
	name := fmt.Sprintf("file:%s?_pragma=busy_timeout(%d)", escapePath(path), max(busy, 0).Milliseconds())
	if o.VFS != "" {
		name += "&vfs=" + o.VFS
	}
	return name
}

func escapePath(path string) string {
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("/._-", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

// Path returns the file name given to Open.
func (db *DB) Path() string { return db.path }

// Conn returns the driver's connection, for hooks.
func (db *DB) Conn() *sqlite3.Conn { return db.conn }

// Close closes all statements and the connection.
func (db *DB) Close() error {
	db.Forget()
	return db.conn.Close()
}

// Forget closes all cached statements, as must happen before a table is dropped
// by another statement and before the file is given up.
func (db *DB) Forget() {
	for sql, s := range db.stmts {
		_ = s.s.Close()
		delete(db.stmts, sql)
	}
}

// SetContext lets ctx interrupt statements from here on; it returns the context before.
func (db *DB) SetContext(ctx context.Context) context.Context { return db.conn.SetInterrupt(ctx) }

// SetTriggers switches all triggers stored in the file on or off for this
// connection. TEMP triggers and foreign-key actions are not concerned.
func (db *DB) SetTriggers(on bool) error {
	_, err := db.conn.Config(sqlite3.DBCONFIG_ENABLE_TRIGGER, on)
	return err
}

// DeferredViolations counts the foreign-key violations that the open
// transaction has deferred. It is exact, and falls back after ROLLBACK TO.
func (db *DB) DeferredViolations() (int, error) {
	n, _, err := db.conn.Status(sqlite3.DBSTATUS_DEFERRED_FKS, false)
	return int(n), err
}

// InTransaction reports whether a transaction is open. It can have ended by
// itself after an error.
func (db *DB) InTransaction() bool { return !db.conn.GetAutocommit() }

// Stmt is a prepared statement. Bind all parameters, Step until it returns
// false, look at Err, then Reset.
type Stmt struct {
	db   *DB
	s    *sqlite3.Stmt
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
func (s *Stmt) Step() bool { return s.s.Step() }

// Err returns the error that ended the last Step, if one did.
func (s *Stmt) Err() error { return s.s.Err() }

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
		return tidemark.Text(s.s.ColumnText(i))
	case sqlite3.BLOB:
		return tidemark.Blob(s.s.ColumnRawBlob(i))
	}
	return tidemark.Null
}

// Int returns result column i as an integer.
func (s *Stmt) Int(i int) int64 { return s.s.ColumnInt64(i) }

// Text returns result column i as text.
func (s *Stmt) Text(i int) string { return s.s.ColumnText(i) }

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
	err := s.s.Reset()
	s.busy = false
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

// Script executes any number of statements without arguments.
func (db *DB) Script(sql string) (err error) {
	defer func() {
		if lostPlace(recover()) {
			err = errors.New("lite: SQLite refused the script for a reason that lies in another object's definition")
		}
	}()
	return db.conn.Exec(sql)
}

// Transaction runs fn inside BEGIN IMMEDIATE and commits, or rolls back when fn fails.
func (db *DB) Transaction(fn func() error) error { return db.transaction("BEGIN IMMEDIATE", fn) }

// View runs fn inside a read transaction: fn sees one state of the file.
func (db *DB) View(fn func() error) error { return db.transaction("BEGIN", fn) }

func (db *DB) transaction(begin string, fn func() error) (err error) {
	if err := db.Run(begin); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done && db.InTransaction() {
			// Also on panic: a connection must never be left inside a transaction.
			_ = db.rollback()
		}
	}()
	if err := fn(); err != nil {
		return err
	}
	if err := db.Run("COMMIT"); err != nil {
		return err
	}
	done = true
	return nil
}

// rollback works although the context of the statement that failed may be over.
func (db *DB) rollback() error {
	old := db.conn.SetInterrupt(context.Background())
	defer db.conn.SetInterrupt(old)
	return db.conn.Exec("ROLLBACK")
}

// Savepoint runs fn inside a savepoint and undoes what it did when it fails. An
// error that ended the whole transaction is left for the caller to see by
// InTransaction.
func (db *DB) Savepoint(name string, fn func() error) error {
	q := Quote(name)
	if err := db.Run("SAVEPOINT " + q); err != nil {
		return err
	}
	err := fn()
	if err != nil {
		if !db.InTransaction() {
			return err
		}
		if rerr := db.Run("ROLLBACK TO " + q); rerr != nil {
			return rerr
		}
	}
	if rerr := db.Run("RELEASE " + q); err == nil {
		err = rerr
	}
	return err
}

// Quote writes an SQL identifier. It is the only function that does.
// Names with NUL cannot be written in SQL and do not occur in a database.
func Quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Literal writes a value as SQL text that reads back exactly, except that
// SQLite's parser knows no negative zero.
func Literal(v tidemark.Value) string {
	if v.Kind() == tidemark.KindText && strings.ContainsRune(v.Str(), 0) {
		return fmt.Sprintf("CAST(x'%x' AS TEXT)", v.Str())
	}
	if v.Kind() == tidemark.KindReal && math.IsInf(v.Float64(), -1) {
		return "-9e999"
	}
	return v.String()
}
