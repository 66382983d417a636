package hub

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/ids"
)

// Bounds on what a hub remembers, over all replicas.
const (
	maxRenumbered = 100_000
	maxVouched    = 10_000 // rows that replicas edit
)

// renumberState is what a hub remembers of renumbering as of the last durable
// commit. It can be dropped at any time.
type renumberState struct {
	schema *tidemark.Schema
	cols   *ids.Columns
	known  map[string]numbers // by replica
	size   int

	vouched map[voucher]vouch
}

// voucher is a row of which changesets of a replica may speak.
type voucher struct {
	replica string
	row     rowNumber
}

// vouch says that nobody else had put the row there when it was at seq, for
// changesets that had seen as much. Who edits one row for long would otherwise
// have its whole past looked at with each edit.
type vouch struct{ seen, seq tidemark.Seq }

// tableNumber names a row as a Renumbered does.
type tableNumber struct {
	table string
	id    int64
}

// numbers are renumberings by what was renumbered, oldest first.
type numbers map[tableNumber][]tidemark.Renumbered

func (m numbers) add(list []tidemark.Renumbered) {
	for _, r := range list {
		from := tableNumber{r.Table, r.From}
		m[from] = append(m[from], r)
	}
}

// columns finds the columns that hold ids, once for each schema.
func (s *renumberState) columns(schema *tidemark.Schema) *ids.Columns {
	if s.schema != schema {
		s.schema, s.cols = schema, ids.Of(schema)
	}
	return s.cols
}

// renumberings are those of one replica: what is durable, and what this group added.
type renumberings struct{ durable, young numbers }

// find returns the newest that concerns a changeset which had seen seq.
func (r renumberings) find(from tableNumber, seen tidemark.Seq) *tidemark.Renumbered {
	for _, m := range []numbers{r.young, r.durable} {
		list := m[from]
		for i := len(list) - 1; i >= 0; i-- {
			if seen < list[i].Before {
				return &list[i]
			}
		}
	}
	return nil
}

// groupNumbers are the renumberings of one group. Those of the attempt that is
// under way count only once its seq was given: an attempt may be undone.
type groupNumbers struct {
	added   map[string]numbers
	waiting []attempted
}

type attempted struct {
	replica string
	list    []tidemark.Renumbered
	seq     tidemark.Seq // that the changeset gets
}

// settle takes over what an attempt added if it was not undone: then the head
// has reached its seq. Each attempt begins with it, before the head can move on.
func (n *groupNumbers) settle(head tidemark.Seq) {
	for _, w := range n.waiting {
		if w.seq > head {
			continue
		}
		if n.added == nil {
			n.added = map[string]numbers{}
		}
		if n.added[w.replica] == nil {
			n.added[w.replica] = numbers{}
		}
		n.added[w.replica].add(w.list)
	}
	n.waiting = n.waiting[:0]
}

// renumberings returns those of a replica. Every group asks before it saves
// any, so what the store lists is durable.
func (g *group) renumberings(replica string) (renumberings, error) {
	s := &g.hub.renum
	known, ok := s.known[replica]
	if !ok {
		list, err := g.tx.Renumberings(replica)
		if err != nil {
			return renumberings{}, err
		}
		known = numbers{}
		known.add(list)
		s.keep(replica, known, len(list))
	}
	return renumberings{known, g.renum.added[replica]}, nil
}

func (s *renumberState) keep(replica string, m numbers, size int) {
	if s.known == nil {
		s.known = map[string]numbers{}
	}
	s.size += size + 1
	s.known[replica] = m
}

func (g *group) keepRenumbered(replica string, list []tidemark.Renumbered, seq tidemark.Seq) error {
	if _, err := g.renumberings(replica); err != nil {
		return err
	}
	for _, r := range list {
		if err := g.tx.SaveRenumbering(replica, r); err != nil {
			return fmt.Errorf("hub: %w", err)
		}
	}
	g.renum.waiting = append(g.renum.waiting, attempted{replica, list, seq})
	return nil
}

// durable takes over what a group added once it is committed. Only here
// anything is dropped: in the middle of a group the store lists what may be undone.
func (s *renumberState) durable(n *groupNumbers, head tidemark.Seq) {
	n.settle(head)
	for replica, added := range n.added {
		for from, list := range added {
			s.known[replica][from] = append(s.known[replica][from], list...)
			s.size += len(list)
		}
	}
	if s.size > maxRenumbered {
		clear(s.known)
		s.size = 0
	}
	if len(s.vouched) > maxVouched {
		clear(s.vouched)
	}
}

// origin is what the log knows of how a row came to be there.
type origin struct {
	there bool         // now
	came  bool         // it was put there behind the seq asked for, or nobody knows
	seq   tidemark.Seq // when
	isNew bool         // and it is not the one that had this key then
	by    tidemark.Name

	unseen bool // the author may not see it
}

// originOf looks at what happened to a row behind a seq.
func (g *group) originOf(t *tidemark.Table, id int64, seen tidemark.Seq) (origin, error) {
	key := []tidemark.Value{tidemark.Int(id)}
	row, err := g.look(t, key)
	if err != nil || row.Values == nil {
		return origin{}, err
	}
	p := origin{there: true}
	if row.Seq <= seen {
		return p, nil
	}
	var first, last *tidemark.Change // effects behind seen
	whole, err := g.tx.History(t.ID, key, seen, func(e tidemark.RowEffect) bool {
		if e.Change.Op == tidemark.Insert && !p.came {
			p.came, p.seq, p.by = true, e.Seq, e.Name
			last = &e.Change
		}
		if e.Change.Op == tidemark.Delete || e.Change.Op == tidemark.Insert {
			first = &e.Change
		}
		return true
	})
	if err != nil {
		return origin{}, err
	}
	switch {
	case whole:
		p.isNew = p.came && (first.Op == tidemark.Insert || !alike(t, first.Old, last.New))
	case !p.came:
		p.came, p.seq = true, row.Seq
	}
	return p, nil
}

// alike guesses whether a row that came back is the one that was deleted: most
// of its columns hold what they held. Somebody undid the delete then, or
// brought the row back with one change more.
func alike(t *tidemark.Table, gone, back []tidemark.Value) bool {
	if gone == nil {
		return true
	}
	same, columns := 0, 0
	for i := range t.Columns {
		if i == t.Key[0] || i >= len(gone) || i >= len(back) {
			continue
		}
		columns++
		if gone[i] == back[i] {
			same++
		}
	}
	return 2*same > columns
}

// vouched reports whether a row is known to be one that the replica may speak
// of, and that nobody put another row there since.
func (g *group) vouched(cs *tidemark.Changeset, of *tidemark.Table, id int64) (bool, error) {
	v, ok := g.hub.renum.vouched[voucher{cs.Replica, rowNumber{of.ID, id}}]
	if !ok || cs.Seen < v.seen {
		return false, nil
	}
	p, err := g.originOf(of, id, v.seq)
	return p.there && !p.came, err
}

// vouch remembers it, as far as what was looked at is durable.
func (g *group) vouch(cs *tidemark.Changeset, of *tidemark.Table, id int64) {
	if g.hub.renum.vouched == nil {
		g.hub.renum.vouched = map[voucher]vouch{}
	}
	g.hub.renum.vouched[voucher{cs.Replica, rowNumber{of.ID, id}}] = vouch{cs.Seen, g.commit.From}
}

func strangerMessage(of *tidemark.Table, id, cause int64) string {
	if cause != 0 {
		return fmt.Sprintf("it builds on changeset %d, which was rejected: it speaks of %s %d, and the row of that number that is there now is another one", cause, of.Name, id)
	}
	return fmt.Sprintf("it speaks of %s %d, which was not there when it was made; the row of that number that is there now is another one", of.Name, id)
}
