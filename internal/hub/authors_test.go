package hub_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// as lets a peer speak for somebody.
func (p *peer) as(who tidemark.Principal) {
	p.b.t.Helper()
	p.s = p.b.hub.NewSession(who)
	if p.b.peers = append(p.b.peers, p); p.send(&p.hello) != nil || p.welcome == nil {
		p.b.t.Fatalf("not welcome: %v", p.got)
	}
}

func TestRulesHearWhoWrites(t *testing.T) {
	b := newBench(t, hub.Options{})
	ann := b.newPeer()
	ann.as(tidemark.Principal{ID: "ann", Claims: map[string]any{"role": "admin"}})
	var heard []tidemark.Author
	b.store.rule = func(a tidemark.Author, c tidemark.Change) error {
		heard = append(heard, a)
		if c.Key[0] == num(2) {
			return &tidemark.Error{Code: tidemark.CodeForbidden, Table: "item", Key: c.Key, Msg: "not this one"}
		}
		return nil
	}
	b.group(ann.push(insert(1, "a")))
	if o := ann.outcome(); o.Kind != tidemark.Accepted {
		t.Errorf("%+v", o)
	}
	b.group(ann.push(insert(2, "b"), insert(3, "c")))
	if o := ann.outcome(); o.Code != tidemark.CodeForbidden || o.Table != "item" || o.Message != "not this one" {
		t.Errorf("%+v", o)
	}
	if b.rowOf(1, key(3)) != nil {
		t.Error("half of a denied changeset is there")
	}
	if len(heard) < 2 || heard[0].Principal.ID != "ann" || heard[0].Principal.Claims["role"] != "admin" || heard[0].Now != b.now-1 {
		t.Errorf("%+v at %d", heard, b.now)
	}
}

func TestAReplayIsAnsweredBeforeAnyRule(t *testing.T) {
	b := newBench(t, hub.Options{})
	ann := b.newPeer()
	ann.as(tidemark.Principal{ID: "ann"})
	sub := ann.push(insert(1, "a"))
	b.group(sub)
	first := ann.outcome()
	b.store.rule = func(tidemark.Author, tidemark.Change) error {
		return &tidemark.Error{Code: tidemark.CodeForbidden, Msg: "no more"}
	}
	b.group(sub)
	if again := ann.outcome(); again.Kind != first.Kind || again.Seq != first.Seq {
		t.Errorf("first %+v, then %+v", first, again)
	}
	b.group(ann.push(insert(2, "b")))
	if o := ann.outcome(); o.Code != tidemark.CodeForbidden {
		t.Errorf("%+v", o)
	}
}

func TestRecordsOfConflictsAreNotTheAuthors(t *testing.T) {
	b, ann, bob := newRules(t, nil)
	b.store.rule = func(_ tidemark.Author, c tidemark.Change) error {
		if c.Table == conflictsID {
			return &tidemark.Error{Code: tidemark.CodeForbidden, Msg: "it is the server's"}
		}
		return nil
	}
	const col = 1
	before := start(col)
	b.group(ann.push(edit(1, col, before, text("mine"))), bob.push(edit(1, col, before, text("theirs"))))
	if len(b.conflicts()) == 0 {
		t.Error("the edits did not meet")
	}
	for _, p := range []*peer{ann, bob} {
		if o := p.outcome(); o.Kind == tidemark.Rejected {
			t.Errorf("%+v", o)
		}
	}
}

// ruledMill is a hub on a real file with members and tasks.
type ruledMill struct {
	b   testing.TB
	hub *hub.Hub
	s   *hub.Session
	n   int64
	now int64
}

func newRuledMill(b testing.TB, rules *tidemark.Rules) *ruledMill {
	m := &ruledMill{b: b, now: 1_000_000}
	path := makeFile(b, `CREATE TABLE member (project INT NOT NULL, person TEXT NOT NULL, role TEXT, PRIMARY KEY (project, person)) WITHOUT ROWID;
		CREATE TABLE task (id INTEGER PRIMARY KEY, project INT, author TEXT, title TEXT, done INT, changed INT);
		WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO member SELECT i, p, 'editor' FROM n, (SELECT 'ann' AS p UNION SELECT 'bob');
		WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) INSERT INTO task SELECT i, 1 + i % 1000, 'ann', 'task ' || i, 0, 0 FROM n;`)
	store, err := sqlite.Open(path, sqlite.Options{Space: "ruled", Rules: func(*tidemark.Schema) (*tidemark.Rules, error) { return rules, nil }})
	must(m.b, err)
	b.Cleanup(func() { must(m.b, store.Close()) })
	m.hub, err = hub.Open(context.Background(), store, m.now, hub.Options{Rand: rand.NewChaCha8([32]byte{})})
	must(m.b, err)
	m.group()
	st := m.hub.State()
	m.s = m.hub.NewSession(tidemark.Principal{ID: "ann", Claims: map[string]any{"role": "staff"}})
	_, _, err = m.s.Receive(ctx, m.now, &wire.Hello{Protocol: wire.Protocol, Incarnation: st.Incarnation, Term: st.Term, Seq: st.Head, Schema: st.SchemaHash})
	must(m.b, err)
	return m
}

func (m *ruledMill) group(subs ...hub.Submission) []tidemark.Outcome {
	m.b.Helper()
	m.now++
	c, err := m.hub.Group(ctx, m.now, subs, nil)
	must(m.b, err)
	var all []tidemark.Outcome
	if m.s == nil {
		return nil
	}
	for _, d := range m.s.Deliver(c) {
		if o, ok := d.(*wire.Outcomes); ok {
			all = append(all, o.List...)
		}
	}
	return all
}

func (m *ruledMill) push(changes ...tidemark.Change) hub.Submission {
	m.n++
	st := m.hub.State()
	p := &wire.Push{N: m.n, Schema: st.SchemaHash, Seen: st.Head, MadeAt: m.now, Body: wire.AppendChanges(nil, changes, false)}
	_, sub, err := m.s.Receive(ctx, m.now, p)
	must(m.b, err)
	return *sub
}

const mayEdit = "EXISTS (SELECT 1 FROM member m WHERE m.project = %s.project AND m.person = :user AND m.role IN ('owner', 'editor'))"

func benchRules() *tidemark.Rules {
	return &tidemark.Rules{Tables: []tidemark.TableRules{{
		Table: "task", Insert: fmt.Sprintf(mayEdit, "NEW"), Update: fmt.Sprintf(mayEdit, "OLD") + " AND " + fmt.Sprintf(mayEdit, "NEW"), Delete: "OLD.author = :user",
		Immutable: []string{"author"},
	}}}
}

func TestRulesOnARealStore(t *testing.T) {
	m := newRuledMill(t, benchRules())
	o := m.group(m.push(updateIn(2, 7, 3, text("mine"))), m.push(updateIn(2, 8, 2, text("forged"))), m.push(updateIn(2, 9, 1, num(5000))))
	if len(o) != 3 || o[0].Kind != tidemark.Accepted || o[1].Code != tidemark.CodeForbidden || o[2].Code != tidemark.CodeForbidden {
		t.Fatalf("%+v", o)
	}
	if len(o[1].Columns) != 1 || o[1].Columns[0] != "author" || o[1].Table != "task" {
		t.Errorf("%+v", o[1])
	}
}

func updateIn(table int, id int64, col int, v tidemark.Value) tidemark.Change {
	return tidemark.Change{Table: table, Op: tidemark.Update, Key: key(id), Cols: []int{col}, New: []tidemark.Value{v}}
}

// BenchmarkRules measures what rules add to a changeset: none, the cheapest, one
// that looks up a member twice, and with it a column that the server sets. The
// group of a hundred changesets is committed once, so what is measured is the
// judging, not the disk.
func BenchmarkRules(b *testing.B) {
	look := benchRules()
	set := benchRules()
	set.Tables[0].Set = []tidemark.SetRule{{Column: "changed", Value: ":now"}}
	for _, c := range []struct {
		name  string
		rules *tidemark.Rules
	}{
		{"none", nil}, {"public", &tidemark.Rules{Public: true}},
		{"own", &tidemark.Rules{Tables: []tidemark.TableRules{{Table: "task", Update: "OLD.author = :user"}}}},
		{"member", look}, {"member and set", set},
	} {
		for _, size := range []int{1, 20} {
			b.Run(fmt.Sprintf("%s/%d", c.name, size), func(b *testing.B) { benchRuled(b, c.rules, size) })
		}
	}
}

func benchRuled(b *testing.B, rules *tidemark.Rules, size int) {
	m := newRuledMill(b, rules)
	runtime.LockOSThread() // cpu is the thread's
	defer runtime.UnlockOSThread()
	id := int64(0)
	var spent int64
	b.ResetTimer()
	for range b.N {
		subs := make([]hub.Submission, 100)
		for i := range subs {
			changes := make([]tidemark.Change, size)
			for k := range changes {
				id++
				changes[k] = updateIn(2, 1+id*7%10000, 3, text(fmt.Sprint("t", id)))
			}
			subs[i] = m.push(changes...)
		}
		began := cpu()
		for _, o := range m.group(subs...) {
			if o.Kind != tidemark.Accepted {
				b.Fatalf("%+v", o)
			}
		}
		spent += int64(cpu() - began)
	}
	b.ReportMetric(float64(spent)/float64(b.N*100*size), "cpu-ns/change")
}
