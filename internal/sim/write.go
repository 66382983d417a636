package sim

import (
	"errors"
	"fmt"

	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"

	"github.com/tidemarkdb/tidemark"
)

// errNothing ends a transaction that turned out to have nothing to do.
var errNothing = errors.New("nothing to do")

// write lets the app commit one transaction, through the library's path or as
// any other program would, and writes it down in the ledger.
func (d *device) write() {
	w := d.w
	if d.app.Dead() {
		return
	}
	c := &local{device: d, own: w.chance(0.6), poison: w.chance(w.work.poison())}
	if c.own {
		_, _ = bytesOf{w.rand}.Read(c.salt[:])
	}
	if w.chance(w.faults.midway * (w.faults.power + w.faults.kill)) {
		d.app.KillAfter(w.rand.IntN(40))
	}
	err := d.transact(c)
	switch {
	case d.app.Dead():
		d.maybe = c
		d.crash(true)
		return
	case err != nil:
		d.app.KillAfter(-1)
		w.trace("%s: refused at home", d.name)
		return
	}
	d.app.KillAfter(-1)
	if d.readOnly && !equal(c.before, c.after) {
		w.fail("I1", "%s is read-only and took a write: %v", d.name, difference(w.model, c.before, c.after))
	}
	d.committed(c)
	epoch := d.epoch
	w.after(w.between(0, 150), func() {
		if d.epoch == epoch {
			d.step(replica.Local{})
		}
	})
}

func (d *device) committed(c *local) {
	if c.own && !c.recorded {
		return // nothing was captured, so nothing marks that there was a transaction
	}
	d.w.ledger.commit(c)
	d.unsealed = append(d.unsealed, c)
	d.w.secrets.write(d.owner, c.before, difference(d.w.model, c.before, c.after))
	d.w.trace("%s commits %d, own %v poison %v: %v", d.name, c.id, c.own, c.poison, difference(d.w.model, c.before, c.after))
}

// transact runs the workload inside a transaction and dumps the tables before and after.
func (d *device) transact(c *local) error {
	if c.poison {
		if err := enforce(d.db, false); err != nil {
			return err
		}
		defer func() { _ = enforce(d.db, true) }()
	}
	return d.db.Transaction(func() error {
		first, err := capture.Begin(d.db)
		if err != nil {
			return err
		}
		if c.before, err = dump(d.db, d.w.model); err != nil {
			return err
		}
		if err := d.fill(c); err != nil {
			return err
		}
		if c.after, err = dump(d.db, d.w.model); err != nil {
			return err
		}
		if equal(c.before, c.after) && d.w.chance(0.8) {
			return errNothing // otherwise an empty transaction commits, as it may
		}
		return d.mark(c, first)
	})
}

// enforce switches the constraints on or off that a program may switch.
func enforce(db *lite.DB, on bool) error {
	if err := db.Run(fmt.Sprintf("PRAGMA ignore_check_constraints = %v", !on)); err != nil {
		return err
	}
	return db.Run(fmt.Sprintf("PRAGMA foreign_keys = %v", on))
}

func (d *device) fill(c *local) error {
	if c.poison {
		return d.w.work.spoil(d.w, d.db, d.number)
	}
	return d.w.work.write(d.w, d.db, d.number)
}

func (d *device) mark(c *local, first int64) error {
	if !c.own {
		return nil
	}
	seq, err := meta.Int(d.db, meta.KeySeq)
	if err != nil {
		return err
	}
	c.recorded, err = capture.End(d.db, capture.Mark{First: first, Salt: c.salt, MadeAt: d.clock(), Seen: tidemark.Seq(seq)})
	return err
}

// resolve finds out whether a commit that a crash cut had happened.
func (d *device) resolve() {
	c := d.maybe
	if c == nil {
		return
	}
	d.maybe = nil
	now := d.state()
	switch {
	case c.after != nil && equal(now, c.after) && !equal(c.before, c.after):
		d.committed(c)
	case c.before != nil && !equal(now, c.before):
		d.w.fail("I5", "%s: a transaction was cut in half by a crash:\n%s", d.name, oracle.Diff(c.before, now, 8))
	}
}
