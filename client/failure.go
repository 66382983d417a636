package client

import (
	"context"
	"errors"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// failure turns an error of SQLite into one of the module's, with the code by
// which a program can tell a refused row from a locked file.
func failure(ctx context.Context, op string, err error) error {
	var known *tidemark.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case ctx.Err() != nil && (lite.Interrupted(err) || lite.Busy(err)):
		return ctx.Err()
	}
	if v := lite.Violation(err); v != nil {
		v.Op, v.Err = op, nil
		return v
	}
	e := &tidemark.Error{Op: op, Err: err}
	switch {
	case lite.Busy(err):
		e.Code, e.Hint = tidemark.CodeBusy, "another program holds the file's write lock; try again when it has finished"
	case lite.Full(err):
		e.Code, e.Hint = tidemark.CodeFull, "make room on the disk; nothing was lost"
	case lite.Corrupt(err):
		e.Code = tidemark.CodeCorrupt
	case lite.ReadOnly(err):
		e.Code = tidemark.CodeReadOnly
	case lite.NotADatabase(err):
		e.Code = tidemark.CodeNotSQLite
	}
	return e
}
