// Package rehearsal tries out what somebody would do to a database, under the
// rules of a file: on a copy, with the store that serves it, so that it says what
// the server would.
//
// Open copies a database, New makes one of a schema and a script. Try runs SQL as
// an app would on its own copy and has the rules judge what came of it. Read
// reads a file of tests, Run runs them.
//
// # Caveats
//
// Nothing is kept: each Try begins with what the stage was made of. The SQL runs
// in one transaction with foreign keys on, and must not begin or end one.
package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/rules"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// Stage is a database on which things are tried out.
type Stage struct {
	dir   string
	path  string
	store *sqlite.Store

	schema *tidemark.Schema
	see    func(rules.Verdict)
}

// Open copies a database, which may be in use.
func Open(database string, c *policy.Config) (*Stage, error) {
	return stage(c, func(path string) error {
		db, err := lite.Open(database, lite.Options{ReadOnly: true})
		if err != nil {
			return err
		}
		return errors.Join(db.Run("VACUUM INTO ?1", tidemark.Text(path)), db.Close())
	})
}

// New makes an empty database of a schema and fills it by a script.
func New(s *tidemark.Schema, script string, c *policy.Config) (*Stage, error) {
	return stage(c, func(path string) error {
		db, err := lite.Open(path, lite.Options{Create: true})
		if err != nil {
			return err
		}
		err = db.AllowQuotedStrings()
		for _, o := range s.Objects {
			if err == nil && o.SQL != "" && !rules.Own(o.Name) && schema.Fold(o.Name) != tidemark.ConflictsTable {
				_ = db.Script(o.SQL) // shadow tables come with their virtual ones; what is missing is told by what needs it
			}
		}
		if err == nil {
			err = db.Script("BEGIN; " + script + "\n; COMMIT")
		}
		return errors.Join(err, db.Close())
	})
}

func stage(c *policy.Config, fill func(path string) error) (s *Stage, err error) {
	s = &Stage{}
	if s.dir, err = os.MkdirTemp("", "tidemark-rules-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(s.dir)
		}
	}()
	s.path = filepath.Join(s.dir, "stage.sqlite")
	if err := fill(s.path); err != nil {
		return nil, err
	}
	s.store, err = sqlite.Open(s.path, sqlite.Options{
		Policies: policy.For(c, policy.Functions{Any: true}), Rules: policy.RulesFor(c, true), Scopes: policy.ScopesFor(c),
		Space: spaceOf(s.path), AcceptViolations: true,
		Observe: func(v rules.Verdict) {
			if s.see != nil {
				s.see(v)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	if err := s.store.Group(context.Background(), func(tx tidemark.Tx) error { return sequence(tx, s) }); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	return s, nil
}

// spaceOf is the space of a copy that was served, or a name for one that was not.
func spaceOf(path string) string {
	r, err := sqlite.Read(path)
	if err != nil {
		return "stage"
	}
	defer func() { _ = r.Close() }()
	return r.Space
}

// sequence takes over what other programs did before the copy was made.
func sequence(tx tidemark.Tx, s *Stage) error {
	work, err := tx.Foreign()
	if err != nil {
		return err
	}
	s.schema = tx.Schema()
	switch {
	case work.Refused != nil:
		return work.Refused
	case len(work.Changes) > 0 || work.Moved != nil:
		return tx.Append(tidemark.LogEntry{Name: tidemark.Name{Replica: tidemark.FileReplica}, Effects: work.Changes})
	}
	return nil
}

// Close removes the stage.
func (s *Stage) Close() error { return errors.Join(s.store.Close(), os.RemoveAll(s.dir)) }

// Schema returns what the database looks like. Do not change it.
func (s *Stage) Schema() *tidemark.Schema { return s.schema }

// errDone ends a group of which nothing is to stay.
var errDone = errors.New("done")

// Try runs SQL and has the rules judge what it changed. :user in it is the
// author's name. Its err is the server's refusal, or what the SQL itself met.
// see, if not nil, sees what the rules said.
func (s *Stage) Try(author tidemark.Author, sql string, see func(rules.Verdict)) (changes []tidemark.Change, err error) {
	if changes, err = s.changes(author, sql); err != nil || len(changes) == 0 {
		return nil, err
	}
	s.see = see
	defer func() { s.see = nil }()
	gerr := s.store.Group(context.Background(), func(tx tidemark.Tx) error {
		if _, err := tx.Foreign(); err != nil {
			return err
		}
		if err = inSight(tx, author.Principal, changes); err == nil {
			err = tx.WriteAs(author, changes)
		}
		if err == nil {
			err = tx.Settle(changes)
		}
		return errDone
	})
	if gerr != nil && !errors.Is(gerr, errDone) {
		return changes, gerr
	}
	return changes, err
}

// inSight refuses, as the server does before it asks the rules, to change or
// delete a row that is in no scope of the author's.
func inSight(tx tidemark.Tx, p tidemark.Principal, changes []tidemark.Change) error {
	if !tx.Schema().Scoped() {
		return nil
	}
	granted, err := tx.Granted(p)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.Op == tidemark.Insert {
			continue
		}
		in, err := tx.ScopesOf(c.Table, c.Key)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(in, func(s tidemark.RowScope) bool { return s.Live && slices.Contains(granted, s.Scope) }) {
			t := tx.Schema().Table(c.Table)
			return &tidemark.Error{Code: tidemark.CodeForbidden, Table: t.Name, Key: c.Key, Msg: fmt.Sprintf("there is no such row of %s, or the author may not see it", t.Name)}
		}
	}
	return nil
}

// changes runs SQL and takes it back.
func (s *Stage) changes(author tidemark.Author, sql string) (changes []tidemark.Change, err error) {
	db, err := lite.Open(s.path, lite.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	if err := db.SetForeignKeys(true); err != nil {
		return nil, err
	}
	err = db.Transaction(func() error {
		before, err := capture.Last(db, capture.Main)
		if err != nil {
			return err
		}
		if err := db.Script(withUser(sql, author.Principal.ID)); err != nil {
			return fmt.Errorf("%s", strings.TrimPrefix(strings.TrimPrefix(err.Error(), "sqlite3: "), "SQL logic error: "))
		}
		if !db.InTransaction() {
			return errors.New("the SQL must not end its transaction")
		}
		rows, err := capture.Net(db, capture.Main, s.schema, before)
		if err != nil {
			return err
		}
		changes = capture.Changes(rows)
		return errDone
	})
	if errors.Is(err, errDone) {
		err = nil
	}
	return changes, err
}

// withUser writes the author's name in the place of :user.
func withUser(sql, user string) string {
	var b strings.Builder
	toks, end := schema.Lex(sql), 0
	for i, t := range toks {
		if t.Text == ":" && i+1 < len(toks) && toks[i+1].Start == t.End && strings.EqualFold(toks[i+1].Text, "user") {
			b.WriteString(sql[end:t.Start] + lite.Literal(tidemark.Text(user)))
			end = toks[i+1].End
		}
	}
	return b.String() + sql[end:]
}
