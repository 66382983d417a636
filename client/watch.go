package client

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Watch calls fn with the result now, and again after each commit, whoever
// made it, that can have changed it and did. It returns a function that ends it.
//
// Calls of one fn come one after the other, on a goroutine of the query. fn
// may use the DB, and may call stop. Where rows are missing because they left the
// copy and not because they were deleted, Result.Left says so. The result is shared with others who
// watch the same query and must not be changed. A query that fails is reported
// as an error, and is run again like any other.
func (db *DB) Watch(ctx context.Context, sql string, args []any, fn func(*Result, error)) (stop func(), err error) {
	values, err := valuesOf(args)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := db.dependencies(ctx, sql)
	if err != nil {
		return nil, err
	}
	l := &listener{fn: fn}
	q, err := db.watches.add(sql, values, d, l)
	if err != nil {
		return nil, err
	}
	remove := sync.OnceFunc(func() { db.watches.remove(q, l) })
	detach := context.AfterFunc(ctx, remove)
	return func() { detach(); remove() }, nil
}

// WatchStats counts what live queries did.
type WatchStats struct {
	Queries int              // different queries that are watched now
	Runs    int64            // runs of all queries, ended ones too
	ByQuery map[string]int64 // runs of each query that is watched now, by its SQL
}

// WatchStats tells how often live queries ran.
func (db *DB) WatchStats() WatchStats { return db.watches.stats() }

// listener is one caller of Watch.
type listener struct {
	fn   func(*Result, error)
	told bool // has got the result that the query has now
	over atomic.Bool
}

// liveQuery runs once for everybody who watches the same SQL with the same arguments.
type liveQuery struct {
	key, sql string
	args     []tidemark.Value
	runs     atomic.Int64
	wake     chan struct{}
	quit     chan struct{}

	// Guarded by watches.mu.
	deps      dependencies
	listeners map[*listener]bool
	dirty     bool // must run again
	moved     bool // must learn its dependencies again
}

// watches are the live queries of a DB.
type watches struct {
	db      *DB
	wg      sync.WaitGroup
	runs    atomic.Int64
	mu      sync.Mutex
	queries map[string]*liveQuery
	quit    chan struct{} // ends the dispatcher; nil when none runs
	closed  bool
}

func newWatches(db *DB) *watches {
	return &watches{db: db, queries: map[string]*liveQuery{}}
}

func (w *watches) add(sql string, args []tidemark.Value, d dependencies, l *listener) (*liveQuery, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, errClosed
	}
	if w.quit == nil {
		ch, quit := make(chan news, 1), make(chan struct{})
		if err := w.db.notice.join(ch); err != nil {
			return nil, err
		}
		w.quit = quit
		w.wg.Go(func() {
			w.dispatch(ch, quit)
			w.db.notice.leave(ch)
		})
	}
	key := string(wire.AppendValues([]byte(sql+"\x00"), args))
	q := w.queries[key]
	if q == nil {
		q = &liveQuery{key: key, sql: sql, args: args, deps: d, dirty: true, listeners: map[*listener]bool{},
			wake: make(chan struct{}, 1), quit: make(chan struct{})}
		w.queries[key] = q
		w.wg.Go(func() { w.serve(q) })
	}
	q.listeners[l] = true
	q.rouse()
	return q, nil
}

// remove ends a listener: no call begins after it, though one may still run.
func (w *watches) remove(q *liveQuery, l *listener) {
	l.over.Store(true)
	w.mu.Lock()
	delete(q.listeners, l)
	if len(q.listeners) == 0 && w.queries[q.key] == q {
		delete(w.queries, q.key)
		close(q.quit)
	}
	if len(w.queries) == 0 {
		w.endDispatch()
	}
	w.mu.Unlock()
}

// endDispatch is called with mu held.
func (w *watches) endDispatch() {
	if w.quit != nil {
		close(w.quit)
		w.quit = nil
	}
}

func (w *watches) close() {
	w.mu.Lock()
	w.closed = true
	for _, q := range w.queries {
		close(q.quit)
	}
	clear(w.queries)
	w.endDispatch()
	w.mu.Unlock()
	w.wg.Wait()
}

func (q *liveQuery) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// dispatch wakes the queries that a commit concerns.
func (w *watches) dispatch(ch <-chan news, quit <-chan struct{}) {
	for {
		select {
		case <-quit:
			return
		case n := <-ch:
			w.mu.Lock()
			for _, q := range w.queries {
				if n.schema {
					q.moved = true
				}
				if n.schema || q.deps.concern(n) {
					q.dirty = true
					q.rouse()
				}
			}
			w.mu.Unlock()
		}
	}
}

// serve is the goroutine of one query.
func (w *watches) serve(q *liveQuery) {
	ctx, cancel := context.WithCancel(w.db.ended)
	defer cancel()
	go func() {
		select {
		case <-q.quit:
			cancel() // interrupts a running query
		case <-ctx.Done():
		}
	}()
	var last *Result
	var lastErr error
	var gone map[string]int64
	for {
		select {
		case <-q.quit:
			return
		case <-q.wake:
		}
		dirty, moved := w.due(q)
		if !dirty {
			w.deliver(q, false, last, lastErr)
			continue
		}
		res, err := w.run(ctx, q, moved)
		if ctx.Err() != nil {
			return
		}
		changed := !sameAnswer(res, err, last, lastErr)
		if err == nil {
			now := res.Left
			if res.Left = nil; last != nil {
				res.Left = since(gone, now)
			}
			gone = now
		}
		last, lastErr = res, err
		w.deliver(q, changed, res, err)
	}
}

func sameAnswer(res *Result, err error, last *Result, lastErr error) bool {
	if err != nil || lastErr != nil {
		return err != nil && lastErr != nil && err.Error() == lastErr.Error()
	}
	return res.equal(last)
}

func (w *watches) due(q *liveQuery) (dirty, moved bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	dirty, moved = q.dirty, q.moved
	q.dirty, q.moved = false, false
	return dirty, moved
}

func (w *watches) run(ctx context.Context, q *liveQuery, moved bool) (res *Result, err error) {
	if moved {
		d, err := w.db.dependencies(ctx, q.sql)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		q.deps = d
		w.mu.Unlock()
	}
	w.runs.Add(1)
	q.runs.Add(1)
	w.mu.Lock()
	deps := q.deps
	w.mu.Unlock()
	err = w.db.read(ctx, func(c *lite.DB) error {
		if !w.db.scoped {
			res, err = query(c, q.sql, q.args)
			return err
		}
		return c.View(func() error {
			if res, err = query(c, q.sql, q.args); err == nil {
				res.Left, err = leftSoFar(c, deps)
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// leftSoFar reads how many rows of the tables that a query reads ever left this copy.
func leftSoFar(c *lite.DB, d dependencies) (map[string]int64, error) {
	left := map[string]int64{}
	err := c.Each("SELECT name, n FROM main._tm_left JOIN main._tm_table USING (t)", func(s *lite.Stmt) error {
		if name := s.Text(0); d.tables[fold(name)] {
			left[name] = s.Int(1)
		}
		return nil
	})
	return left, err
}

// since is what was added to counters, nil for nothing.
func since(before, now map[string]int64) (more map[string]int64) {
	for name, n := range now {
		if n -= before[name]; n > 0 {
			if more == nil {
				more = map[string]int64{}
			}
			more[name] = n
		}
	}
	return more
}

// deliver tells everybody when the result changed, else only those who have
// not heard it yet.
func (w *watches) deliver(q *liveQuery, changed bool, res *Result, err error) {
	w.mu.Lock()
	var to []*listener
	for l := range q.listeners {
		if changed || !l.told {
			l.told = true
			to = append(to, l)
		}
	}
	w.mu.Unlock()
	if !changed && res != nil && res.Left != nil { // they left before these listeners came
		now := *res
		now.Left, res = nil, &now
	}
	for _, l := range to {
		if !l.over.Load() {
			l.fn(res, err)
		}
	}
}

func (w *watches) stats() WatchStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := WatchStats{Queries: len(w.queries), Runs: w.runs.Load(), ByQuery: map[string]int64{}}
	for _, q := range w.queries {
		s.ByQuery[strings.TrimSpace(q.sql)] += q.runs.Load()
	}
	return s
}
