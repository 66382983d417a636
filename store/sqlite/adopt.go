package sqlite

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// progressEvery is how many rows lie between two calls of Options.Progress.
const progressEvery = 10000

// adopt makes a plain file the home of a space, in one transaction. It adds
// bookkeeping, capture and the table of conflicts, and changes nothing else;
// Detach takes it all off again.
func (s *Store) adopt() error {
	if s.opts.Space == "" {
		return &tidemark.Error{Code: tidemark.CodeUsage, Op: "adopt", Msg: "a new space needs a name"}
	}
	if err := s.db.SetTriggers(false); err != nil {
		return err
	}
	mode, err := s.db.Text("PRAGMA main.journal_mode")
	if err != nil {
		return err
	}
	return s.db.Transaction(func() error {
		if err := soundFile(s.db, s.path); err != nil {
			return err
		}
		if err := makeConflicts(s.db, s.path); err != nil {
			return err
		}
		sc, _, err := schema.Inspect(s.db, nil)
		if err != nil {
			return err
		}
		if sc, err = s.declared(sc); err != nil {
			return err
		}
		accepted, err := s.violations(sc)
		if err != nil {
			return err
		}
		return s.install(sc, mode, accepted)
	})
}

// intact reads what SQLite's own check says first. It also names rows that break
// NOT NULL or CHECK; these are for schema.Violations, which knows all of them.
func intact(said string) bool {
	return said == "ok" || strings.Contains(said, "NULL value in") || strings.Contains(said, "CHECK constraint") ||
		strings.Contains(said, "non-")
}

// soundFile refuses to build on a damaged file.
func soundFile(db *lite.DB, path string) error {
	said, err := db.Text("PRAGMA main.quick_check(1)")
	if err != nil || intact(said) {
		return err
	}
	return &tidemark.Error{
		Code: tidemark.CodeCorrupt, Op: "adopt", Msg: path + " is damaged: " + said,
		Hint: "restore a backup, or save what can be read: sqlite3 FILE .recover",
	}
}

// violations counts the rows that break constraints, and refuses them unless
// they are to be accepted.
func (s *Store) violations(sc *tidemark.Schema) (int, error) {
	bad, err := schema.Violations(s.db, sc, 0)
	if err != nil || len(bad) == 0 || s.opts.AcceptViolations {
		return len(bad), err
	}
	var list []string
	for _, v := range bad[:min(3, len(bad))] {
		list = append(list, fmt.Sprintf("%s %s (%s: %s)", v.Table, v.KeyText, v.Constraint, v.Detail))
	}
	if len(bad) > 3 {
		list = append(list, fmt.Sprintf("and %d more", len(bad)-3))
	}
	return 0, &tidemark.Error{
		Code: tidemark.CodeViolations, Op: "adopt", Space: s.opts.Space,
		Msg:  fmt.Sprintf("%d row(s) break constraints of their own tables: %s", len(bad), strings.Join(list, ", ")),
		Hint: "list them with tidemark check FILE and repair them, or adopt them as they are with --accept-violations",
	}
}

func (s *Store) install(sc *tidemark.Schema, mode string, accepted int) error {
	if err := meta.Create(s.db, meta.RoleServer); err != nil {
		return err
	}
	if err := makeBookkeeping(s.db); err != nil {
		return err
	}
	var secrets [32]byte
	if _, err := io.ReadFull(s.opts.Rand, secrets[:]); err != nil {
		return err
	}
	copy(s.key[:], secrets[16:])
	facts := []struct {
		key   string
		value tidemark.Value
	}{
		{meta.KeySpace, tidemark.Text(s.opts.Space)},
		{meta.KeyIncarnation, tidemark.Text(hex.EncodeToString(secrets[:16]))},
		{meta.KeyDigestKey, tidemark.Blob(secrets[16:])},
		{meta.KeyJournalMode, tidemark.Text(mode)},
		{keyAccepted, tidemark.Int(int64(accepted))},
		{keyLogSeen, tidemark.Int(0)},
	}
	for _, f := range facts {
		if err := meta.SetValue(s.db, f.key, f.value); err != nil {
			return err
		}
	}
	if err := s.adoptRows(sc); err != nil {
		return err
	}
	if err := s.db.Run(feedIndex); err != nil {
		return err
	}
	if err := s.adoptScopes(sc); err != nil {
		return err
	}
	return install(s.db, sc)
}

// adoptScopes puts every row into its scopes, with seq 0.
func (s *Store) adoptScopes(sc *tidemark.Schema) error {
	n, err := s.scopingFor(sc)
	if err != nil || n == nil {
		return err
	}
	f := &follower{x: &tx{view: view{s: s, db: s.db, schema: sc}}, n: n}
	if err := f.remake(); err != nil {
		return err
	}
	if err := s.book.flush(s.db); err != nil {
		return err
	}
	s.book.drop()
	return nil
}

// adoptRows gives every row its hash, with seq 0: it was there before the first changeset.
func (s *Store) adoptRows(sc *tidemark.Schema) error {
	h := digest.New(s.key)
	l := newLedger(h)
	for _, t := range sc.Tables {
		n := int64(0)
		err := row.Scan(s.db, t, nil, nil, 0, func(r []tidemark.Value) error {
			if n++; n%progressEvery == 0 {
				s.opts.Progress(t.Name, n)
			}
			id := t.KeyID(t.KeyOf(r))
			return s.db.Run("INSERT INTO main._tm_row (t, key, seq, writer, hash) VALUES (?1, ?2, 0, '', ?3)",
				tidemark.Int(int64(t.ID)), tidemark.BlobString(id), tidemark.Int(int64(l.cells(t, id, nil, r, 1))))
		})
		if err != nil {
			return err
		}
		s.opts.Progress(t.Name, n)
	}
	return l.flush(s.db)
}
