package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// served reads the bookkeeping of a server's file. It works beside a running
// server and takes nothing over.
type served struct {
	db          *lite.DB
	space       string
	incarnation string
	head        tidemark.Seq
	schema      *tidemark.Schema
}

func openServed(path string) (*served, error) {
	db, _, err := peek(path)
	if err != nil {
		return nil, err
	}
	f := &served{db: db}
	if err := f.load(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return f, nil
}

func (f *served) close() { _ = f.db.Close() }

func (f *served) load() (err error) {
	if f.space, err = meta.Get(f.db, meta.KeySpace); err != nil {
		return err
	}
	if f.incarnation, err = meta.Get(f.db, meta.KeyIncarnation); err != nil {
		return err
	}
	head, err := f.db.Int("SELECT max(seq) FROM main._tm_changeset")
	if err != nil {
		return err
	}
	f.head = tidemark.Seq(head)
	return f.loadSchema()
}

// loadSchema reads the current schema, for the names of tables and columns.
func (f *served) loadSchema() error {
	body, err := f.db.Get(`SELECT body FROM main._tm_schema WHERE hash = (SELECT v FROM main._tm_meta WHERE k = ?1)`,
		tidemark.Text(meta.KeySchema))
	if err != nil {
		return err
	}
	if body == nil {
		f.schema = &tidemark.Schema{}
		return nil
	}
	f.schema, err = schema.Decode(body[0].Bytes())
	return err
}

// log calls fn for the newest limit changesets behind after, oldest first; 0 is no limit.
func (f *served) log(after tidemark.Seq, limit int, fn func(tidemark.LogEntry) error) error {
	first := int64(after)
	if limit > 0 {
		first = max(first, int64(f.head)-int64(limit))
	}
	return f.db.Each(`SELECT seq, replica, n, author, at, schema, effects FROM main._tm_changeset
		WHERE seq > ?1 ORDER BY seq`, func(s *lite.Stmt) error {
		e := tidemark.LogEntry{
			Seq: tidemark.Seq(s.Int(0)), Name: tidemark.Name{Replica: s.Text(1), N: s.Int(2)},
			Author: s.Text(3), At: s.Int(4), Schema: s.Text(5),
		}
		var err error
		if e.Effects, err = decodeChanges(s.Value(6)); err != nil {
			return err
		}
		return fn(e)
	}, tidemark.Int(first))
}

func decodeChanges(v tidemark.Value) ([]tidemark.Change, error) {
	if v.Str() == "" {
		return nil, nil
	}
	return wire.DecodeChanges(v.Bytes())
}

// undone lists what other programs wrote into the file and the server undid.
func undone(path string) ([]replica.Rejected, error) {
	found, err := sqlite.Rejected(path)
	if err != nil {
		return nil, err
	}
	list := make([]replica.Rejected, len(found))
	for i, r := range found {
		o := r.Outcome
		list[i] = replica.Rejected{ID: r.ID, Seq: o.Seq, Code: o.Code, Message: o.Message,
			Table: o.Table, Key: o.Key, Columns: o.Columns, Changes: r.Changes}
	}
	return list, nil
}

func serverBox(path string) (*box, error) {
	f, err := openServed(path)
	if err != nil {
		return nil, err
	}
	defer f.close()
	b := &box{role: meta.RoleServer, schema: f.schema}
	b.retry = func(context.Context, int64, bool) (int, error) {
		return 0, usageError("a changeset of the server's own file is not retried by Tidemark",
			"write the rows again with the tool that wrote them, then discard the record")
	}
	b.discard = func(_ context.Context, id int64) error { return discardServed(path, id) }
	b.list, err = undone(path)
	return b, err
}

func discardServed(path string, id int64) error {
	db, err := lite.Open(path, lite.Options{})
	if err != nil {
		return err
	}
	return errors.Join(db.Run("DELETE FROM main._tm_rejected WHERE id = ?1", tidemark.Int(id)), db.Close())
}

// servedStatus is what status prints of a served file with --json.
type servedStatus struct {
	Path        string            `json:"path"`
	Role        string            `json:"role"`
	Space       string            `json:"space"`
	Incarnation string            `json:"incarnation"`
	Head        tidemark.Seq      `json:"head"`
	Tables      int               `json:"tables"` // that sync
	Out         map[string]string `json:"out,omitempty"`
	Rejected    int               `json:"rejected"`
	Replicas    []knownReplica    `json:"replicas"`
}

type knownReplica struct {
	ID      string       `json:"id"`
	Seq     tidemark.Seq `json:"seq"`
	Contact int64        `json:"contact"`
	Agent   string       `json:"agent,omitempty"`
}

func (f *served) status(path string) (servedStatus, error) {
	st := servedStatus{Path: path, Role: meta.RoleServer, Space: f.space, Incarnation: f.incarnation,
		Head: f.head, Replicas: []knownReplica{}, Out: map[string]string{}}
	for _, t := range f.schema.Tables {
		if t.Out == "" {
			st.Tables++
		} else {
			st.Out[t.Name] = t.Out
		}
	}
	n, err := f.db.Int("SELECT count(*) FROM main._tm_rejected")
	if err != nil {
		return st, err
	}
	st.Rejected = int(n)
	err = f.db.Each("SELECT id, seq, contact, agent FROM main._tm_replica WHERE id <> ?1 ORDER BY contact DESC, id", func(s *lite.Stmt) error {
		st.Replicas = append(st.Replicas, knownReplica{s.Text(0), tidemark.Seq(s.Int(1)), s.Int(2), s.Text(3)})
		return nil
	}, tidemark.Text(tidemark.FileReplica))
	return st, err
}

func serverStatus(s *shell, path string) error {
	f, err := openServed(path)
	if err != nil {
		return err
	}
	defer f.close()
	st, err := f.status(path)
	if err != nil {
		return err
	}
	printServedStatus(s, st)
	return s.document(st)
}

func printServedStatus(s *shell, st servedStatus) {
	s.printf("%s is the server's file of space %s\n\n", st.Path, st.Space)
	rows := [][]string{
		{"head", "seq " + grouped(int64(st.Head))},
		{"tables", grouped(int64(st.Tables)) + " syncing"},
		{"rejected", grouped(int64(st.Rejected))},
	}
	for _, name := range sortedKeys(st.Out) {
		rows = append(rows, []string{"not syncing", name + ": " + st.Out[name]})
	}
	now := time.Now().UnixMilli()
	for _, r := range st.Replicas {
		rows = append(rows, []string{"copy", shortID(r.ID) + " at seq " + grouped(int64(r.Seq)) + ", " + ago(r.Contact, now)})
	}
	if len(st.Replicas) == 0 {
		rows = append(rows, []string{"copies", "none yet"})
	}
	s.table(rows)
	if st.Rejected > 0 {
		s.printf("\nnext: tidemark rejected %s\n", quoteArg(st.Path))
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
