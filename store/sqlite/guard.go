package sqlite

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/rules"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// Bounds on the search for an order in which all changes of a changeset may be
// written.
const (
	maxRounds = 16 // over what could not be written yet
	maxOrders = 4  // begun anew
)

// guard judges a batch by the rules.
type guard struct {
	x       *tx
	judge   *rules.Judge
	asker   *rules.Asker
	effects bool             // some table has what foreign keys do judged
	hidden  map[string][]int // parked rows by folded "table\x00column"
	ranks   map[int]int
}

// WriteAs writes what an author asks for, as far as the rules allow it; see
// tidemark.Tx.
//
// A changeset does not say in which order its rows were written, so any order
// is good in which each change is allowed on the state that the ones before it
// left: the author could have sent them one by one.
func (x *tx) WriteAs(author tidemark.Author, changes []tidemark.Change) error {
	j := x.s.rulings
	if j == nil {
		return x.WriteAll(changes)
	}
	b, err := x.batch(changes)
	if err != nil {
		return err
	}
	below := x.db.SetContext(context.Background())
	x.db.SetContext(below)
	b.guard = &guard{x: x, judge: j, asker: j.Ask(below, author, len(changes)), effects: x.judgesEffects()}
	for _, i := range b.items {
		if i.c, err = b.guard.asker.Fill(i.table, i.c); err != nil {
			return err
		}
	}
	return b.writeAll()
}

func (x *tx) judgesEffects() bool {
	return slices.ContainsFunc(x.schema.Tables, func(t *tidemark.Table) bool { return t.Out == "" && x.s.rulings.Effects(t) })
}

// allow judges an item that is written next.
func (g *guard) allow(i *item) error {
	if i.free || i.named && i.cause.done {
		return nil
	}
	c := i.c
	if i.said != nil {
		c = i.said
	}
	if planted.Is(planted.JudgeAfter) && c.Op == tidemark.Insert {
		return g.allowLate(i, c)
	}
	at := rules.Row{Key: i.key, Saved: i.saved}
	if len(g.hidden) > 0 {
		at.Hidden = g.hides
	}
	return g.asker.Allow(i.table, c, at)
}

// allowLate is the mistake of a planted fault.
func (g *guard) allowLate(i *item, c *tidemark.Change) error {
	if row.Insert(g.x.db, i.table, c.New) != nil {
		return nil
	}
	err := g.asker.Allow(i.table, c, rules.Row{Key: i.key})
	if _, derr := row.Delete(g.x.db, i.table, i.table.KeyOf(c.New)); derr != nil {
		return derr
	}
	return err
}

func (g *guard) hides(table, column string) bool { return len(g.hidden[table+"\x00"+column]) > 0 }

// park keeps what a row was before placeholders are put into it.
func (g *guard) park(i *item, cols []int) error {
	if i.saved != nil {
		return nil
	}
	var err error
	if i.saved, err = row.Get(g.x.db, i.table, i.key); err != nil || i.saved == nil {
		return err
	}
	if g.hidden == nil {
		g.hidden = map[string][]int{}
	}
	for _, c := range cols {
		at := hiddenAt(i.table, c)
		g.hidden[at] = append(g.hidden[at], c)
	}
	return nil
}

// settled notes that a parked row has its values.
func (g *guard) settled(i *item) {
	for _, c := range parkable(i.table, i.c.Cols) {
		if at := hiddenAt(i.table, c); len(g.hidden[at]) > 0 {
			g.hidden[at] = g.hidden[at][1:]
		}
	}
	i.saved = nil
}

func hiddenAt(t *tidemark.Table, c int) string {
	return schema.Fold(t.Name) + "\x00" + schema.Fold(t.Columns[c].Name)
}

// runGuarded writes a batch that rules judge. Where a change is refused in one
// order, it is tried again with that one first.
func (b *batch) runGuarded() error {
	switch len(b.items) {
	case 0:
		return nil
	case 1:
		return b.write(b.items[0])
	}
	b.sort()
	for try := 1; ; try++ {
		var denied *item
		err := b.x.db.Savepoint("_tm_order", func() (err error) {
			denied, err = b.greedy()
			return err
		})
		if !b.x.db.InTransaction() {
			return gone(err)
		}
		if err == nil || denied == nil || try >= maxOrders || b.items[0] == denied {
			return err
		}
		b.restart(denied)
	}
}

// restart puts an item first and forgets what was done.
func (b *batch) restart(first *item) {
	at := slices.Index(b.items, first)
	b.items = slices.Insert(slices.Delete(b.items, at, at+1), 0, first)
	clear(b.roomy)
	b.guard.hidden = nil
	for _, i := range b.items {
		i.key, i.done, i.saved, i.err = i.c.Key, false, nil, nil
	}
}

// sort puts inserts first, parents before children, and deletes last, children
// before parents: what gives rights mostly comes before what takes them. What
// its cause covers comes behind that.
func (b *batch) sort() {
	rank := b.guard.rank
	order := func(i *item) int {
		if i.named {
			return 2_000_000
		}
		switch i.c.Op {
		case tidemark.Insert:
			return -1_000_000 + rank(i.table)
		case tidemark.Delete:
			return 1_000_000 - rank(i.table)
		}
		return 0
	}
	slices.SortStableFunc(b.items, func(p, q *item) int { return cmp.Compare(order(p), order(q)) })
}

// rank is how many generations of tables a table refers to.
func (g *guard) rank(t *tidemark.Table) int {
	if r, ok := g.ranks[t.ID]; ok {
		return r
	}
	if g.ranks == nil {
		g.ranks = map[int]int{}
	}
	g.ranks[t.ID] = 0 // also ends a cycle
	r := 0
	for i := range t.ForeignKeys {
		if p := g.x.schema.Named(t.ForeignKeys[i].Parent); p != nil && p != t {
			r = max(r, g.rank(p)+1)
		}
	}
	g.ranks[t.ID] = r
	return r
}

// greedy writes what can be written, round by round. denied is an item that a
// rule refuses in the end.
func (b *batch) greedy() (denied *item, err error) {
	for round := 0; ; round++ {
		progress, left, err := b.round()
		if err != nil || len(left) == 0 {
			return nil, err
		}
		if !progress {
			if progress, err = b.giveWay(left); err != nil {
				return nil, err
			}
		}
		if progress && round < maxRounds {
			continue
		}
		return b.blame(left)
	}
}

// blame finds what a rule refused, and chooses the reason: a constraint's before
// a rule's, which may have wanted just the row that the constraint kept out.
func (b *batch) blame(left []*item) (denied *item, err error) {
	for _, i := range left {
		switch {
		case i.err == nil: // it waits for its cause
		case tidemark.CodeOf(i.err) != tidemark.CodeForbidden:
			return denied, i.err
		case denied == nil:
			denied = i
		}
	}
	if denied != nil {
		return denied, denied.err
	}
	return nil, &tidemark.Error{Code: tidemark.CodeForbidden, Space: b.x.s.opts.Space, Msg: "there is no order in which the rules let this changeset be written"}
}

// round tries every item that is not written yet.
func (b *batch) round() (progress bool, left []*item, err error) {
	for _, i := range b.items {
		if i.done {
			continue
		}
		if !i.free || i.cause.done {
			done, err := b.try(i)
			if err != nil {
				return false, nil, err
			}
			progress = progress || done
		}
	}
	for _, i := range b.items {
		if !i.done {
			left = append(left, i)
		}
	}
	return progress, left, nil
}

// try writes an item, and at once what foreign keys do because of it, so that
// nobody's rule sees one without the other.
func (b *batch) try(i *item) (done bool, err error) {
	if i.err = b.write(i); i.err != nil {
		if !b.x.mayWait(i.err) {
			return false, i.err
		}
		return false, nil
	}
	for _, f := range i.brings {
		if f.done || !f.free && !f.named {
			continue
		}
		if _, err := b.try(f); err != nil {
			return false, err
		}
	}
	return true, nil
}

// giveWay makes room for the first item that met a unique value.
func (b *batch) giveWay(left []*item) (progress bool, err error) {
	for _, i := range left {
		if !isUnique(i.err) || i.done {
			continue
		}
		if i.err = b.insist(i); i.err == nil {
			return true, nil
		}
		if !b.x.mayWait(i.err) {
			return false, i.err
		}
	}
	return false, nil
}

// mayWait reports whether what refused a write may be another by the time that
// the rest of the changeset is written.
func (x *tx) mayWait(err error) bool {
	var e *tidemark.Error
	return x.db.InTransaction() && !errors.Is(err, tidemark.ErrTransactionGone) && errors.As(err, &e) &&
		(e.Code == tidemark.CodeForbidden || rejects(e.Code))
}

// SetRules declares other rules while the space is served. They hold from the
// next group on. Where they do not fit the present schema nothing changes, and
// the error says why.
func (s *Store) SetRules(declared func(*tidemark.Schema) (*tidemark.Rules, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, armed := s.declaredRules, s.armed
	if err := s.setRules(declared); err != nil {
		return err
	}
	err := s.redeclare()
	if err != nil {
		s.declaredRules, s.armed = before, armed
	}
	return err
}

func (s *Store) setRules(declared func(*tidemark.Schema) (*tidemark.Rules, error)) error {
	if declared != nil {
		if _, err := declared(s.last.Load().schema); err != nil {
			return err
		}
	}
	s.declaredRules, s.armed = declared, ""
	return nil
}

// arm prepares the rules for a schema, unless it has them.
func (s *Store) arm(sc *tidemark.Schema) error {
	if s.armed == sc.Hash {
		return nil
	}
	s.rulings = nil
	if s.declaredRules == nil {
		s.armed = sc.Hash
		return nil
	}
	r, err := s.declaredRules(sc)
	if err != nil {
		s.opts.Warn("rules that do not fit allow nothing: " + err.Error())
	}
	if r == nil {
		s.armed = sc.Hash
		return nil
	}
	j, misfits, err := rules.New(s.db, sc, r)
	if err != nil {
		return err
	}
	for _, m := range misfits {
		s.opts.Warn("a rule that does not fit allows nothing: " + m.Error())
	}
	j.Warn, j.Observe, j.Steps = s.opts.Warn, s.opts.Observe, s.opts.RuleSteps
	s.rulings, s.armed, s.fresh = j, sc.Hash, true
	return nil
}
