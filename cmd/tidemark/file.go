package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
)

// peek opens a file for reading and tells its role: meta.RoleServer,
// meta.RoleReplica, or "" for one without bookkeeping.
func peek(path string) (*lite.DB, string, error) {
	if err := mustBeThere(path); err != nil {
		return nil, "", err
	}
	db, err := lite.Open(path, lite.Options{ReadOnly: true})
	if err != nil {
		return nil, "", unreadable(path, err)
	}
	role, err := meta.Adopted(db)
	if err != nil {
		return nil, "", errors.Join(unreadable(path, err), db.Close())
	}
	return db, role, nil
}

// roleOf is peek for those who only want to know the role.
func roleOf(path string) (string, error) {
	db, role, err := peek(path)
	if err != nil {
		return "", err
	}
	return role, db.Close()
}

// mustBeThere refuses what cannot be a database.
func mustBeThere(path string) error {
	fi, err := lookAt(path)
	if err != nil || fi.Mode().IsRegular() {
		return err
	}
	// To open a pipe waits for ever.
	return &tidemark.Error{Code: tidemark.CodeUsage, Msg: path + " is no file but a device or a pipe",
		Hint: "give the path of one SQLite file"}
}

// lookAt looks for something that can be read, also when it is a pipe.
func lookAt(path string) (fs.FileInfo, error) {
	fi, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &tidemark.Error{Code: tidemark.CodeNotFound, Msg: "there is no file " + path,
			Hint: "check the path; tidemark clone URL FILE makes a copy of a space"}
	case err != nil:
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Err: err, Hint: "give the path of one file"}
	case fi.IsDir():
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Msg: path + " is a folder",
			Hint: "give the path of one file"}
	}
	return fi, nil
}

// unreadable explains why a file cannot be read as a database.
func unreadable(path string, err error) error {
	if tidemark.CodeOf(err) != "" {
		return err
	}
	if lite.NotADatabase(err) {
		return &tidemark.Error{Code: tidemark.CodeNotSQLite, Msg: path + " is not an SQLite database, or it is encrypted",
			Hint: "give the path of an SQLite file; decrypt an encrypted one first"}
	}
	e := &tidemark.Error{Code: tidemark.CodeCorrupt, Msg: path + " cannot be read", Err: err}
	switch {
	case lite.Busy(err):
		e.Code = tidemark.CodeBusy
	case lite.Unopened(err):
		e.Code = tidemark.CodeReadOnly
		e.Hint = "SQLite makes a -wal and a -shm beside it: look at the rights of the file and its folder, or copy all three to a folder that can be written"
	case lite.Disk(err):
		e.Code, e.Hint = tidemark.CodeFull, "look whether the disk is full or failing; nothing that was committed is lost"
	}
	return e
}

// notAdopted is the refusal of commands that need a served file or a copy.
func notAdopted(path string) error {
	return &tidemark.Error{Code: tidemark.CodeNotAdopted,
		Msg:  path + " is an ordinary SQLite file: it is neither served nor a copy",
		Hint: "tidemark serve " + quoteArg(path) + " serves it; tidemark clone URL FILE makes a copy of a space"}
}

// replicaOnly refuses every file that is not a copy.
func replicaOnly(path string) error {
	role, err := roleOf(path)
	switch {
	case err != nil:
		return err
	case role == "":
		return notAdopted(path)
	case role != meta.RoleReplica:
		return &tidemark.Error{Code: tidemark.CodeWrongRole,
			Msg:  path + " is the server's own file, not a copy",
			Hint: "write into it as you like: the running server notices; copies are made with tidemark clone"}
	}
	return nil
}
