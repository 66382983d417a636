package twin

import (
	"context"
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// world is a server with its devices, under one clock. It does what it is told.
type world struct {
	seed     uint64
	name     string
	schema   string
	policies func(*tidemark.Schema) (*tidemark.Schema, error)
	scoped   bool // scopes are declared
	variant  int  // in this way
	chunk    int
	limits   wire.Limits
	make     func(number, epoch int) device // every exchange makes a device of the other kind, if there are two
	brief    bool                           // messages leave out what both sides know
	now      int64
	server   *server
	devices  []*machine
	told     []string // what happened since the last look
	outcomes map[string]int
}

// begun is the time at which worlds begin.
const begun = 1_700_000_000_000

func (w *world) begin() {
	w.now, w.outcomes = begun, map[string]int{}
	w.server = newServer(w)
}

func (w *world) close() {
	for _, d := range w.devices {
		d.dev.close()
	}
	if w.server != nil {
		w.server.stop()
	}
}

// broken is a failure of a world itself.
type broken struct{ text string }

func (w *world) must(err error, doing string) {
	if err != nil {
		panic(broken{fmt.Sprintf("world %s, %s: %v", w.name, doing, err)})
	}
}

func (w *world) tell(format string, args ...any) {
	w.told = append(w.told, fmt.Sprintf(format, args...))
}

// take returns what was told since the last call.
func (w *world) take() []string {
	told := w.told
	w.told = nil
	return told
}

func (w *world) device(number int) *machine {
	if number < 1 || number > len(w.devices) {
		return nil
	}
	return w.devices[number-1]
}

// do carries one operation out.
func (w *world) do(o Op) {
	w.now += o.Wait
	switch o.Do {
	case "group":
		w.server.group()
	case "restart":
		w.server.restart(nil)
	case "backup":
		w.server.backup = w.server.disk.Copy(nil)
	case "restore":
		if b := w.server.backup; b != nil {
			w.server.backup = nil
			w.server.restart(b)
		}
	case "foreign":
		w.server.scribble(o)
	case "grow":
		err := w.server.shell.Script(o.Stmts[0].SQL)
		w.tell("shell: %v", err)
		w.server.due, w.server.backup = true, nil // to put an older schema in place is another story
	case "declare":
		w.server.declare(o.N)
	case "clone":
		w.clone(o)
	case "drain":
		w.drain()
	default:
		if d := w.device(o.Dev); d != nil {
			d.do(o)
		}
	}
}

// drain lets everyone settle.
func (w *world) drain() {
	for round := 0; ; round++ {
		if round == 200 {
			panic(broken{"world " + w.name + " never settles"})
		}
		done := true
		for _, d := range w.devices {
			d.step(event{Type: "local"}, false)
			d.sync(1000)
			if d.state != "idle" && d.state != "stopped" {
				done = false
				if d.link == nil || len(d.link.down) == 0 {
					d.do(Op{Do: "tick"})
				}
			}
			if l := d.link; l != nil && len(l.up)+len(l.down) > 0 {
				done = false
			}
		}
		if done && !w.server.due && len(w.server.waiting) == 0 {
			return
		}
	}
}

// clone makes another device of a snapshot.
func (w *world) clone(o Op) {
	s := w.server
	if s.due {
		s.group()
	}
	info, err := s.store.Snapshot(context.Background(), "snapshot.db")
	w.must(err, "making a snapshot")
	data := s.disk.Contents("snapshot.db")
	s.disk.Remove("snapshot.db")
	d := w.addDevice()
	w.must(d.dev.create(data, info.State, s.hub.Schema(), o), "making a replica")
	w.tell("device %d is cloned at %d, read-only %v", d.number, info.State.Head, o.Flag)
}

func (w *world) addDevice() *machine {
	d := &machine{w: w, number: len(w.devices) + 1, state: "offline"}
	if w.scoped {
		d.who = person(d.number)
	}
	d.dev = w.make(d.number, 0)
	w.devices = append(w.devices, d)
	return d
}
