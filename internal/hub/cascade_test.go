package hub_test

import (
	"math/rand/v2"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/wire"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// pier is a hub on a real file with one replica, which pushes one changeset at a time.
type pier struct {
	t     *testing.T
	by    *lite.DB
	store *sqlite.Store
	hub   *hub.Hub
	s     *hub.Session
	now   int64
	n     int64
	heard []wire.Down
}

func newPier(t *testing.T, script, policies string) *pier {
	p := &pier{t: t, now: 1_000_000}
	path := makeFile(t, script)
	p.store, p.by = openStore(t, path, "pier", policies, policy.Functions{Any: true}), another(t, path)
	t.Cleanup(func() {
		must(p.t, p.by.Close())
		must(p.t, p.store.Close())
	})
	var err error
	p.hub, err = hub.Open(ctx, p.store, p.now, hub.Options{Rand: rand.NewChaCha8([32]byte{})})
	must(p.t, err)
	p.group()
	st := p.hub.State()
	p.s = p.hub.NewSession(tidemark.Principal{})
	_, _, err = p.s.Receive(ctx, p.now, &wire.Hello{Protocol: wire.Protocol, Incarnation: st.Incarnation, Term: st.Term, Seq: st.Head, Schema: st.SchemaHash})
	must(p.t, err)
	return p
}

func (p *pier) group(subs ...hub.Submission) {
	p.now++
	c, err := p.hub.Group(ctx, p.now, subs, nil)
	must(p.t, err)
	if p.s != nil {
		p.heard = append(p.heard, p.s.Deliver(c)...)
	}
}

// push sends a changeset whose author had seen everything up to seen.
func (p *pier) push(seen tidemark.Seq, changes ...tidemark.Change) tidemark.Outcome {
	p.t.Helper()
	p.n++
	m := pushOf(p.n, p.hub.State().SchemaHash, changes...)
	m.Seen, m.MadeAt = seen, p.now
	_, sub, err := p.s.Receive(ctx, p.now, m)
	must(p.t, err)
	p.group(*sub)
	var last tidemark.Outcome
	for _, m := range p.heard {
		if m, ok := m.(*wire.Outcomes); ok {
			last = m.List[len(m.List)-1]
		}
	}
	return last
}

func (p *pier) table(name string) int { return p.hub.Schema().Named(name).ID }

func TestACascadeIntoAppendOnlyRows(t *testing.T) {
	p := newPier(t, `CREATE TABLE task (id TEXT PRIMARY KEY NOT NULL);
		CREATE TABLE event (id TEXT PRIMARY KEY NOT NULL, task TEXT REFERENCES task ON DELETE CASCADE);
		INSERT INTO task VALUES ('a'), ('b'); INSERT INTO event VALUES ('x', 'a')`,
		"tables:\n  event: { policy: append-only }\n")
	remove := func(id string) tidemark.Change {
		return tidemark.Change{Table: p.table("task"), Op: tidemark.Delete, Key: []tidemark.Value{text(id)}}
	}
	if o := p.push(p.hub.State().Head, remove("a")); o.Code != tidemark.CodeForbidden || o.Table != "event" {
		t.Errorf("%+v", o)
	}
	if o := p.push(p.hub.State().Head, remove("b")); o.Kind != tidemark.Accepted {
		t.Errorf("%+v", o)
	}
}

// Times of edits stay on the server.
func TestTimesDoNotTravelDown(t *testing.T) {
	p := newPier(t, `CREATE TABLE task (id TEXT PRIMARY KEY NOT NULL, title TEXT); INSERT INTO task VALUES ('a', 'base')`,
		"tables:\n  task: { policy: latest-edit }\n")
	seen := p.hub.State().Head
	must(p.t, p.by.Script("UPDATE task SET title = 'by hand'"))
	p.group()
	o := p.push(seen, tidemark.Change{
		Table: p.table("task"), Op: tidemark.Update, Key: []tidemark.Value{text("a")}, Cols: []int{1}, New: []tidemark.Value{text("mine")}, MadeAt: p.now + 1_000_000,
	})
	if o.Kind != tidemark.Merged {
		t.Fatalf("%+v", o)
	}
	for _, m := range p.heard {
		if m, ok := m.(*wire.Batch); ok {
			for _, c := range m.Changes {
				if c.MadeAt != 0 {
					t.Errorf("%+v", c)
				}
			}
		}
	}
}

// A unique value that another row has, on a real file with a real index.
func TestTheOtherRowIsNamed(t *testing.T) {
	p := newPier(t, `CREATE TABLE tag (id TEXT PRIMARY KEY NOT NULL, name TEXT COLLATE NOCASE, CONSTRAINT one_name UNIQUE (name)); INSERT INTO tag VALUES ('a', 'Urgent')`, "")
	o := p.push(p.hub.State().Head, tidemark.Change{
		Table: p.table("tag"), Op: tidemark.Insert, Key: []tidemark.Value{text("b")}, New: []tidemark.Value{text("b"), text("urgent")},
	})
	if o.Code != tidemark.CodeUnique || len(o.Columns) != 1 || o.Columns[0] != "name" || o.Key[0] != text("b") {
		t.Fatalf("%+v", o)
	}
	t.Log(o.Message)
}
