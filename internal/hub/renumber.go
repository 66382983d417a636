package hub

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/ids"
	"github.com/tidemarkdb/tidemark/internal/planted"
)

// renumber gives rows of a changeset other ids where another row took the
// integer key that their author gave them, and follows with all declared
// references; so also for what the author's earlier changesets were given.
//
// Ids in a changeset are names in its author's world. What an author calls 7
// is the row that another replica put at 7 only if the author had seen that
// row; otherwise it is the author's own, which the server may know by another
// id. All names of a changeset are therefore looked up first, and given anew
// at once: one row may get the id that another one loses.
func (g *group) renumber(s *Session, cs *tidemark.Changeset, changes []tidemark.Change) ([]tidemark.Change, []tidemark.Renumbered, error) {
	g.renum.settle(g.head)
	n := &naming{g: g, session: s, cs: cs, cols: g.hub.renum.columns(g.tx.Schema()), fresh: map[rowNumber]int64{}, next: map[int]int64{}}
	if !n.cols.Given() {
		return changes, nil, nil
	}
	if err := n.recall(); err != nil {
		return nil, nil, err
	}
	if err := n.arrive(changes); err != nil {
		return nil, nil, err
	}
	if err := n.refuseStrangers(changes); err != nil {
		return nil, nil, err
	}
	if len(n.fresh) == 0 && n.idle() {
		return changes, nil, nil
	}
	renamed, _ := n.cols.Rename(changes, n.name)
	return renamed, n.list, n.save()
}

// mapRenumbered gives ids in changes the names that list has for them.
func mapRenumbered(s *tidemark.Schema, changes []tidemark.Change, list []tidemark.Renumbered) []tidemark.Change {
	names := map[rowNumber]int64{}
	for i := range list {
		if t := s.Named(list[i].Table); t != nil {
			names[rowNumber{t.ID, list[i].From}] = list[i].To
		}
	}
	renamed, _ := ids.Of(s).Rename(changes, func(of *tidemark.Table, id int64) (int64, bool) {
		to, ok := names[rowNumber{of.ID, id}]
		return to, ok
	})
	return renamed
}

// composed joins what a changeset's rows were given with what some of them were
// given after that: an author knows a row by one name only.
func composed(list, then []tidemark.Renumbered) (all, later []tidemark.Renumbered) {
	later = slices.Clone(then)
	all = slices.Clone(list)
	for i := range later {
		at := slices.IndexFunc(all, func(r tidemark.Renumbered) bool { return r.Table == later[i].Table && r.To == later[i].From })
		if at >= 0 {
			later[i].From, later[i].Before = all[at].From, all[at].Before
			all = slices.Delete(all, at, at+1)
		}
	}
	return append(all, later...), later
}

// rowNumber names a row of a table with an integer key.
type rowNumber struct {
	table int
	id    int64
}

// naming finds the names of the rows of one changeset.
type naming struct {
	g  *group
	cs *tidemark.Changeset

	session *Session

	cols  *ids.Columns
	known []renumberings // what was given before: to the replica, then to the one that it was

	arrivals map[rowNumber]bool // ids that the changeset gives, in its author's names
	leaving  map[rowNumber]bool // ids that it makes free, in the server's names
	used     map[rowNumber]bool // ids that its arriving rows have, in the server's names
	fresh    map[rowNumber]int64
	next     map[int]int64 // by table: the next id to give
	list     []tidemark.Renumbered
}

// recall looks up what was renumbered before.
func (n *naming) recall() error {
	names := []string{n.cs.Replica}
	if n.cs.Was != nil {
		names = append(names, n.cs.Was.Replica)
	}
	for _, name := range names {
		r, err := n.g.renumberings(name)
		if err != nil {
			return err
		}
		n.known = append(n.known, r)
	}
	return nil
}

// idle reports whether nothing was ever given to this replica.
func (n *naming) idle() bool {
	return !slices.ContainsFunc(n.known, func(r renumberings) bool { return len(r.durable)+len(r.young) > 0 })
}

// before finds what an id was renumbered to by an earlier changeset.
func (n *naming) before(of *tidemark.Table, id int64) *tidemark.Renumbered {
	for _, r := range n.known {
		if found := r.find(tableNumber{of.Name, id}, n.cs.Seen); found != nil {
			return found
		}
	}
	return nil
}

// name is the name that the server knows an id by.
func (n *naming) name(of *tidemark.Table, id int64) (int64, bool) {
	if to, ok := n.fresh[rowNumber{of.ID, id}]; ok {
		return to, true
	}
	if r := n.before(of, id); r != nil {
		return r.To, true
	}
	return id, false
}

// arrive finds ids that the changeset gives and another row has.
func (n *naming) arrive(changes []tidemark.Change) error {
	n.survey(changes)
	if len(n.arrivals) == 0 {
		return nil
	}
	for i := range changes {
		t := n.g.tx.Schema().Table(changes[i].Table)
		if !ids.Renumbers(t) {
			continue
		}
		if id, ok := ids.Arrival(t, &changes[i]); ok {
			if err := n.place(t, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// survey lists the ids that the changeset gives and those that it makes free.
func (n *naming) survey(changes []tidemark.Change) {
	n.arrivals, n.leaving, n.used = map[rowNumber]bool{}, map[rowNumber]bool{}, map[rowNumber]bool{}
	for i := range changes {
		c := &changes[i]
		t := n.g.tx.Schema().Table(c.Table)
		if !ids.Renumbers(t) {
			continue
		}
		id, arrives := ids.Arrival(t, c)
		if arrives {
			n.arrivals[rowNumber{t.ID, id}] = true
		}
		if c.Op == tidemark.Delete || c.Op == tidemark.Update && arrives {
			name, _ := n.name(t, c.Key[0].Int64())
			n.leaving[rowNumber{t.ID, name}] = true
		}
	}
}

// place finds out where an arriving row goes. A row in its way that the author
// knew is left for the merge to judge.
func (n *naming) place(t *tidemark.Table, id int64) error {
	at, since := id, tidemark.Seq(0)
	if r := n.before(t, id); r != nil {
		at, since = r.To, r.Before
	}
	// What an earlier row of that name was given may be the name of another
	// row that arrives now.
	shared := n.used[rowNumber{t.ID, at}]
	n.used[rowNumber{t.ID, at}] = true
	if n.leaving[rowNumber{t.ID, at}] && !shared {
		return nil
	}
	from, err := n.origin(t, at)
	if err != nil || !shared && (!from.there || !from.came) {
		return err
	}
	switch {
	case since != 0:
	case from.there && from.came:
		since = from.seq
	default:
		since = n.g.head + 1
	}
	to, err := n.take(t)
	if err != nil {
		return err
	}
	n.fresh[rowNumber{t.ID, id}] = to
	n.list = append(n.list, tidemark.Renumbered{Table: t.Name, From: id, To: to, Before: since})
	return nil
}

// take gives an id that no row has or had and that the changeset gives to none.
func (n *naming) take(t *tidemark.Table) (int64, error) {
	id := n.next[t.ID]
	if id == 0 {
		var err error
		if id, err = n.g.tx.NextID(t.ID); err != nil {
			return 0, err
		}
	}
	for {
		taken, err := n.taken(t, id)
		if err != nil {
			return 0, err
		}
		if !taken {
			n.next[t.ID] = id + 1
			return id, nil
		}
		id++
	}
}

// taken reports whether the changeset speaks of a row of that id, or one was
// there and was deleted: who has not heard of that, the author perhaps, would
// take the new row for it.
func (n *naming) taken(t *tidemark.Table, id int64) (bool, error) {
	if n.arrivals[rowNumber{t.ID, id}] || n.used[rowNumber{t.ID, id}] {
		return true, nil
	}
	was, err := n.g.tx.Row(t.ID, []tidemark.Value{tidemark.Int(id)})
	return was.Seq > 0, err
}

// refuseStrangers rejects a changeset that speaks of a row which was not there
// when it was made, and which it does not bring: the author means a row of
// that id whose insert was rejected, not the one that another replica put there since.
func (n *naming) refuseStrangers(changes []tidemark.Change) error {
	asked := map[rowNumber]bool{}
	var stranger error
	for i := range changes {
		n.cols.Each(&changes[i], func(of *tidemark.Table, id int64) {
			row := rowNumber{of.ID, id}
			if stranger != nil || asked[row] || n.arrivals[row] || !ids.Renumbers(of) {
				return
			}
			asked[row] = true
			if n.before(of, id) == nil {
				stranger = n.refuseStranger(of, id, &changes[i])
			}
		})
	}
	return stranger
}

func (n *naming) refuseStranger(of *tidemark.Table, id int64, c *tidemark.Change) error {
	if known, err := n.g.vouched(n.cs, of, id); known || err != nil {
		return err
	}
	from, err := n.origin(of, id)
	if err != nil || !from.there {
		return err
	}
	if from.unseen {
		return n.refuseUnseen(of, id, c)
	}
	own := !from.isNew
	if !own {
		own, err = n.own(from.by)
	}
	if err != nil || own {
		n.g.vouch(n.cs, of, id)
		return err
	}
	cause, err := n.g.tx.Refused(n.cs.Replica, of.ID, []tidemark.Value{tidemark.Int(id)})
	if err != nil {
		return err
	}
	t := n.g.tx.Schema().Table(c.Table)
	return &tidemark.Error{Code: tidemark.CodeDependsOn, Table: t.Name, Key: c.Key, Msg: strangerMessage(of, id, cause)}
}

// origin looks at how the row of an id came to be there. One that the author
// may not see, whoever put it there, came without his having heard of it: what
// he calls by its id is his own.
func (n *naming) origin(t *tidemark.Table, id int64) (origin, error) {
	from, err := n.g.originOf(t, id, n.cs.Seen)
	if err != nil || !from.there || !n.g.scoped() {
		return from, err
	}
	key := []tidemark.Value{tidemark.Int(id)}
	row, err := n.g.look(t, key)
	if err != nil {
		return origin{}, err
	}
	seen, err := n.g.sees(n.session, t, key, row)
	if err != nil || seen {
		return from, err
	}
	if from.came && from.by.Replica != "" {
		if own, err := n.own(from.by); own || err != nil {
			return from, err
		}
	}
	return origin{there: true, came: true, seq: n.g.head + 1, unseen: true}, nil
}

// refuseUnseen rejects what refers to a row of the author's whose insert was
// rejected, where one that he may not see has its id. What changes that row
// itself the merge rejects, as if it were not there.
func (n *naming) refuseUnseen(of *tidemark.Table, id int64, c *tidemark.Change) error {
	if c.Table == of.ID && c.Op != tidemark.Insert && c.Key[0] == tidemark.Int(id) {
		return nil
	}
	key := []tidemark.Value{tidemark.Int(id)}
	cause, err := n.g.tx.Refused(n.cs.Replica, of.ID, key)
	if cause == 0 || err != nil {
		return err
	}
	return dependsOn(of, key, cause, "refers to")
}

// own reports whether a changeset is one of the author's, by whatever name.
func (n *naming) own(by tidemark.Name) (bool, error) {
	if by.Replica == n.cs.Replica || n.cs.Was != nil && by.Replica == n.cs.Was.Replica {
		return true, nil
	}
	// What a copied file had pending is sequenced once, under either name.
	list, err := n.g.tx.Outcomes(n.cs.Replica, 0, 0)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(list, func(o tidemark.Outcome) bool { return o.Hash == by.Hash }), nil
}

// save records what this changeset gave, also for the file that it was copied
// from if that one brings the same changeset.
func (n *naming) save() error {
	if len(n.list) == 0 || planted.Is(planted.ForgetNumbers) {
		return nil
	}
	if err := n.g.keepRenumbered(n.cs.Replica, n.list, n.g.head+1); err != nil {
		return err
	}
	r, err := n.g.replica(n.cs.Replica)
	if err != nil {
		return err
	}
	was, err := n.g.forebear(n.cs, r)
	if was == nil || err != nil {
		return err
	}
	if o, err := n.g.tx.Outcome(was.Replica, was.N); o != nil || err != nil {
		return err
	}
	return n.g.keepRenumbered(was.Replica, n.list, n.g.head+1)
}

// inheritRenumbered gives a replica what was renumbered by a changeset that
// reached the server under an earlier name.
func (g *group) inheritRenumbered(cs *tidemark.Changeset, o *tidemark.Outcome) error {
	g.renum.settle(g.head)
	if len(o.Renumbered) == 0 {
		return nil
	}
	return g.keepRenumbered(cs.Replica, o.Renumbered, g.head)
}
