package sim

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// besideCopy is what lies beside a device's copy when its owner logs out, as if
// an earlier clone had left it.
const besideCopy = ".part"

// logout lets the owner of a device log out, sometimes by force. Whatever
// happens meanwhile, the copy is whole afterwards or there is nothing.
func (d *device) logout() {
	w := d.w
	if !d.up || d.app.Dead() || d.maybe != nil || d.wanted != nil || len(w.devices) == 1 {
		return
	}
	d.observe()
	if !d.up || d.host.Dead() {
		return
	}
	force, owes := w.chance(0.3), d.owes()
	w.trace("%s of %q logs out, forced %v, owes %v", d.name, d.owner, force, owes)
	d.disk.Put(replicaFile+besideCopy, d.disk.Contents(replicaFile))
	if w.chance(0.5) {
		d.host.KillAfter(w.rand.IntN(1 + w.rand.IntN(12)))
	}
	err := d.r.Wipe(replica.Wiping{Now: d.clock(), Force: force, Beside: []string{besideCopy}, Remove: d.remove})
	d.host.KillAfter(-1)
	switch gone := d.disk.Contents(replicaFile) == nil; {
	case gone:
		d.wiped(force || !owes)
	case d.host.Dead():
		w.trace("%s died while it was wiped", d.name)
		d.crash(w.chance(0.5)) // it comes back with all that it had
	case err == nil:
		w.fail("I24", "%s logged out and its copy is still there", d.name)
	case d.host.Failed():
		w.trace("%s: its disk fails", d.name)
	case tidemark.CodeOf(err) != tidemark.CodePending || force || !owes:
		w.fail("I24", "%s cannot log out, forced %v, owes %v: %v", d.name, force, owes, err)
	}
	if d.up {
		d.observe()
		d.step(replica.Local{})
	}
}

// owes reports whether the device holds what is nowhere else. What programs
// wrote between the library's transactions counts by its sum.
func (d *device) owes() bool {
	list, err := d.r.Rejected()
	d.w.must(err, d.name+": rejected")
	if len(list) > 0 || len(d.mine) > 0 {
		return true
	}
	var since oracle.State // of a run of other programs' transactions
	for i, c := range d.unsealed {
		if c.own || since == nil {
			since = c.before
		}
		last := i == len(d.unsealed)-1 || c.own || d.unsealed[i+1].own
		if last && !equal(since, c.after) {
			return true
		}
		if last {
			since = nil
		}
	}
	return false
}

// remove deletes a file as the engine's process.
func (d *device) remove(name string) error {
	err := d.host.Delete(name, false)
	if errors.Is(err, sqlite3.IOERR_DELETE_NOENT) {
		return fs.ErrNotExist
	}
	return err
}

// wiped checks that nothing is left on a device's disk, and lets somebody begin
// anew there.
func (d *device) wiped(rightly bool) {
	w := d.w
	if !rightly {
		w.fail("I24", "%s was wiped with what nobody else has: %d pending, %d rejected", d.name, len(d.mine)+len(d.unsealed), len(d.kept))
	}
	if d.disk.Bytes() > 0 {
		w.fail("I24", "%s was wiped, and its disk still holds %d bytes in %v", d.name, d.disk.Bytes(), d.disk)
	}
	for _, c := range slices.Concat(d.mine, d.unsealed) {
		c.wiped = true
	}
	for c := range d.kept {
		d.disposed[c] = true
	}
	d.leave()
	w.devices = slices.DeleteFunc(w.devices, func(other *device) bool { return other == d })
	w.gone++
	w.trace("%s is wiped", d.name)
	owner := d.owner
	if w.chance(0.5) {
		owner = "" // somebody else
	}
	w.signIn(d, owner)
}

// leave ends what runs on a device whose copy is gone.
func (d *device) leave() {
	d.up = false
	d.epoch++
	if d.link != nil {
		d.link.hangUp()
		d.link = nil
	}
	d.endTrips()
	d.host.Kill()
	_ = d.r.Close()
	d.host.Stop()
	_ = d.db.Close()
	d.app.Stop()
}

// signIn makes a new copy on the disk of a device that was wiped, as soon as
// the server gives one out, for its last owner or for whoever comes.
func (w *world) signIn(old *device, owner string) {
	if w.calm {
		return
	}
	d := w.bareDevice(w.nextDevice())
	d.disk = old.disk
	if owner != "" {
		d.owner = owner
	}
	if !w.download(d) {
		w.after(w.between(100, 2000), func() { w.signIn(old, owner) })
	}
}
