package twin

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// machine is a device with its connection, as the network sees it.
type machine struct {
	w       *world
	number  int
	dev     device
	link    *link
	state   string
	dialing bool
	timer   int64  // milliseconds that the loop asked for; 0 none
	epoch   int    // engines that its file has had
	skew    int64  // of its clock
	who     string // whose it is, where scopes are declared
	changed bool   // its tables may no longer be the server's
}

// link is one connection; messages wait in it until they are let through.
type link struct {
	device  *machine
	session *hub.Session
	up      []string
	down    []string
	short   [2]wire.Shorthand // the server's reader and writer
}

func (d *machine) do(o Op) {
	w := d.w
	switch o.Do {
	case "write", "tamper", "retry", "discard", "replace", "ddl":
		d.act(o)
	case "subscribe":
		d.subscribe(o)
	case "start", "local", "rewant", "verify", "hangup":
		d.step(event{Type: o.Do}, o.Flag)
	case "tick":
		if d.timer > 0 {
			w.now += d.timer
			d.timer = 0
			d.step(event{Type: "tick"}, false)
		}
	case "connect":
		d.connect()
	case "up":
		d.letUp(o.N)
	case "down":
		d.letDown(o.N, o.Flag)
	case "lose", "double", "swap":
		d.garble(o)
	case "cut":
		d.cut()
	case "crash":
		d.crash()
	case "sync":
		d.sync(o.N)
	case "report":
		lines, err := d.dev.report()
		w.must(err, fmt.Sprintf("device %d: reporting", d.number))
		w.told = append(w.told, lines...)
	case "skew":
		d.skew = int64(o.N)
	case "mangle":
		d.mangle(o)
	case "fork":
		d.fork()
	case "exchange":
		d.exchange()
	default:
		w.must(fmt.Errorf("no operation %q", o.Do), "reading the script")
	}
}

// act lets the app do something.
func (d *machine) act(o Op) {
	var said string
	var err error
	switch o.Do {
	case "write":
		said, err = d.dev.write(d.w.now+d.skew, o)
	case "tamper":
		said, err = d.dev.tamper(d.w.now+d.skew, o)
	case "ddl":
		d.changed = true
		said, err = d.dev.redefine(d.w.now+d.skew, o.Stmts[0].SQL)
	default:
		said, err = d.dev.dispose(d.w.now+d.skew, o)
	}
	d.w.must(err, fmt.Sprintf("device %d: %s", d.number, o.Do))
	d.w.tell("%s on %d: %s", o.Do, d.number, said)
}

// step lets the loop take an event and does what it wants; unless it dies
// after its last commit, before it could say anything.
func (d *machine) step(ev event, dies bool) {
	w := d.w
	out, err := d.dev.step(w.now+d.skew, ev)
	w.must(err, fmt.Sprintf("device %d: %s", d.number, ev.Type))
	d.state = out.State
	w.tell("%s on %d: %s %s", ev.Type, d.number, out.State, out.Fault)
	for _, e := range out.Effects {
		w.tell("  %v", e)
	}
	if dies {
		d.crash()
		return
	}
	for _, e := range out.Effects {
		d.perform(e)
	}
}

func (d *machine) perform(e effect) {
	switch e.Do {
	case "dial":
		d.dialing = true
	case "close":
		d.hangUp()
	case "timer":
		d.timer = max(e.After, 0)
	case "send":
		if d.link != nil {
			d.link.up = append(d.link.up, e.Texts...)
		}
	}
}

// connect answers a dial.
func (d *machine) connect() {
	if !d.dialing {
		return
	}
	d.dialing = false
	d.link = &link{device: d, session: d.w.server.hub.NewSession(d.owner())}
	d.step(event{Type: "connected"}, false)
}

// hangUp is the device closing its end.
func (d *machine) hangUp() {
	d.dialing = false
	if l := d.link; l != nil {
		d.link = nil
		l.session.End()
	}
}

// cut breaks the connection, and both sides hear of it.
func (d *machine) cut() {
	if d.link != nil {
		d.hangUp()
		d.step(event{Type: "disconnected"}, false)
	}
}

func (d *machine) crash() {
	d.hangUp()
	d.w.must(d.dev.reopen(), fmt.Sprintf("device %d: opening the copy again", d.number))
	d.state, d.timer = "offline", 0
}

// letUp lets one of the messages through to the server.
func (d *machine) letUp(n int) {
	l := d.link
	if l == nil || n >= len(l.up) {
		return
	}
	text := l.up[n]
	l.up = append(l.up[:n:n], l.up[n+1:]...)
	d.w.server.receive(l, text)
}

// letDown lets one of the messages through to the device.
func (d *machine) letDown(n int, dies bool) {
	l := d.link
	if l == nil || n >= len(l.down) {
		return
	}
	text := l.down[n]
	l.down = append(l.down[:n:n], l.down[n+1:]...)
	d.step(event{Type: "received", Text: text}, dies)
	if d.link == l {
		d.w.server.pump(l)
	}
}

// garble does to the first messages on the way what a bad network does. N is 0
// for those to the server.
func (d *machine) garble(o Op) {
	l := d.link
	if l == nil {
		return
	}
	lane := &l.up
	if o.N != 0 {
		lane = &l.down
	}
	switch {
	case len(*lane) == 0:
	case o.Do == "lose":
		*lane = (*lane)[1:]
	case o.Do == "double":
		*lane = append([]string{(*lane)[0]}, *lane...)
	case len(*lane) > 1:
		(*lane)[0], (*lane)[1] = (*lane)[1], (*lane)[0]
	}
}

// mangle puts a strange character into the next message to the device.
func (d *machine) mangle(o Op) {
	l := d.link
	if l == nil || len(l.down) == 0 {
		return
	}
	text := []rune(l.down[0])
	text[o.N%len(text)] = []rune(o.Stmts[0].SQL)[0]
	l.down[0] = string(text)
}

// sync brings a device on line and lets up to n messages through, group by group.
func (d *machine) sync(n int) {
	if d.state == "offline" || d.state == "backoff" || d.state == "stopped" || d.state == "auth needed" {
		d.step(event{Type: "start"}, false)
	}
	d.connect()
	for n > 0 {
		switch {
		case d.dialing:
			d.connect()
		case d.link != nil && len(d.link.up) > 0:
			d.letUp(0)
		case len(d.w.server.waiting) > 0 || d.w.server.due:
			d.w.server.group()
		case d.link != nil && len(d.link.down) > 0:
			d.letDown(0, false)
		default:
			return
		}
		d.w.now += 3
		n--
	}
}

// owner is who opens a device's sessions.
func (d *machine) owner() tidemark.Principal { return tidemark.Principal{ID: d.who} }

// subscribe lets the owner want other scopes, and tells the loop.
func (d *machine) subscribe(o Op) {
	want, err := wanted(o.Stmts)
	d.w.must(err, "reading wants")
	said, err := d.dev.subscribe(d.w.now+d.skew, o.Flag, want)
	d.w.must(err, fmt.Sprintf("device %d: subscribing", d.number))
	d.w.tell("subscribe on %d: %s", d.number, said)
	d.step(event{Type: "rewant"}, false)
}

// exchange gives the file to an engine of the other kind: a replica that was
// made in a browser is one for the binary, and the other way round.
func (d *machine) exchange() {
	d.hangUp()
	image, err := d.dev.image()
	d.w.must(err, "reading a device's file")
	d.dev.close()
	d.epoch++
	d.dev = d.w.make(d.number, d.epoch)
	d.w.must(d.dev.adopt(image), "opening the other kind's file")
	d.state, d.timer = "offline", 0
}

// fork copies a device's file, as somebody who does not know better would.
func (d *machine) fork() {
	w := d.w
	image, err := d.dev.image()
	w.must(err, "reading a device's file")
	other := w.addDevice()
	other.changed, other.epoch, other.who = d.changed, d.epoch+2, d.who
	other.dev = w.make(other.number, other.epoch)
	w.must(other.dev.adopt(image), "opening a copied file")
	w.tell("device %d is a copy of %d", other.number, d.number)
}
