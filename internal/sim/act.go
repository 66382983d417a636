package sim

import (
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/sim/disk"
)

// act does one thing: mostly a write, sometimes a mishap.
func (w *world) act() {
	f := &w.faults
	d := w.devices[w.rand.IntN(len(w.devices))]
	switch {
	case w.chance(f.breaks):
		w.breakOne(d)
	case w.chance(f.storm):
		w.trace("every connection breaks")
		for _, l := range append([]*link(nil), w.server.links...) {
			l.breakOff()
		}
	case w.chance(f.partition):
		w.partition(d)
	case w.chance(f.kill):
		w.kill(d, false)
	case w.chance(f.power):
		w.kill(d, true)
	case w.chance(f.serverDie):
		w.killServer()
	case w.chance(f.foreign):
		w.server.writeForeign()
	case w.chance(f.ddl):
		w.server.grow()
	case w.chance(f.clock):
		d.skew = w.between(-1, 1) * w.between(0, 400_000_000_000)
		w.trace("%s has its clock off by %d ms", d.name, d.skew)
	case w.chance(f.verify) && d.up:
		d.step(replica.Verify{})
	case w.chance(f.disk):
		w.failDisk(d)
	case w.chance(f.dispose):
		d.dispose()
	case w.chance(f.logout):
		d.logout()
	case w.chance(f.fork):
		w.fork(d)
	case w.chance(f.declare):
		w.server.redeclare()
	case w.chance(f.want):
		d.subscribe()
	case w.chance(f.clone):
		w.clone()
	case w.chance(f.restore):
		w.backupOrRestore()
	default:
		d.write()
	}
}

func (w *world) breakOne(d *device) {
	if d.link != nil {
		w.trace("%s loses its connection", d.name)
		d.link.breakOff()
	}
}

// partition cuts a device off in one direction or both, for a while.
func (w *world) partition(d *device) {
	switch w.rand.IntN(3) {
	case 0:
		d.offUp = true
	case 1:
		d.offDown = true
	default:
		d.offUp, d.offDown = true, true
	}
	w.trace("%s is cut off, up %v down %v", d.name, d.offUp, d.offDown)
	w.after(w.between(100, 20_000), func() { d.offUp, d.offDown = false, false })
}

// kill ends a device's engine, now or in the middle of one of its next writes.
func (w *world) kill(d *device, power bool) {
	if !d.up {
		return
	}
	if w.chance(w.faults.midway) {
		d.host.KillAfter(w.rand.IntN(60))
		w.trace("%s will die in the middle of a write", d.name)
		return
	}
	d.crash(power)
}

func (w *world) killServer() {
	s := w.server
	if !s.up {
		return
	}
	if w.chance(w.faults.midway) {
		s.host.KillAfter(w.rand.IntN(80))
		w.trace("the server will die in the middle of a write")
		return
	}
	s.crash(w.chance(0.7))
}

// failDisk lets one of the next writes of a device or of the server fail.
func (w *world) failDisk(d *device) {
	p := d.host
	switch w.rand.IntN(3) {
	case 0:
		p = d.app
	case 1:
		p = w.server.host
	}
	err := disk.ErrFull
	if w.chance(0.5) {
		err = disk.ErrIO
	}
	p.FailAfter(1+w.rand.IntN(40), err)
}
