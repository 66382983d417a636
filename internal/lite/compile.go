package lite

import (
	"runtime"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// prepare compiles a statement. When the error lies in the definition of a
// table or trigger that the statement uses (a function that is not here, say),
// SQLite gives its place in that definition, which the driver takes for one in
// the statement: behind its end, it panics. Spaces make the statement long
// enough to learn what SQLite says.
func (db *DB) prepare(sql string, flags sqlite3.PrepareFlag) (s *sqlite3.Stmt, tail string, err error) {
	const longestDefinition = 1 << 20
	defer func() {
		if lostPlace(recover()) {
			s, tail, err = db.conn.PrepareFlags(sql+strings.Repeat(" ", longestDefinition), flags)
		}
	}()
	db.turn()
	return db.conn.PrepareFlags(sql, flags)
}

// lostPlace recognises that panic and passes every other on.
func lostPlace(p any) bool {
	if p == nil {
		return false
	}
	if e, ok := p.(runtime.Error); ok && strings.Contains(e.Error(), "slice bounds out of range") {
		return true
	}
	panic(p)
}

// Compile says whether a statement compiles. Nothing runs, nothing is kept.
func (db *DB) Compile(sql string) error {
	s, _, err := db.prepare(sql, 0)
	if err != nil {
		return err
	}
	return s.Close()
}

// WithTriggers runs fn while the triggers stored in the file are on, or off,
// and puts the switch back.
func (db *DB) WithTriggers(on bool, fn func() error) error {
	return db.with(sqlite3.DBCONFIG_ENABLE_TRIGGER, on, fn)
}

// with runs fn while a switch of the connection is on, or off, and puts it back.
func (db *DB) with(op sqlite3.DBConfig, on bool, fn func() error) (err error) {
	was, err := db.conn.Config(op)
	if err != nil {
		return err
	}
	if _, err := db.conn.Config(op, on); err != nil {
		return err
	}
	defer func() {
		if _, rerr := db.conn.Config(op, was); err == nil {
			err = rerr
		}
	}()
	return fn()
}

// Access is one thing that a statement will do, as SQLite tells while it compiles it.
type Access struct {
	Writes bool   // INSERT, UPDATE or DELETE
	Table  string // what it writes
	Inside string // the innermost trigger or view that does it, "" for the statement itself
}

// Overhear runs fn and reports what the statements that it compiles will do.
func (db *DB) Overhear(note func(Access), fn func()) error {
	hear := func(action sqlite3.AuthorizerActionCode, name, _, _, inner string) sqlite3.AuthorizerReturnCode {
		a := Access{Inside: inner}
		switch action {
		case sqlite3.AUTH_INSERT, sqlite3.AUTH_UPDATE, sqlite3.AUTH_DELETE:
			a.Writes, a.Table = true, name
		}
		note(a)
		return sqlite3.AUTH_OK
	}
	if err := db.conn.SetAuthorizer(hear); err != nil {
		return err
	}
	fn()
	return db.conn.SetAuthorizer(nil)
}
