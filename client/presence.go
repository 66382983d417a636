package client

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

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
