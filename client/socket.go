package client

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Bounds of a socket.
const (
	handshake    = 10 * time.Second
	pingEvery    = 20 * time.Second
	silenceLimit = 50 * time.Second // without even a pong
	writeLimit   = 30 * time.Second // for one message to leave
	farewell     = 500 * time.Millisecond
	maxDown      = 256 << 20 // bytes of one message
)

// dialError says why there is no socket and whether plain HTTP may do.
type dialError struct {
	err         error
	mayFallBack bool
}

// socket is a link over a WebSocket, one message per text frame.
type socket struct {
	conn  *websocket.Conn
	out   emit
	ways  *ways
	up    wire.Shorthand
	spoke atomic.Bool // the server said something

	mu    sync.Mutex
	queue [][]byte
	more  chan struct{}
	quit  chan struct{}
	once  sync.Once

	parting atomic.Bool // see bye
}

func dialSocket(ctx context.Context, s *shell, out emit, token string) (link, *dialError) {
	conn, resp, err := shakeHands(ctx, dialer(s.db.opts.HTTP), s.addr.socket(), bearer(token))
	if err != nil {
		return nil, explainDial(resp, err)
	}
	if conn.Subprotocol() != wire.Subprotocol {
		_ = conn.Close()
		return nil, &dialError{mayFallBack: true, err: &tidemark.Error{Code: tidemark.CodeProtocol, Op: "connect",
			Msg: "the server does not speak " + wire.Subprotocol, Hint: "install versions of both sides that belong together"}}
	}
	l := &socket{conn: conn, out: out, ways: &s.db.ways, more: make(chan struct{}, 1), quit: make(chan struct{})}
	s.wg.Go(l.read)
	s.wg.Go(l.write)
	return l, nil
}

// shakeHands dials. The dialer heeds the end of a context only until it is
// connected: a server that never answers would hold it for the whole time.
func shakeHands(ctx context.Context, d *websocket.Dialer, address string, h http.Header) (*websocket.Conn, *http.Response, error) {
	dial := d.NetDialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	keep := func() bool { return true }
	d.NetDialContext = func(connecting context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(connecting, network, addr)
		if err == nil {
			keep = context.AfterFunc(ctx, func() { _ = c.Close() })
		}
		return c, err
	}
	limited, cancel := context.WithTimeout(ctx, handshake)
	defer cancel()
	conn, resp, err := d.DialContext(limited, address, h)
	if !keep() && err == nil {
		return nil, nil, errors.Join(ctx.Err(), conn.Close())
	}
	return conn, resp, err
}

// dialer takes proxy, certificates and cookies from the HTTP client.
func dialer(c *http.Client) *websocket.Dialer {
	d := &websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, HandshakeTimeout: handshake, Subprotocols: []string{wire.Subprotocol},
		ReadBufferSize: 4 << 10, WriteBufferSize: 4 << 10, Jar: c.Jar,
	}
	if t, ok := c.Transport.(*http.Transport); ok {
		d.Proxy, d.TLSClientConfig, d.NetDialContext = t.Proxy, t.TLSClientConfig, t.DialContext
	}
	return d
}

// explainDial sorts failures: where a server of ours spoke, or nobody at all,
// plain HTTP would hear the same.
func explainDial(resp *http.Response, err error) *dialError {
	if resp == nil {
		// A middlebox may swallow the upgrade: a handshake that times out is
		// worth a try without.
		var passing interface{ Timeout() bool }
		timeout := errors.As(err, &passing) && passing.Timeout() || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
		return &dialError{err: unreachable("connect", err), mayFallBack: timeout}
	}
	defer func() { _ = resp.Body.Close() }()
	err = withRetry(resp, unexpected("connect", resp))
	switch tidemark.CodeOf(err) {
	case tidemark.CodeOffline, tidemark.CodeNoSpace:
		// A 404 can be a proxy that knows no upgrade; plain HTTP gets the truth.
		return &dialError{err: err, mayFallBack: true}
	default:
		return &dialError{err: err}
	}
}

func (l *socket) send(msgs []wire.Up) {
	l.mu.Lock()
	for _, m := range msgs {
		l.queue = append(l.queue, wire.AppendUp(nil, l.up.Up(m)))
	}
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
}

func (l *socket) renew(token string) bool {
	l.send([]wire.Up{&wire.Token{Token: token}})
	return true
}

func (l *socket) close() {
	l.once.Do(func() {
		close(l.quit)
		if !l.parting.Load() {
			_ = l.conn.Close()
		}
	})
}

// bye says that this is the end of it, and lets the reader wait for a moment
// until the other side has said so, too: what it does not read otherwise may
// take the word away.
func (l *socket) bye() {
	l.parting.Store(true)
	l.mu.Lock()
	l.queue = append(l.queue, nil) // behind what is to be sent
	l.mu.Unlock()
	_ = l.conn.SetReadDeadline(time.Now().Add(farewell))
}

// part writes the last word.
func (l *socket) part() error {
	message := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	return l.conn.WriteControl(websocket.CloseMessage, message, time.Now().Add(farewell))
}

func (l *socket) write() {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-l.quit:
			if l.parting.Load() {
				_ = l.flush()
			}
			return
		case <-ping.C:
			_ = l.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeLimit))
		case <-l.more:
			if err := l.flush(); err != nil {
				_ = l.conn.Close() // the reader tells of it
				return
			}
		}
	}
}

func (l *socket) flush() error {
	for {
		l.mu.Lock()
		if len(l.queue) == 0 {
			l.mu.Unlock()
			return nil
		}
		b := l.queue[0]
		l.queue = l.queue[1:]
		l.mu.Unlock()
		if b == nil {
			return l.part()
		}
		limit := writeLimit
		if l.parting.Load() {
			limit = farewell
		}
		if err := l.conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
			return err
		}
		if err := l.conn.WriteMessage(websocket.TextMessage, b); err != nil {
			return err
		}
	}
}

func (l *socket) read() {
	defer func() { _ = l.conn.Close() }()
	l.conn.SetReadLimit(maxDown)
	awake := func() {
		limit := silenceLimit
		if l.parting.Load() {
			limit = farewell
		}
		_ = l.conn.SetReadDeadline(time.Now().Add(limit))
	}
	l.conn.SetPongHandler(func(string) error { awake(); return nil })
	awake()
	var down wire.Shorthand
	for {
		kind, b, err := l.conn.ReadMessage()
		if err != nil {
			l.ended(err)
			return
		}
		awake()
		m, err := wire.DecodeDown(b)
		if kind != websocket.TextMessage || err != nil {
			m = nil
		}
		if m != nil {
			down.ReadDown(m)
			l.spoke.Store(true)
		}
		if wire.IsBeat(m) {
			continue // the loop need not wake up for it
		}
		if !l.out(replica.Received{Msg: m}) && !l.parting.Load() {
			return
		}
		awake() // taking it in may have been long
	}
}

func (l *socket) ended(err error) {
	select {
	case <-l.quit: // we ended it
	default:
		l.ways.died(l.spoke.Load(), time.Now())
		l.out(replica.Disconnected{Err: unreachable("connect", err)})
	}
}
