package sim

import (
	"context"
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/sim/disk"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
	"github.com/tidemarkdb/tidemark/internal/wire"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// spaceFile is the name of the server's file on its disk.
const spaceFile = "space.db"

// server is the machine that serves the space: the engine with its store, and
// somebody's shell that has the same file open.
type server struct {
	w     *world
	disk  *disk.Disk
	host  *disk.Process // the engine's
	tool  *disk.Process // the shell's
	store *sqlite.Store
	hub   *hub.Hub
	hook  *hook // nil: none is asked
	shell *lite.DB
	up    bool
	lives int

	links   []*link
	waiting []waiting
	planned bool // a group will run
	term    string
	backup  *backup

	grown  int  // changes of the schema so far
	moving bool // the last one is not sequenced yet

	declared int // how often scopes were declared anew

	foreignBefore oracle.State // what the file held before others wrote into it; nil: nobody did
	foreignLoose  bool         // some of it without constraints
	foreignDone   bool         // the last group sequenced it
	foreignNext   oracle.State // what it held after the last of them
}

// waiting is a submission with the connection that it came by.
type waiting struct {
	link *link
	sub  hub.Submission
}

func (w *world) newServer() *server {
	s := &server{w: w, disk: disk.New(w.source("server disk"))}
	s.tool = s.disk.Start(w.vfsName("shell", 0))
	s.shell = w.openShell(s.tool, spaceFile, func() int64 { return w.now })
	w.must(s.shell.Script(w.work.schema()), "making the served file")
	first, err := dump(s.shell, w.model)
	w.must(err, "dumping the served file")
	w.ledger.begin(first)
	s.start()
	return s
}

// vfsName is unique in the process; it never reaches the trace.
func (w *world) vfsName(part string, life int) string {
	return fmt.Sprintf("sim-%d-%s-%d", w.id, part, life)
}

func (w *world) openShell(p *disk.Process, file string, clock func() int64) *lite.DB {
	db, err := lite.Open(file, lite.Options{VFS: p.Name(), Create: true, Busy: -1})
	w.must(err, "opening "+file)
	w.must(db.Run("PRAGMA foreign_keys = ON"), "switching foreign keys on")
	w.must(db.SetClock(clock), "setting the clock")
	if w.model.Scoped() {
		// As the client's own connections do. Programs that do not may leave stale
		// bytes of rows in the file, when they move others.
		w.must(db.Run("PRAGMA secure_delete = ON"), "switching secure deletes on")
	}
	return db
}

// start brings the server up, after a crash too.
func (s *server) start() {
	w := s.w
	s.lives++
	s.host = s.disk.Start(w.vfsName("host", s.lives))
	if s.tool.Dead() {
		s.tool = s.disk.Start(w.vfsName("shell", s.lives))
		s.shell = w.openShell(s.tool, spaceFile, func() int64 { return w.now })
	}
	store, err := sqlite.Open(spaceFile, sqlite.Options{
		Space: "sim", VFS: s.host.Name(), Journal: "delete", Readers: 1,
		Rand: bytesOf{w.source(fmt.Sprintf("store %d", s.lives))}, Policies: w.declared, Rules: w.ruled, Scopes: w.scoped,
		Amends: w.guardless(),
	})
	if s.diedStarting(err, "opening the store") {
		return
	}
	s.store = store
	o := hub.Options{Rand: bytesOf{w.source(fmt.Sprintf("hub %d", s.lives))}, Chunk: w.work.chunk(), Merge: functions()}
	if s.hook = w.newHook(); s.hook != nil {
		o.Hook = s.hook.judge
	}
	h, err := hub.Open(context.Background(), store, w.now, o)
	if s.diedStarting(err, "opening the hub") {
		return
	}
	s.hub, s.up = h, true
	s.term = h.State().Term
	w.ledger.terms[s.term] = w.ledger.now
	w.trace("server up, term %s head %d", s.term, h.State().Head)
	if s.lives > 1 && s.sequenceForeign() {
		w.ledger.stillTrue(s)
		w.ledger.catchUp(s)
	}
	s.plan(0)
}

// sequenceForeign runs an empty group, because the store shows nothing while
// it holds what nobody sequenced. It reports false when the server died of it.
func (s *server) sequenceForeign() bool {
	_, err := s.hub.Group(context.Background(), s.w.now, nil, nil)
	return !s.diedStarting(err, "sequencing what others wrote")
}

func (s *server) diedStarting(err error, doing string) bool {
	if s.host.Dead() || err != nil && s.host.Failed() {
		s.crash(true)
		return true
	}
	s.w.must(err, doing)
	return false
}

// crash takes the server down; with the power, what was not synced may be lost.
func (s *server) crash(power bool) {
	w := s.w
	w.stats.Crashes++
	w.trace("server down, power cut: %v", power)
	s.up = false
	s.host.Kill()
	if s.store != nil {
		_ = s.store.Close()
		s.store, s.hub = nil, nil
	}
	s.host.Stop()
	if power {
		s.tool.Kill()
		_ = s.shell.Close()
		s.tool.Stop()
		s.disk.PowerCut()
	}
	for _, l := range append([]*link(nil), s.links...) {
		l.breakOff()
		l.dropped = true
	}
	s.links, s.waiting = nil, nil
	life := s.lives
	w.after(w.between(0, 3000), func() {
		if s.lives == life && !s.up {
			w.stats.Restarts++
			s.start()
		}
	})
}

// receive takes a frame as a server's shell does.
func (s *server) receive(l *link, frame []byte) {
	w := s.w
	if !s.up {
		return
	}
	m, err := wire.DecodeUp(frame)
	if err != nil {
		w.trace("server cannot read a frame of %s", l.device.name)
		l.sendDown(&wire.Refusal{Code: tidemark.CodeProtocol, Message: "unreadable"})
		l.breakOff()
		return
	}
	l.short[2].ReadUp(m)
	l.heard(m)
	if _, is := m.(*wire.Push); is && l.session.Principal().ID != l.device.owner {
		w.fail("I25", "%s of %q sends a changeset in the name of %q", l.device.name, l.device.owner, l.session.Principal().ID)
	}
	down, sub, err := l.session.Receive(context.Background(), w.now, m)
	if s.failed(err, "receiving") {
		l.breakOff()
		return
	}
	if tidemark.CodeOf(err) == tidemark.CodeBusy {
		l.breakOff()
		return
	}
	s.deliver(l, down)
	if sub != nil {
		s.waiting = append(s.waiting, waiting{l, *sub})
		if l.trip != nil {
			l.trip.open++
		}
		s.plan(w.between(0, 10))
	}
	s.pump(l)
}

// failed crashes the server when its process died meanwhile, and passes over
// the one error that calls for a group first.
func (s *server) failed(err error, doing string) bool {
	if s.host.Dead() {
		s.crash(s.w.chance(0.7))
		return true
	}
	if err != nil && s.host.Failed() {
		s.w.trace("the server's disk fails while %s", doing)
		return true
	}
	if err != nil && tidemark.CodeOf(err) != tidemark.CodeBusy {
		s.w.must(err, "server "+doing)
	}
	return false
}

// deliver sends messages, after a look at what they promise.
func (s *server) deliver(l *link, down []wire.Down) {
	for _, m := range down {
		s.w.ledger.toldBy(m)
		s.w.screen(l, m)
		if s.w.spy != nil {
			s.w.spy(l, m)
		}
		l.sendDown(m)
		if r, ok := m.(*wire.Refusal); ok && r.Fatal {
			s.w.after(s.w.delay(), l.drop)
		}
	}
}

// pump sends catch-up chunks while there is room on the way.
func (s *server) pump(l *link) {
	if !s.up || l.dropped {
		return
	}
	if !l.session.Behind() {
		if l.trip != nil {
			l.trip.finish(false)
		}
		return
	}
	if l.backlog > 3 {
		s.w.after(20, func() { s.pump(l) })
		return
	}
	down, err := l.session.Next(context.Background())
	if s.failed(err, "reading the next chunk") {
		l.breakOff()
		return
	}
	if tidemark.CodeOf(err) == tidemark.CodeBusy {
		s.plan(0)
		return
	}
	s.deliver(l, down)
	if len(down) > 0 {
		s.w.after(s.w.delay(), func() { s.pump(l) })
	}
}
