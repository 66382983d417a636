package twin

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/sim/disk"
	"github.com/tidemarkdb/tidemark/internal/wire"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// spaceFile is the name of the server's file on its disk.
const spaceFile = "space.db"

// server serves the space of one world, and has somebody's shell open on it.
type server struct {
	w       *world
	disk    *disk.Disk
	host    *disk.Process
	tool    *disk.Process
	store   *sqlite.Store
	hub     *hub.Hub
	shell   *lite.DB
	lives   int
	waiting []waiting
	due     bool // a group should run though nothing waits: others wrote, or the store holds what nobody sequenced
	backup  *disk.Disk
}

// waiting is a submission with the link that it came by.
type waiting struct {
	link *link
	sub  hub.Submission
}

func newServer(w *world) *server {
	s := &server{w: w, disk: newDisk()}
	s.openShell()
	w.must(s.shell.Script(w.schema), "making the served file")
	s.start()
	return s
}

func (s *server) openShell() {
	w := s.w
	s.tool = start(s.disk, "shell")
	db, err := lite.Open(spaceFile, lite.Options{VFS: s.tool.Name(), Create: true, Busy: -1})
	w.must(err, "opening a shell")
	w.must(db.Run("PRAGMA foreign_keys = ON"), "switching foreign keys on")
	w.must(db.SetClock(func() int64 { return w.now }), "setting the clock")
	s.shell = db
}

func (s *server) start() {
	w := s.w
	s.lives++
	s.host = start(s.disk, "host")
	store, err := sqlite.Open(spaceFile, sqlite.Options{
		Space: "twin", VFS: s.host.Name(), Journal: "delete", Readers: 1,
		Rand: newStream(w.seed, fmt.Sprintf("store %d", s.lives)), Policies: w.policies, Rules: w.rules, Scopes: w.declared(),
	})
	w.must(err, "opening the store")
	s.store = store
	s.hub, err = hub.Open(context.Background(), store, w.now, hub.Options{
		Rand: newStream(w.seed, fmt.Sprintf("hub %d", s.lives)), Chunk: w.chunk, Merge: mergeFunctions(), Limits: w.limits,
	})
	w.must(err, "opening the hub")
	s.group()
}

func (s *server) stop() {
	s.host.Kill()
	_ = s.store.Close()
	s.host.Stop()
	s.tool.Kill()
	_ = s.shell.Close()
	s.tool.Stop()
	s.waiting = nil
}

// restart kills the server and starts it again; before, if there is a copy of
// the file, it may be put in its place.
func (s *server) restart(from *disk.Disk) {
	s.stop()
	for _, d := range s.w.devices {
		d.cut()
	}
	if from != nil {
		s.disk.Replace(from)
	}
	s.openShell()
	s.start()
}

// receive takes a message as a server's shell does.
func (s *server) receive(l *link, text string) {
	w := s.w
	m, err := wire.DecodeUp([]byte(text))
	w.must(err, "the server reading "+text)
	if w.brief {
		l.short[0].ReadUp(m)
	}
	down, sub, err := l.session.Receive(context.Background(), w.now, m)
	if tidemark.CodeOf(err) == tidemark.CodeBusy {
		s.due = true
		l.device.cut()
		return
	}
	w.must(err, "the server receiving "+text)
	s.deliver(l, down)
	if sub != nil {
		s.waiting = append(s.waiting, waiting{l, *sub})
	}
	s.pump(l)
}

func (s *server) deliver(l *link, down []wire.Down) {
	for _, m := range down {
		if s.w.brief {
			m = l.short[1].Down(m)
		}
		text := string(wire.AppendDown(nil, m))
		s.w.tell("down %d: %s", l.device.number, text)
		l.down = append(l.down, text)
	}
}

// backlog is how many messages may be on their way before chunks wait.
const backlog = 4

// pump sends catch-up chunks and answers while there is room on the way.
func (s *server) pump(l *link) {
	for l.device.link == l && l.session.Behind() && len(l.down) < backlog {
		down, err := l.session.Next(context.Background())
		if tidemark.CodeOf(err) == tidemark.CodeBusy {
			s.due = true
			return
		}
		s.w.must(err, "the next chunk")
		if len(down) == 0 {
			return
		}
		s.deliver(l, down)
	}
}

// group judges what waits and tells everyone.
func (s *server) group() {
	w := s.w
	took := s.waiting
	s.waiting, s.due = nil, false
	subs := make([]hub.Submission, len(took))
	for i, q := range took {
		subs[i] = q.sub
	}
	c, err := s.hub.Group(context.Background(), w.now, subs, func() bool { return true })
	w.must(err, "judging a group")
	w.tell("group of %d: %d to %d, %d again, %d foreign, %d undone", len(subs), c.From, c.To, len(c.Retry), c.Foreign, len(c.Rejected))
	for _, o := range c.Outcomes() {
		w.tell("judged %s/%d: %s %s %s", o.Replica, o.N, o.Kind, o.Code, o.Message)
		w.outcomes[string(o.Kind)]++
	}
	for _, r := range c.Retry {
		i := slices.IndexFunc(took, func(q waiting) bool {
			return q.sub.Session == r.Session && q.sub.Changeset.Name == r.Changeset.Name
		})
		if i >= 0 {
			s.waiting = append(s.waiting, took[i])
		}
	}
	for _, d := range w.devices {
		if l := d.link; l != nil {
			s.deliver(l, l.session.Deliver(c))
			s.pump(l)
		}
	}
}

// scribble lets the shell write, with or without constraints.
func (s *server) scribble(o Op) {
	said, err := loosely(s.shell, o.Loose, func() (string, error) {
		return transact(s.shell, o.Stmts, func(run func() error) error { return run() })
	})
	s.w.must(err, "writing on the server")
	s.w.tell("shell: %s", said)
	s.due = true
}
