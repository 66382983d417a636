package replica

import (
	"fmt"
	"sort"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/row"
	structure "github.com/tidemarkdb/tidemark/internal/schema"
)

// way says how much of pending is undone to write confirmed rows.
type way int

// The ways, from narrow to wide.
const (
	// quick undoes nothing. It holds when the confirmed rows meet no pending,
	// or only confirm what settled changesets already show.
	quick way = iota
	// connected undoes the pending changesets that touch the confirmed rows
	// and those that share rows with them, and so on. It holds while no
	// unique value and no foreign key reaches from them to the others.
	connected
	// whole undoes all pending: always right.
	whole
)

// tooNarrow ends an attempt.
type tooNarrow struct {
	take way
	why  string
}

func (e *tooNarrow) Error() string { return "pending is concerned beyond these rows: " + e.why }

// attempt does a job in one way, inside a savepoint.
type attempt struct {
	r      *Replica
	db     *lite.DB
	job    *job
	way    way
	out    *Applied
	tables map[int]bool // whose visible rows changed
	tally  *tally
	settle []settlement
	damage []string // what could not be written although it is confirmed

	pending   map[int]bool // tables that pending touches
	suspended map[int]bool // tables that suspended changesets may depend on
	short     bool         // pending is short enough to be tried as a whole
	steps     []step       // visible changes whose foreign keys others may hold

	undone map[rowID][]tidemark.Value // what the tables showed of rows laid back
	down   fallen                     // suspended in this rebase

	next *tidemark.Schema // the schema that the job brings, nil when it stays
	body tidemark.Value
	move *structure.Move
}

// step is a visible change of a row in a table that foreign keys link with pending.
type step struct {
	t             *tidemark.Table
	before, after []tidemark.Value
}

func (a *attempt) run() error {
	a.tally = a.r.newTally()
	if err := a.tally.load(); err != nil {
		return err
	}
	if err := a.match(); err != nil {
		return err
	}
	if err := a.survey(); err != nil {
		return err
	}
	if a.way == quick {
		return a.confirm()
	}
	return a.rebase()
}

// survey finds out which tables pending concerns.
func (a *attempt) survey() error {
	a.pending, a.suspended = map[int]bool{}, map[int]bool{}
	if some, err := anyBase(a.db); err != nil || !some {
		return err
	}
	n, err := a.db.Int("SELECT count(*) FROM (SELECT 1 FROM main._tm_pending LIMIT ?1)", tidemark.Int(int64(a.r.exact)+1))
	if err != nil {
		return err
	}
	a.short = n <= int64(a.r.exact)
	for _, t := range a.r.schema.Tables {
		n, err := a.db.Int("SELECT EXISTS (SELECT 1 FROM main._tm_base WHERE t = ?1)", tidemark.Int(int64(t.ID)))
		if err != nil {
			return err
		}
		if n != 0 {
			a.pending[t.ID] = true
		}
	}
	err = a.db.Each(`SELECT DISTINCT r.t FROM main._tm_pending p JOIN main._tm_pending_row r ON r.n = p.n
		WHERE p.suspended = 1`, func(s *lite.Stmt) error {
		a.suspended[int(s.Int(0))] = true
		return nil
	})
	a.suspended = a.r.refs.widen(a.suspended)
	return err
}

// narrow ends the attempt unless it is the widest.
func (a *attempt) narrow(take way, why string) error {
	if a.way >= take {
		return nil
	}
	return &tooNarrow{take, why}
}

// visible notes that a row of the tables changed.
func (a *attempt) visible(t *tidemark.Table, before, after []tidemark.Value) error {
	a.tables[t.ID] = true
	if a.way == whole {
		return nil
	}
	if a.r.refs.linked(t.ID, a.pending) {
		a.steps = append(a.steps, step{t, before, after})
	}
	return a.meets(t)
}

// meets judges a row that changed in a table whose unique values or foreign
// keys pending may depend on. Looking at the end state alone finds every
// changeset that cannot stand, but not one that could not have stood at its
// turn and is made good by a later one. While pending is short, all of it is
// tried again, which is exact; when it is long, the server's verdict has to do.
func (a *attempt) meets(t *tidemark.Table) error {
	if a.short && (len(t.Uniques) > 0 && a.pending[t.ID] || a.r.refs.linked(t.ID, a.pending)) {
		return a.narrow(whole, "constraints of "+t.Name)
	}
	return nil
}

// checkSteps looks whether a foreign key that does not hold now reaches a
// pending changeset that was left alone. A key that breaks among confirmed
// rows only is the server's business.
func (a *attempt) checkSteps() error {
	for _, s := range a.steps {
		b, err := a.r.refs.check(a.db, s.t, s.before, s.after)
		if err != nil {
			return err
		}
		if b == nil {
			continue
		}
		if err := a.narrow(whole, "foreign key of "+b.ref.child.Name); err != nil {
			return err
		}
	}
	return nil
}

// rebase puts rows back to what is confirmed, brings the confirmed rows in,
// settles, and puts pending back on top.
func (a *attempt) rebase() error {
	if err := a.reconcileOut(); err != nil {
		return err
	}
	ns, ids, err := a.concerned()
	if err != nil {
		return err
	}
	if err := a.layBack(ids); err != nil {
		return err
	}
	if err := a.reconcileTables(); err != nil {
		return err
	}
	if err := a.bringIn(false); err != nil {
		return err
	}
	if err := a.reconcileObjects(); err != nil {
		return err
	}
	if err := a.settleAll(); err != nil {
		return err
	}
	if err := a.keepConfirmed(ids); err != nil {
		return err
	}
	if err := a.putBack(ns); err != nil {
		return err
	}
	return a.compareShown(ids)
}

// concerned lists the pending changesets to be undone, in order, and their rows.
func (a *attempt) concerned() (ns []int64, ids []rowID, err error) {
	if a.way == whole {
		if ns, err = a.allPending(); err != nil {
			return nil, nil, err
		}
		ids, err = a.allBase()
		return ns, ids, err
	}
	seed, err := a.seed()
	if err != nil {
		return nil, nil, err
	}
	ns, rows, err := a.closure(seed)
	if err != nil {
		return nil, nil, err
	}
	ids = inOrder(rows)
	for _, id := range ids {
		if a.suspended[id.t] {
			return nil, nil, a.narrow(whole, "a suspended changeset may depend on it")
		}
	}
	return ns, ids, nil
}

func (a *attempt) allPending() (ns []int64, err error) {
	err = a.db.Each("SELECT n FROM main._tm_pending ORDER BY n", func(s *lite.Stmt) error {
		ns = append(ns, s.Int(0))
		return nil
	})
	return ns, err
}

func (a *attempt) allBase() (ids []rowID, err error) {
	err = a.db.Each("SELECT t, key FROM main._tm_base ORDER BY t, key", func(s *lite.Stmt) error {
		ids = append(ids, rowID{int(s.Int(0)), string(s.Blob(1))})
		return nil
	})
	return ids, err
}

// seed are the rows with pending that the job names.
func (a *attempt) seed() (map[rowID]bool, error) {
	seed := map[rowID]bool{}
	for _, s := range a.settle {
		if err := a.rowsOfPending(s.p.n, seed); err != nil {
			return nil, err
		}
	}
	if a.job.rows == nil {
		return seed, nil
	}
	err := a.job.rows(func(c *tidemark.Change) error {
		t := synced(a.r.schema, c.Table)
		if t == nil || !a.pending[t.ID] {
			return nil
		}
		id := idOf(t, c.Key)
		_, held, err := baseImage(a.db, id)
		if held {
			seed[id] = true
		}
		return err
	})
	return seed, err
}

func (a *attempt) rowsOfPending(n int64, into map[rowID]bool) error {
	return a.db.Each("SELECT t, key FROM main._tm_pending_row WHERE n = ?1", func(s *lite.Stmt) error {
		into[rowID{int(s.Int(0)), string(s.Blob(1))}] = true
		return nil
	}, tidemark.Int(n))
}

// closure follows rows to pending changesets and these to their rows, until
// nothing new is found.
func (a *attempt) closure(seed map[rowID]bool) (ns []int64, rows map[rowID]bool, err error) {
	rows = seed
	seen := map[int64]bool{}
	todo := inOrder(seed)
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		fresh, err := a.pendingOf(id, seen)
		if err != nil {
			return nil, nil, err
		}
		for _, n := range fresh {
			more := map[rowID]bool{}
			if err := a.rowsOfPending(n, more); err != nil {
				return nil, nil, err
			}
			for next := range more {
				if !rows[next] {
					rows[next] = true
					todo = append(todo, next)
				}
			}
		}
		ns = append(ns, fresh...)
	}
	sort.Slice(ns, func(i, j int) bool { return ns[i] < ns[j] })
	return ns, rows, nil
}

// pendingOf lists the pending changesets that touch a row and are not seen yet.
func (a *attempt) pendingOf(id rowID, seen map[int64]bool) (ns []int64, err error) {
	t, key := id.args()
	err = a.db.Each("SELECT n FROM main._tm_pending_row WHERE t = ?1 AND key = ?2", func(s *lite.Stmt) error {
		if n := s.Int(0); !seen[n] {
			seen[n] = true
			ns = append(ns, n)
		}
		return nil
	}, t, key)
	return ns, err
}

// layBack sets rows to their confirmed images.
func (a *attempt) layBack(ids []rowID) error {
	a.undone = map[rowID][]tidemark.Value{}
	w := &rowWriter{db: a.db}
	for _, id := range ids {
		t := synced(a.r.schema, id.t)
		if t == nil {
			continue
		}
		now, err := a.read(t, id)
		if err != nil {
			return err
		}
		confirmed, _, err := baseImage(a.db, id)
		if err != nil {
			return err
		}
		a.undone[id] = now
		if equal(now, confirmed) {
			continue
		}
		if err := w.set(t, id, now, confirmed); err != nil {
			return err
		}
	}
	return w.finish(a.refusedConfirmed)
}

// refusedConfirmed judges the refusal of a confirmed row: a pending one is in
// its way, or, when there is none, the copy differs from the server.
func (a *attempt) refusedConfirmed(t *tidemark.Table, _ rowID, _ []tidemark.Value, why error) error {
	if err := a.narrow(whole, why.Error()); err != nil {
		return err
	}
	a.damage = append(a.damage, fmt.Sprintf("a confirmed row of %s cannot be written: %v", t.Name, refusalOf(why)))
	return nil
}

func (a *attempt) read(t *tidemark.Table, id rowID) ([]tidemark.Value, error) {
	key, err := tidemark.ParseKeyID(id.key)
	if err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeCorrupt, Err: err, Msg: "bookkeeping of " + t.Name}
	}
	return row.Get(a.db, t, key)
}

// keepConfirmed keeps the new confirmed images of rows that pending still
// touches. The tables show them at this moment.
func (a *attempt) keepConfirmed(ids []rowID) error {
	for _, id := range ids {
		t := synced(a.r.schema, id.t)
		table, key := id.args()
		left, err := a.db.Int("SELECT EXISTS (SELECT 1 FROM main._tm_pending_row WHERE t = ?1 AND key = ?2)", table, key)
		if err != nil {
			return err
		}
		if left == 0 || t == nil {
			if err := dropBase(a.db, id); err != nil {
				return err
			}
			continue
		}
		now, err := a.read(t, id)
		if err != nil {
			return err
		}
		if planted.Is(planted.ForgetBase) {
			continue
		}
		if err := setBase(a.db, id, now); err != nil {
			return err
		}
	}
	return nil
}

// compareShown finds out which rows readers see differently after the rebase.
func (a *attempt) compareShown(ids []rowID) error {
	for _, id := range ids {
		t := synced(a.r.schema, id.t)
		if t == nil {
			continue
		}
		now, err := a.read(t, id)
		if err != nil {
			return err
		}
		if before := a.undone[id]; !equal(before, now) {
			if err := a.visible(t, before, now); err != nil {
				return err
			}
		}
	}
	return a.checkSteps()
}
