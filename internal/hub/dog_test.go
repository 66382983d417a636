package hub_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/splice"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// dog is a replica that believes everything and checks every sum.
type dog struct {
	y      *yard
	s      *hub.Session
	hello  wire.Hello
	schema *tidemark.Schema
	rows   map[int]map[string][]tidemark.Value
	staged []tidemark.Change
	n      int64
	open   []*wire.Push // without an outcome
	fates  map[tidemark.OutcomeKind]int
	busy   map[string]tidemark.Seq // when each row is as it wrote it
}

func (y *yard) newDog() *dog {
	st := y.hub.State()
	d := &dog{y: y, rows: map[int]map[string][]tidemark.Value{}, fates: map[tidemark.OutcomeKind]int{}, busy: map[string]tidemark.Seq{}}
	d.hello = wire.Hello{Protocol: wire.Protocol, Incarnation: st.Incarnation, Term: st.Term}
	y.dogs = append(y.dogs, d)
	d.connect()
	return d
}

// connect begins a session and pushes again what has no outcome.
func (d *dog) connect() (subs []hub.Submission) {
	d.y.late = slices.DeleteFunc(d.y.late, func(s hub.Submission) bool { return s.Session == d.s })
	d.s = d.y.hub.NewSession(tidemark.Principal{})
	d.send(&d.hello)
	for _, p := range d.open {
		subs = append(subs, *d.send(p))
	}
	return subs
}

func (d *dog) send(m wire.Up) *hub.Submission {
	down, sub, err := d.s.Receive(ctx, d.y.now, m)
	must(d.y.t, err)
	d.hear(down)
	return sub
}

func (d *dog) hear(down []wire.Down) {
	for _, m := range down {
		switch m := m.(type) {
		case *wire.Welcome:
			d.hello.Replica, d.hello.Ticket = m.Replica, m.Ticket
		case *wire.Schema:
			s, err := schema.Decode(m.Body)
			must(d.y.t, err)
			d.schema, d.hello.Schema = s, m.Hash
		case *wire.Outcomes:
			for _, o := range m.List {
				d.settle(o)
			}
		case *wire.Batch:
			d.apply(m)
		case *wire.Refusal:
			d.y.t.Fatalf("refused: %+v", m)
		}
	}
}

func (d *dog) settle(o tidemark.Outcome) {
	i := slices.IndexFunc(d.open, func(p *wire.Push) bool { return p.N == o.N })
	if i < 0 {
		return // a replay
	}
	if wire.HashOf(d.open[i].Salt, d.open[i].Body) != o.Hash || o.Replica != d.hello.Replica {
		d.y.t.Fatalf("the outcome %+v is another's", o)
	}
	d.fates[o.Kind]++
	for id, at := range d.busy {
		if at == pendingAt(o.N) {
			d.busy[id] = o.Seq
		}
	}
	if d.open = slices.Delete(d.open, i, i+1); len(d.open) == 0 {
		d.hello.Settled = d.n
	} else {
		d.hello.Settled = d.open[0].N - 1
	}
}

func (d *dog) apply(m *wire.Batch) {
	if m.From != d.hello.Seq {
		d.y.t.Fatalf("a batch from %d at %d", m.From, d.hello.Seq)
	}
	d.staged = append(d.staged, m.Changes...)
	if m.More {
		d.hello.Staged = m.Cursor
		return
	}
	if m.Schema != d.schema.Hash {
		d.y.t.Fatalf("a batch of schema %s under %s", m.Schema, d.schema.Hash)
	}
	for _, c := range d.staged {
		d.change(c)
	}
	d.staged = nil
	d.hello.Seq, d.hello.Term, d.hello.Staged = m.To, m.Term, ""
	if sum := d.sum(); sum != m.Sum {
		d.y.t.Fatalf("at %d the sum is %x, should be %x", m.To, sum, m.Sum)
	}
}

func (d *dog) change(c tidemark.Change) {
	t := d.schema.Table(c.Table)
	rows := d.rows[c.Table]
	if rows == nil {
		rows = map[string][]tidemark.Value{}
		d.rows[c.Table] = rows
	}
	id := t.KeyID(c.Key)
	switch c.Op {
	case tidemark.Insert:
		rows[id] = c.New
	case tidemark.Delete:
		delete(rows, id)
	case tidemark.Update:
		row := slices.Clone(rows[id])
		if row == nil {
			d.y.t.Fatalf("an update of a row that never came: %+v", c)
		}
		for len(row) < len(t.Columns) {
			row = append(row, tidemark.Null)
		}
		for i, col := range c.Cols {
			row[col] = putValue(d.y.t, row[col], c.New[i], c.EditOf(i))
		}
		if t.KeyID(t.KeyOf(row)) != id {
			d.y.t.Fatalf("a move came down: %+v", c)
		}
		rows[id] = row
	}
}

// putValue reads a column of an update that came down.
func putValue(t *testing.T, now, v tidemark.Value, e tidemark.Edit) tidemark.Value {
	if e.Kind == tidemark.EditSet {
		return v
	}
	patch, err := splice.ParseBody(e.Body)
	if err != nil {
		t.Fatal(err)
	}
	after, err := patch.Apply(now.Str())
	if err != nil {
		t.Fatal(err)
	}
	return tidemark.Text(after)
}

func (d *dog) sum() uint64 {
	h := digest.New(d.y.key)
	var sum uint64
	for id, rows := range d.rows {
		t := d.schema.Table(id)
		if t.Out != "" {
			continue
		}
		for _, row := range rows {
			sum += h.Row(t, row)
		}
	}
	return sum
}

// write pushes one random changeset.
func (d *dog) write() *hub.Submission {
	rng := d.y.rng
	var list []tidemark.Change
	used := map[string]bool{}
	for range 1 + rng.IntN(4) {
		t := d.schema.Tables[rng.IntN(3)]
		c := d.y.randomChange(t, d.rows[t.ID])
		id := fmt.Sprint(t.ID, " ", t.KeyID(c.Key))
		if d.busy[id] > d.hello.Seq {
			continue // what it wrote there is not among the rows that it has
		}
		if c.Op == tidemark.Insert && d.rows[t.ID][t.KeyID(c.Key)] != nil {
			continue // its own table would refuse it
		}
		if c.Op == tidemark.Update && slices.ContainsFunc(c.Cols, func(col int) bool { return slices.Contains(t.Key, col) }) && len(list) > 0 {
			continue // a move alone, so that no two rows go to one place
		}
		if !used[id] {
			used[id], used[arrival(t, &c)] = true, true
			list = append(list, c)
		}
	}
	d.n++
	for id := range used {
		d.busy[id] = pendingAt(d.n)
	}
	for i := range list {
		d.intend(&list[i])
	}
	p := &wire.Push{N: d.n, Schema: d.hello.Schema, Seen: d.hello.Seq, MadeAt: d.y.now, Body: wire.AppendChanges(nil, list, false)}
	binary.BigEndian.PutUint64(p.Salt[:], rng.Uint64())
	d.open = append(d.open, p)
	return d.send(p)
}

// arrival names the row that a change leaves: of a move the one at the new key.
func arrival(t *tidemark.Table, c *tidemark.Change) string {
	key := slices.Clone(c.Key)
	for i, col := range c.Cols {
		if k := slices.Index(t.Key, col); k >= 0 {
			key[k] = c.New[i]
		}
	}
	return fmt.Sprint(t.ID, " ", t.KeyID(key))
}

// pendingAt stands for the seq of a changeset without an outcome.
func pendingAt(n int64) tidemark.Seq { return 1<<40 + tidemark.Seq(n) }

// intend seals an update: what it does to the values that the dog has.
func (d *dog) intend(c *tidemark.Change) {
	t := d.schema.Table(c.Table)
	before := d.rows[c.Table][t.KeyID(c.Key)]
	for i, col := range c.Cols {
		if slices.Contains(t.Key, col) || col >= len(before) {
			continue
		}
		e := merge.Intent(t.PolicyOf(col), before[col], c.New[i])
		if e.Kind == tidemark.EditSet {
			continue
		}
		if c.Edits == nil {
			c.Edits = make([]tidemark.Edit, len(c.Cols))
		}
		c.Edits[i], c.New[i] = e, tidemark.Null
	}
}

func (d *dog) sameAs(v tidemark.View) error {
	for _, t := range v.Schema().Tables {
		rows, _, err := v.Rows(nil, t.ID, nil, nil, 0)
		if err != nil {
			return err
		}
		if len(rows) != len(d.rows[t.ID]) {
			return fmt.Errorf("%d rows in %s, should be %d", len(d.rows[t.ID]), t.Name, len(rows))
		}
		for _, row := range rows {
			mine := slices.Clone(d.rows[t.ID][t.KeyID(t.KeyOf(row))])
			for len(mine) > 0 && len(mine) < len(row) {
				mine = append(mine, tidemark.Null)
			}
			if !slices.Equal(mine, row) {
				return fmt.Errorf("in %s %v should be %v", t.Name, mine, row)
			}
		}
	}
	return nil
}
