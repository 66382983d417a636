package lite

import (
	"context"

	"github.com/ncruces/go-sqlite3"
)

// WantKind says what a statement wants while it is compiled.
type WantKind uint8

// The kinds.
const (
	WantOther     WantKind = iota // to write, to attach, a pragma ...
	WantSelect                    // to be a query
	WantRead                      // a column of a table
	WantFunction                  // a function
	WantRecursion                 // a recursive query
)

// Want is one thing that a statement wants.
type Want struct {
	Kind     WantKind
	Schema   string // of a table: main, temp
	Table    string
	Column   string // "": the table is read, but none of its columns
	Function string
}

// CompileWithin compiles a statement, if allow lets it have everything that it
// wants. Nothing runs, nothing is kept. A name in double quotes that nothing has
// is an error also where the connection takes it for a string otherwise.
func (db *DB) CompileWithin(sql string, allow func(Want) bool) error {
	hear := func(action sqlite3.AuthorizerActionCode, third, fourth, schema, _ string) sqlite3.AuthorizerReturnCode {
		w := Want{}
		switch action {
		case sqlite3.AUTH_SELECT:
			w.Kind = WantSelect
		case sqlite3.AUTH_READ:
			w = Want{Kind: WantRead, Schema: schema, Table: third, Column: fourth}
		case sqlite3.AUTH_FUNCTION:
			w = Want{Kind: WantFunction, Function: fourth}
		case sqlite3.AUTH_RECURSIVE:
			w.Kind = WantRecursion
		}
		if allow(w) {
			return sqlite3.AUTH_OK
		}
		return sqlite3.AUTH_DENY
	}
	if err := db.conn.SetAuthorizer(hear); err != nil {
		return err
	}
	err := db.with(sqlite3.DBCONFIG_DQS_DML, false, func() error { return db.Compile(sql) })
	if aerr := db.conn.SetAuthorizer(nil); err == nil {
		err = aerr
	}
	return err
}

// Budget interrupts statements when they took too many steps of SQLite's
// machine, and when the context below it ends. It counts and reads no clock:
// what runs out of it does so every time.
type Budget struct {
	context.Context
	left int
}

// stepsPerLook is how many steps the driver lets pass before it looks at the context.
const stepsPerLook = 1000

// NewBudget makes a budget of about so many steps.
func NewBudget(below context.Context, steps int) *Budget {
	return &Budget{Context: below, left: steps / stepsPerLook}
}

// Err implements context.Context. Asking costs.
func (b *Budget) Err() error {
	if err := b.Context.Err(); err != nil {
		return err
	}
	if b.left--; b.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// Spent reports whether the budget ran out.
func (b *Budget) Spent() bool { return b.left < 0 }
