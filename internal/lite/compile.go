package lite

import "github.com/ncruces/go-sqlite3"

// Compile says whether a statement compiles. Nothing runs, nothing is kept.
func (db *DB) Compile(sql string) error {
	s, _, err := db.conn.Prepare(sql)
	if err != nil {
		return err
	}
	return s.Close()
}

// WithTriggers runs fn while the triggers stored in the file are on, or off,
// and puts the switch back.
func (db *DB) WithTriggers(on bool, fn func() error) (err error) {
	was, err := db.conn.Config(sqlite3.DBCONFIG_ENABLE_TRIGGER)
	if err != nil {
		return err
	}
	if err := db.SetTriggers(on); err != nil {
		return err
	}
	defer func() {
		if rerr := db.SetTriggers(was); err == nil {
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
