package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/sim/disk"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// replicaFile is the name of a device's copy on its disk.
const replicaFile = "copy.db"

// device is a machine with a copy: an app that writes, and an engine that
// syncs, two processes on one file.
type device struct {
	w      *world
	name   string
	number int
	owner  string // whose device it is, "" where nobody is asked
	disk   *disk.Disk
	host   *disk.Process // the engine's
	app    *disk.Process
	db     *lite.DB // the app's connection
	r      *replica.Replica
	loop   *replica.Loop
	up     bool // the engine runs
	epoch  int  // counts engines, to drop what was meant for an earlier one
	apps   int
	skew   int64
	timer  int
	dials  int

	plain   bool // it has no WebSockets
	link    *link
	trips   *trips
	offUp   bool // nothing gets out
	offDown bool // nothing gets in

	unsealed []*local         // committed, not sealed yet, in order
	mine     []*local         // sealed, not settled yet
	kept     map[*local]int64 // rejected, and kept as this record
	disposed map[*local]bool  // rejected, and discarded or retried since
	maybe    *local           // committed or not: a crash cut the commit
	seenAt   int64            // writes of the disk at the last look
	named    bool             // the server gave it a name, as it does before a clone is handed over
	term     string
	seq      tidemark.Seq
	line     *history // the history that seq belongs to
	retries  int      // dials in the second phase
	report   *replica.VerifyReport
	repair   string // what the engine says that it has to repair
	readOnly bool

	renumbered []tidemark.Renumbered // what it was told

	rotten bool // a row was changed behind capture's back

	wants  wants    // the scopes that its owner subscribed to
	wanted *wants   // those that he had before, while a crash leaves it open
	held   []string // those that it has whole
	soiled bool     // a row was changed behind capture's back once
}

// newDevice makes a device that has had the space from the beginning.
func (w *world) newDevice(number int) {
	d := w.bareDevice(number)
	if w.model.Scoped() {
		info, err := w.server.store.Snapshot(context.Background(), "snapshot.db")
		w.must(err, "making a snapshot")
		d.from(info)
		return
	}
	d.startApp()
	w.must(d.db.Script(w.work.schema()+";"+tidemark.ConflictsSQL), "making a copy")
	d.create(w.server.hub.State(), w.server.hub.Schema())
}

func (w *world) bareDevice(number int) *device {
	d := &device{
		w: w, number: number, name: fmt.Sprintf("device %d", number),
		kept: map[*local]int64{}, disposed: map[*local]bool{},
	}
	d.disk = disk.New(w.source(d.name + " disk"))
	d.plain = w.chance(w.faults.plain)
	switch {
	case w.model.Scoped() && number%5 != 0: // every fifth is nobody's
		d.owner, d.wants = person(number), w.chooseWants()
	case w.model.Table("club") != nil:
		d.owner = person(number)
	}
	return d
}

// create makes a replica of the plain file that is on the disk, and starts it.
func (d *device) create(state tidemark.SpaceState, schema *tidemark.Schema) {
	w := d.w
	maker := d.disk.Start(w.vfsName(d.name+" maker", 0))
	err := replica.Create(replicaFile, replica.CreateOptions{
		Options: replica.Options{VFS: maker.Name(), Rand: bytesOf{w.source(d.name + " maker")}},
		Server:  "sim", State: state, Schema: schema, ReadOnly: d.readOnly,
		Only: d.wants.only, Want: d.wants.list,
	})
	w.must(err, "making a replica")
	maker.Stop()
	if d.app == nil {
		d.startApp()
	}
	w.devices = append(w.devices, d)
	d.start()
}

func (d *device) startApp() {
	d.apps++
	d.app = d.disk.Start(d.w.vfsName(d.name+" app", d.apps))
	d.db = d.w.openShell(d.app, replicaFile, d.clock)
}

// start brings app and engine up, after a crash too.
func (d *device) start() {
	w := d.w
	d.epoch++
	if d.app.Dead() {
		d.startApp()
	}
	d.resolve()
	d.host = d.disk.Start(w.vfsName(d.name+" engine", d.epoch))
	r, err := replica.Open(replicaFile, replica.Options{
		VFS: d.host.Name(), Rand: bytesOf{w.source(fmt.Sprintf("%s engine %d", d.name, d.epoch))},
	})
	if d.host.Dead() || err != nil && d.host.Failed() {
		d.crash(false)
		return
	}
	w.must(err, d.name+": opening the replica")
	d.r, d.up = r, true
	d.loop = replica.NewLoop(r, replica.LoopOptions{
		Rand:     bytesOf{w.source(fmt.Sprintf("%s loop %d", d.name, d.epoch))},
		MinDelay: 100 * time.Millisecond, MaxDelay: 4 * time.Second, Patience: 4 * time.Second,
		Keepalive: 6 * time.Second, PushBytes: 1 << 10,
	})
	w.trace("%s up", d.name)
	d.seenAt = -1
	d.observe()
	d.step(replica.Start{})
}

// clock is what the device takes for the time.
func (d *device) clock() int64 { return d.w.now + d.skew }

// step lets the loop take an event, looks at what became of the file, and then
// does what the loop wants.
func (d *device) step(ev replica.Event) {
	if !d.up {
		return
	}
	effects, err := d.loop.Step(d.clock(), ev)
	if d.host.Dead() {
		d.crash(d.w.chance(0.5))
		return
	}
	if err != nil && d.host.Failed() {
		d.w.trace("%s: its disk fails", d.name)
		err = nil
	}
	if code := tidemark.CodeOf(err); d.w.faults.frames && (code == tidemark.CodeSchema || d.w.model.Scoped() && code == tidemark.CodeProtocol) {
		err = nil // the message with the schema got lost, or the one with the scopes
	}
	d.w.must(err, fmt.Sprintf("%s: step %T in state %v", d.name, ev, d.loop.State()))
	d.w.trace("%s %T: %v", d.name, ev, d.loop.State())
	d.observe()
	for _, e := range effects {
		d.perform(e)
	}
}

func (d *device) perform(e replica.Effect) {
	switch e := e.(type) {
	case replica.Dial:
		if d.w.calm {
			d.retries++
		}
		d.dial()
	case replica.Send:
		if d.trips != nil {
			d.trips.send(e.Msgs)
			return
		}
		for _, m := range e.Msgs {
			if d.link != nil && !d.link.closed {
				d.link.sendUp(m)
			}
		}
	case replica.Close:
		if d.link != nil {
			d.link.hangUp()
			d.link = nil
		}
		d.endTrips()
		d.dials++ // a dial on its way is given up
	case replica.SetTimer:
		d.timer++
		timer, epoch := d.timer, d.epoch
		d.w.after(e.After.Milliseconds(), func() {
			if d.timer == timer && d.epoch == epoch {
				d.step(replica.Tick{})
			}
		})
	case replica.Notify:
		d.hear(e.Note)
	}
}

// hear notes what the engine tells the app.
func (d *device) hear(n replica.Note) {
	if n.Err != nil {
		d.w.trace("%s says %s: %s", d.name, n.Err.Code, n.Err.Msg)
	}
	if n.Verify != nil {
		d.report = n.Verify
		d.w.trace("%s verified: %+v", d.name, *n.Verify)
	}
}

// crash ends the engine; with the power, the app too and what was not synced.
func (d *device) crash(power bool) {
	w := d.w
	w.stats.Crashes++
	w.trace("%s down, power cut: %v", d.name, power)
	d.up = false
	d.epoch++
	d.host.Kill()
	if d.r != nil {
		_ = d.r.Close()
		d.r, d.loop = nil, nil
	}
	d.host.Stop()
	if d.link != nil {
		d.link.breakOff()
		d.link = nil
	}
	d.endTrips()
	if power {
		d.app.Kill()
		_ = d.db.Close()
		d.app.Stop()
		d.disk.PowerCut()
	}
	epoch := d.epoch
	w.after(w.between(0, 3000), func() {
		if d.epoch == epoch && !d.up {
			w.stats.Restarts++
			d.start()
		}
	})
}

// state reads the device's tables as the app sees them.
func (d *device) state() oracle.State {
	s, err := dump(d.db, d.w.model)
	d.w.must(err, d.name+": reading as the app")
	return s
}
