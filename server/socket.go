package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// overhead is what a message costs beside its bytes.
const overhead = 128

// writeBuffers are shared by all connections: an idle one holds none.
var writeBuffers sync.Pool

// errTooLarge ends a connection whose message goes beyond the limit.
var errTooLarge = errors.New("message too large")

// socket is one WebSocket connection: a goroutine that reads and one that writes.
type socket struct {
	space *space
	peer  *peer
	conn  *websocket.Conn
	who   tidemark.Principal
	newer *tidemark.Principal // what the token of a hello says, until the loop has it
	gone  chan struct{}       // closed when the reader has returned
	quit  chan struct{}       // closed when the writer has
	turns *rate.Limiter       // of Subscribe; nil before the first
	said  time.Time           // when the writer began its last message
}

// serveSocket opens a session over a WebSocket. Web pages cannot send a header
// with it: where tokens are asked for, and none came, the first message must
// bring one.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	if s.opts.Auth != nil && r.Header.Get("Authorization") == "" {
		s.serveUnknown(w, r)
		return
	}
	s.in(func(w http.ResponseWriter, r *http.Request, sp *space) {
		who := callerOf(r)
		if !s.quotas.connect(who.ID, time.Now()) {
			s.writeRefusal(w, s.tooMany())
			return
		}
		conn, err := s.upgrade(w, r)
		if err != nil {
			s.quotas.disconnect(who.ID)
			return
		}
		s.run(conn, sp, who, nil, 0)
	})(w, r)
}

// upgrade makes a connection of a request. It has answered when it fails.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) (*websocket.Conn, error) {
	up := websocket.Upgrader{
		ReadBufferSize: 1 << 10, WriteBufferSize: 4 << 10, WriteBufferPool: &writeBuffers,
		HandshakeTimeout: 10 * time.Second,
		Subprotocols:     []string{wire.Subprotocol},
		CheckOrigin:      func(*http.Request) bool { return true }, // was checked for every request
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			writeError(w, status, tidemark.CodeProtocol, "no WebSocket: "+reason.Error(), "use the sync request instead")
		},
	}
	return up.Upgrade(w, r, nil)
}

// run begins the session of a connection that was counted. Its goroutines leave
// the handler, which holds buffers that an idle connection need not have.
func (s *Server) run(conn *websocket.Conn, sp *space, who tidemark.Principal, first *wire.Hello, size int) {
	k := &socket{space: sp, peer: sp.newPeer(who), conn: conn, who: who, gone: make(chan struct{}), quit: make(chan struct{})}
	s.idle.Add(2)
	go k.read(first, size)
	go k.write()
}

// read hands messages to the loop until the connection ends. One that was read
// already comes first.
func (k *socket) read(first *wire.Hello, size int) {
	srv := k.space.srv
	defer srv.idle.Done()
	defer close(k.gone)
	defer srv.quotas.disconnect(k.who.ID)
	stop := context.AfterFunc(srv.ctx, func() { _ = k.conn.Close() })
	defer stop()
	meter := k.space.meter
	meter.sockets.Inc()
	defer meter.sockets.Dec()
	if !k.space.send(event{peer: k.peer, kind: evJoin}) {
		return
	}
	k.awake()
	k.conn.SetPongHandler(func(string) error {
		k.awake()
		k.space.present.alive(k.peer)
		return nil
	})
	if first != nil {
		k.peer.up.ReadUp(first)
	}
	for going := first == nil || k.hand(first, size); going; {
		m, n, err := k.receive()
		if err != nil {
			k.complain(err)
			if websocket.IsCloseError(err, websocket.CloseNormalClosure) {
				k.space.present.end(k.peer, true)
			}
			break
		}
		going = k.hand(m, n)
	}
	k.space.send(event{peer: k.peer, kind: evGone})
}

// hand gives the loop a message, when there is room and quota for it.
func (k *socket) hand(m wire.Up, n int) bool {
	k.space.meter.received.Add(float64(n))
	if !k.peer.outbox.await(k.quit) {
		return false
	}
	if r := k.space.srv.pay(k.who.ID, cost(m), n, k.quit); r != nil {
		return k.refuse(r)
	}
	if !k.judged(m) {
		return false
	}
	k.awake() // it was not its silence
	if _, is := m.(*wire.Token); is {
		return true
	}
	if is, wait := k.space.present.receive(k.peer, m); is {
		return k.pause(wait)
	}
	if _, is := m.(*wire.Subscribe); is && !k.pause(k.turn()) {
		return false
	}
	if !k.peer.credit.take(n+overhead, k.quit) {
		return false
	}
	ev := event{peer: k.peer, kind: evMessage, msg: m, size: n + overhead, who: k.newer}
	k.newer = nil
	return k.space.send(ev)
}

// Subscribe makes a session's catch-up begin anew: one connection may do so this
// often, and as often at once.
const (
	subscribesPerSecond = 5
	subscribesAtOnce    = 20
)

// turn returns for how long to wait before a Subscribe is taken.
func (k *socket) turn() time.Duration {
	if k.turns == nil {
		k.turns = rate.NewLimiter(subscribesPerSecond, subscribesAtOnce)
	}
	return k.turns.Reserve().Delay()
}

// pause does not read for a while. It reports false when the connection ends meanwhile.
func (k *socket) pause(wait time.Duration) bool {
	if wait == 0 {
		return true
	}
	select {
	case <-time.After(wait):
		return true
	case <-k.quit:
		return false
	}
}

// refuse says why the connection ends.
func (k *socket) refuse(r *wire.Refusal) bool {
	k.peer.outbox.put(frame{down: r})
	k.peer.outbox.finish()
	return false
}

func (k *socket) awake() {
	_ = k.conn.SetReadDeadline(time.Now().Add(k.space.srv.tune.silence))
}

// receive reads one message, at most as large as the limit.
func (k *socket) receive() (wire.Up, int, error) {
	kind, r, err := k.conn.NextReader()
	if err != nil {
		return nil, 0, err
	}
	limit := k.space.srv.opts.Limits.Message
	b, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, 0, err
	}
	k.awake()
	if len(b) > limit {
		return nil, 0, errTooLarge
	}
	if kind != websocket.TextMessage {
		return nil, 0, &badMessage{errors.New("a binary frame")}
	}
	m, err := wire.DecodeUp(b)
	if err != nil {
		return nil, 0, &badMessage{err}
	}
	k.peer.up.ReadUp(m)
	return m, len(b), nil
}

// badMessage is a message that cannot be read.
type badMessage struct{ err error }

func (e *badMessage) Error() string { return e.err.Error() }

// complain says why the connection ends, if the other side can be told.
func (k *socket) complain(err error) {
	var bad *badMessage
	switch {
	case errors.Is(err, errTooLarge):
		k.peer.outbox.put(frame{down: tooLarge(k.space.srv.opts.Limits.Message)})
	case errors.As(err, &bad):
		k.peer.outbox.put(frame{down: &wire.Refusal{
			Code: tidemark.CodeProtocol, Message: "a message cannot be read: " + bad.Error(),
		}})
	}
	k.peer.outbox.finish()
}

func tooLarge(limit int) *wire.Refusal {
	return &wire.Refusal{
		Code: tidemark.CodeTooLarge, Fatal: true, Message: "a message is larger than this server takes",
		Hint: "make smaller transactions, or raise the limit of the server's messages (now " + bytesText(limit) + ")",
	}
}

// write sends what the outbox holds, pings, and beats.
func (k *socket) write() {
	srv := k.space.srv
	defer srv.idle.Done()
	defer close(k.quit)
	defer func() { _ = k.conn.Close() }()
	ping := time.NewTicker(srv.tune.ping)
	defer ping.Stop()
	k.said = time.Now()
	var short wire.Shorthand
	var buf []byte
	for {
		f, ok, end := k.peer.outbox.take()
		if end {
			k.bye()
			return
		}
		if ok {
			if buf = k.send(&short, buf, f); buf == nil {
				return
			}
			continue
		}
		if b := k.space.present.next(k.peer); b != nil {
			if !k.post(b) {
				return
			}
			continue
		}
		select {
		case <-k.peer.outbox.more:
		case <-ping.C:
			if k.peer.listening.present.Load() {
				ping.Reset(min(srv.tune.ping, pingPresent))
			}
			if !k.beat() || k.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(srv.tune.write)) != nil {
				return
			}
		case <-k.gone:
			if k.peer.outbox.empty() {
				return
			}
		}
	}
}

// beat says something where nothing was said for a while, for the sake of web
// pages, which hear no pings. Half the time between two pings is such a while:
// so there is a beat at every ping of an idle connection, and never more than
// one and a half of these times without a word. It reports false when the
// connection is broken.
func (k *socket) beat() bool {
	return time.Since(k.said) < k.space.srv.tune.ping/2 || k.post(wire.Beat)
}

// keepBuffer is the largest encoding buffer that a connection keeps.
const keepBuffer = 64 << 10

// send writes one frame and returns the buffer for the next, nil when the
// connection is broken.
func (k *socket) send(short *wire.Shorthand, buf []byte, f frame) []byte {
	k.begin()
	if f.shared != nil && short.Brief(f.shared.batch) {
		b, prepared := f.shared.encode()
		k.space.meter.sent.Add(float64(len(b)))
		if k.conn.WritePreparedMessage(prepared) != nil {
			return nil
		}
		return keep(buf)
	}
	buf = wire.AppendDown(keep(buf)[:0], short.Down(f.down))
	k.space.meter.sent.Add(float64(len(buf)))
	if k.conn.WriteMessage(websocket.TextMessage, buf) != nil {
		return nil
	}
	return keep(buf)
}

// post writes a message that is encoded already. It reports false when the
// connection is broken.
func (k *socket) post(b []byte) bool {
	k.begin()
	k.space.meter.sent.Add(float64(len(b)))
	return k.conn.WriteMessage(websocket.TextMessage, b) == nil
}

// begin notes that a message is written now, and how long that may take.
func (k *socket) begin() {
	k.said = time.Now()
	_ = k.conn.SetWriteDeadline(k.said.Add(k.space.srv.tune.write))
}

// keep returns a buffer to go on with, never nil.
func keep(buf []byte) []byte {
	if buf == nil || cap(buf) > keepBuffer {
		return []byte{}
	}
	return buf
}

// bye ends the connection in an orderly way: the other side closes it once it
// has read everything, or is cut off.
func (k *socket) bye() {
	message := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if k.conn.WriteControl(websocket.CloseMessage, message, time.Now().Add(time.Second)) != nil {
		return
	}
	select {
	case <-k.gone:
	case <-time.After(time.Second):
	case <-k.space.srv.ctx.Done():
	}
}

// send hands an event to the loop. It reports false when there is no loop any more.
func (sp *space) send(ev event) bool {
	select {
	case sp.events <- ev:
		return true
	case <-sp.ended:
		return false
	}
}
