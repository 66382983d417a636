package hub_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/wire"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// benchPolicies are the tables of BenchmarkMerge: each has one column, v.
var benchPolicies = []struct {
	name  string
	start tidemark.Value
	after func(round int) tidemark.Value // what the column holds after an edit of this round
}{
	{"last-write", text("v"), plainValue},
	{"latest-edit", text("v"), plainValue},
	{"first-write", text("v"), plainValue},
	{"counter", num(0), func(round int) tidemark.Value { return num(int64(round)) }},
	{"max", num(0), func(round int) tidemark.Value { return num(int64(round)) }},
	{"min", num(0), func(round int) tidemark.Value { return num(-int64(round)) }},
	{"set", text(`["a","b","c"]`), func(round int) tidemark.Value { return text([]string{`["a","b","c"]`, `["a","b","c","d"]`}[round%2]) }},
	{"json", text(`{"a":0,"b":1}`), func(round int) tidemark.Value { return text(fmt.Sprintf(`{"a":%d,"b":1}`, round)) }},
	{"text", text(benchText), func(round int) tidemark.Value { return text(strings.Repeat("x", round%2) + benchText) }},
	{"reject", text("v"), plainValue},
	{"manual", text("v"), plainValue},
	{"custom", text("v"), plainValue},
}

const benchText = "It was a bright cold day in April, and the clocks were striking thirteen."

func plainValue(round int) tidemark.Value { return text(fmt.Sprint("value ", round)) }

const (
	benchRows  = 1000
	benchGroup = 100 // changesets
)

// mill is a hub on a real file, with two replicas that push one edit per changeset.
type mill struct {
	b     *testing.B
	hub   *hub.Hub
	store *sqlite.Store
	now   int64
	peers [2]*miller
}

type miller struct {
	m *mill
	s *hub.Session
	n int64
}

func newMill(b *testing.B) *mill {
	m := &mill{b: b, now: 1_000_000}
	path := filepath.Join(b.TempDir(), "mill.db")
	db, err := lite.Open(path, lite.Options{Create: true})
	must(m.b, err)
	must(m.b, db.Script("BEGIN"))
	declared := "tables:\n"
	for _, p := range benchPolicies {
		must(m.b, db.Script(fmt.Sprintf("CREATE TABLE %q (id INTEGER PRIMARY KEY, v %s)", p.name, map[bool]string{true: "INTEGER", false: "TEXT"}[p.start.Kind() == tidemark.KindInt])))
		for id := range int64(benchRows) {
			must(m.b, db.Run(fmt.Sprintf("INSERT INTO %q VALUES (?1, ?2)", p.name), num(id), p.start))
		}
		declared += fmt.Sprintf("  %s:\n    columns: { v: %s }\n", p.name, strings.Replace(p.name, "custom", "{ policy: custom, function: join }", 1))
	}
	must(m.b, db.Script("COMMIT"))
	must(m.b, db.Close())
	cfg, err := policy.Parse([]byte(declared), "mill.yaml")
	must(m.b, err)
	m.store, err = sqlite.Open(path, sqlite.Options{Space: "mill", Policies: policy.For(cfg, policy.Functions{Merge: []string{"join"}})})
	must(m.b, err)
	b.Cleanup(func() { must(m.b, m.store.Close()) })
	m.hub, err = hub.Open(ctx, m.store, m.now, hub.Options{Rand: rand.NewChaCha8([32]byte{}), Merge: map[string]merge.Func{"join": join}})
	must(m.b, err)
	m.group(nil)
	for i := range m.peers {
		st := m.hub.State()
		p := &miller{m: m, s: m.hub.NewSession(tidemark.Principal{})}
		_, _, err := p.s.Receive(ctx, m.now, &wire.Hello{Protocol: wire.Protocol, Incarnation: st.Incarnation, Term: st.Term, Seq: st.Head, Schema: st.SchemaHash})
		must(m.b, err)
		m.peers[i] = p
	}
	return m
}

func (m *mill) group(subs []hub.Submission) time.Duration {
	m.now++
	began := cpu()
	c, err := m.hub.Group(ctx, m.now, subs, nil)
	took := cpu() - began
	must(m.b, err)
	if len(c.Retry) > 0 {
		m.b.Fatal(c.Failed(c.Retry[0]))
	}
	return took
}

// edits are changesets that each edit one row of a table, as of seen.
func (p *miller) edits(table, round int, seen tidemark.Seq) []hub.Submission {
	st := p.m.hub.State()
	spec := benchPolicies[table]
	t := p.m.hub.Schema().Named(spec.name)
	before := spec.start
	if round > 1 {
		before = spec.after(round - 1)
	}
	e := merge.Intent(t.PolicyOf(1), before, spec.after(round))
	var out []hub.Submission
	for i := range benchGroup {
		c := tidemark.Change{Table: t.ID, Op: tidemark.Update, Key: key(int64(i)), Cols: []int{1}, New: []tidemark.Value{spec.after(round)}, MadeAt: p.m.now}
		if e.Kind != tidemark.EditSet {
			c.New, c.Edits = []tidemark.Value{tidemark.Null}, []tidemark.Edit{e}
		}
		if t.PolicyOf(1) != tidemark.PolicyLatestEdit {
			c.MadeAt = 0
		}
		p.n++
		push := &wire.Push{N: p.n, Schema: st.SchemaHash, Seen: seen, MadeAt: p.m.now, Body: wire.AppendChanges(nil, []tidemark.Change{c}, false)}
		binary.BigEndian.PutUint64(push.Salt[:], uint64(p.n))
		_, sub, err := p.s.Receive(ctx, p.m.now, push)
		must(p.m.b, err)
		out = append(out, *sub)
	}
	return out
}

// BenchmarkMerge judges groups of one-row changesets under each policy, whose
// authors had seen everything (fresh), or that meet an edit of the same cell by
// somebody else (conflict). "x" is how many times as long as fresh ones under
// last-write, judged in turn with them; both are medians of CPU time.
func BenchmarkMerge(b *testing.B) {
	for table, p := range benchPolicies {
		b.Run(p.name+"/fresh", func(b *testing.B) { benchMerge(b, table, false) })
		b.Run(p.name+"/conflict", func(b *testing.B) { benchMerge(b, table, true) })
	}
}

func benchMerge(b *testing.B, table int, conflict bool) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	m := newMill(b)
	var took, plain []time.Duration
	round, reference := 0, 1_000_000
	measured := func() {
		round++
		seen := m.hub.State().Head
		if conflict {
			m.group(m.peers[1].edits(table, round, seen))
			round++
		}
		took = append(took, m.group(m.peers[0].edits(table, round, seen)))
	}
	usual := func() {
		reference++
		plain = append(plain, m.group(m.peers[0].edits(0, reference, m.hub.State().Head)))
	}
	for b.Loop() { // in both orders: what comes second may pay for the first
		measured()
		usual()
		usual()
		measured()
	}
	b.ReportMetric(float64(median(took))/float64(median(plain)), "x")
	b.ReportMetric(float64(median(took).Nanoseconds())/1000/benchGroup, "µs/changeset")
	b.ReportMetric(0, "ns/op")
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}
