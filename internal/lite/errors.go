package lite

import (
	"errors"
	"regexp"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/tidemarkdb/tidemark"
)

// Busy reports whether err says that somebody else holds the lock.
func Busy(err error) bool {
	return errors.Is(err, sqlite3.BUSY) || errors.Is(err, sqlite3.LOCKED)
}

// NotADatabase reports whether err says that the file is not SQLite, or is encrypted.
func NotADatabase(err error) bool { return errors.Is(err, sqlite3.NOTADB) }

// Full reports whether err says that the disk is full.
func Full(err error) bool { return errors.Is(err, sqlite3.FULL) }

// Disk reports whether err says that the operating system failed to read or
// write, as it also does for a shared-memory file on a full disk.
func Disk(err error) bool { return errors.Is(err, sqlite3.IOERR) }

// Unopened reports whether err says that SQLite could not open the file, or one
// of those that it needs beside it.
func Unopened(err error) bool { return errors.Is(err, sqlite3.CANTOPEN) }

// Corrupt reports whether err says that the file is damaged.
func Corrupt(err error) bool { return errors.Is(err, sqlite3.CORRUPT) }

// ReadOnly reports whether err says that the file cannot be written.
func ReadOnly(err error) bool { return errors.Is(err, sqlite3.READONLY) }

// Environment reports whether err has nothing to do with what was written: a
// lock, the disk, memory, or the end of the caller's context.
func Environment(err error) bool {
	return Busy(err) || Full(err) || ReadOnly(err) || Interrupted(err) ||
		Disk(err) || NoMemory(err)
}

// NoMemory reports whether err says that SQLite got no memory, of which each
// connection has a bounded share.
func NoMemory(err error) bool { return errors.Is(err, sqlite3.NOMEM) }

// ByModule reports whether err is the refusal of a virtual table (an R-tree or
// full-text index, say), which gives no reason that SQLite has a code for.
func ByModule(err error) bool {
	var code sqlite3.ExtendedErrorCode
	if !errors.Is(err, sqlite3.CONSTRAINT) {
		return false
	}
	return !errors.As(err, &code) || code == sqlite3.CONSTRAINT_VTAB || code == sqlite3.ExtendedErrorCode(sqlite3.CONSTRAINT)
}

// Interrupted reports whether err says that the connection's context ended.
func Interrupted(err error) bool { return errors.Is(err, sqlite3.INTERRUPT) }

// Violation explains err when it is a constraint's or a trigger's refusal of
// the data: code, message and, where SQLite tells, table and columns. It
// returns nil for every other error (busy, full, I/O, ...).
func Violation(err error) *tidemark.Error {
	// The driver returns a bare code where SQLite has no message of its own.
	switch {
	case errors.Is(err, sqlite3.TOOBIG):
		return &tidemark.Error{Code: tidemark.CodeTooLarge, Msg: "a value is larger than SQLite allows"}
	case errors.Is(err, sqlite3.MISMATCH):
		return &tidemark.Error{Code: tidemark.CodeType, Msg: "a rowid must be an integer"}
	case !errors.Is(err, sqlite3.CONSTRAINT):
		return nil
	}
	var code sqlite3.ExtendedErrorCode
	errors.As(err, &code)
	msg := constraintMessage(err)
	v := &tidemark.Error{Msg: msg}
	switch code {
	case sqlite3.CONSTRAINT_UNIQUE, sqlite3.CONSTRAINT_PRIMARYKEY, sqlite3.CONSTRAINT_ROWID:
		v.Code = tidemark.CodeUnique
		v.Table, v.Columns = places(msg, "UNIQUE constraint failed: ")
	case sqlite3.CONSTRAINT_NOTNULL:
		v.Code = tidemark.CodeNotNull
		v.Table, v.Columns = places(msg, "NOT NULL constraint failed: ")
	case sqlite3.CONSTRAINT_CHECK:
		v.Code = tidemark.CodeCheck
	case sqlite3.CONSTRAINT_FOREIGNKEY:
		v.Code = tidemark.CodeForeignKey
	case sqlite3.CONSTRAINT_TRIGGER:
		v.Code = tidemark.CodeRaised
		if msg == "FOREIGN KEY constraint failed" {
			v.Code = tidemark.CodeForeignKey // RESTRICT raises like a trigger
		}
		refused(v)
	case sqlite3.CONSTRAINT_DATATYPE:
		v.Code = tidemark.CodeType
	default:
		v.Code = tidemark.CodeCheck
	}
	return v
}

// What is around the message of a guard, see tidemark.Guard.
const (
	RefusedPrefix = "tidemark: "
	RefusedSuffix = " (forbidden)"
)

var refusedTable = regexp.MustCompile(`(?s)^(?:the rules do not allow to \w+ this row of |the rules allow nobody to \w+ rows of |column (.*) of )(.*?)( cannot be changed)?$`)

// refused reads what a guard says.
func refused(v *tidemark.Error) {
	msg, ok := strings.CutPrefix(v.Msg, RefusedPrefix)
	if !ok {
		return
	}
	if msg, ok = strings.CutSuffix(msg, RefusedSuffix); !ok {
		return
	}
	v.Code, v.Msg = tidemark.CodeForbidden, msg
	if m := refusedTable.FindStringSubmatch(msg); m != nil {
		if v.Table = m[2]; m[1] != "" {
			v.Columns = []string{m[1]}
		}
	}
}

// constraintMessage cuts the driver's prefix off, which names only the error class.
func constraintMessage(err error) string {
	msg := strings.TrimPrefix(err.Error(), "sqlite3: ")
	return strings.TrimPrefix(msg, "constraint failed: ")
}

// places reads "t.a, t.b" behind a prefix. Names with dots stay ambiguous in
// SQLite's text; callers that know the table take it from there.
func places(msg, prefix string) (table string, columns []string) {
	rest, ok := strings.CutPrefix(msg, prefix)
	if !ok || strings.HasPrefix(rest, "index '") {
		return "", nil
	}
	for _, part := range strings.Split(rest, ", ") {
		t, c, ok := strings.Cut(part, ".")
		if !ok {
			return "", nil
		}
		table = t
		columns = append(columns, c)
	}
	return table, columns
}
