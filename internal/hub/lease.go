package hub

import (
	"maps"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// leaseState is what a hub remembers of the blocks of ids that connected
// replicas hold.
//
// SQLite gives an AUTOINCREMENT table the id above all that it ever had. So a
// block is of use only while no row above it reaches its replica: one that
// does, in whoever's block it lies, voids the rest, and another block goes out
// in front of the batch that brings that row. While a replica is away nothing
// reaches it, and it inserts out of its block what nobody else will.
type leaseState struct {
	held map[string][]tidemark.Lease // as of the last durable commit, where that was looked up
	told map[string][]tidemark.Lease // what each replica was told in this session
}

// groupLeases is what one group does about leases.
type groupLeases struct {
	used  map[int]int64 // by table: the highest id that came
	given map[string][]tidemark.Lease
}

// leased reports whether replicas hold blocks of ids of a table.
func leased(t *tidemark.Table) bool {
	return t != nil && t.Out == "" && t.Autoinc && t.RowidAlias && t.Policy.Lease > 0
}

// spent reports whether an id that came leaves too little of a block: it lies
// in the last quarter or above.
func spent(l tidemark.Lease, id int64) bool {
	return id > l.Last-(l.Last-l.First+1)/4
}

// leaseUsed notes which ids came into tables with leases.
func (g *group) leaseUsed(effects []tidemark.Change) {
	for i := range effects {
		c := &effects[i]
		if c.Op != tidemark.Insert {
			continue
		}
		t := g.tx.Schema().Table(c.Table)
		if !leased(t) {
			continue
		}
		if g.leases.used == nil {
			g.leases.used = map[int]int64{}
		}
		g.leases.used[t.ID] = max(g.leases.used[t.ID], c.Key[0].Int64())
	}
}

// renewLeases gives connected replicas other blocks in place of those that
// this group's rows use up or void, in the same transaction as the rows.
func (g *group) renewLeases() error {
	if len(g.leases.used) == 0 {
		return nil
	}
	for _, replica := range g.reached() {
		if s := g.hub.current[replica]; s.over || s.readOnly {
			continue
		}
		list, known := g.hub.leases.held[replica]
		if !known {
			var err error
			if list, err = g.tx.Leases(replica); err != nil {
				return err
			}
		}
		list, err := g.renew(replica, list)
		if err != nil {
			return err
		}
		if g.leases.given == nil {
			g.leases.given = map[string][]tidemark.Lease{}
		}
		g.leases.given[replica] = list
	}
	return nil
}

// reached lists the connected replicas that rows of this group reach.
func (g *group) reached() []string {
	if !g.commit.Scoped {
		return slices.Sorted(maps.Keys(g.hub.current))
	}
	all := map[string]bool{}
	note := func(s *Session) {
		if g.hub.current[s.replica] == s {
			all[s.replica] = true
		}
	}
	for s := range g.commit.answers {
		note(s)
	}
	for i := range g.commit.scoped.parts {
		for s := range g.hub.listeners.scopes[g.commit.scoped.parts[i].Scope] {
			note(s)
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func (g *group) renew(replica string, list []tidemark.Lease) ([]tidemark.Lease, error) {
	for _, table := range slices.Sorted(maps.Keys(g.leases.used)) {
		at := leaseOf(list, table)
		if at >= 0 && !spent(list[at], g.leases.used[table]) {
			continue
		}
		var err error
		if list, err = lease(g.tx, replica, list, g.tx.Schema().Table(table)); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func leaseOf(list []tidemark.Lease, table int) int {
	return slices.IndexFunc(list, func(l tidemark.Lease) bool { return l.Table == table })
}

// lease puts a new block of a table into a copy of list. Where ids have run
// out the replica goes without.
func lease(tx tidemark.Tx, replica string, list []tidemark.Lease, t *tidemark.Table) ([]tidemark.Lease, error) {
	list = slices.DeleteFunc(slices.Clone(list), func(l tidemark.Lease) bool { return l.Table == t.ID })
	l, err := tx.Lease(replica, t.ID, t.Policy.Lease)
	if reason(err) != nil {
		return list, nil
	}
	return append(list, l), err
}

// durable takes over what a group gave once it is committed.
func (s *leaseState) durable(g *groupLeases) {
	if len(g.given) == 0 {
		return
	}
	if s.held == nil {
		s.held = map[string][]tidemark.Lease{}
	}
	maps.Copy(s.held, g.given)
}

// forget ends what is remembered of a replica whose session ends.
func (s *leaseState) forget(replica string) {
	delete(s.held, replica)
	delete(s.told, replica)
}

// leases returns the blocks of the session's replica in a message if it was not
// told of them. They were given by commits up to the last: a block that is
// newer than the rows of the batch behind it is as good.
func (s *Session) leases() []wire.Down {
	list, known := s.hub.leases.held[s.replica]
	if !known || slices.Equal(list, s.hub.leases.told[s.replica]) {
		return nil
	}
	s.hub.leases.tell(s.replica, list)
	return []wire.Down{&wire.Leases{List: list}}
}

func (s *leaseState) tell(replica string, list []tidemark.Lease) {
	if s.told == nil {
		s.told = map[string][]tidemark.Lease{}
	}
	s.told[replica] = list
}

// greetLeases returns the blocks that a replica holds, nil for none. Those that
// it lacks, or that rows have voided while it was away, are given now.
func (h *Hub) greetLeases(tx tidemark.Tx, replica string) (wire.Down, error) {
	h.leases.forget(replica)
	list, err := tx.Leases(replica)
	if err != nil {
		return nil, err
	}
	for _, t := range tx.Schema().Tables {
		if !leased(t) {
			continue
		}
		if at := leaseOf(list, t.ID); at >= 0 {
			void, err := voided(tx, t, list[at])
			if err != nil {
				return nil, err
			}
			if !void && list[at].Last-list[at].First+1 == int64(t.Policy.Lease) {
				continue
			}
		}
		if list, err = lease(tx, replica, list, t); err != nil {
			return nil, err
		}
	}
	list = slices.DeleteFunc(list, func(l tidemark.Lease) bool { return !leased(tx.Schema().Table(l.Table)) })
	h.leases.tell(replica, list)
	if len(list) == 0 {
		return nil, nil
	}
	return &wire.Leases{List: list}, nil
}

// voided reports whether the table has a row that leaves too little of a block.
func voided(v tidemark.View, t *tidemark.Table, l tidemark.Lease) (bool, error) {
	after := []tidemark.Value{tidemark.Int(l.Last - (l.Last-l.First+1)/4)}
	rows, _, err := v.Rows(nil, t.ID, after, nil, 1)
	return len(rows) > 0, err
}
