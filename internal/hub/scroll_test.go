package hub_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// scroll is a store for long texts: one table with a text column, nothing is
// copied, nothing is undone. What is rejected must be so before it is written.
type scroll struct {
	tidemark.Tx // what is not below is not called

	schema   *tidemark.Schema
	rows     map[string]*tidemark.RowState
	before   map[string][]tidemark.Value // rows that were written since Effects
	written  []string
	past     map[string][]tidemark.RowEffect
	steps    map[string][]tidemark.TextStep
	outcomes map[string]tidemark.Outcome
	replicas map[string]tidemark.ReplicaState
	refused  map[string]int64
	head     tidemark.Seq
	pruned   tidemark.Seq // nothing is known of what happened up to it
	foreign  []tidemark.Change
	queries  int // of the past
}

const bodyCol = 1

func newScroll() *scroll {
	t := &tidemark.Table{ID: 1, Name: "doc", Key: []int{0}, RowidAlias: true, Columns: []tidemark.Column{
		{Name: "id", Collation: "BINARY"}, {Name: "body", Collation: "BINARY", Policy: tidemark.PolicyText}, {Name: "title", Collation: "BINARY"},
	}}
	s := &scroll{
		schema: &tidemark.Schema{Hash: "docs", Tables: []*tidemark.Table{t}},
		rows:   map[string]*tidemark.RowState{}, before: map[string][]tidemark.Value{},
		past: map[string][]tidemark.RowEffect{}, steps: map[string][]tidemark.TextStep{},
		outcomes: map[string]tidemark.Outcome{}, replicas: map[string]tidemark.ReplicaState{}, refused: map[string]int64{},
	}
	return s
}

func (s *scroll) id(key []tidemark.Value) string { return s.schema.Tables[0].KeyID(key) }

func (s *scroll) Group(_ context.Context, fn func(tidemark.Tx) error) error  { return fn(s) }
func (s *scroll) View(_ context.Context, fn func(tidemark.View) error) error { return fn(s) }
func (s *scroll) Dirty(context.Context) (bool, error)                        { return false, nil }
func (s *scroll) Close() error                                               { return nil }
func (s *scroll) Snapshot(context.Context, string) (tidemark.SnapshotInfo, error) {
	return tidemark.SnapshotInfo{}, nil
}
func (s *scroll) Scrub(context.Context, tidemark.Tx, string, int) ([]tidemark.Change, string, error) {
	return nil, "", nil
}

func (s *scroll) Schema() *tidemark.Schema                   { return s.schema }
func (s *scroll) SchemaBody(string) ([]byte, error)          { return schema.Encode(s.schema), nil }
func (s *scroll) StartTerm(string) error                     { return nil }
func (s *scroll) Savepoint(fn func() error) error            { return fn() }
func (s *scroll) Settle([]tidemark.Change) error             { return nil }
func (s *scroll) Leases(string) ([]tidemark.Lease, error)    { return nil, nil }
func (s *scroll) TermEnd(string) (tidemark.Seq, bool, error) { return s.head, true, nil }
func (s *scroll) State() (tidemark.SpaceState, error) {
	return tidemark.SpaceState{Space: "docs", Incarnation: "i", Term: "t", Head: s.head, SchemaHash: "docs"}, nil
}

func (s *scroll) Since(c tidemark.Cursor, fn func(tidemark.Cursor, tidemark.Change) bool) error {
	for id, r := range s.rows {
		ch := tidemark.Change{Table: 1, Op: tidemark.Insert, Key: []tidemark.Value{r.Values[0]}, New: r.Values}
		if r.Seq > c.Seq && !fn(tidemark.Cursor{Seq: r.Seq, Table: 1, KeyID: id}, ch) {
			return nil
		}
	}
	return nil
}

func (s *scroll) Row(_ int, key []tidemark.Value) (tidemark.RowState, error) {
	if r := s.rows[s.id(key)]; r != nil {
		return *r, nil
	}
	return tidemark.RowState{}, nil
}

func (s *scroll) History(_ int, key []tidemark.Value, after tidemark.Seq, fn func(tidemark.RowEffect) bool) (bool, error) {
	s.queries++
	past := s.past[s.id(key)]
	for i := len(past) - 1; i >= 0 && past[i].Seq > max(after, s.pruned); i-- {
		if !fn(past[i]) {
			return true, nil
		}
	}
	return after >= s.pruned, nil
}

func (s *scroll) Texts(_ int, key []tidemark.Value, col int, after tidemark.Seq) ([]tidemark.TextStep, error) {
	s.queries++
	list := s.steps[s.id(key)]
	i, _ := slices.BinarySearchFunc(list, after+1, func(st tidemark.TextStep, q tidemark.Seq) int { return int(st.Seq - q) })
	return list[i:], nil
}

func (s *scroll) SaveText(_ int, key []tidemark.Value, _ int, st tidemark.TextStep) error {
	s.steps[s.id(key)] = append(s.steps[s.id(key)], st)
	return nil
}

func (s *scroll) DropTexts(_ int, key []tidemark.Value) error {
	delete(s.steps, s.id(key))
	return nil
}

func (s *scroll) EditTime(int, []tidemark.Value, int) (int64, error) { return 0, nil }
func (s *scroll) Renumberings(string) ([]tidemark.Renumbered, error) { return nil, nil }
func (s *scroll) Refused(_ string, _ int, key []tidemark.Value) (int64, error) {
	return s.refused[s.id(key)], nil
}
func (s *scroll) SaveRefused(_ string, n int64, _ int, key []tidemark.Value) error {
	s.refused[s.id(key)] = n
	return nil
}

func (s *scroll) Replica(id string) (*tidemark.ReplicaState, error) {
	if r, ok := s.replicas[id]; ok {
		return &r, nil
	}
	return nil, nil
}

func (s *scroll) SaveReplica(r tidemark.ReplicaState) error {
	s.replicas[r.ID] = r
	return nil
}

func (s *scroll) Outcome(replica string, n int64) (*tidemark.Outcome, error) {
	if o, ok := s.outcomes[outcomeID(replica, n)]; ok {
		return &o, nil
	}
	return nil, nil
}

func (s *scroll) Outcomes(string, int64, int) ([]tidemark.Outcome, error) { return nil, nil }

func (s *scroll) SaveOutcome(o tidemark.Outcome) error {
	s.outcomes[outcomeID(o.Replica, o.N)] = o
	return nil
}

func (s *scroll) Foreign() (tidemark.ForeignWork, error) {
	w := tidemark.ForeignWork{Changes: s.foreign}
	s.foreign = nil
	return w, nil
}

func (s *scroll) SaveRejectedForeign([]tidemark.Change, tidemark.Outcome) error { return nil }

func (s *scroll) Write(c tidemark.Change) error { return s.WriteAll([]tidemark.Change{c}) }

func (s *scroll) WriteAs(_ tidemark.Author, changes []tidemark.Change) error {
	return s.WriteAll(changes)
}

func (s *scroll) WriteAll(changes []tidemark.Change) error {
	for _, c := range changes {
		s.put(c)
	}
	return nil
}

func (s *scroll) put(c tidemark.Change) {
	id := s.id(c.Key)
	r := s.rows[id]
	if r == nil {
		r = &tidemark.RowState{}
		s.rows[id] = r
	}
	if _, known := s.before[id]; !known {
		s.before[id] = r.Values
		s.written = append(s.written, id)
	}
	switch c.Op {
	case tidemark.Insert:
		r.Values = slices.Clone(c.New)
	case tidemark.Delete:
		r.Values = nil
	default:
		r.Values = slices.Clone(r.Values)
		for i, col := range c.Cols {
			r.Values[col] = c.New[i]
		}
		if to := s.schema.Tables[0].KeyOf(r.Values); s.id(to) != id {
			s.put(tidemark.Change{Table: 1, Op: tidemark.Insert, Key: to, New: r.Values})
			r.Values = nil
		}
	}
}

func (s *scroll) Effects() ([]tidemark.Change, error) {
	var out []tidemark.Change
	for _, id := range s.written {
		old, now := s.before[id], s.rows[id].Values
		switch {
		case slices.Equal(old, now):
		case now == nil:
			out = append(out, tidemark.Change{Table: 1, Op: tidemark.Delete, Key: old[:1], Old: old})
		case old == nil:
			out = append(out, tidemark.Change{Table: 1, Op: tidemark.Insert, Key: now[:1], New: now})
		default:
			c := tidemark.Change{Table: 1, Op: tidemark.Update, Key: now[:1]}
			for i := range now {
				if now[i] != old[i] {
					c.Cols, c.New, c.Old = append(c.Cols, i), append(c.New, now[i]), append(c.Old, old[i])
				}
			}
			out = append(out, c)
		}
	}
	clear(s.before)
	s.written = nil
	return out, nil
}

// Append keeps effects as the log does: without the values of edited texts.
func (s *scroll) Append(e tidemark.LogEntry) error {
	s.head++
	if e.Seq != s.head {
		return fmt.Errorf("seq %d at head %d", e.Seq, s.head)
	}
	kept, err := wire.DecodeChanges(wire.AppendChanges(nil, e.Effects, true))
	if err != nil {
		return err
	}
	for _, c := range kept {
		id := s.id(c.Key)
		s.rows[id].Seq, s.rows[id].Writer = e.Seq, e.Name.Replica
		s.past[id] = append(s.past[id], tidemark.RowEffect{Seq: e.Seq, Name: e.Name, Change: c})
	}
	clear(s.before)
	s.written = nil
	return nil
}
