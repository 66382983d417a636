package replica

import (
	"fmt"
	"io"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Seal turns what was captured into pending changesets and returns how many
// were made. The transaction is durable when it returns.
func (r *Replica) Seal(now int64) (int, error) {
	// Most calls find nothing; they must not take the write lock.
	if dirty, err := r.unsealed(); err != nil || !dirty {
		return 0, failureOrNil("seal", err)
	}
	made := 0
	err := r.transaction("seal", now, func() (err error) {
		made, err = r.seal()
		return err
	})
	return made, err
}

func failureOrNil(op string, err error) error {
	if err == nil {
		return nil
	}
	return failure(op, err)
}

// unsealed reports whether the log holds records that are not sealed, or the
// file's structure moved, in one look.
func (r *Replica) unsealed() (bool, error) {
	version, err := r.db.Int("PRAGMA main.schema_version")
	if err != nil || version != r.ddl {
		return true, err
	}
	return r.captured()
}

func (r *Replica) captured() (bool, error) {
	if r.readOnly {
		return false, nil
	}
	last, err := capture.Last(r.db, capture.Main)
	return last != 0, err
}

// seal is the first step of every transaction that applies remote rows: from
// here on each local write is in a pending changeset, with the confirmed image
// of each row that it touched first kept aside.
func (r *Replica) seal() (int, error) {
	dirty, err := r.captured()
	if err != nil || !dirty {
		return 0, err
	}
	segments, err := capture.Segments(r.db, capture.Main, r.schema)
	if err != nil {
		return 0, err
	}
	if err := r.expelKeyless(); err != nil {
		return 0, err
	}
	touched := map[int]bool{}
	for i := range segments {
		if err := r.sealSegment(&segments[i]); err != nil {
			return 0, err
		}
		for j := range segments[i].Rows {
			touched[segments[i].Rows[j].Table.ID] = true
		}
	}
	if err := capture.Clear(r.db, capture.Main); err != nil {
		return 0, err
	}
	// The log told other processes which tables moved; now the counters do.
	_, err = countTouched(r.db, touched)
	return len(segments), err
}

func (r *Replica) sealSegment(s *capture.Segment) error {
	c := sealed{madeAt: r.now}
	if s.Mark != nil {
		c.salt, c.seen, c.madeAt = s.Mark.Salt, s.Mark.Seen, s.Mark.MadeAt
	} else {
		seq, err := meta.Int(r.db, meta.KeySeq)
		if err != nil {
			return err
		}
		c.seen = tidemark.Seq(seq)
		if c.salt, err = r.newSalt(); err != nil {
			return err
		}
	}
	if err := r.pend(&c, s.Rows); err != nil {
		return err
	}
	return r.remember(&c)
}

// pend stores row changes that the tables already show as a pending changeset.
func (r *Replica) pend(c *sealed, rows []capture.RowChange) error {
	if err := r.layAside(rows); err != nil {
		return err
	}
	c.changes = capture.Changes(rows)
	if err := r.intents(rows, c.changes); err != nil {
		return err
	}
	return r.appendPending(c)
}

// pendNow stores what the engine itself just did to the tables for its user.
func (r *Replica) pendNow(rows []capture.RowChange) (*sealed, error) {
	seq, err := meta.Int(r.db, meta.KeySeq)
	if err != nil {
		return nil, err
	}
	c := &sealed{seen: tidemark.Seq(seq), madeAt: r.now}
	if c.salt, err = r.newSalt(); err != nil {
		return nil, err
	}
	for i := range rows {
		if capture.KeepsTime(rows[i].Table) {
			rows[i].EditedAt = r.now
		}
	}
	return c, r.pend(c, rows)
}

// layAside keeps the confirmed images of rows that no earlier pending
// changeset touched: what they held before this one.
func (r *Replica) layAside(rows []capture.RowChange) error {
	before := images{}
	for i := range rows {
		if c := &rows[i]; c.Before != nil {
			before[idOf(c.Table, c.Table.KeyOf(c.Before))] = c.Before
			if planted.Is(planted.WrongSide) {
				before[idOf(c.Table, c.Table.KeyOf(c.Before))] = c.After
			}
		}
	}
	for i := range rows {
		if c := &rows[i]; c.After != nil {
			id := idOf(c.Table, c.Table.KeyOf(c.After))
			if _, known := before[id]; !known {
				before[id] = nil // it was not there
			}
		}
	}
	for _, id := range inOrder(before) {
		if err := keepBase(r.db, id, before[id]); err != nil {
			return err
		}
	}
	return nil
}

// newSalt draws a salt. Where there is nothing to draw from (a file that is
// about to be detached), the ticket tells this file from its copies.
func (r *Replica) newSalt() (salt tidemark.Salt, err error) {
	if r.opts.Rand != nil {
		_, err = io.ReadFull(r.opts.Rand, salt[:])
		return salt, err
	}
	ticket, err := meta.Get(r.db, keyTicket)
	if err != nil {
		return salt, err
	}
	n, err := meta.Int(r.db, keyNext)
	hash := wire.HashOf(salt, fmt.Appendf(nil, "%s %d", ticket, n))
	copy(salt[:], hash[:])
	return salt, err
}
