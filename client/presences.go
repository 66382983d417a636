package client

import (
	"slices"
	"sync"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

const (
	updatePause = 34 * time.Millisecond // between two states
	forgetAfter = 30 * time.Second      // without a session nobody is known any more
	mostSaying  = 64                    // casts that wait to be sent
	mostHeard   = 1024                  // casts that wait for OnCast
)

var errNoSession = &tidemark.Error{Code: tidemark.CodeOffline, Op: "presence", Msg: "there is no session with the server"}

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
