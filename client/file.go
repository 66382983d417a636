package client

import (
	"os"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// identity tells whether the path still leads to the file that was opened. A
// file that takes its place would be read through the old one's write-ahead
// log, and closing would delete the new one's.
type identity struct {
	path string
	file os.FileInfo
	log  os.FileInfo // the -wal file; nil until it was seen
}

func identify(path string) (*identity, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return &identity{path: path, file: info}, nil
}

// check returns an error once another file has the name.
func (id *identity) check() error {
	info, err := os.Stat(id.path)
	if err != nil && !os.IsNotExist(err) {
		return nil // a network drive that does not answer is not another file
	}
	if err != nil || !os.SameFile(info, id.file) {
		return replaced(id.path)
	}
	log, err := os.Stat(id.path + "-wal")
	switch {
	case id.log == nil && err == nil:
		id.log = log
	case id.log != nil && os.IsNotExist(err):
		return replaced(id.path)
	case id.log != nil && err == nil && !os.SameFile(log, id.log):
		return replaced(id.path)
	}
	return nil
}

func replaced(path string) error {
	return &tidemark.Error{Code: tidemark.CodeFileReplaced, Op: "open",
		Msg:  path + " was moved, deleted or replaced while it was open",
		Hint: "close every program that uses it, make sure that no -wal or -shm file of another database lies beside it, and open it again"}
}

// leave closes a connection.
func leave(c *lite.DB, replaced error) error {
	if replaced != nil {
		c.TouchNothing()
	}
	return c.Close()
}
