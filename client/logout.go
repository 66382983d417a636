package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

// errLoggedOut ends a file that is gone.
var errLoggedOut = &tidemark.Error{Code: tidemark.CodeFileReplaced, Op: "logout", Msg: "the copy was deleted"}

// Logout deletes a replica from this device, with all that lies beside it. It
// refuses with tidemark.CodePending while something in it has not reached the
// server, or was rejected and not disposed of; force deletes that, too. No
// process may sync the file meanwhile. What the disk keeps of deleted files is
// the disk's.
func Logout(path string, force bool) error {
	path = lite.Resolve(path)
	if _, err := os.Stat(path); err != nil {
		return &tidemark.Error{Code: tidemark.CodeNotFound, Op: "logout", Err: err}
	}
	l := newLease(path)
	ok, err := l.try()
	switch {
	case err != nil:
		return &tidemark.Error{Code: tidemark.CodeReadOnly, Op: "logout", Err: err, Msg: "the lock file " + path + LockSuffix + " cannot be used"}
	case !ok:
		return &tidemark.Error{Code: tidemark.CodeBusy, Op: "logout", Msg: "another process syncs this file", Hint: "end it first"}
	}
	defer l.release()
	db, err := Open(path, Options{})
	if err != nil {
		return err
	}
	return firstError(db.wipe(force), db.Close())
}

// wipe deletes the file while it holds the write lock, so that nobody writes
// what nobody would see.
func (db *DB) wipe(force bool) error {
	err := db.withEngine(func(r *replica.Replica) error { _, err := r.Seal(now()); return err })
	if err != nil && !force {
		return err
	}
	w := <-db.writer
	defer func() { db.writer <- w }()
	if err := w.Run("BEGIN IMMEDIATE"); err != nil {
		return &tidemark.Error{Code: tidemark.CodeBusy, Op: "logout", Err: err, Msg: "another program writes into the file", Hint: "end its transaction and try again"}
	}
	if !force {
		if err := db.nothingLeft(); err != nil {
			return errors.Join(err, w.Run("ROLLBACK"))
		}
	}
	// The file itself last: should this end halfway, it can be done again.
	for _, suffix := range []string{
		partSuffix, notesSuffix, freshSuffix, freshSuffix + "-wal", freshSuffix + "-shm", freshSuffix + "-journal",
		"-wal", "-shm", "-journal", LockSuffix, "",
	} {
		if err := os.Remove(db.path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &tidemark.Error{Code: tidemark.CodeReadOnly, Op: "logout", Err: err, Msg: db.path + suffix + " cannot be deleted"}
		}
	}
	db.end(errLoggedOut)
	return nil
}

// nothingLeft refuses to delete what is nowhere else.
func (db *DB) nothingLeft() error {
	st, err := db.Status()
	if err != nil {
		return err
	}
	if st.Pending == 0 && st.Rejected == 0 && !st.Unsealed {
		return nil
	}
	msg := fmt.Sprintf("%d changesets have not reached the server and %d were rejected; nobody else has them", st.Pending, st.Rejected)
	if st.Unsealed {
		msg = "something was just written that has not reached the server; nobody else has it"
	}
	return &tidemark.Error{Code: tidemark.CodePending, Op: "logout", Msg: msg,
		Hint: "sync, and dispose of what was rejected; or force it, and lose that"}
}
