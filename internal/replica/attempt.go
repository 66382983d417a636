package replica

import (
	"strconv"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	structure "github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/splice"
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

	renamed map[rowID]bool             // rows of pending that got other ids, by the old and the new ones
	undone  map[rowID][]tidemark.Value // what the tables showed of rows laid back
	old     images                     // what was confirmed of them
	over    map[cell]splice.Patch      // what confirmed changes did to their texts
	whole   map[cell]bool              // texts that were replaced as a whole

	forecast *forecast // what becomes of pending; nil where policies do not matter
	down     fallen    // suspended in this rebase

	died map[rowID]bool // rows that the job deletes
	left map[rowID]bool // rows that leave the copy without being deleted

	next *tidemark.Schema // the schema that the job brings, nil when it stays
	body tidemark.Value
	move *structure.Move
}

func (r *Replica) newAttempt(w way) *attempt {
	return &attempt{r: r, db: r.db, way: w, out: &Applied{}, tables: map[int]bool{}}
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
	if err := a.renumber(); err != nil {
		return err
	}
	if err := a.survey(); err != nil {
		return err
	}
	work := a.rebase
	if a.way == quick {
		work = a.confirm
	}
	if err := work(); err != nil {
		return err
	}
	if err := a.noteLeft(); err != nil {
		return err
	}
	return a.forgetRenumbered()
}

// survey finds out which tables pending concerns.
func (a *attempt) survey() error {
	a.pending, a.suspended = map[int]bool{}, map[int]bool{}
	if some, err := anyBase(a.db); err != nil || !some {
		return err
	}
	// The limit stands in the statement: SQLite compiles one anew for each run whose limit is bound.
	n, err := a.db.Int("SELECT count(*) FROM (SELECT 1 FROM main._tm_pending LIMIT " + strconv.Itoa(a.r.exact+1) + ")")
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
// tried again, which is exact; when it is long, the server's word has to do.
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
