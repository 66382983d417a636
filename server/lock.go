package server

import (
	"errors"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/tidemarkdb/tidemark"
)

// LockSuffix is what the name of a lock file ends in, beside each served file.
// The server holds an advisory lock on it, which the operating system gives up
// when the process dies. The lock file itself stays; it means nothing.
const LockSuffix = "-tidemark-lock"

// locked is a store that no other server of this machine has open.
type locked struct {
	tidemark.Store
	lock *flock.Flock
}

// alone takes the lock for a store: two servers would give the same seq twice.
// It closes the store when another one has it.
func alone(store tidemark.Store, name, path string) (tidemark.Store, error) {
	place := path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		place = real // a file under two names is one file
	}
	lock := flock.New(place + LockSuffix)
	ok, err := lock.TryLock()
	if err == nil && ok {
		return &locked{store, lock}, nil
	}
	return nil, errors.Join(&tidemark.Error{
		Code: tidemark.CodeBusy, Op: "serve", Space: name, Err: err, Msg: path + " is served by another server",
		Hint: "stop that one first; one server serves a file to any number of copies",
	}, store.Close())
}

// Close implements io.Closer.
func (l *locked) Close() error { return errors.Join(l.Store.Close(), l.lock.Close()) }
