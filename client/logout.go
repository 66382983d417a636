package client

import (
	"errors"
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
	err := db.withEngine(func(r *replica.Replica) error {
		return r.Wipe(replica.Wiping{Now: now(), Force: force, Remove: os.Remove, Beside: []string{
			partSuffix, notesSuffix, freshSuffix, freshSuffix + "-wal", freshSuffix + "-shm", freshSuffix + "-journal",
		}})
	})
	if err != nil {
		return err
	}
	db.end(errLoggedOut)
	// It says who synced last, and nothing of the space.
	if err := os.Remove(db.path + LockSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &tidemark.Error{Code: tidemark.CodeReadOnly, Op: "logout", Err: err, Msg: "the copy is gone, but " + db.path + LockSuffix + " cannot be deleted"}
	}
	return nil
}
