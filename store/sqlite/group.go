package sqlite

import (
	"context"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// commitTries bounds how often a COMMIT is tried again: with a rollback journal
// a reader can hold it up.
const commitTries = 100

// Group runs fn in one durable transaction; see tidemark.Store.
func (s *Store) Group(ctx context.Context, fn func(tidemark.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.shutdown()
	}
	if err := s.id.check(); err != nil {
		return s.explain("group", err)
	}
	before := s.db.SetContext(ctx)
	defer s.db.SetContext(before)
	if err := s.db.Run("BEGIN IMMEDIATE"); err != nil {
		return s.explain("group", err)
	}
	done := false
	defer func() {
		// Also on panic: the connection must not stay inside the transaction.
		if !done {
			s.rollback()
		}
	}()
	tx, err := s.enter()
	if err != nil {
		return s.explain("group", err)
	}
	if err := fn(tx); err != nil {
		return err
	}
	if err := s.commit(tx); err != nil {
		return s.explain("commit", err)
	}
	done = true
	return nil
}

// enter looks whether somebody else wrote since the last group.
func (s *Store) enter() (*tx, error) {
	version, err := s.db.Int("PRAGMA main.data_version")
	if err != nil {
		return nil, err
	}
	now := s.last.Load()
	x := &tx{
		view: view{s: s, db: s.db, hasher: s.hasher, schema: now.schema},
		head: now.head, term: now.term, version: version, quiet: version == s.version,
	}
	s.fresh = false
	if x.quiet {
		return x, s.dress(x.schema)
	}
	return x, s.reload(x)
}

// reload reads the place again that another process may have moved.
func (s *Store) reload(x *tx) error {
	head, term, err := readPlace(s.db, "main")
	if err != nil {
		return err
	}
	if x.schema, err = s.schemaIn(s.db); err != nil {
		return err
	}
	if s.term != "" && term != s.term {
		return &tidemark.Error{
			Code: tidemark.CodeBusy, Op: "group", Space: s.opts.Space,
			Msg:  "another server has opened this file and taken over",
			Hint: "stop one of the two servers",
		}
	}
	if head == x.head {
		return nil
	}
	x.head, x.term = head, term
	s.book.drop()
	return s.ledger.load(s.db, "main")
}

func (s *Store) commit(x *tx) error {
	if x.owed {
		return &tidemark.Error{Code: tidemark.CodeInternal, Op: "commit", Msg: "foreign changes were neither appended nor undone"}
	}
	err := s.ledger.flush(s.db)
	if err == nil {
		err = s.book.flush(s.db)
	}
	if err != nil {
		return err
	}
	for range commitTries {
		if err = s.db.Run("COMMIT"); !lite.Busy(err) {
			break
		}
	}
	if err != nil {
		return err
	}
	s.ledger.settle()
	s.book.settle()
	s.term = x.term
	if x.asked {
		s.version = x.version
		s.relook.Store(false)
		s.rescope.Store(false)
	}
	s.last.Store(&state{schema: x.schema, head: x.head, term: x.term, sum: s.ledger.total(x.schema)})
	return nil
}

// rollback works although the context of what failed may be over.
func (s *Store) rollback() {
	before := s.db.SetContext(context.Background())
	defer s.db.SetContext(before)
	if s.db.InTransaction() {
		// An error here leaves the transaction open; the next BEGIN tells.
		_ = s.db.Run("ROLLBACK")
	}
	// If it fails, the next group's writes fail as well, rather than slip through.
	_ = s.loosen(loose{})
	s.ledger.drop()
	s.book.drop()
	s.chronicle.forget(s.last.Load().head)
	s.version = -1 // look at everything again
	if s.fresh {
		s.dressed, s.armed = "", "" // TEMP tables and triggers made in the transaction are gone
	}
}

// readPlace reads head and newest term from the file.
func readPlace(db *lite.DB, place string) (tidemark.Seq, string, error) {
	head, err := db.Int("SELECT max(seq) FROM " + place + "._tm_changeset")
	if err != nil {
		return 0, "", err
	}
	term, err := db.Text("SELECT term FROM " + place + "._tm_term ORDER BY i DESC LIMIT 1")
	return tidemark.Seq(head), term, err
}
