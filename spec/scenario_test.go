package spec

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/wire"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// scenario is what README.md says of conflicts.json.
type scenario struct {
	Name      string
	SQL       []string
	Policies  []string
	Clocks    map[string]int64
	Steps     []step
	Rows      map[string][][]value
	Conflicts []map[string]value
}

type step struct {
	Replica string
	N       int64
	Seen    tidemark.Seq
	MadeAt  int64 `json:"made_at"`
	Changes []namedChange
	Ends    tidemark.OutcomeKind
	Seq     tidemark.Seq
	Code    tidemark.Code
	Lost    []string
	Over    []string

	Renumbered []string

	File string
	Cut  tidemark.Seq
}

// namedChange is a change by names.
type namedChange struct {
	Table  string
	Op     string
	Key    []value
	Row    []value
	Set    map[string]value
	Edits  map[string]edit
	MadeAt int64 `json:"made_at"`
}

func testConflicts(t *testing.T, text []byte) {
	cases(t, text, func(c *scenario) string { return c.Name }, runScenario)
}

func runScenario(t *testing.T, c *scenario) {
	s := &stage{t: t, c: c, path: filepath.Join(t.TempDir(), "space.db"), sessions: map[string]*hub.Session{}, hello: map[string]*wire.Hello{}}
	s.script(strings.Join(c.SQL, ";\n"))
	s.open()
	for i := range c.Steps {
		s.step(i, &c.Steps[i])
	}
	s.must(s.store.Close())
	s.compare()
}

// stage is a server on a file, and the replicas that push to it.
type stage struct {
	t        *testing.T
	c        *scenario
	path     string
	store    *sqlite.Store
	hub      *hub.Hub
	now      int64
	sessions map[string]*hub.Session
	hello    map[string]*wire.Hello // what a replica says next
	heard    []tidemark.Outcome
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// script runs as another program's.
func (s *stage) script(sql string) {
	s.t.Helper()
	db, err := lite.Open(s.path, lite.Options{Create: true})
	s.must(err)
	s.must(db.Script(sql))
	s.must(db.Close())
}

func (s *stage) open() {
	declared, err := policy.Parse([]byte(strings.Join(s.c.Policies, "\n")), "tidemark.yaml")
	s.must(err)
	names := policy.Functions{Merge: []string{"sum", "theirs", "fails"}}
	s.store, err = sqlite.Open(s.path, sqlite.Options{Space: "space", Policies: policy.For(declared, names)})
	s.must(err)
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], uint64(s.now))
	s.hub, err = hub.Open(context.Background(), s.store, s.clock(), hub.Options{Rand: rand.NewChaCha8(seed), Merge: functions})
	s.must(err)
	s.group()
	clear(s.sessions)
}

// clock goes on by a second with each look.
func (s *stage) clock() int64 {
	s.now += 1000
	return 1_000_000 + s.now
}

func (s *stage) group(subs ...hub.Submission) *hub.Commit {
	c, err := s.hub.Group(context.Background(), s.clock(), subs, nil)
	s.must(err)
	if len(c.Retry) > 0 {
		s.t.Fatalf("no outcome: %v", c.Failed(c.Retry[0]))
	}
	return c
}

func (s *stage) step(i int, step *step) {
	switch {
	case step.File != "":
		s.script(step.File)
		s.group()
	case step.Cut > 0:
		s.must(s.store.Close())
		s.script(fmt.Sprintf("DELETE FROM _tm_changeset WHERE seq <= %d", step.Cut))
		s.open()
	default:
		s.push(i, step)
	}
}

// session returns a replica's, which says Hello at first.
func (s *stage) session(name string) *hub.Session {
	if s.sessions[name] == nil {
		if s.hello[name] == nil {
			s.hello[name] = &wire.Hello{Protocol: wire.Protocol}
		}
		s.sessions[name] = s.hub.NewSession(tidemark.Principal{})
		now := s.clock()
		h := *s.hello[name]
		h.Incarnation, h.Clock = s.hub.State().Incarnation, now+s.c.Clocks[name]
		down, _, err := s.sessions[name].Receive(context.Background(), now, &h)
		s.must(err)
		s.hear(name, down)
		_, _, err = s.sessions[name].Receive(context.Background(), s.clock(), &wire.Ack{})
		s.must(err)
	}
	return s.sessions[name]
}

func (s *stage) hear(name string, down []wire.Down) {
	for _, m := range down {
		switch m := m.(type) {
		case *wire.Welcome:
			s.hello[name].Replica, s.hello[name].Ticket = m.Replica, m.Ticket
		case *wire.Outcomes:
			s.heard = append(s.heard, m.List...)
		case *wire.Refusal:
			s.t.Fatalf("refused: %+v", m)
		}
	}
}

func (s *stage) push(i int, step *step) {
	session := s.session(step.Replica)
	var state *tidemark.Schema
	s.must(s.store.View(context.Background(), func(v tidemark.View) error { state = v.Schema(); return nil }))
	var list []tidemark.Change
	for i := range step.Changes {
		list = append(list, step.Changes[i].plain(s.t, state))
	}
	p := &wire.Push{
		N: step.N, Seen: step.Seen, Schema: state.Hash, MadeAt: step.MadeAt, Body: wire.AppendChanges(nil, list, false), Salt: tidemark.Salt{byte(i), 1},
	}
	down, sub, err := session.Receive(context.Background(), s.clock(), p)
	s.must(err)
	s.hear(step.Replica, down)
	if sub == nil {
		s.t.Fatalf("step %d was not taken", i)
	}
	s.heard = nil
	s.hear(step.Replica, session.Deliver(s.group(*sub)))
	if len(s.heard) != 1 {
		s.t.Fatalf("step %d has %d outcomes", i, len(s.heard))
	}
	s.ends(i, step, &s.heard[0])
}

// ends compares an outcome.
func (s *stage) ends(i int, step *step, o *tidemark.Outcome) {
	var renumbered []string
	for _, r := range o.Renumbered {
		renumbered = append(renumbered, fmt.Sprintf("%s[%d] to %d", r.Table, r.From, r.To))
	}
	if o.Kind != step.Ends || o.Code != step.Code || step.Seq != 0 && o.Seq != step.Seq || o.N != step.N {
		s.t.Errorf("step %d ends %s %s at %d (%s), want %s %s at %d", i, o.Kind, o.Code, o.Seq, o.Message, step.Ends, step.Code, step.Seq)
	}
	for _, x := range []struct {
		what      string
		got, want []string
	}{{"lost", spell(o.Lost), step.Lost}, {"over", spell(o.Over), step.Over}, {"renumbered", renumbered, step.Renumbered}} {
		if !slices.Equal(x.got, x.want) {
			s.t.Errorf("step %d: %s %v, want %v", i, x.what, x.got, x.want)
		}
	}
}

// spell writes cells as table[key].column.
func spell(cells []tidemark.Cell) []string {
	var out []string
	for _, c := range cells {
		name := c.Table + string(wire.AppendValues(nil, c.Key))
		if c.Column != "" {
			name += "." + c.Column
		}
		out = append(out, name)
	}
	return out
}

func (c *namedChange) plain(t *testing.T, s *tidemark.Schema) tidemark.Change {
	table := s.Named(c.Table)
	if table == nil {
		t.Fatalf("no table %s", c.Table)
	}
	one := change{Table: table.ID, Op: c.Op, Key: c.Key, New: c.Row, MadeAt: c.MadeAt}
	for i := range table.Columns {
		name := table.Columns[i].Name
		v, set := c.Set[name]
		e, edited := c.Edits[name]
		if !set && !edited {
			continue
		}
		one.Columns, one.New = append(one.Columns, i), append(one.New, v)
		if len(c.Edits) > 0 {
			one.Edits = append(one.Edits, e)
		}
	}
	if len(one.Columns) != len(c.Set)+len(c.Edits) {
		t.Fatalf("a column of %s is not there: %v %v", c.Table, c.Set, c.Edits)
	}
	return one.plain()
}

// compare looks at the file: the rows, the conflicts, and that it is sound.
func (s *stage) compare() {
	db, err := lite.Open(s.path, lite.Options{})
	s.must(err)
	defer db.Close()
	for table, want := range s.c.Rows {
		s.same(table, s.read(db, "SELECT * FROM "+lite.Quote(table)+" ORDER BY 1"), plainRows(want))
	}
	s.conflicts(db)
	for _, check := range []string{"integrity_check", "foreign_key_check"} {
		for _, row := range s.read(db, "PRAGMA "+check) {
			if row[0] != tidemark.Text("ok") {
				s.t.Errorf("%s: %v", check, row)
			}
		}
	}
}

func (s *stage) read(db *lite.DB, sql string) [][]tidemark.Value {
	var rows [][]tidemark.Value
	s.must(db.Each(sql, func(st *lite.Stmt) error {
		rows = append(rows, st.Row(0))
		return nil
	}))
	return rows
}

func plainRows(rows [][]value) [][]tidemark.Value {
	var out [][]tidemark.Value
	for _, r := range rows {
		out = append(out, plain(r))
	}
	return out
}

func (s *stage) same(what string, got, want [][]tidemark.Value) {
	if !slices.EqualFunc(got, want, slices.Equal[[]tidemark.Value]) {
		s.t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// conflicts compares the columns that are given. Replicas go by the names that
// the scenario gives them.
func (s *stage) conflicts(db *lite.DB) {
	names := map[string]string{}
	for name, h := range s.hello {
		names[h.Replica] = name
	}
	rows := s.read(db, "SELECT id FROM tm_conflicts ORDER BY seq, id")
	if len(rows) != len(s.c.Conflicts) {
		s.t.Errorf("%d conflicts, want %d: %v", len(rows), len(s.c.Conflicts), s.read(db, "SELECT * FROM tm_conflicts"))
		return
	}
	for i, want := range s.c.Conflicts {
		for column, v := range want {
			row, err := db.Get("SELECT "+lite.Quote(column)+" FROM tm_conflicts WHERE id = ?1", rows[i][0])
			s.must(err)
			if got := renamed(row[0], names); got != v.Value {
				s.t.Errorf("conflict %d: %s is %v, want %v", i, column, got, v)
			}
		}
	}
}

// renamed turns the name of a replica, or of a changeset, into the scenario's.
func renamed(v tidemark.Value, names map[string]string) tidemark.Value {
	replica, n, _ := strings.Cut(v.Str(), "/")
	name := names[replica]
	switch {
	case v.Kind() != tidemark.KindText || name == "":
		return v
	case n == "":
		return tidemark.Text(name)
	}
	return tidemark.Text(name + "/" + n)
}
