package replica

import (
	"errors"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
)

// openFile opens a database file and makes sure that it is one.
func openFile(op, path string, o Options) (*lite.DB, error) {
	db, err := lite.Open(path, lite.Options{VFS: o.VFS})
	if err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeNotSQLite, Op: op, Err: err,
			Msg: path + " cannot be opened", Hint: "look at the path and at the rights of file and folder"}
	}
	_, err = db.Int("SELECT count(*) FROM main.sqlite_master")
	if err = errors.Join(err, db.AllowQuotedStrings()); err != nil {
		_ = db.Close()
		return nil, failure(op, err)
	}
	return db, nil
}

func requireReplica(db *lite.DB) error {
	role, err := meta.Adopted(db)
	if err != nil {
		return err
	}
	switch role {
	case meta.RoleReplica:
		return nil
	case meta.RoleServer:
		return &tidemark.Error{Code: tidemark.CodeWrongRole,
			Msg:  db.Path() + " is the server's file of a space, not a copy",
			Hint: "serve it with `tidemark serve`, and clone from there"}
	}
	return &tidemark.Error{Code: tidemark.CodeNotAdopted,
		Msg:  db.Path() + " is not a replica",
		Hint: "make one with `tidemark clone ADDRESS FILE`"}
}

// prepareConnection makes the connection the engine's own: nothing that is
// stored in the file acts on it, and every commit is durable.
func prepareConnection(db *lite.DB) error {
	if err := db.SetTriggers(false); err != nil {
		return err
	}
	mode, err := db.Text("PRAGMA main.journal_mode")
	if err != nil {
		return err
	}
	level := "EXTRA" // a deleted rollback journal must stay deleted
	if mode == "wal" {
		level = "FULL"
	}
	for _, pragma := range []string{"foreign_keys = OFF", "recursive_triggers = OFF", "main.synchronous = " + level} {
		if err := db.Run("PRAGMA " + pragma); err != nil {
			return err
		}
	}
	return nil
}

// failure gives an error of the file its code. What has one keeps it.
func failure(op string, err error) error {
	var known *tidemark.Error
	if errors.Is(err, ErrMoved) {
		return err
	}
	if errors.As(err, &known) {
		if known.Op == "" {
			known.Op = op
		}
		return err
	}
	e := &tidemark.Error{Code: tidemark.CodeInternal, Op: op, Err: err}
	switch {
	case lite.Busy(err):
		e.Code, e.Hint = tidemark.CodeBusy, "another program holds the file: end its transaction, or wait"
	case lite.Full(err):
		e.Code, e.Hint = tidemark.CodeFull, "make room on the disk; nothing was lost"
	case lite.Disk(err):
		e.Hint = "look whether the disk is full or failing; nothing that was committed is lost"
	case lite.NotADatabase(err):
		e.Code, e.Hint = tidemark.CodeNotSQLite, "the file is not an SQLite database, or it is encrypted"
	case lite.Corrupt(err):
		e.Code, e.Hint = tidemark.CodeCorrupt, "the file is damaged; copy it, then clone anew"
	case lite.ReadOnly(err):
		e.Code, e.Hint = tidemark.CodeReadOnly, "the file or its folder cannot be written"
	}
	return e
}
