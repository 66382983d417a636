package sqlite

import (
	"os"
	"sync"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// identity tells whether the path still leads to the file that was opened. What
// is written after somebody deleted, moved or replaced the file would be
// confirmed to replicas and be gone with the next start.
type identity struct {
	mu   sync.Mutex
	path string // where symbolic links lead; "" for a file of another VFS
	file os.FileInfo
	log  os.FileInfo // the -wal file; nil until it was seen
}

func identify(path string, o Options) (*identity, error) {
	if o.VFS != "" {
		return &identity{}, nil
	}
	path = lite.Resolve(path)
	info, err := os.Stat(path)
	return &identity{path: path, file: info}, err
}

// check returns an error once another file, or none, has the name.
func (id *identity) check() error {
	if id.path == "" {
		return nil
	}
	id.mu.Lock()
	defer id.mu.Unlock()
	if !same(id.path, &id.file) || !same(id.path+"-wal", &id.log) {
		return &tidemark.Error{
			Code: tidemark.CodeFileReplaced, Op: "group", Msg: id.path + " or its -wal file was moved, deleted or replaced while it was served",
			Hint: "stop the server, put the right file in place, without -wal and -shm of another, and start it again",
		}
	}
	return nil
}

// same compares what the path leads to with what was seen there, if anything was.
func same(path string, seen *os.FileInfo) bool {
	info, err := os.Stat(path)
	switch {
	case err != nil && !os.IsNotExist(err):
		return true // a drive that does not answer is not another file
	case *seen == nil:
		*seen = info
		return true
	}
	return err == nil && os.SameFile(info, *seen)
}

// leave closes a connection to a file that may have been replaced.
func (id *identity) leave(db *lite.DB) error {
	if id.check() != nil {
		db.TouchNothing()
	}
	return db.Close()
}
