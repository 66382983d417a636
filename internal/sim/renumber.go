package sim

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// renumbered is what the server told of rows that got other keys.
type renumbered struct {
	tidemark.Renumbered
	by string // replica
}

// follow says what a changeset means once the rows that its replica was told
// of, and its own, have other keys.
func (l *ledger) follow(c *local, own map[string]bool, fresh []tidemark.Renumbered) []oracle.Change {
	keys := oracle.Keys{}
	for _, r := range l.renumbered {
		if own[r.by] && c.seen < r.Before {
			keys.Add(r.Table, r.From, r.To)
		}
	}
	for _, r := range fresh {
		keys.Add(r.Table, r.From, r.To)
	}
	return l.w.model.Follow(c.changes, keys)
}

// wouldBe makes up the keys that a rejected changeset's rows would have got.
func (l *ledger) wouldBe(c *local) []tidemark.Renumbered {
	var list []tidemark.Renumbered
	now := l.now.at(l.now.head())
	for i, ch := range c.changes {
		t := l.w.model.Table(ch.Table)
		key := t.KeyOf(ch.Key)
		if ch.Op != tidemark.Insert || !t.Renumber || now[t.Name][key] == nil || l.now.writers.made[rowName{t.Name, key}].seq <= c.seen {
			continue
		}
		list = append(list, tidemark.Renumbered{Table: t.Name, From: ch.Key[0].Int64(), To: int64(1_000_000 + i)})
	}
	return list
}

// renumber checks and notes the keys that a changeset's rows got.
func (l *ledger) renumber(c *local, by string, p past, list []tidemark.Renumbered) {
	defer func() {
		for _, r := range list {
			l.renumbered = append(l.renumbered, renumbered{r, by})
		}
	}()
	for _, r := range list {
		t := l.w.model.Table(r.Table)
		from, to := t.KeyOf([]tidemark.Value{tidemark.Int(r.From)}), t.KeyOf([]tidemark.Value{tidemark.Int(r.To)})
		now := l.now.at(l.now.head())[r.Table]
		if _, taken := now[to]; taken || !t.Renumber {
			l.w.fail("I14", "changeset %d: row %d of %s was renumbered to %d, which is taken", c.id, r.From, r.Table, r.To)
		}
		if l.wasGiven(r.Table, r.From) {
			continue // the author used the id before, or an earlier row of his has it now
		}
		// An earlier changeset of the same author may have made it, too: while
		// that one is suspended the id looks free.
		if made := l.now.writers.made[rowName{r.Table, from}]; now[from] == nil || made.seq <= p.seen {
			l.w.fail("I14", "changeset %d: row %d of %s was renumbered although no other row had come between", c.id, r.From, r.Table)
		}
	}
}

func (l *ledger) wasGiven(table string, id int64) bool {
	return slices.ContainsFunc(l.renumbered, func(r renumbered) bool { return r.Table == table && (r.To == id || r.From == id) })
}
