package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/sim/disk"
)

// mostDevices bounds how many copies of copies there are.
const mostDevices = 8

// fork copies a device's file, as somebody who does not know better would, and
// goes on with both.
func (w *world) fork(d *device) {
	if len(w.devices) >= mostDevices || len(d.unsealed) > 0 || d.maybe != nil || d.app.Dead() || !d.named {
		return // what has no name yet cannot be told apart afterwards
	}
	w.ledger.forked = true
	n := w.nextDevice()
	twin := &device{w: w, number: n, name: fmt.Sprintf("device %d", n), kept: maps.Clone(d.kept), disposed: maps.Clone(d.disposed), named: true}
	twin.plain, twin.owner, twin.wants = d.plain, d.owner, d.wants
	twin.mine = slices.Clone(d.mine)
	twin.renumbered = slices.Clone(d.renumbered)
	twin.disk = d.disk.Copy(w.source(twin.name + " disk"))
	w.devices = append(w.devices, twin)
	w.trace("%s is a copy of %s", twin.name, d.name)
	twin.startApp()
	twin.start()
}

// clone makes a new device from a snapshot of the server; some can only be read.
func (w *world) clone() {
	if len(w.devices) >= mostDevices {
		return
	}
	w.download(nil)
}

// download makes d, or a new device, of a snapshot of the server, and reports
// false when the server gives none out now.
func (w *world) download(d *device) bool {
	s := w.server
	if !s.up || s.foreignBefore != nil || s.moving {
		return false
	}
	info, err := s.store.Snapshot(context.Background(), "snapshot.db")
	if s.failed(err, "making a snapshot") || s.host.Dead() {
		s.disk.Remove("snapshot.db")
		return false
	}
	w.must(err, "making a snapshot")
	if d == nil {
		d = w.bareDevice(w.nextDevice())
	}
	d.readOnly = w.chance(0.2)
	d.from(info)
	return true
}

// nextDevice numbers devices; those that are gone keep theirs.
func (w *world) nextDevice() int { return len(w.devices) + w.gone + 1 }

// from makes a device of the snapshot that the server's machine holds.
func (d *device) from(info tidemark.SnapshotInfo) {
	d.disk.Take(d.w.server.disk, "snapshot.db", replicaFile)
	d.w.trace("%s is cloned at seq %d, read-only %v, of %q, it wants %v", d.name, info.State.Head, d.readOnly, d.owner, d.wants)
	d.create(info.State, d.w.server.hub.Schema())
}

// backup is a copy of the server's file, with what the ledger held then.
type backup struct {
	disk     *disk.Disk
	head     int
	recorded int

	renumbered int
}

// backupOrRestore takes a copy of the server's file, or puts the one taken
// before in place of the file.
func (w *world) backupOrRestore() {
	s := w.server
	if s.foreignBefore != nil || s.moving || !s.up || s.host.Dead() {
		return
	}
	if s.backup == nil {
		s.backup = &backup{disk: s.disk.Copy(w.rand), head: int(w.ledger.now.head()), recorded: w.ledger.recordedSoFar, renumbered: len(w.ledger.renumbered)}
		w.trace("the server's file is copied at head %d", s.backup.head)
		return
	}
	w.trace("the server's file is replaced by the copy of head %d", s.backup.head)
	s.crash(true)
	s.disk.Replace(s.backup.disk)
	w.ledger.rewind(s.backup)
	s.backup = nil
	s.lives++ // the restart that the crash planned is off
	s.start()
}

// rewind goes back to what the ledger was when the backup was made.
func (l *ledger) rewind(b *backup) {
	l.now = l.now.cut(seqOf(b.head))
	l.rewound, l.renumbered = true, l.renumbered[:b.renumbered]
	for _, rows := range l.refused {
		for row, at := range rows {
			if at > l.now.head() {
				delete(rows, row)
			}
		}
	}
	clear(l.order)
	for _, c := range l.locals {
		if c.outcome != nil && c.place >= b.recorded {
			c.outcome, c.told, c.undone = nil, false, true
		}
	}
}

// dispose lets the app deal with a rejected changeset.
func (d *device) dispose() {
	if !d.up || d.app.Dead() {
		return
	}
	list, err := d.r.Rejected()
	d.w.must(err, d.name+": rejected")
	if len(list) == 0 {
		return
	}
	r := list[d.w.rand.IntN(len(list))]
	if isPart(r) {
		return // parts of changesets: to send them is a person's decision
	}
	if d.w.chance(0.5) {
		d.w.trace("%s discards rejected changeset %d", d.name, r.ID)
		err = d.r.Discard(r.ID)
	} else {
		err = d.retry(r)
	}
	if d.host.Dead() {
		d.crash(false)
		return
	}
	if err != nil && d.host.Failed() {
		d.w.trace("%s: its disk fails", d.name)
		err = nil
	}
	d.w.must(err, d.name+": disposing of a rejected changeset")
	d.forgetRejected(r)
	d.observe()
	d.step(replica.Local{})
}

// retry applies a rejected changeset again, as a new one.
func (d *device) retry(r replica.Rejected) error {
	if _, err := d.r.Seal(d.clock()); err != nil {
		return err
	}
	d.observe()
	if d.host.Dead() {
		return nil
	}
	c := &local{device: d, own: true, recorded: true, before: d.state()}
	parts, err := d.r.Retry(r.ID, false, d.clock())
	d.w.trace("%s retries rejected changeset %d: %d parts", d.name, r.ID, parts)
	c.after = d.state()
	if parts > 0 || d.host.Dead() && !equal(c.before, c.after) {
		d.committed(c)
	}
	return refusedAgain(err)
}

// forgetRejected notes that a rejected changeset is not kept any more, if it is not.
func (d *device) forgetRejected(r replica.Rejected) {
	list, err := d.r.Rejected()
	d.w.must(err, d.name+": rejected")
	if slices.ContainsFunc(list, func(other replica.Rejected) bool { return other.ID == r.ID }) {
		return
	}
	for c, id := range d.kept {
		if id == r.ID {
			delete(d.kept, c)
			d.disposed[c] = true
			return
		}
	}
}
