// Package server serves spaces over HTTP and WebSocket. A Server is an
// http.Handler:
//
//	srv, err := server.Open("app.sqlite", server.Options{})
//	// handle err
//	defer srv.Close()
//	http.ListenAndServe("127.0.0.1:7420", srv)
//
// Open serves one file as the space that is named after it; New with
// Options.Dir serves every file of a directory; Add serves one more file under
// a name of its own.
//
// # What is where
//
//	GET  /v1/spaces/NAME              where the space is, as JSON
//	GET  /v1/spaces/NAME/ws           WebSocket, one message per text frame
//	POST /v1/spaces/NAME/sync         the same in one round trip; ?wait=25s holds it until there is news
//	GET  /v1/spaces/NAME/snapshot     the space as a compressed SQLite file; takes Accept and Range
//	GET  /v1/spaces/NAME/schema/HASH  an earlier or the current schema
//	GET  /v1/health /v1/ready /metrics
//
// /NAME is short for /v1/spaces/NAME. What goes wrong comes as JSON:
// {"error":{"code","message","hint"}}.
//
// # Caveats
//
// Without Options.Auth there is no authentication: who reaches the handler may
// read and write every space. Listen on loopback, or have tokens asked for:
//
//	tokens, err := server.NewTokens(server.TokenOptions{Secrets: [][]byte{secret}})
//	// handle err
//	srv, err := server.Open("app.sqlite", server.Options{Auth: tokens})
//
// Tokens come in the Authorization header or in a session's first message; in
// an address they are refused. What a principal that is known may write is for
// rules to say, not for tokens.
//
// Requests of web pages of other origins are refused unless Options.AllowOrigins
// names them. A file is served by one server at a time.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/token"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Options of New and Open. The zero value works.
type Options struct {
	Dir              string       // every SQLite file in it is a space, opened when first asked for
	Create           bool         // with Dir: make a space that is asked for and not there
	AcceptViolations bool         // adopt files whose rows break their own constraints
	Limits           Limits       // of one message, changeset and row; a zero one takes its default
	Logger           *slog.Logger // default: none
	OnEvent          func(Event)  // news of the spaces, for people; must not block
	AllowOrigins     []string     // web origins beside the server's own, like https://app.example; "*" for all
	TempDir          string       // where snapshots are kept; default a new directory in the system's

	// Auth says whose a token is. With it everything under /v1/spaces asks for
	// one; without, whoever reaches the handler may read and write all.
	Auth  Authenticator
	Quota Quota // of one principal

	// Policies is the file that declares how edits merge, for every space. By
	// default it is looked for beside each database: for shop.sqlite
	// shop.tidemark.yaml, else tidemark.yaml; without one the defaults hold.
	Policies string
	Merge    map[string]MergeFunc  // functions of custom policies, by the name that the file gives them
	Unique   map[string]UniqueFunc // functions of on_unique

	Presence PresenceLimits // of who is present at a time

	Hook        Hook          // judges every changeset, before rules and constraints do; default: none
	HookTimeout time.Duration // when the context of a call of Hook ends; default 10 s
}

// Limits are bytes: of one message (default 48 MiB), of one changeset (32 MiB),
// of one row (16 MiB). Replicas hear of them when they connect.
type Limits = wire.Limits

// Event is something that a person should hear of.
type Event struct {
	Space   string
	Kind    EventKind
	Outcome *tidemark.Outcome // EventForeignRejected
	Schema  string            // EventSchema, EventPolicies: hash of the new one
	Changes int               // EventMissed
	Err     error             // EventFailing, EventHookFailing
}

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventForeignRejected EventKind = "foreign_rejected" // what another program wrote was undone
	EventSchema          EventKind = "schema"           // another program changed the schema
	EventPolicies        EventKind = "policies"         // other policies were declared
	EventMissed          EventKind = "missed"           // the scrub found rows that capture had missed
	EventFailing         EventKind = "failing"          // the store fails; it is tried again
	EventHookFailing     EventKind = "hook_failing"     // the hook cannot judge; it is asked again
)

// Server serves spaces. Its methods may be called from several goroutines.
type Server struct {
	opts    Options
	log     *slog.Logger
	mux     *http.ServeMux
	metrics *metrics
	tempDir string
	tune    tuning
	quotas  *quotas
	grace   time.Duration // how long a connection outlives its token, as clocks may differ
	unknown atomic.Int64  // connections that have not said whose they are

	serving context.Context // ends when the server begins to stop
	shut    context.CancelFunc

	ctx  context.Context // ends when the server stops
	stop context.CancelFunc

	mu      sync.Mutex
	spaces  map[string]*slot
	closing bool
	idle    sync.WaitGroup // connections
}

// tuning holds what tests make faster.
type tuning struct {
	poll      time.Duration // how often foreign writes are looked for while somebody listens
	pollIdle  time.Duration // while nobody does
	scrub     time.Duration // between two slices of a scrub
	scrubRows int
	rest      time.Duration // between two scrubs
	sweep     time.Duration // between two looks for conflicts that were kept for long enough
	hold      time.Duration // how long the file's lock is held in a row
	free      time.Duration // how long it is left free then
	retry     time.Duration // first pause of a store, or a hook, that fails
	hookWait  time.Duration // for how long a group waits for a hook; 0: not at all
	hookEnd   time.Duration // for how long a space that closes waits for hooks
	ping      time.Duration
	silence   time.Duration                       // without even a pong
	write     time.Duration                       // for one message to leave
	hello     time.Duration                       // for the first message, while it is not known who speaks
	burst     time.Duration                       // how much of a quota may come at once
	outbox    int                                 // bytes waiting for one session before it falls behind
	hurry     int64                               // how many times faster the clock of presence runs, if not 0
	store     func(tidemark.Store) tidemark.Store // put around every store, if not nil
}

var defaultTuning = tuning{
	poll: 25 * time.Millisecond, pollIdle: 200 * time.Millisecond,
	scrub: time.Second, scrubRows: 1000, rest: time.Hour, sweep: time.Hour,
	hold: 10 * time.Millisecond, free: 2 * time.Millisecond, retry: 100 * time.Millisecond,
	hookWait: time.Millisecond, hookEnd: 5 * time.Second,
	ping: 25 * time.Second, silence: 60 * time.Second, write: 30 * time.Second,
	hello: 10 * time.Second, burst: burst,
	outbox: 4 << 20,
}

func (t *tuning) wrap(s tidemark.Store) tidemark.Store {
	if t.store == nil {
		return s
	}
	return t.store(s)
}

// New makes a server without spaces, or with those of Options.Dir.
func New(o Options) (*Server, error) { return newServer(o, defaultTuning) }

func newServer(o Options, t tuning) (*Server, error) {
	o.Limits = hub.LimitsWithDefaults(o.Limits)
	s := &Server{opts: o, log: o.Logger, metrics: newMetrics(), tune: t, spaces: map[string]*slot{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.grace = token.DefaultLeeway
	if a, ok := o.Auth.(interface{ Leeway() time.Duration }); ok {
		s.grace = a.Leeway()
	}
	s.quotas = newQuotas(o.Quota.withDefaults(o.Auth != nil), t.burst)
	if o.Dir != "" {
		if st, err := os.Stat(o.Dir); err != nil || !st.IsDir() {
			return nil, &tidemark.Error{
				Code: tidemark.CodeUsage, Op: "serve", Err: err, Msg: o.Dir + " is not a directory",
				Hint: "make it first: mkdir " + o.Dir,
			}
		}
	}
	var err error
	if s.tempDir, err = os.MkdirTemp(o.TempDir, "tidemark-"); err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeInternal, Op: "serve", Err: err, Msg: "no place for snapshots"}
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.serving, s.shut = context.WithCancel(s.ctx)
	s.mux = s.routes()
	return s, nil
}

// Open makes a server for one file; the space is named after it, without the
// extension.
func Open(path string, o Options) (*Server, error) {
	s, err := New(o)
	if err != nil {
		return nil, err
	}
	if err := s.Add(context.Background(), NameOf(path), path); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	closing := s.closing
	if !closing {
		s.idle.Add(1)
	}
	s.mu.Unlock()
	if closing {
		if s.letIn(w, r) {
			comeBack(w)
		}
		return
	}
	defer s.idle.Done()
	s.mux.ServeHTTP(w, r)
}

// Shutdown stops accepting, finishes the running commits, tells the replicas
// when to come back and closes the spaces. When ctx ends first, connections
// are cut; what was committed is safe either way.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	already := s.closing
	s.closing = true
	slots := s.spaces
	s.spaces = map[string]*slot{}
	s.mu.Unlock()
	s.shut()
	if already {
		s.idle.Wait()
		return nil
	}
	for _, l := range slots {
		if sp := l.ready(); sp != nil {
			sp.leave()
		}
	}
	s.quiesce(ctx)
	first := closeAll(slots)
	if err := os.RemoveAll(s.tempDir); err != nil && first == nil {
		first = err
	}
	return first
}

// quiesce waits until the connections have ended, and cuts those that have not
// when ctx ends.
func (s *Server) quiesce(ctx context.Context) {
	quiet := make(chan struct{})
	go func() {
		s.idle.Wait()
		close(quiet)
	}()
	select {
	case <-quiet:
	case <-ctx.Done():
	}
	s.stop()
	<-quiet
}

// closeAll closes the spaces and returns the first error.
func closeAll(slots map[string]*slot) (first error) {
	for _, l := range slots {
		<-l.done
		if l.space == nil {
			continue
		}
		if err := l.space.close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Close is Shutdown without patience.
func (s *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.Shutdown(ctx)
}

// NameOf returns the name of the space that Open makes of a file: its name
// without the extension, with a dash for every character that a space's name
// cannot have.
func NameOf(path string) string {
	base := filepath.Base(path)
	name := strings.TrimSuffix(base, filepath.Ext(base))
	clean := strings.Map(func(r rune) rune {
		if isNameRune(r) {
			return r
		}
		return '-'
	}, name)
	if clean = strings.TrimLeft(clean, "._-"); clean == "" {
		return "space"
	}
	return clean
}
