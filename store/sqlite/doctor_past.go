package sqlite

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// How much of the log's newest part past looks at.
const (
	pastEntries = 500
	pastEffects = 20_000
)

// past follows rows through the newest part of the log: each effect has to know
// the one before it, and _tm_row the last.
func (d *doctor) past() error {
	head, _, err := readPlace(d.db, "main")
	if err != nil {
		return err
	}
	n, err := d.db.Int("SELECT count(*) FROM pragma_table_info('_tm_changeset', 'main') WHERE name = 'prevs'")
	if err != nil || n == 0 {
		return err // an earlier version served the file last
	}
	c := &chain{d: d, start: max(0, head-pastEntries), last: map[rowID]tidemark.Seq{}}
	for seq := c.start + 1; seq <= head && c.effects < pastEffects && c.broken == 0; seq++ {
		if err := c.follow(seq); err != nil {
			return err
		}
		c.end = seq
	}
	if err := c.meet(head); err != nil {
		return err
	}
	if c.broken > 0 {
		d.fail("log", fromBackup, "the entry of seq %d does not know what was done to its rows before", c.broken)
	}
	return nil
}

// chain is what past has followed so far.
type chain struct {
	d          *doctor
	start, end tidemark.Seq
	last       map[rowID]tidemark.Seq
	effects    int
	broken     tidemark.Seq
}

func (c *chain) follow(seq tidemark.Seq) error {
	entry, err := readChapter(c.d.db, seq)
	if err != nil || entry == nil {
		return err // a gap is told by another step
	}
	for i := range entry.effects {
		t := c.d.schema.Table(entry.effects[i].Table)
		if t == nil || t.Out != "" {
			continue
		}
		c.effects++
		id := rowID{t.ID, t.KeyID(entry.effects[i].Key)}
		if entry.befores != nil && !c.fits(id, entry.befores[i]) {
			c.broken = seq
		}
		c.last[id] = seq
	}
	if entry.befores == nil && entry.lacking {
		c.broken = seq
	}
	return nil
}

func (c *chain) fits(id rowID, before tidemark.Seq) bool {
	if last, ok := c.last[id]; ok {
		return before == last
	}
	return before <= c.start
}

// meet compares the ends of the chains with what the rows' records say.
func (c *chain) meet(head tidemark.Seq) error {
	if c.end < head || c.broken > 0 {
		return nil
	}
	return c.d.db.Each("SELECT t, key, seq FROM main._tm_row WHERE seq > ?1", func(s *lite.Stmt) error {
		id := rowID{int(s.Int(0)), string(s.Blob(1))}
		if last, ok := c.last[id]; ok && last != tidemark.Seq(s.Int(2)) {
			c.broken = last
		}
		return nil
	}, tidemark.Int(int64(c.start)))
}
