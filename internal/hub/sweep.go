package hub

import (
	"context"
	"time"

	"github.com/tidemarkdb/tidemark"
)

// sweepRows bounds how many records one sweep looks at, so that it does not
// hold the file for long.
const sweepRows = 500

// Sweep deletes conflicts that were kept for as long as their tables say, as a
// changeset of the file. Those that wait for a decision stay. It goes on where
// the one before ended; Commit.More says that it has not come to the end.
func (h *Hub) Sweep(ctx context.Context, now int64) (*Commit, error) {
	c := newCommit()
	var after []tidemark.Value
	err := h.run(ctx, now, c, func(g *group) error {
		t := g.tx.Schema().Named(tidemark.ConflictsTable)
		if t == nil || t.Out != "" {
			return nil
		}
		rows, more, err := g.tx.Rows(nil, t.ID, h.swept, nil, sweepRows)
		if err != nil {
			return err
		}
		if g.commit.More = more && len(rows) > 0; g.commit.More {
			after = t.KeyOf(rows[len(rows)-1])
		}
		return g.forget(t, g.expired(t, rows))
	})
	if err != nil {
		return nil, err
	}
	h.swept = after
	h.seal(c)
	return c, nil
}

// expired makes the deletes of records that were kept for long enough.
func (g *group) expired(t *tidemark.Table, rows [][]tidemark.Value) []tidemark.Change {
	var out []tidemark.Change
	for _, row := range rows {
		if g.isExpired(t, row) {
			out = append(out, tidemark.Change{Table: t.ID, Op: tidemark.Delete, Key: t.KeyOf(row)})
		}
	}
	return out
}

func (g *group) isExpired(t *tidemark.Table, row []tidemark.Value) bool {
	keep, at, state := time.Duration(0), tidemark.Null, ""
	for col := range t.Columns {
		switch v := row[col]; t.Columns[col].Name {
		case "tbl":
			if of := g.tx.Schema().Named(v.Str()); of != nil {
				keep = of.Policy.KeepFor
			}
		case "at":
			at = v
		case "state":
			state = v.Str()
		}
	}
	if keep <= 0 {
		keep = tidemark.DefaultKeepFor
	}
	done := state == tidemark.StateKept || state == tidemark.StateResolved
	return done && at.Kind() == tidemark.KindInt && at.Int64() < g.now-keep.Milliseconds()
}

// forget deletes records. References to them, if an app has made any, follow
// their declared actions; those that forbid it keep everything.
func (g *group) forget(_ *tidemark.Table, deletes []tidemark.Change) error {
	if len(deletes) == 0 {
		return nil
	}
	var effects []tidemark.Change
	err := g.tx.Savepoint(func() error {
		err := g.tx.WriteAll(deletes)
		if err == nil {
			err = g.tx.Settle(deletes)
		}
		if err == nil {
			effects, err = g.tx.Effects()
		}
		if err == nil {
			err = g.sequence(effects)
		}
		return err
	})
	if reason(err) != nil {
		return nil
	}
	if err == nil && len(effects) > 0 {
		g.advance(effects)
	}
	return err
}
