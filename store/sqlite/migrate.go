package sqlite

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// Migrate runs a script with capture lifted and restored around it, in one
// transaction: the statements of ALTER TABLE that triggers stand against work
// then. The server may go on running. Rows that the script changes are found by
// comparing all rows with their hashes, when the next group runs, and sequenced
// like every other program's. The move returned is what that group will do; a
// script that leaves rows which break constraints is refused.
func Migrate(path, script string) (*tidemark.SchemaMove, error) {
	db, err := openServed(path, lite.Options{}, "migrate")
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	// To recreate a table with foreign keys on would delete what refers to it.
	// The rows are looked through afterwards.
	if err := db.SetForeignKeys(false); err != nil {
		return nil, err
	}
	var move *tidemark.SchemaMove
	err = db.Transaction(func() error {
		move, err = migrate(db, script)
		return err
	})
	return move, explainOpen(path, "migrate", err)
}

func migrate(db *lite.DB, script string) (*tidemark.SchemaMove, error) {
	hash, err := meta.Get(db, meta.KeySchema)
	if err != nil {
		return nil, err
	}
	from, err := readSchema(db, hash)
	if err != nil {
		return nil, err
	}
	// No table, no trigger. The log stays: it may hold what is not sequenced yet.
	if err := capture.Install(db, capture.Main, &tidemark.Schema{}, false); err != nil {
		return nil, err
	}
	db.Forget()
	if err := runScript(db, script); err != nil {
		return nil, err
	}
	x := &tx{view: view{db: db, schema: from}}
	to, left, err := x.inspect(from)
	if err != nil {
		return nil, err
	}
	if err := refuseViolations(db, to); err != nil {
		return nil, err
	}
	if err := capture.Install(db, capture.Main, numbered(to, from), false); err != nil {
		return nil, err
	}
	diff := schema.Compare(from, to)
	to.Hash = schema.HashOf(to)
	move := &tidemark.SchemaMove{Schema: to, Out: left}
	for _, t := range diff.Added {
		move.Added = append(move.Added, t.Name)
	}
	for _, w := range diff.Widened {
		move.Widened = append(move.Widened, w.To.Name)
	}
	return move, meta.SetInt(db, keyScrub, 1)
}

// numbered leaves new tables to the next group, which gives them their numbers.
func numbered(to, from *tidemark.Schema) *tidemark.Schema {
	s := &tidemark.Schema{Objects: to.Objects}
	for _, t := range to.Tables {
		if from.Table(t.ID) != nil {
			s.Tables = append(s.Tables, t)
		}
	}
	return s
}

// runScript runs it inside the open transaction and lets nothing of it commit.
func runScript(db *lite.DB, script string) error {
	db.Conn().CommitHook(func() bool { return false })
	err := db.Script(script)
	db.Conn().CommitHook(nil)
	if err == nil && db.InTransaction() {
		return nil
	}
	e := &tidemark.Error{Code: tidemark.CodeUsage, Op: "migrate", Msg: "the script failed; nothing was changed", Err: err}
	if !db.InTransaction() {
		e.Msg = "the script ends the transaction that it runs in; nothing was changed"
		e.Hint = "take BEGIN, COMMIT and ROLLBACK out of the script: it runs whole or not at all anyway"
	}
	return e
}

func refuseViolations(db *lite.DB, s *tidemark.Schema) error {
	tolerant, err := meta.Int(db, keyAccepted)
	if err != nil || tolerant > 0 {
		return err
	}
	bad, err := schema.Violations(db, s, 3)
	if err != nil || len(bad) == 0 {
		return err
	}
	v := bad[0]
	return &tidemark.Error{
		Code: tidemark.CodeViolations, Op: "migrate", Table: v.Table, Key: v.Key,
		Msg:  "the script leaves rows that break constraints, for one " + v.Table + " " + v.KeyText + ": " + v.Detail,
		Hint: "repair the rows in the script; nothing was changed",
	}
}
