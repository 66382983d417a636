package sim

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/sim/disk"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// Bounds of the second phase.
const (
	quietWithin = 30_000 // milliseconds of virtual time
	retriesMost = 20
)

// settle is the second phase: everything works again, nobody writes, and soon
// nothing may be left to do.
func (w *world) settle() {
	w.trace("the network heals")
	w.calm = true
	for _, d := range w.devices {
		d.offUp, d.offDown, d.retries = false, false, 0
		for _, p := range []*disk.Process{d.app, d.host} {
			p.KillAfter(-1)
			p.FailAfter(0, nil)
		}
	}
	w.server.host.KillAfter(-1)
	w.server.host.FailAfter(0, nil)
	w.quieten()
	w.verifyAll()
	if w.chance(w.faults.rot * 40) {
		w.rotServer()
	}
	w.finalJudgement()
}

// quieten runs until everything is settled, or fails.
func (w *world) quieten() {
	for _, d := range w.devices {
		w.after(w.between(0, 200), func() { d.wake() })
	}
	began := w.now
	for w.now < began+quietWithin {
		w.until(w.now + 50)
		if w.quiet() {
			w.trace("quiet after %d ms", w.now-began)
			return
		}
	}
	w.fail("I11", "not settled after %d ms:\n%s", quietWithin, w.unrest())
}

// wake resumes a device: a stopped loop is told to try again.
func (d *device) wake() {
	if !d.up {
		return
	}
	if s := d.loop.State(); s == replica.Stopped || s == replica.AuthNeeded || s == replica.Offline {
		d.step(replica.Start{})
	}
	d.step(replica.Local{})
}

func (w *world) quiet() bool {
	if !w.server.quiet() {
		return false
	}
	for _, d := range w.devices {
		if !d.up || len(d.unsealed) > 0 || !d.loop.Settled() || d.loop.State() != replica.Idle || d.repair != "" || !d.atHead() {
			return false
		}
	}
	return true
}

// unrest says who is not settled.
func (w *world) unrest() string {
	text := fmt.Sprintf("server up %v, %d submissions wait, head %d\n", w.server.up, len(w.server.waiting), w.ledger.now.head())
	for _, d := range w.devices {
		if !d.up {
			text += d.name + " is down\n"
			continue
		}
		st, err := d.r.Status()
		text += fmt.Sprintf("%s: state %v, settled %v, %d dials, %d unsealed, %+v %v\n",
			d.name, d.loop.State(), d.loop.Settled(), d.retries, len(d.unsealed), st, err)
	}
	return text
}

// verifyAll lets every device compare every row with the server. Only what was
// changed behind capture's back may differ, and it must be found.
func (w *world) verifyAll() {
	for _, d := range w.devices {
		if w.chance(w.faults.rot * 40) {
			d.rot()
		}
		d.report = nil
		d.step(replica.Verify{})
	}
	began := w.now
	for w.now < began+quietWithin {
		w.until(w.now + 50)
		if w.verified() && w.quiet() {
			w.reports()
			return
		}
	}
	w.fail("I11", "verification did not end within %d ms:\n%s", quietWithin, w.unrest())
}

func (w *world) verified() bool {
	for _, d := range w.devices {
		if d.report == nil {
			return false
		}
	}
	return true
}

func (w *world) reports() {
	for _, d := range w.devices {
		switch {
		case d.rotten && (d.report.Differed == 0 || d.report.Saved == 0):
			w.fail("I13", "%s: rows changed behind capture's back were not found and saved: %+v", d.name, *d.report)
		case !d.rotten && d.report.Differed != 0:
			w.fail("I13", "%s differed from the server in %d rows", d.name, d.report.Differed)
		}
		d.rotten, d.seenAt = false, -1
		d.observe()
	}
}

// finalJudgement checks what must hold once everything is settled.
func (w *world) finalJudgement() {
	for _, d := range w.devices {
		d.judge()
	}
	w.sound(w.server.shell, "the server's file")
	for _, c := range w.ledger.locals {
		w.accountFor(c)
	}
}

// judge checks one device in the end.
func (d *device) judge() {
	w := d.w
	v := d.look()
	head := w.ledger.now.head()
	if len(v.pending) > 0 || v.status.Unsealed {
		w.fail("I11", "%s still has %d pending changesets", d.name, len(v.pending))
	}
	if text := oracle.Diff(d.confirmed(w.ledger.now.at(head), w.list(d.owner, d.wants)), v.state, 8); text != "" {
		w.fail("I13", "%s differs from the server in the end:\n%s", d.name, text)
	}
	if st := w.server.hub.State(); !w.model.Scoped() && (v.hello.Sum != st.Sum || v.hello.Seq != st.Head) || !v.status.Proven {
		w.fail("I13", "%s is at seq %d with digest %x, proven %v; the server at %d with %x",
			d.name, v.hello.Seq, v.hello.Sum, v.status.Proven, st.Head, st.Sum)
	}
	if d.retries > retriesMost {
		w.fail("I11", "%s dialled %d times after the network healed", d.name, d.retries)
	}
	w.sound(d.db, d.name)
	d.explainRejected()
	d.conflicts()
}

// sound lets SQLite itself judge a file.
func (w *world) sound(db *lite.DB, what string) {
	text, err := db.Text("PRAGMA integrity_check")
	w.must(err, "checking "+what)
	if text != "ok" {
		w.fail("I15", "%s: %s", what, text)
	}
	n := 0
	err = db.Each("PRAGMA foreign_key_check", func(*lite.Stmt) error { n++; return nil })
	w.must(err, "checking the foreign keys of "+what)
	if n > 0 {
		w.fail("I15", "%s holds %d rows that reference nothing", what, n)
	}
}

// isPart reports whether a kept record is no changeset: what a repair took out
// of the tables.
func isPart(r replica.Rejected) bool {
	return r.Code == tidemark.CodeUncaptured || r.Code == tidemark.CodeRecovered
}

// explainRejected checks that nothing is kept as rejected that was not.
func (d *device) explainRejected() {
	list, err := d.r.Rejected()
	d.w.must(err, d.name+": rejected")
	spare := len(list)
	for _, r := range list {
		if isPart(r) {
			spare--
		}
	}
	if spare != len(d.kept) {
		text := ""
		for _, r := range list {
			text += fmt.Sprintf("\n  %d as %d: %s %.200v", r.ID, r.N, r.Code, named(d.r.Schema(), r.Changes))
		}
		d.w.fail("I6", "%s keeps %d rejected changesets, %d were rejected:%s", d.name, spare, len(d.kept), text)
	}
}

// accountFor checks that a committed changeset has exactly one end.
func (w *world) accountFor(c *local) {
	switch {
	case c.wiped: // by force
	case c.hash == (tidemark.Hash{}): // part of another, or nothing in the end
		if c.after != nil && !equal(c.before, c.after) {
			w.fail("I6", "%s: changeset %d was never sealed", c.device.name, c.id)
		}
	case c.undone:
	case c.outcome == nil:
		w.fail("I6", "%s: changeset %d has no outcome", c.device.name, c.id)
	case c.outcome.Kind == tidemark.Rejected && c.device.kept[c] == 0 && !c.device.disposed[c]:
		w.fail("I6", "%s: changeset %d was rejected and is not kept", c.device.name, c.id)
	}
}
