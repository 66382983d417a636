package hub_test

import (
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// moody is a hook that lets changesets wait, rejects, and amends at random.
type moody struct {
	y     *yard
	calm  bool // nothing waits any more
	asked map[string]int
}

func (m *moody) judge(p *hub.Proposal) (*hub.Verdict, error) {
	rng := m.y.rng
	m.compare(p)
	switch {
	case !m.calm && rng.IntN(3) == 0:
		m.asked["waits"]++
		return nil, hub.ErrWait
	case rng.IntN(8) == 0:
		m.asked["rejects"]++
		return nil, &tidemark.Error{Code: "app:moody", Msg: "not today"}
	case rng.IntN(2) == 0:
		return &hub.Verdict{}, nil
	}
	m.asked["amends"]++
	v := &hub.Verdict{Drop: map[hub.RowOf]bool{}, Set: map[hub.RowOf]map[int]tidemark.Value{}}
	for i := range p.Changes {
		c := &p.Changes[i]
		switch rng.IntN(4) {
		case 0:
			v.Drop[c.Row()] = true
		case 1, 2:
			v.Set[c.Row()] = m.values(c.Table)
		}
	}
	if rng.IntN(2) == 0 {
		toy := p.Schema.Named("toy")
		row := m.y.randomRow(toy)
		row[toy.Key[0]] = tidemark.Null
		v.Add = append(v.Add, tidemark.Change{Table: toy.ID, Op: tidemark.Insert, New: row})
	}
	return v, nil
}

// values are for some columns that are not of the key.
func (m *moody) values(t *tidemark.Table) map[int]tidemark.Value {
	set := map[int]tidemark.Value{}
	row := m.y.randomRow(t)
	for col := range t.Columns {
		if !slices.Contains(t.Key, col) && m.y.rng.IntN(3) == 0 {
			set[col] = row[col]
		}
	}
	return set
}

// compare looks whether the rows that are shown can be what they are said to be.
func (m *moody) compare(p *hub.Proposal) {
	if len(p.Changes) == 0 || p.Name.N == 0 {
		m.y.t.Fatalf("shown nothing: %+v", p)
	}
	for _, c := range p.Changes {
		whole := len(c.Table.Columns)
		switch {
		case (c.Op == tidemark.Insert) == (c.Old != nil), (c.Op == tidemark.Delete) == (c.New != nil):
			m.y.t.Fatalf("%s from %v to %v", c.Op, c.Old, c.New)
		case c.Old != nil && (len(c.Old) != whole || c.Table.KeyID(c.Table.KeyOf(c.Old)) != c.Table.KeyID(c.Key)):
			m.y.t.Fatalf("the row at %v is %v", c.Key, c.Old)
		}
		for col, v := range c.New {
			if c.Op == tidemark.Update && v != c.Old[col] && !slices.Contains(c.Cols, col) {
				m.y.t.Fatalf("column %d changes from %v to %v, and only %v are said to", col, c.Old[col], v, c.Cols)
			}
		}
	}
}

// Whatever a hook does to changesets, whenever it answers, all replicas hold
// what the server holds, and every changeset has one outcome.
func TestAHookAtRandomOnARealFile(t *testing.T) {
	y := newYard(t, dice.Seed(t))
	m := &moody{y: y, asked: map[string]int{}}
	y.hook = m.judge
	y.open()
	for range 4 {
		y.newDog()
	}
	for range dice.Times(250) {
		y.group(y.step()...)
		y.someCatchUp()
	}
	m.calm = true
	y.compare()
	t.Logf("%v", m.asked)
	if m.asked["waits"] == 0 || m.asked["rejects"] == 0 || m.asked["amends"] == 0 {
		t.Fatal("the hook did not do everything")
	}
	must(y.t, y.by.Each("SELECT count(*) FROM tm_conflicts WHERE policy = 'hook'", func(s *lite.Stmt) error {
		if s.Int(0) == 0 {
			t.Error("nothing of what the hook took away was kept")
		}
		return nil
	}))
}

// A changeset that only began to wait leaves no trace: no seq, no outcome, no
// write of what is known of its replica.
func TestWaitingForAHookWritesNothing(t *testing.T) {
	asked, open := 0, false
	b := newBench(t, hub.Options{Hook: func(*hub.Proposal) (*hub.Verdict, error) {
		if asked++; !open {
			return nil, hub.ErrWait
		}
		return &hub.Verdict{}, nil
	}})
	p, other := b.join(), b.join()
	b.group()
	one, two := p.push(insert(1, "one")), p.push(insert(2, "two"))
	before := b.store.now.replicas[p.hello.Replica]
	c := b.group(one, two)
	if len(c.Retry) != 2 || c.Failed(c.Retry[0]) == nil || c.To != c.From || len(c.Outcomes()) != 0 || asked != 1 {
		t.Fatalf("%+v after %d calls", c, asked)
	}
	if after := b.store.now.replicas[p.hello.Replica]; after != before {
		t.Fatalf("%+v became %+v", before, after)
	}
	if c := b.group(other.push(insert(3, "three"))); len(c.Retry) != 1 || asked != 2 {
		t.Fatalf("%+v", c)
	}
	open = true
	c = b.group(one, two)
	if len(c.Retry) != 0 || c.To != c.From+2 || asked != 4 {
		t.Fatalf("%+v after %d calls", c, asked)
	}
	if b.group(one); asked != 4 {
		t.Fatal("a replay was judged again")
	}
	if o := p.outcomes(); len(o) != 3 || o[0].Kind != tidemark.Accepted || o[2].Seq != o[0].Seq {
		t.Fatalf("%+v", o)
	}
}

// What is written without a hook's being asked: nothing at all, a replay, and
// what policies refuse.
func TestAHookIsAskedOnlyOfWhatWouldBeWritten(t *testing.T) {
	asked := 0
	b := newBench(t, hub.Options{Hook: func(*hub.Proposal) (*hub.Verdict, error) {
		asked++
		return &hub.Verdict{}, nil
	}})
	p := b.join()
	b.group(p.push(remove(7)))                        // is done already
	b.group(p.push(update(9, 1, tidemark.Text("x")))) // was never there
	if asked != 0 {
		t.Fatalf("asked %d times", asked)
	}
}

func TestConstant(t *testing.T) {
	for text, want := range map[string]tidemark.Value{
		"": tidemark.Null, "NULL": tidemark.Null, " null ": tidemark.Null, "(7)": tidemark.Int(7), "-7": tidemark.Int(-7),
		"1.5": tidemark.Real(1.5), "1e3": tidemark.Real(1000), "'it''s'": tidemark.Text("it's"), "('a')": tidemark.Text("a"),
		"TRUE": tidemark.Int(1), "false": tidemark.Int(0), "''": tidemark.Text(""),
	} {
		if v, ok := hub.Constant(text); !ok || v != want {
			t.Errorf("%q is %v %v, should be %v", text, v, ok, want)
		}
	}
	for _, text := range []string{"CURRENT_TIMESTAMP", "(1+1)", "(a)", "x'00'", "\"a\"", "0x10", "'a' || 'b'", "'a'b'", "-", "(abs(1))", "+"} {
		if v, ok := hub.Constant(text); ok {
			t.Errorf("%q is %v", text, v)
		}
	}
}
