package server

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// space runs the hub of one space. One goroutine, loop, owns the hub and its
// sessions; connections hand it events and take from their outboxes.
type space struct {
	srv   *Server
	name  string
	path  string
	log   *slog.Logger
	meter *spaceMeter
	store tidemark.Store

	events  chan event
	wake    chan struct{} // something may have room again, or other programs wrote
	going   chan struct{} // closed when the server goes down
	ended   chan struct{} // closed when loop has returned
	state   atomic.Pointer[tidemark.SpaceState]
	broken  atomic.Pointer[error] // why the store fails at present
	scoped  atomic.Bool           // replicas hold some scopes, and not everything
	shots   snapshots
	present *presences

	redeclare  func(declaration) error // see sqlite.Store.Declare
	declaredIn atomic.Pointer[string]  // the file of policies in force, "" for none

	// Below belongs to loop.
	hub     *hub.Hub
	hooks   *hooking         // nil without a hook
	known   *tidemark.Schema // what was announced last
	peers   map[*peer]bool
	named   map[string]*peer // by replica
	behind  map[*peer]bool
	subs    []hub.Submission
	owners  map[*hub.Session]*peer
	dirty   bool
	leaving bool

	held       []hub.Submission // failed, to be tried again
	heldTil    time.Time
	heldPause  time.Duration
	stuckTil   time.Time // the store fails: not before this
	stuckPause time.Duration

	since   time.Time // when the lock was last left free long enough
	freed   time.Time // when it was last given up
	scrubAt time.Time
	sweepAt time.Time // the first one at once
	auditAt time.Time // likewise
	scrub   string    // cursor
}

// event is what a connection tells the loop.
type event struct {
	peer *peer
	kind eventKind
	msg  wire.Up
	size int
	who  *tidemark.Principal // evRenew, and a hello with a token: what the token says
}

type eventKind uint8

const (
	evJoin    eventKind = iota
	evMessage           // one message
	evAll               // a round trip has handed in everything
	evEnough            // a round trip waits no longer
	evGone              // the connection is over
	evRenew             // a newer token came
	evExpired           // the token's time is over
)

// eventsWaiting is how many messages wait for the loop at most; further
// connections stop reading.
const eventsWaiting = 256

func newSpace(s *Server, name, path string, store tidemark.Store) (*space, error) {
	sp := &space{
		srv: s, name: name, path: path, log: s.log.With("space", name), meter: s.metrics.space(name), store: store,
		events: make(chan event, eventsWaiting), wake: make(chan struct{}, 1),
		going: make(chan struct{}), ended: make(chan struct{}),
		peers: map[*peer]bool{}, named: map[string]*peer{}, behind: map[*peer]bool{}, owners: map[*hub.Session]*peer{},
	}
	sp.present = newPresences(s.opts.Presence, max(s.tune.hurry, 1), sp.meter)
	var err error
	sp.hub, err = hub.Open(s.ctx, store, now(), sp.hooked(s.functions(hub.Options{Rand: rand.Reader, Limits: s.opts.Limits})))
	if err == nil {
		sp.known = sp.hub.Schema()
		err = sp.commit() // what other programs wrote while nobody served
	}
	if err != nil {
		_ = store.Close()
		return nil, err
	}
	sp.scrubAt = time.Now().Add(s.tune.scrub)
	go sp.loop()
	return sp, nil
}

func now() int64 { return time.Now().UnixMilli() }

// State returns where the space is, from any goroutine.
func (sp *space) State() tidemark.SpaceState { return *sp.state.Load() }

// leave tells the replicas that the server goes down.
func (sp *space) leave() { close(sp.going) }

// close waits for the loop, which must have been stopped, and closes the file.
func (sp *space) close() error {
	<-sp.ended
	sp.hooks.end()
	sp.present.close()
	sp.shots.drop()
	sp.srv.metrics.forget(sp.name)
	return sp.store.Close()
}

// kick makes the loop look at the file at once.
func (sp *space) kick() {
	select {
	case sp.wake <- struct{}{}:
	default:
	}
}

// view reads one state of the space. Where other programs' changes stand in
// the way, it has them sequenced first.
func (sp *space) view(ctx context.Context, fn func() error) error {
	for try := 0; ; try++ {
		err := fn()
		if tidemark.CodeOf(err) != tidemark.CodeBusy || try == 100 {
			return err
		}
		sp.kick()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sp.srv.tune.poll):
		}
	}
}
