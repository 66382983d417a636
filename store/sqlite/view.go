package sqlite

import (
	"context"
	"strconv"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// view reads one state of the space on one connection.
type view struct {
	s      *Store
	db     *lite.DB
	hasher *digest.Hasher
	schema *tidemark.Schema
}

// View runs fn on one state that holds no unsequenced change; see tidemark.Store.
func (s *Store) View(ctx context.Context, fn func(tidemark.View) error) error {
	db, err := s.borrow(ctx)
	if err != nil {
		return err
	}
	defer func() { s.readers <- db }()
	if err := s.id.check(); err != nil {
		return s.explain("read", err)
	}
	before := db.SetContext(ctx)
	defer db.SetContext(before)
	err = db.View(func() error {
		if err := sealed(db, "main"); err != nil {
			return err
		}
		if s.rescope.Load() {
			return &tidemark.Error{Code: tidemark.CodeBusy, Op: "view", Msg: "other scopes were declared and are not in force yet"}
		}
		sc, err := s.schemaIn(db)
		if err != nil {
			return err
		}
		return fn(&view{s: s, db: db, hasher: digest.New(s.key), schema: sc})
	})
	return s.explain("view", err)
}

// sealed makes sure, inside a read transaction, that everything in the file was sequenced.
func sealed(db *lite.DB, place string) error {
	busy := &tidemark.Error{Code: tidemark.CodeBusy, Op: "view", Msg: "another program's changes are not sequenced yet"}
	ddl, err := db.Int("PRAGMA " + place + ".schema_version")
	if err != nil {
		return err
	}
	facts := place + "._tm_meta"
	known, err := db.Int("SELECT v FROM "+facts+" WHERE k = ?1", tidemark.Text(meta.KeyDDLVersion))
	if err != nil {
		return err
	}
	if ddl != known {
		return busy
	}
	open, err := db.Int("SELECT (SELECT max(n) FROM "+place+"._tm_log) > (SELECT v FROM "+facts+" WHERE k = ?1)", tidemark.Text(keyLogSeen))
	if err != nil {
		return err
	}
	scrub, err := db.Int("SELECT v FROM "+facts+" WHERE k = ?1", tidemark.Text(keyScrub))
	if err != nil {
		return err
	}
	if open != 0 || scrub != 0 {
		return busy
	}
	return nil
}

// schemaIn returns the schema of the state that db sees.
func (s *Store) schemaIn(db *lite.DB) (*tidemark.Schema, error) {
	hash, err := meta.Get(db, meta.KeySchema)
	if err != nil {
		return nil, err
	}
	if now := s.last.Load(); now != nil && now.schema.Hash == hash {
		return now.schema, nil
	}
	return readSchema(db, hash)
}

func readSchema(db *lite.DB, hash string) (*tidemark.Schema, error) {
	body, err := db.Get("SELECT body FROM main._tm_schema WHERE hash = ?1", tidemark.Text(hash))
	if err != nil {
		return nil, err
	}
	if body == nil {
		return nil, &tidemark.Error{Code: tidemark.CodeCorrupt, Op: "open", Msg: "the bookkeeping does not hold the current schema"}
	}
	return schema.Decode(body[0].Bytes())
}

// Schema returns the current schema.
func (v *view) Schema() *tidemark.Schema { return v.schema }

// State reads where the space is.
func (v *view) State() (tidemark.SpaceState, error) {
	head, term, err := readPlace(v.db, "main")
	if err != nil {
		return tidemark.SpaceState{}, err
	}
	if now := v.s.last.Load(); now.head == head && now.term == term && now.schema.Hash == v.schema.Hash {
		return v.state(head, term, now.sum), nil
	}
	l := newLedger(v.hasher)
	if err := l.load(v.db, "main"); err != nil {
		return tidemark.SpaceState{}, err
	}
	return v.state(head, term, l.total(v.schema)), nil
}

func (v *view) state(head tidemark.Seq, term string, sum uint64) tidemark.SpaceState {
	return tidemark.SpaceState{
		Space: v.s.opts.Space, Incarnation: v.s.incarnation, Term: term, Head: head,
		Sum: sum, SchemaHash: v.schema.Hash, DigestKey: v.s.key,
	}
}

// SchemaBody returns a schema by its hash, or nil.
func (v *view) SchemaBody(hash string) ([]byte, error) {
	r, err := v.db.Get("SELECT body FROM main._tm_schema WHERE hash = ?1", tidemark.Text(hash))
	if err != nil || r == nil {
		return nil, err
	}
	return r[0].Bytes(), nil
}

// Row returns a row with its last writer.
func (v *view) Row(table int, key []tidemark.Value) (tidemark.RowState, error) {
	t, err := v.table(table)
	if err != nil {
		return tidemark.RowState{}, err
	}
	var r tidemark.RowState
	if r.Values, err = row.Get(v.db, t, key); err != nil {
		return r, err
	}
	last, err := v.db.Get("SELECT seq, writer FROM main._tm_row WHERE t = ?1 AND key = ?2",
		tidemark.Int(int64(t.ID)), tidemark.BlobString(t.KeyID(key)))
	if err == nil && last != nil {
		r.Seq, r.Writer = tidemark.Seq(last[0].Int64()), last[1].Str()
	}
	return r, err
}

func (v *view) table(id int) (*tidemark.Table, error) {
	t := v.schema.Table(id)
	if t == nil || t.Out != "" {
		return nil, &tidemark.Error{Code: tidemark.CodeSchema, Op: "read", Space: v.s.opts.Space, Msg: "there is no synced table with this number"}
	}
	return t, nil
}

// TermEnd returns the last seq of a term.
func (v *view) TermEnd(term string) (tidemark.Seq, bool, error) {
	r, err := v.db.Get(`SELECT (SELECT b.first_seq - 1 FROM main._tm_term b WHERE b.i > a.i ORDER BY b.i LIMIT 1)
		FROM main._tm_term a WHERE a.term = ?1`, tidemark.Text(term))
	if err != nil || r == nil {
		return 0, false, err
	}
	if !r[0].IsNull() {
		return tidemark.Seq(r[0].Int64()), true, nil
	}
	head, _, err := readPlace(v.db, "main")
	return head, true, err
}

// Log streams the history behind seq.
func (v *view) Log(after tidemark.Seq, limit int, fn func(tidemark.LogEntry) error) error {
	return v.db.Each(`SELECT seq, replica, n, hash, author, at, schema, effects FROM main._tm_changeset
		WHERE seq > ?1 ORDER BY seq`+limited(limit), func(s *lite.Stmt) error {
		e := tidemark.LogEntry{
			Seq: tidemark.Seq(s.Int(0)), Author: s.Text(4), At: s.Int(5), Schema: s.Text(6),
			Name: tidemark.Name{Replica: s.Text(1), N: s.Int(2)},
		}
		copy(e.Name.Hash[:], s.Blob(3))
		var err error
		if e.Effects, err = wire.DecodeChanges([]byte(s.Text(7))); err != nil {
			return err
		}
		return fn(e)
	}, tidemark.Int(int64(after)))
}

// limited ends a query after so many rows (0: all). The limit stands in the statement:
// SQLite compiles one anew for each run whose limit is bound, which takes longer than
// a short run does.
func limited(limit int) string {
	if limit <= 0 {
		return ""
	}
	return " LIMIT " + strconv.Itoa(limit)
}

// Dirty reports whether another program wrote since the last group.
func (s *Store) Dirty(ctx context.Context) (bool, error) {
	db, err := s.borrow(ctx)
	if err != nil {
		return false, err
	}
	defer func() { s.readers <- db }()
	if s.relook.Load() {
		return true, nil
	}
	err = db.View(func() error { return sealed(db, "main") })
	if tidemark.CodeOf(err) == tidemark.CodeBusy {
		return true, nil
	}
	return false, s.explain("poll", err)
}
