package client

import (
	"context"
	"sync"
	"time"

	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// link is a connection to the server, as the sync loop thinks of one. Its
// methods are called by the shell's goroutine alone and do not block.
type link interface {
	send(msgs []wire.Up)
	// renew goes on under a newer token. It reports false when that is not
	// possible before the link is made anew.
	renew(token string) bool
	close()
}

// emit passes what happens on a link to the shell. It blocks until the shell
// takes it, which holds back a server that is faster than the file, and
// returns false once nobody wants to hear of the link any more.
type emit func(replica.Event) bool

// How long a WebSocket that does not work is not tried again.
const (
	blockedFor  = 5 * time.Minute
	deathsUntil = 2 // sockets in a row that died before the server said a word
)

// ways remembers which way to the server works.
type ways struct {
	mu      sync.Mutex
	blocked time.Time // no WebSocket until then
	deaths  int
	small   bool // something in between takes small bodies only
}

// keepSmall puts one changeset in a request from now on.
func (w *ways) keepSmall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.small = true
}

func (w *ways) onlySmall() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.small
}

// socket reports whether a WebSocket is worth a try.
func (w *ways) socket(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !now.Before(w.blocked)
}

// block keeps to HTTP for a while.
func (w *ways) block(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blocked, w.deaths = now.Add(blockedFor), 0
}

// unblock forgets it: plain HTTP does not work either, so the WebSocket was not to blame.
func (w *ways) unblock() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blocked = time.Time{}
}

// died notes the end of a socket. One on which the server never spoke was
// perhaps cut by something in between.
func (w *ways) died(spoke bool, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if spoke {
		w.deaths = 0
		return
	}
	if w.deaths++; w.deaths >= deathsUntil {
		w.blocked, w.deaths = now.Add(blockedFor), 0
	}
}

// connect opens a link by the way that is likely to work, under a token.
func (s *shell) connect(ctx context.Context, out emit, token string) (link, error) {
	o := s.db.opts
	if o.Transport == "http" || o.Transport == "auto" && !s.db.ways.socket(time.Now()) {
		return newRoundTrips(ctx, s, out, token, false), nil
	}
	l, refused := dialSocket(ctx, s, out, token)
	if refused == nil {
		return l, nil
	}
	if o.Transport == "websocket" || !refused.mayFallBack {
		return nil, refused.err
	}
	s.db.log.Info("no WebSocket, using plain HTTP", "error", refused.err)
	s.db.ways.block(time.Now())
	return newRoundTrips(ctx, s, out, token, true), nil
}
