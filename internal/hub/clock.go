package hub

import "github.com/tidemarkdb/tidemark"

// effective is when the author edited a row, by the server's clock: what the
// replica's clock said, corrected by what it was off when the session began,
// and never later than now. A clock that is further off than the table allows
// says nothing: then the edit is as young as its arrival.
func (j *trial) effective(t *tidemark.Table, madeAt int64) int64 {
	if madeAt == 0 {
		madeAt = j.cs.MadeAt
	}
	skew := t.Policy.MaxSkew
	if skew <= 0 {
		skew = tidemark.DefaultMaxSkew
	}
	if off := j.offset; madeAt == 0 || off > skew.Milliseconds() || -off > skew.Milliseconds() {
		return j.g.now
	}
	return min(madeAt+j.offset, j.g.now)
}

// theirsAt is when the value that the server has was made: the youngest of
// several cells. Where no time was kept, it is as old as its arrival.
func (j *trial) theirsAt(e *encounter, cols ...int) (at int64, err error) {
	for _, col := range cols {
		kept, err := j.g.tx.EditTime(e.t.ID, e.c.Key, col)
		if err != nil {
			return 0, err
		}
		if kept == 0 && e.past != nil {
			kept = e.past.arrived(col)
		}
		at = max(at, kept)
	}
	return at, nil
}

// arrived is when the server took the newest known edit of a cell, or 0.
func (p *past) arrived(col int) int64 {
	for i := range p.effects {
		if touches(&p.effects[i].Change, col) {
			return p.effects[i].At
		}
	}
	return 0
}

// saveTimes keeps when the values of latest-edit columns were made. A time is
// always later than that of the value before it: who overwrote a value had
// seen it, or won against it.
func (g *group) saveTimes(effects []tidemark.Change, when func(*tidemark.Table, *tidemark.Change) int64) error {
	for i := range effects {
		c := &effects[i]
		if t := g.tx.Schema().Table(c.Table); t != nil && c.Op != tidemark.Delete {
			if err := g.saveTimesOf(t, c, when); err != nil {
				return err
			}
		}
		c.MadeAt = 0
	}
	return nil
}

func (g *group) saveTimesOf(t *tidemark.Table, c *tidemark.Change, when func(*tidemark.Table, *tidemark.Change) int64) error {
	for col := range t.Columns {
		if t.PolicyOf(col) != tidemark.PolicyLatestEdit || !touches(c, col) {
			continue
		}
		if err := g.saveTime(t, c.Key, col, when(t, c)); err != nil {
			return err
		}
	}
	return nil
}

// made is when an effect of this changeset was made: when its author edited
// the row, or with the changeset as a whole where the row followed from others.
func (j *trial) made(t *tidemark.Table, effect *tidemark.Change) int64 {
	if j.times == nil {
		j.times = map[rowID]int64{}
		for i := range j.changes {
			if c := &j.changes[i]; c.MadeAt != 0 && c.Op != tidemark.Delete {
				t := j.schema.Table(c.Table)
				j.times[rowID{t.ID, t.KeyID(movedTo(t, c))}] = c.MadeAt
			}
		}
	}
	return j.effective(t, j.times[rowID{t.ID, t.KeyID(effect.Key)}])
}

// madeByHand is when another program wrote into the file, as far as its triggers tell.
func (g *group) madeByHand(_ *tidemark.Table, effect *tidemark.Change) int64 {
	if effect.MadeAt == 0 {
		return g.now
	}
	return min(effect.MadeAt, g.now)
}

func (g *group) saveTime(t *tidemark.Table, key []tidemark.Value, col int, at int64) error {
	before, err := g.tx.EditTime(t.ID, key, col)
	if err != nil {
		return err
	}
	if before != 0 {
		at = max(at, before+1)
	}
	return g.tx.SaveEditTime(t.ID, key, col, at)
}
