package replica

import (
	"errors"
	"io"
	"sort"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// State is where the sync loop is. Every state but Offline, AuthNeeded and
// Stopped has a timer; that of Idle only looks now and then whether the server
// is still there.
type State uint8

// The states of the loop.
const (
	Offline    State = iota // not started, or hung up on purpose
	Dialing                 // waiting for a connection
	Greeting                // hello sent
	CatchingUp              // chunks are coming
	Pushing                 // pending sent, waiting for outcomes
	Idle                    // connected, live, nothing pending
	Verifying               // comparing ranges with the server
	Backoff                 // waiting to dial again
	AuthNeeded              // the app must bring a new token
	Stopped                 // a refusal that coming back will not cure; pending stays

	states = int(Stopped) + 1
)

var stateNames = [states]string{
	"offline", "dialing", "greeting", "catching up", "pushing",
	"idle", "verifying", "backoff", "auth needed", "stopped",
}

// String names the state as it stands in status and logs.
func (s State) String() string {
	if int(s) < states {
		return stateNames[s]
	}
	return "unknown"
}

// Event is what happened outside.
type Event interface{ event() }

// The events.
type (
	Start        struct{}                // begin, or begin again after Stopped or AuthNeeded; in Backoff: dial now
	Connected    struct{}                // the transport is up
	Received     struct{ Msg wire.Down } // a message came; a nil Msg stands for one that cannot be read
	Disconnected struct{ Err error }     // the transport is gone
	Local        struct{}                // somebody may have written into the file
	Tick         struct{}                // the timer that SetTimer asked for
	Rewant       struct{}                // the scopes that are wanted may be others
	Verify       struct{}                // compare every row with the server
	Hangup       struct{}                // stop now; pending stays
)

func (Start) event()        {}
func (Connected) event()    {}
func (Received) event()     {}
func (Disconnected) event() {}
func (Local) event()        {}
func (Tick) event()         {}
func (Rewant) event()       {}
func (Verify) event()       {}
func (Hangup) event()       {}

// Effect is what the shell must do.
type Effect interface{ effect() }

// The effects.
type (
	Dial     struct{}                      // connect; answer with Connected or Disconnected
	Send     struct{ Msgs []wire.Up }      // in order
	Close    struct{}                      // close the transport; nothing more of it is wanted, not even Disconnected
	SetTimer struct{ After time.Duration } // one timer; a new one replaces it, 0 or less stops it
	Notify   struct{ Note Note }           // tell the app
)

func (Dial) effect()     {}
func (Send) effect()     {}
func (Close) effect()    {}
func (SetTimer) effect() {}
func (Notify) effect()   {}

// Note is news for the app and for logs.
type Note struct {
	State   State
	Applied *Applied        // rows changed, outcomes settled
	Err     *tidemark.Error // why the loop backs off or stopped
	Verify  *VerifyReport   // a verification ended
	Sealed  int
}

// VerifyReport is the result of comparing every row with the server.
type VerifyReport struct {
	Seq      tidemark.Seq `json:"seq"`
	Tables   int          `json:"tables"`
	Rows     int64        `json:"rows"`
	Differed int          `json:"differed"` // rows that were repaired
	Saved    int          `json:"saved"`    // rejected(uncaptured) records made
}

// LoopOptions of NewLoop.
type LoopOptions struct {
	Rand      io.Reader     // jitter
	MinDelay  time.Duration // first backoff; default 200 ms
	MaxDelay  time.Duration // cap of the backoff; default 30 s
	Patience  time.Duration // how long any answer may take; default 30 s
	Keepalive time.Duration // how long Idle goes without asking the server for its head; default 5 min
	PushBytes int           // bytes of pushes in flight; default 1 MiB
}

func (o LoopOptions) withDefaults() LoopOptions {
	or := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	or(&o.MinDelay, 200*time.Millisecond)
	or(&o.MaxDelay, 30*time.Second)
	or(&o.Patience, 30*time.Second)
	or(&o.Keepalive, 5*time.Minute)
	if o.PushBytes <= 0 {
		o.PushBytes = 1 << 20
	}
	return o
}

// ErrMoved is what a Replica returns when its checkpoint is not what the
// caller thought or the sync lease was taken over: somebody else applied.
var ErrMoved = errors.New("the checkpoint or the sync lease moved")

// engine is what the loop asks of a replica. *Replica is the only one outside of tests.
type engine interface {
	Seal(now int64) (int, error)
	Unsent(after int64, bytes int) ([]*wire.Push, error)
	Hello() (*wire.Hello, error)
	Welcome(w *wire.Welcome, now int64) (*Applied, error)
	TakeScopes(list []string, now int64) (*Applied, error)
	Reidentify() error
	SaveSchema(s *wire.Schema, now int64) (*Applied, error)
	Lease(m *wire.Leases, now int64) error
	Apply(b *wire.Batch, outcomes []tidemark.Outcome, now int64) (*Applied, error)
	Settle(outcomes []tidemark.Outcome, now int64) (*Applied, error)
	Status() (Status, error)

	// Wants is what the replica subscribes to, wanted how often that changed,
	// answered notes that the server knows it as of then. filling reports whether
	// scopes that the server listed are not whole.
	Wants() (only bool, want []wire.Want, err error)
	wanted() (int64, error)
	answered(n int64) error
	filling() (bool, error)
	comparer
}

// Loop is the sync state machine: one event in, effects out. loop_table.go
// says what happens in which state, loop_session.go how a session goes, and
// loop_end.go how it ends.
type Loop struct {
	e     engine
	opts  LoopOptions
	state State
	out   []Effect // of the running Step

	now      int64 // of the running Step
	welcomed int64 // when the last session began to work
	attempts int   // failures in a row since the last progress
	retries  int   // all failures

	// The session. Reset by greet.
	seq     tidemark.Seq // checkpoint of the file
	head    tidemark.Seq // newest seq that the server told
	limits  wire.Limits  // what the server takes
	again   int          // hellos said again without progress between them
	staging bool         // chunks were staged, the last one has not come
	fresh   bool         // hello must deny its checkpoint: the server went back

	told    int64 // what wanted returned when the server was told last what is wanted
	heard   int64 // of the last list that it answered with
	filling bool  // scopes are not whole yet

	sent     int64         // highest n pushed in this session
	flying   map[int64]int // bytes of each push without an outcome
	flight   int           // their sum
	unsent   bool          // pending changesets may be there that were not pushed
	held     []tidemark.Outcome
	check    *check        // the running verification
	wanted   bool          // a verification is to be made
	wantCode tidemark.Code // what its differences are saved under

	askID         int64 // of the last question, never used twice
	checkFailures int   // verifications in a row that did not come to their end
	fruitless     int   // verifications in a row that found nothing although sums differ
}

// NewLoop makes a loop in state Offline.
func NewLoop(r *Replica, opts LoopOptions) *Loop { return newLoop(r, opts) }

func newLoop(e engine, opts LoopOptions) *Loop {
	return &Loop{e: e, opts: opts.withDefaults(), flying: map[int64]int{}}
}

// State returns where the loop is.
func (l *Loop) State() State { return l.state }

// Retries counts how often the loop had to begin anew since it was made.
func (l *Loop) Retries() int { return l.retries }

// Settled reports whether everything captured is sealed, has its outcome, the
// replica is at the head that the server last told, and has the scopes that it
// was granted of those that it wants. It reads the file, so
// it also holds for what other processes did.
func (l *Loop) Settled() bool {
	st, err := l.e.Status()
	return err == nil && st.Pending == 0 && !st.Unsealed && st.Staged == 0 &&
		st.Stopped == "" && st.Seq >= st.Head && st.Filling == 0 && !st.Unasked
}

// Step takes one event at a time now, in Unix milliseconds. The effects are to
// be carried out in order, also when there is an error. An error is one of the
// local file (locked, full, damaged); the loop has hung up by then and tries
// again after a pause, so the shell only decides whether it is worth going on.
func (l *Loop) Step(now int64, ev Event) ([]Effect, error) {
	before := l.state
	l.out, l.now = nil, now
	err := table[kindOf(ev)][l.state](l, now, ev)
	if err != nil {
		l.fileError(err)
	}
	if l.state != before {
		l.notify(Note{})
	}
	out := l.out
	l.out = nil
	return out, err
}

func (l *Loop) do(e Effect) { l.out = append(l.out, e) }

func (l *Loop) send(msgs ...wire.Up) { l.do(Send{Msgs: msgs}) }

func (l *Loop) notify(n Note) {
	n.State = l.state
	l.do(Notify{Note: n})
}

// enter changes the state and arms its timer.
func (l *Loop) enter(s State, after time.Duration) {
	l.state = s
	l.do(SetTimer{After: after})
}

// progressed forgets the failures behind us.
func (l *Loop) progressed() { l.attempts, l.again = 0, 0 }

// lasted forgets them too when the session that ends now held for a while. A
// server that welcomes and hangs up at once must not be dialed without a pause.
func (l *Loop) lasted() {
	if l.welcomed != 0 && l.now-l.welcomed >= l.opts.MaxDelay.Milliseconds() {
		l.progressed()
	}
	l.welcomed = 0
}

// due takes the held outcomes that hold at seq, in order of n.
func (l *Loop) due(seq tidemark.Seq) []tidemark.Outcome {
	var ready, rest []tidemark.Outcome
	for _, o := range l.held {
		if o.Seq <= seq || planted.Is(planted.OutcomeEarly) {
			ready = append(ready, o)
		} else {
			rest = append(rest, o)
		}
	}
	l.held = rest
	sort.SliceStable(ready, func(i, j int) bool { return ready[i].N < ready[j].N })
	return ready
}
