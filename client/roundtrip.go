package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/token"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

const (
	pollWait  = 25 * time.Second // how long the server may hold an answer that has no news
	tripLimit = 2 * time.Minute  // for one round trip
	restFirst = 100 * time.Millisecond
	restMost  = 5 * time.Second
)

// roundTrips is a link made of HTTP requests, one at a time. Each is a session
// of its own: it begins with a hello of the state that the file has then, so
// acknowledgements need not be sent. While nothing is to be sent, a request
// waits at the server for news, and is broken off when something comes up.
type roundTrips struct {
	s       *shell
	ctx     context.Context // of the link
	out     emit
	token   string
	instead bool // took the place of a WebSocket that did not work
	proved  bool // a request succeeded

	queue  []wire.Up
	busy   bool
	abort  context.CancelFunc // of the waiting request; nil when none waits
	rest   time.Duration      // pause before the next waiting request, when the last did not wait
	closed bool
}

// tripOver is what a request tells the shell's goroutine when it ends.
type tripOver struct {
	l      *roundTrips
	err    error
	news   bool // the server told more than Welcome
	waited bool
	took   time.Duration
	larger bool // the body was too large for something in between
}

// restOver ends a pause between two waiting requests.
type restOver struct{ l *roundTrips }

func newRoundTrips(ctx context.Context, s *shell, out emit, token string, instead bool) link {
	return &roundTrips{s: s, ctx: ctx, out: out, token: token, instead: instead}
}

func (l *roundTrips) send(msgs []wire.Up) {
	for _, m := range msgs {
		if _, ok := m.(*wire.Ack); !ok {
			l.queue = append(l.queue, m)
		}
	}
	if !l.busy {
		l.next()
	} else if l.abort != nil && len(l.queue) > 0 {
		l.abort()
	}
}

// renew takes only a token that says whose it is: under another one the next
// request could send what is pending before anybody has said who we are.
func (l *roundTrips) renew(text string) bool {
	if _, ok := token.Peek(text); !ok {
		return false
	}
	l.token = text
	return true
}

func (l *roundTrips) close() {
	l.closed = true
	if l.abort != nil {
		l.abort()
	}
}

// next begins the next request: one with what is queued, else one that waits.
func (l *roundTrips) next() {
	if l.closed || l.busy {
		return
	}
	msgs, waits, err := l.request()
	if err != nil {
		l.s.later(func() { l.out(replica.Disconnected{Err: err}) })
		return
	}
	if msgs == nil {
		return
	}
	var body []byte
	var up wire.Shorthand
	for _, m := range msgs {
		body = append(wire.AppendUp(body, up.Up(m)), '\n')
	}
	auth := bearer(l.token)
	ctx, cancel := context.WithTimeout(l.ctx, tripLimit)
	l.busy, l.abort = true, nil
	if waits {
		l.abort = cancel
	}
	l.s.wg.Go(func() {
		defer cancel()
		began := time.Now()
		over := tripOver{l: l, waited: waits}
		over.err = l.trip(ctx, auth, body, &over)
		over.took = time.Since(began)
		l.s.tell(l.ctx, over)
	})
}

// request takes the messages of the next request from the queue.
func (l *roundTrips) request() (msgs []wire.Up, waits bool, err error) {
	if len(l.queue) > 0 {
		if _, greets := l.queue[0].(*wire.Hello); greets {
			msgs, l.queue = l.queue[:1:1], l.queue[1:]
			return msgs, false, nil
		}
	}
	h, err := l.s.hello()
	if err != nil {
		return nil, false, err
	}
	n := len(l.queue)
	if l.s.db.ways.onlySmall() {
		n = min(n, 1)
	}
	msgs = append([]wire.Up{h}, l.queue[:n]...)
	l.queue = l.queue[n:]
	return msgs, n == 0, nil
}

// ended is called on the shell's goroutine when a request is over.
func (l *roundTrips) ended(t tripOver) {
	l.busy, l.abort = false, nil
	if l.closed {
		return
	}
	aborted := t.waited && errors.Is(t.err, context.Canceled)
	switch {
	case t.err != nil && !aborted:
		l.failed(t)
		return
	case t.err == nil && !l.proved:
		l.proved = true
		if l.instead {
			l.s.db.ways.block(time.Now()) // it was the WebSocket alone that did not work
		}
	}
	if len(l.queue) > 0 || !t.waited || t.news || t.took > pollWait/4 {
		l.rest = 0
		l.next()
		return
	}
	// The server did not wait: do not ask it as fast as the line allows.
	l.rest = min(max(2*l.rest, restFirst), restMost)
	l.s.after(l.rest, l.ctx, restOver{l})
}

func (l *roundTrips) failed(t tripOver) {
	if t.larger {
		l.s.db.ways.keepSmall()
		t.err = &tidemark.Error{Code: tidemark.CodeOffline, Op: "sync", Err: t.err, Hint: tidemark.HintOf(t.err)}
	}
	if l.instead && !l.proved {
		l.s.db.ways.unblock()
	}
	l.s.later(func() { l.out(replica.Disconnected{Err: t.err}) })
}

func (l *roundTrips) trip(ctx context.Context, auth http.Header, body []byte, over *tripOver) error {
	target := l.s.addr.at("sync")
	if over.waited {
		target += "?wait=" + pollWait.String()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	maps.Copy(req.Header, auth)
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("User-Agent", Agent)
	resp, err := l.s.db.opts.HTTP.Do(req)
	if err != nil {
		return unreachable("sync", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK || !isType(resp, "ndjson") {
		over.larger = resp.StatusCode == http.StatusRequestEntityTooLarge
		return withRetry(resp, unexpected("sync", resp))
	}
	return l.readAnswer(resp.Body, over)
}

// readAnswer passes the messages on as they come.
func (l *roundTrips) readAnswer(body io.Reader, over *tripOver) error {
	var down wire.Shorthand
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), maxDown)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		m, err := wire.DecodeDown(line)
		if err != nil {
			m = nil
		} else {
			down.ReadDown(m)
		}
		over.news = over.news || isNews(m)
		if !l.out(replica.Received{Msg: m}) {
			return context.Canceled
		}
	}
	if err := lines.Err(); err != nil {
		return unreachable("sync", err)
	}
	return nil
}

// isNews tells what a waiting server waits for from what it says every time.
func isNews(m wire.Down) bool {
	switch m.(type) {
	case *wire.Welcome, *wire.Schema, *wire.Leases:
		return false
	}
	return true
}
