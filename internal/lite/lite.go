// Package lite is the one place that touches the SQLite driver: connections,
// cached statements, exact values, identifier quoting and error classes. The
// driver has a v0 API, so nothing else may import it except the shells that
// hand a database/sql connection to an app.
//
// Open makes a connection. Run, Get, Int, Text and Each execute one cached
// statement; Script any number without arguments. Transaction, View and
// Savepoint undo what a function did when it fails. Violation turns a
// constraint's refusal into a *tidemark.Error; Busy, Full, Corrupt and their
// like sort the others. Quote writes identifiers, here and nowhere else.
//
// Caveats. A DB belongs to one goroutine at a time. A statement that is not
// Reset holds its lock: with a rollback journal an open reader blocks every
// writer. An error may have ended the whole transaction: look at InTransaction.
package lite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// Options of Open. The zero value opens an existing file for reading and writing.
type Options struct {
	ReadOnly bool
	Create   bool          // make the file when it is not there
	VFS      string        // name of a registered file system; default the operating system's
	Busy     time.Duration // how long to wait for a lock; default 5 s, negative not at all
}

// DB is one connection.
type DB struct {
	conn  *sqlite3.Conn
	path  string
	stmts map[string]*Stmt
	turns uint // see turn

	encoding string // of its texts, once it was asked for
}

// Open opens a database file.
func Open(path string, o Options) (*DB, error) {
	conn, err := sqlite3.OpenContext(roomy(), o.name(path))
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
	mode := "rw"
	switch {
	case o.ReadOnly:
		mode = "ro"
	case o.Create:
		mode = "rwc"
	}
	name := fmt.Sprintf("file:%s?mode=%s&_pragma=busy_timeout(%d)", escapePath(path), mode, max(busy, 0).Milliseconds())
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

// turn is called by all that runs SQL. The race detector does not look into
// SQLite (see the Makefile); that two goroutines share a connection shows here.
func (db *DB) turn() { db.turns++ }

// Path returns the file name given to Open.
func (db *DB) Path() string { return db.path }

// Conn returns the driver's connection, for hooks.
func (db *DB) Conn() *sqlite3.Conn { return db.conn }

// Close closes all statements and the connection.
func (db *DB) Close() error {
	db.Forget()
	return db.conn.Close()
}

// TouchNothing makes Close leave the files as they are. Where another file was
// put in the place of this one, the last connection would write to and delete
// that one's journal.
func (db *DB) TouchNothing() {
	_, _ = db.conn.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
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

// Script executes any number of statements without arguments.
func (db *DB) Script(sql string) (err error) {
	defer func() {
		if lostPlace(recover()) {
			err = errors.New("lite: SQLite refused the script for a reason that lies in another object's definition")
		}
	}()
	db.turn()
	return db.conn.Exec(sql)
}
