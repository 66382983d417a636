package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

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
	gone  chan struct{} // closed when the reader has returned
	quit  chan struct{} // closed when the writer has
}

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request, sp *space) {
	up := websocket.Upgrader{
		ReadBufferSize: 1 << 10, WriteBufferSize: 4 << 10, WriteBufferPool: &writeBuffers,
		HandshakeTimeout: 10 * time.Second,
		Subprotocols:     []string{wire.Subprotocol},
		CheckOrigin:      func(*http.Request) bool { return true }, // was checked for every request
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			writeError(w, status, tidemark.CodeProtocol, "no WebSocket: "+reason.Error(), "use the sync request instead")
		},
	}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	k := &socket{space: sp, peer: sp.newPeer(), conn: conn, gone: make(chan struct{}), quit: make(chan struct{})}
	// Leave the handler: it holds buffers that an idle connection need not have.
	s.idle.Add(2)
	go k.read()
	go k.write()
}

// read hands messages to the loop until the connection ends.
func (k *socket) read() {
	srv := k.space.srv
	defer srv.idle.Done()
	defer close(k.gone)
	stop := context.AfterFunc(srv.ctx, func() { _ = k.conn.Close() })
	defer stop()
	meter := k.space.meter
	meter.sockets.Inc()
	defer meter.sockets.Dec()
	if !k.space.send(event{peer: k.peer, kind: evJoin}) {
		return
	}
	k.awake()
	k.conn.SetPongHandler(func(string) error { k.awake(); return nil })
	for {
		m, n, err := k.receive()
		if err != nil {
			k.complain(err)
			break
		}
		meter.received.Add(float64(n))
		if !k.peer.outbox.await(k.quit) {
			break
		}
		k.awake() // it was not its silence
		if !k.peer.credit.take(n+overhead, k.quit) {
			break
		}
		if !k.space.send(event{peer: k.peer, kind: evMessage, msg: m, size: n + overhead}) {
			break
		}
	}
	k.space.send(event{peer: k.peer, kind: evGone})
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

// write sends what the outbox holds, and pings.
func (k *socket) write() {
	srv := k.space.srv
	defer srv.idle.Done()
	defer close(k.quit)
	defer func() { _ = k.conn.Close() }()
	ping := time.NewTicker(srv.tune.ping)
	defer ping.Stop()
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
		select {
		case <-k.peer.outbox.more:
		case <-ping.C:
			if k.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(srv.tune.write)) != nil {
				return
			}
		case <-k.gone:
			if k.peer.outbox.empty() {
				return
			}
		}
	}
}

// keepBuffer is the largest encoding buffer that a connection keeps.
const keepBuffer = 64 << 10

// send writes one frame and returns the buffer for the next, nil when the
// connection is broken.
func (k *socket) send(short *wire.Shorthand, buf []byte, f frame) []byte {
	_ = k.conn.SetWriteDeadline(time.Now().Add(k.space.srv.tune.write))
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
