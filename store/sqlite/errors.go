package sqlite

import (
	"errors"
	"fmt"
	"os"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// explain gives an error of the file its code. What has one already stays.
func (s *Store) explain(op string, err error) error {
	err = explainOpen(s.path, op, err)
	var e *tidemark.Error
	if errors.As(err, &e) && e.Space == "" {
		e.Space = s.opts.Space
	}
	return err
}

func explainOpen(path, op string, err error) error {
	var own *tidemark.Error
	if err == nil || errors.As(err, &own) || errors.Is(err, tidemark.ErrTransactionGone) {
		return err
	}
	e := &tidemark.Error{Op: op, Err: err}
	switch {
	case lite.Busy(err):
		e.Code, e.Msg = tidemark.CodeBusy, "another program holds the lock of "+path
		e.Hint = "end that program's transaction, or wait"
	case lite.NotADatabase(err):
		e.Code, e.Msg, e.Hint = foreignBytes(path)
	case lite.Corrupt(err):
		e.Code, e.Msg = tidemark.CodeCorrupt, path+" is damaged"
		e.Hint = "restore a backup, or save what can be read: sqlite3 FILE .recover"
	case lite.Full(err):
		e.Code, e.Msg, e.Hint = tidemark.CodeFull, "the disk is full", "make room; nothing that was confirmed is lost"
	case lite.Disk(err): // also where a full disk cannot be told from a failing one
		e.Code, e.Msg = tidemark.CodeFull, "the operating system cannot read or write "+path
		e.Hint = "look whether the disk is full or failing; nothing that was confirmed is lost"
	case lite.ReadOnly(err):
		return readOnly(path, op)
	case lite.Unopened(err):
		e.Code, e.Msg = tidemark.CodeReadOnly, path+" cannot be opened"
		e.Hint = besideHint
	default:
		return err
	}
	return e
}

// besideHint is for files of which SQLite needs others beside them.
const besideHint = "SQLite makes a -wal and a -shm beside it: look whether its folder can be written, or copy all three to one that can"

func readOnly(path, op string) error {
	return &tidemark.Error{
		Code: tidemark.CodeReadOnly, Op: op, Msg: path + " or its directory cannot be written",
		Hint: "allow this user to write the file and its directory, which holds the journal",
	}
}

// foreignBytes tells an encrypted database from something else altogether:
// whole pages without a pattern.
func foreignBytes(path string) (tidemark.Code, string, string) {
	if looksEncrypted(path) {
		return tidemark.CodeEncrypted, path + " looks like an encrypted database",
			"decrypt it with the program that encrypted it; Tidemark cannot open it"
	}
	return tidemark.CodeNotSQLite, path + " is not an SQLite database", "give the path of an SQLite file"
}

func looksEncrypted(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || info.Size() < 512 || info.Size()%512 != 0 {
		return false
	}
	b := make([]byte, 4096)
	n, _ := f.Read(b)
	var seen [256]int
	for _, c := range b[:n] {
		seen[c]++
	}
	// Random bytes are spread evenly; text and other formats are not.
	for _, count := range seen {
		if count > n/256*4+8 {
			return false
		}
	}
	return n >= 512
}

// wrongRole refuses a file that is adopted for something else.
func wrongRole(path, op, role string) error {
	if role == "" {
		return &tidemark.Error{
			Code: tidemark.CodeNotAdopted, Op: op, Msg: path + " is an ordinary database that nothing was added to",
			Hint: "serve it first: tidemark serve FILE",
		}
	}
	return &tidemark.Error{
		Code: tidemark.CodeWrongRole, Op: op, Msg: fmt.Sprintf("%s is a %s, not a served file", path, role),
		Hint: "serve the file that it was cloned from, or detach this one first: tidemark detach FILE",
	}
}
