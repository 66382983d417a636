package replica

import (
	"errors"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// fakeCopy is a replica without a file: numbers instead of rows.
type fakeCopy struct {
	seq      tidemark.Seq
	head     tidemark.Seq
	pending  []*wire.Push
	settled  []tidemark.Outcome
	unsealed int
	repair   string
	stopped  tidemark.Code
	renamed  int
	proved   int
	fail     error // of the next call that can fail
	schema   tidemark.Schema
	mine     map[int]map[int64]int64 // table, key, value: what ranges are computed of
	repaired int
	scopes   map[string]bool // true: held
	bySchema *Applied        // what the next schema brings
	only     bool
	want     []wire.Want
	wants    int64
	heard    int64
}

func (f *fakeCopy) take() error {
	err := f.fail
	f.fail = nil
	return err
}

func (f *fakeCopy) Seal(int64) (int, error) {
	n := f.unsealed
	for ; f.unsealed > 0; f.unsealed-- {
		f.pending = append(f.pending, &wire.Push{N: int64(len(f.settled) + len(f.pending) + 1), Body: make([]byte, 100)})
	}
	return n, f.take()
}

func (f *fakeCopy) Unsent(after int64, size int) ([]*wire.Push, error) {
	var out []*wire.Push
	for _, p := range f.pending {
		if p.N > after && (len(out) == 0 || size > 0) {
			c := *p // the loop may change what it sends
			out, size = append(out, &c), size-len(p.Body)
		}
	}
	return out, f.take()
}

func (f *fakeCopy) Hello() (*wire.Hello, error) {
	return &wire.Hello{Seq: f.seq, Term: "t", Settled: int64(len(f.settled)), Ask: f.wants}, f.take()
}

func (f *fakeCopy) Welcome(w *wire.Welcome, _ int64) (*Applied, error) {
	if w.Resync {
		f.seq, f.repair = w.Head, resyncReason
	}
	f.head, f.stopped = w.Head, ""
	return f.list(w.Scopes), f.take()
}

func (f *fakeCopy) TakeScopes(list []string, _ int64) (*Applied, error) {
	return f.list(list), f.take()
}

// list takes over which scopes there are; what is gained is to be filled.
func (f *fakeCopy) list(names []string) (news *Applied) {
	next, a := map[string]bool{}, Applied{Seq: f.seq}
	for _, name := range names {
		held, known := f.scopes[name]
		next[name] = held
		if !known {
			a.Scopes = append(a.Scopes, ScopeNews{Scope: name, State: ScopeGained})
		}
	}
	for name := range f.scopes {
		if _, still := next[name]; !still {
			a.Scopes = append(a.Scopes, ScopeNews{Scope: name, State: ScopeLost})
		}
	}
	if f.scopes = next; len(a.Scopes) == 0 {
		return nil
	}
	return &a
}

func (f *fakeCopy) Wants() (bool, []wire.Want, error) { return f.only, f.want, f.take() }
func (f *fakeCopy) wanted() (int64, error)            { return f.wants, f.take() }
func (f *fakeCopy) answered(n int64) error            { f.heard = n; return f.take() }
func (f *fakeCopy) filling() (bool, error)            { return f.unfilled() > 0, f.take() }

func (f *fakeCopy) unfilled() (n int) {
	for _, held := range f.scopes {
		if !held {
			n++
		}
	}
	return n
}

func (f *fakeCopy) Reidentify() error { f.renamed++; return f.take() }

// SaveSchema tells what the test says that a schema brings.
func (f *fakeCopy) SaveSchema(*wire.Schema, int64) (*Applied, error) {
	news := f.bySchema
	f.bySchema = nil
	return news, f.take()
}

func (f *fakeCopy) Lease(*wire.Leases, int64) error { return f.take() }
func (f *fakeCopy) Schema() *tidemark.Schema        { return &f.schema }
func (f *fakeCopy) Stop(c tidemark.Code) error      { f.stopped = c; return nil }
func (f *fakeCopy) Prove(int64) error               { f.proved++; f.repair = ""; return f.take() }

func (f *fakeCopy) Status() (Status, error) {
	return Status{
		Seq: f.seq, Head: f.head, Pending: len(f.pending), Unsealed: f.unsealed > 0,
		Stopped: string(f.stopped), Repair: f.repair, Filling: f.unfilled(), Unasked: f.wants != f.heard,
	}, nil
}

func (f *fakeCopy) Apply(b *wire.Batch, outcomes []tidemark.Outcome, now int64) (*Applied, error) {
	if err := f.take(); err != nil {
		return nil, err
	}
	if b.From != f.seq {
		return nil, ErrMoved
	}
	if b.More {
		return &Applied{Seq: f.seq, Staged: true}, nil
	}
	for _, p := range b.Parts {
		f.scopes[p.Scope] = true
	}
	f.seq = b.To
	f.head = max(f.head, b.To)
	return f.Settle(outcomes, now)
}

func (f *fakeCopy) Settle(outcomes []tidemark.Outcome, _ int64) (*Applied, error) {
	for _, o := range outcomes {
		if o.Seq > f.seq {
			return nil, errors.New("an outcome settled before its seq")
		}
		if len(f.pending) > 0 && f.pending[0].N == o.N {
			f.pending, f.settled = f.pending[1:], append(f.settled, o)
		}
	}
	return &Applied{Seq: f.seq, Settled: outcomes, Repair: f.repair}, f.take()
}

func (f *fakeCopy) ConfirmedRanges(table int, after, upto []tidemark.Value, bounds [][]tidemark.Value) ([]tidemark.RangeSum, error) {
	return sumRanges(f.mine[table], after, upto, bounds), f.take()
}

func (f *fakeCopy) splitKeys(table int, after, upto []tidemark.Value, parts int) ([][]tidemark.Value, error) {
	return cutKeys(f.mine[table], after, upto, parts), nil
}

func (f *fakeCopy) RepairAll(list []RangeRows, _ tidemark.Code, _ int64) (int, error) {
	n := 0
	for _, p := range list {
		n += putRange(f.mine[p.Table], p)
	}
	f.repaired += n
	return n, f.take()
}
