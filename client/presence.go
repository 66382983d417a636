package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Most that can be said: a state and a cast as JSON, bytes.
const (
	MaxState = wire.MaxState
	MaxCast  = wire.MaxCast
)

// Peer is one who is present in a scope.
type Peer struct {
	ID        string          `json:"id"` // of its replica; a browser's tabs have a part of their own behind a colon
	Principal string          `json:"principal,omitempty"`
	State     json.RawMessage `json:"state"` // a JSON object; must not be changed
	Me        bool            `json:"me,omitempty"`
}

// Cast is what a peer said to everyone in a scope.
type Cast struct {
	From      string          `json:"from"` // Peer.ID
	Principal string          `json:"principal,omitempty"`
	Body      json.RawMessage `json:"body"` // JSON, nil for null; must not be changed
}

// Presence is this replica's part in who is present in a scope. Its methods may
// be called from several goroutines, and from what OnChange and OnCast call.
//
// Nothing of it is stored. It needs a WebSocket: over plain HTTP nobody is
// present, and Err says so.
type Presence struct {
	all   *presences
	scope string

	// Guarded by all.mu.
	state   []byte // nil: not joined
	done    func() // gives back the running sync
	dirty   bool   // the server is to be told
	sent    time.Time
	saying  [][]byte // casts to be sent
	peers   map[string]Peer
	err     error // what was declined last
	changed bool
	heard   []Cast
	wake    chan struct{}

	onChange map[*func([]Peer)]bool
	onCast   map[*func(Cast)]bool
	news     chan struct{} // closed and made anew with each change
}

// Presence returns this replica's part in a scope, the same one each time.
// A space that declares no scopes has one, "all".
func (db *DB) Presence(scope string) *Presence { return db.presences.of(scope) }

// Join makes this replica present with a state: anything that makes a JSON
// object of at most MaxState bytes, nil for an empty one. It returns at once.
// From now on the replica stays connected, as with Run, and is present
// whenever it is, until Leave or Close; Seen waits for the first time.
// Who is present is told of everyone who is: see Peers, OnChange and OnCast.
func (p *Presence) Join(state any) error {
	b, err := stateOf(state)
	if err != nil {
		return err
	}
	_, done, err := p.all.db.borrow()
	if err != nil {
		return err
	}
	p.all.mu.Lock()
	if p.done == nil {
		p.done, done = done, nil
		p.wake = make(chan struct{}, 1)
		go p.tell(p.wake)
	}
	p.set(b)
	p.all.mu.Unlock()
	if done != nil {
		done()
	}
	return nil
}

// Update sets another state. Updates that come faster than 30 a second are put
// together: the newest is sent.
func (p *Presence) Update(state any) error {
	b, err := stateOf(state)
	if err != nil {
		return err
	}
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	if p.done == nil {
		return notJoined("update")
	}
	p.set(b)
	return nil
}

// set notes a state that is to be sent.
func (p *Presence) set(state []byte) {
	p.state, p.dirty, p.err = state, true, nil
	p.all.ring()
}

// Leave ends it. The others see it at once.
func (p *Presence) Leave() {
	p.all.mu.Lock()
	done := p.done
	if done != nil {
		p.state, p.dirty, p.done = nil, true, nil
		clear(p.peers)
		p.note()
		close(p.wake)
		p.all.ring()
	}
	p.all.mu.Unlock()
	if done != nil {
		p.all.wg.Go(done) // when it is the last user, this waits for the sync to end
	}
}

// Peers lists who is present, this replica included, in the order of their IDs.
// While the connection is lost it is the list of before, for half a minute.
func (p *Presence) Peers() []Peer {
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	return p.list()
}

func (p *Presence) list() []Peer {
	list := make([]Peer, 0, len(p.peers))
	for _, peer := range p.peers {
		peer.Me = peer.ID == p.all.me
		list = append(list, peer)
	}
	slices.SortFunc(list, func(a, b Peer) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// Err says why this replica is not seen, or what the server declined last; nil
// when all is well.
func (p *Presence) Err() error {
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	return p.why()
}

func (p *Presence) why() error {
	switch {
	case p.done == nil:
		return notJoined("presence")
	case p.err != nil:
		return p.err
	case p.all.me == "":
		return p.all.without
	}
	return nil
}

// Seen waits until the server has told everyone of this replica's state. It fails when
// the server declines it, when there can be no session, or when ctx ends.
func (p *Presence) Seen(ctx context.Context) error {
	for {
		p.all.mu.Lock()
		seen := p.state != nil && bytes.Equal(p.peers[p.all.me].State, p.state)
		err, news := p.why(), p.news
		final := err != nil && (p.done == nil || p.err != nil || p.all.hopeless)
		p.all.mu.Unlock()
		if final {
			return err
		}
		if err == nil && seen {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return firstError(err, ctx.Err())
		case <-p.all.db.ended.Done():
			return p.all.db.broken()
		}
	}
}

// OnChange calls fn with the list of peers after each change of it, and of Err,
// until stop is called. Calls come one after the other, on a goroutine of this
// Presence; changes that come while fn runs are put together.
func (p *Presence) OnChange(fn func([]Peer)) (stop func()) {
	return register(p, p.onChange, &fn)
}

// OnCast calls fn with what others cast, in order, until stop is called. One
// who does not keep up misses the oldest.
func (p *Presence) OnCast(fn func(Cast)) (stop func()) {
	return register(p, p.onCast, &fn)
}

func register[F comparable](p *Presence, set map[F]bool, fn F) (stop func()) {
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	set[fn] = true
	return func() {
		p.all.mu.Lock()
		defer p.all.mu.Unlock()
		delete(set, fn)
	}
}

// Cast says something to everyone who is present: anything that makes JSON of
// at most MaxCast bytes. It is for what is of interest now: nobody who is not
// connected hears of it later, and the server takes about 20 a second.
func (p *Presence) Cast(body any) error {
	b, err := jsonOf("cast", body, MaxCast)
	if err != nil {
		return err
	}
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	if err := p.why(); err != nil && err != p.err { //nolint:errorlint // what was declined before does not matter now
		return err
	}
	if len(p.saying) >= mostSaying {
		return &tidemark.Error{Code: tidemark.CodeRateLimited, Op: "cast", Msg: "too many casts wait to be sent", Hint: "cast less often"}
	}
	p.err = nil
	p.saying = append(p.saying, b)
	p.all.ring()
	return nil
}

func notJoined(op string) error {
	return &tidemark.Error{Code: tidemark.CodeUsage, Op: op, Msg: "this replica has not joined", Hint: "call Join first"}
}

func stateOf(state any) ([]byte, error) {
	if state == nil {
		return []byte("{}"), nil
	}
	b, err := jsonOf("join", state, MaxState)
	if err == nil && b[0] != '{' {
		err = &tidemark.Error{Code: tidemark.CodeUsage, Op: "join", Msg: "a state must be a JSON object", Hint: `like {"name": "Ana"}`}
	}
	return b, err
}

func jsonOf(op string, v any, most int) ([]byte, error) {
	b, err := json.Marshal(v)
	var small bytes.Buffer
	if err == nil {
		err = json.Compact(&small, b)
	}
	if err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Op: op, Err: err, Msg: "it cannot be written as JSON"}
	}
	if small.Len() > most {
		return nil, &tidemark.Error{
			Code: tidemark.CodeTooLarge, Op: op, Msg: fmt.Sprintf("%d bytes of JSON are too many, %d are the most", small.Len(), most),
			Hint: "put what is large into a table",
		}
	}
	return small.Bytes(), nil
}

// note has listeners told, and those who wait look again.
func (p *Presence) note() {
	p.changed = true
	close(p.news)
	p.news = make(chan struct{})
	p.rouse()
}

func (p *Presence) rouse() {
	if p.done == nil {
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// tell calls listeners until Leave or Close.
func (p *Presence) tell(wake <-chan struct{}) {
	for {
		select {
		case _, open := <-wake:
			p.deliver()
			if !open {
				return
			}
		case <-p.all.db.ended.Done():
			return
		}
	}
}

func (p *Presence) deliver() {
	p.all.mu.Lock()
	changed, list, heard := p.changed, p.list(), p.heard
	p.changed, p.heard = false, nil
	onChange, onCast := keys(p.onChange), keys(p.onCast)
	p.all.mu.Unlock()
	for _, c := range heard {
		for _, fn := range onCast {
			(*fn)(c)
		}
	}
	if changed {
		for _, fn := range onChange {
			(*fn)(list)
		}
	}
}

func keys[F comparable](set map[F]bool) []F {
	list := make([]F, 0, len(set))
	for fn := range set {
		list = append(list, fn)
	}
	return list
}

// presences are the scopes in which a DB is present, and the way to the server
// while there is one.
type presences struct {
	db   *DB
	bell chan struct{} // something is to be sent

	wg sync.WaitGroup // those who left

	mu       sync.Mutex
	scopes   map[string]*Presence
	me       string // name of the replica in the session there is, "" for none
	spoke    bool   // something was said in it
	without  error  // why there is no session
	hopeless bool   // and will not be by itself
	lost     *time.Timer
	later    *time.Timer // rings the bell
}

const (
	updatePause = 34 * time.Millisecond // between two states
	forgetAfter = 30 * time.Second      // without a session nobody is known any more
	mostSaying  = 64                    // casts that wait to be sent
	mostHeard   = 1024                  // casts that wait for OnCast
)

var errNoSession = &tidemark.Error{Code: tidemark.CodeOffline, Op: "presence", Msg: "there is no session with the server"}

func newPresences(db *DB) *presences {
	return &presences{db: db, bell: make(chan struct{}, 1), scopes: map[string]*Presence{}, without: errNoSession}
}

func (a *presences) of(scope string) *Presence {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.scopes[scope]
	if p == nil {
		p = &Presence{
			all: a, scope: scope, peers: map[string]Peer{}, news: make(chan struct{}),
			onChange: map[*func([]Peer)]bool{}, onCast: map[*func(Cast)]bool{},
		}
		a.scopes[scope] = p
	}
	return p
}

func (a *presences) ring() {
	select {
	case a.bell <- struct{}{}:
	default:
	}
}

// welcome notes that there is a session: everything is to be said again.
func (a *presences) welcome(replica string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.me, a.spoke, a.without, a.hopeless = replica, false, nil, false
	if a.lost != nil {
		a.lost.Stop()
	}
	for _, p := range a.scopes {
		p.dirty, p.sent, p.saying = p.state != nil, time.Time{}, nil
		p.note()
	}
	a.ring()
}

// gone notes that there is no session, or none in which anybody can be present.
func (a *presences) gone(why error, hopeless bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.me != "" {
		a.lost = time.AfterFunc(forgetAfter, a.forget)
	}
	a.me, a.without, a.hopeless = "", why, hopeless
	for _, p := range a.scopes {
		p.saying = nil
		p.note()
	}
}

// forget drops those of whom nothing was heard for too long.
func (a *presences) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.me != "" {
		return
	}
	for _, p := range a.scopes {
		clear(p.peers)
		p.note()
	}
}

// said reports whether the server was told of this replica's presence.
func (a *presences) said() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.spoke
}

// take returns what is to be sent now. What is too early rings the bell again.
func (a *presences) take(now time.Time) (msgs []wire.Up) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.me == "" {
		return nil
	}
	for scope, p := range a.scopes {
		if wait := p.sent.Add(updatePause).Sub(now); p.dirty && p.state != nil && wait > 0 {
			a.ringIn(wait)
			continue // a cast goes behind the state that was set before it
		}
		var state, casts []wire.Up
		if p.dirty {
			state = append(state, &wire.Presence{Scope: scope, State: p.state})
			p.dirty, p.sent, a.spoke = false, now, true
		}
		for _, body := range p.saying {
			casts = append(casts, &wire.Cast{Scope: scope, Body: body})
		}
		if p.saying = nil; p.state == nil { // who has left says no more
			state, casts = casts, state
		}
		msgs = slices.Concat(msgs, state, casts)
	}
	return msgs
}

func (a *presences) ringIn(d time.Duration) {
	if a.later == nil {
		a.later = time.AfterFunc(d, a.ring)
	} else {
		a.later.Reset(d)
	}
}

// receive takes what the server says of presence.
func (a *presences) receive(m wire.Down) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch m := m.(type) {
	case *wire.Peers:
		if p := a.scopes[m.Scope]; p != nil && p.done != nil {
			p.meet(m)
		}
	case *wire.Heard:
		if p := a.scopes[m.Scope]; p != nil && p.done != nil && m.ID != a.me {
			p.heard = append(p.heard, Cast{From: m.ID, Principal: m.Principal, Body: m.Body})
			if len(p.heard) > mostHeard {
				p.heard = p.heard[1:]
			}
			p.rouse()
		}
	case *wire.Declined:
		if p := a.scopes[m.Scope]; p != nil {
			p.err = &tidemark.Error{Code: m.Code, Op: "presence", Msg: m.Message, Hint: m.Hint}
			if m.Code == tidemark.CodeForbidden {
				clear(p.peers) // the grant went, and with it who is there
			}
			p.note()
		}
	}
}

func (p *Presence) meet(m *wire.Peers) {
	if m.All {
		clear(p.peers)
	}
	for _, peer := range m.List {
		if peer.State == nil {
			delete(p.peers, peer.ID)
		} else {
			p.peers[peer.ID] = Peer{ID: peer.ID, Principal: peer.Principal, State: peer.State}
		}
	}
	p.note()
}

// gained says again what was declined as long as a scope was not granted.
func (a *presences) gained(scope string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.scopes[scope]; p != nil && p.state != nil && tidemark.CodeOf(p.err) == tidemark.CodeForbidden {
		p.set(p.state)
		p.note()
	}
}

// close ends what still runs.
func (a *presences) close() {
	a.wg.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range []*time.Timer{a.lost, a.later} {
		if t != nil {
			t.Stop()
		}
	}
}

// minds reports whether a message is one of presence, which the sync loop knows
// nothing of, and takes it.
func (a *presences) minds(m wire.Down) bool {
	switch m.(type) {
	case *wire.Peers, *wire.Heard, *wire.Declined:
		a.receive(m)
		return true
	}
	return false
}

// The shell's side of it.

var errRoundTrips = &tidemark.Error{
	Code: tidemark.CodeUsage, Op: "presence", Msg: "nobody can be present over plain HTTP",
	Hint: "presence needs a WebSocket: look what stands between this program and the server",
}

// attend gives the loop what came over the link, but for presence's own
// messages, of which it knows nothing.
func (s *shell) attend(ev replica.Event) error {
	got, is := ev.(replica.Received)
	if !is {
		return s.step(ev)
	}
	if s.db.presences.minds(got.Msg) {
		return nil
	}
	err := s.step(ev)
	if w, is := got.Msg.(*wire.Welcome); is {
		s.greet(w)
	}
	return err
}

// greet begins presence in a session, if its link can carry it.
func (s *shell) greet(w *wire.Welcome) {
	switch s.link.(type) {
	case nil:
		return // the loop did not like it
	case *socket:
		s.db.presences.welcome(w.Replica)
	default:
		s.db.presences.gone(errRoundTrips, true)
	}
	s.greeted = true
}

// speak sends what is to be said.
func (s *shell) speak() {
	if l, is := s.link.(*socket); is && s.greeted {
		if msgs := s.db.presences.take(time.Now()); len(msgs) > 0 {
			l.send(msgs)
		}
	}
}

// takeLeave ends the connection so that the others see at once who is gone.
func (s *shell) takeLeave() {
	l, is := s.link.(*socket)
	if !is || !s.greeted {
		return
	}
	l.send(s.db.presences.take(time.Now().Add(updatePause))) // nothing is too early now
	if s.db.presences.said() {
		l.bye()
	}
}
