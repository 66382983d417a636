package lite

import (
	"context"
)

// Transaction runs fn inside BEGIN IMMEDIATE and commits, or rolls back when fn fails.
func (db *DB) Transaction(fn func() error) error { return db.transaction("BEGIN IMMEDIATE", fn) }

// View runs fn inside a read transaction: fn sees one state of the file.
func (db *DB) View(fn func() error) error { return db.transaction("BEGIN", fn) }

func (db *DB) transaction(begin string, fn func() error) (err error) {
	if err := db.Run(begin); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done && db.InTransaction() {
			// Also on panic: a connection must never be left inside a transaction.
			_ = db.rollback()
		}
	}()
	if err := fn(); err != nil {
		return err
	}
	if err := db.Run("COMMIT"); err != nil {
		return err
	}
	done = true
	return nil
}

// rollback works although the context of the statement that failed may be over.
func (db *DB) rollback() error {
	old := db.conn.SetInterrupt(context.Background())
	defer db.conn.SetInterrupt(old)
	return db.conn.Exec("ROLLBACK")
}

// Savepoint runs fn inside a savepoint and undoes what it did when it fails. An
// error that ended the whole transaction is left for the caller to see by
// InTransaction.
func (db *DB) Savepoint(name string, fn func() error) error {
	q := Quote(name)
	if err := db.Run("SAVEPOINT " + q); err != nil {
		return err
	}
	err := fn()
	if err != nil {
		if !db.InTransaction() {
			return err
		}
		if rerr := db.Run("ROLLBACK TO " + q); rerr != nil {
			return rerr
		}
	}
	if rerr := db.Run("RELEASE " + q); err == nil {
		err = rerr
	}
	return err
}
