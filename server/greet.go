package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Bounds of connections that have not said whose they are.
const (
	mostUnknown = 1000      // at a time
	firstSize   = 256 << 10 // bytes of a first message: it may name 10,000 scopes
)

// serveUnknown takes a connection that is to say in its first message whose it
// is. Until then it costs little, and learns nothing, not even whether the
// space is there.
func (s *Server) serveUnknown(w http.ResponseWriter, r *http.Request) {
	if !s.letIn(w, r) || tokenInAddress(w, r) {
		return
	}
	if !websocket.IsWebSocketUpgrade(r) {
		s.authentic(func(w http.ResponseWriter, _ *http.Request) {
			writeError(w, http.StatusBadRequest, tidemark.CodeProtocol, "no WebSocket is asked for", "use the sync request instead")
		})(w, r)
		return
	}
	if s.unknown.Add(1) > mostUnknown {
		s.unknown.Add(-1)
		s.writeRefusal(w, &wire.Refusal{Code: tidemark.CodeBusy, Message: "too many connections wait to say whose they are", Retry: 5000})
		return
	}
	conn, err := s.upgrade(w, r)
	if err != nil {
		s.unknown.Add(-1)
		return
	}
	name := r.PathValue("name")
	s.idle.Add(1)
	go func() {
		defer s.idle.Done()
		defer s.unknown.Add(-1)
		s.greet(conn, name)
	}()
}

// greet reads the first message of a connection and begins its session, or
// refuses it.
func (s *Server) greet(conn *websocket.Conn, name string) {
	stop := context.AfterFunc(s.serving, func() { _ = conn.Close() })
	defer stop()
	hello, size, refusal := s.firstHello(conn)
	if refusal == nil {
		refusal = s.begin(conn, name, hello, size)
	}
	if refusal == nil {
		return
	}
	deadline := time.Now().Add(time.Second)
	_ = conn.SetWriteDeadline(deadline)
	_ = conn.WriteMessage(websocket.TextMessage, wire.AppendDown(nil, refusal))
	_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), deadline)
	// Read on until the other side has closed: closing over what it sent would
	// take away what it was told.
	_ = conn.SetReadDeadline(deadline)
	for {
		if _, _, err := conn.NextReader(); err != nil {
			_ = conn.Close()
			return
		}
	}
}

// firstHello reads a hello with a token.
func (s *Server) firstHello(conn *websocket.Conn) (*wire.Hello, int, *wire.Refusal) {
	_ = conn.SetReadDeadline(time.Now().Add(s.tune.hello))
	kind, r, err := conn.NextReader()
	var b []byte
	if err == nil {
		b, err = io.ReadAll(io.LimitReader(r, firstSize+1))
	}
	switch {
	case err != nil:
		return nil, 0, s.nobody()
	case len(b) > firstSize:
		return nil, 0, tooLarge(firstSize)
	}
	m, err := wire.DecodeUp(b)
	if kind != websocket.TextMessage || err != nil {
		return nil, 0, &wire.Refusal{Code: tidemark.CodeProtocol, Message: "the first message cannot be read"}
	}
	hello, is := m.(*wire.Hello)
	if !is {
		return nil, 0, s.nobody()
	}
	return hello, len(b), nil
}

// nobody refuses a connection that does not say whose it is.
func (s *Server) nobody() *wire.Refusal {
	_, err := s.judge(s.ctx, "")
	if err == nil { // an Authenticator that lets people in without a token
		return &wire.Refusal{Code: tidemark.CodeProtocol, Message: "the first message must be a hello", Fatal: true}
	}
	return s.notGood(err)
}

// begin looks whose a connection is and begins its session.
func (s *Server) begin(conn *websocket.Conn, name string, hello *wire.Hello, size int) *wire.Refusal {
	who, err := s.judge(s.serving, hello.Token)
	if err != nil {
		return s.notGood(err)
	}
	if !s.quotas.connect(who.ID, time.Now()) {
		return s.tooMany()
	}
	sp, err := s.space(s.serving, name)
	if err != nil {
		s.quotas.disconnect(who.ID)
		return s.unusable(err)
	}
	hello.Token = ""
	s.run(conn, sp, who, hello, size)
	return nil
}

// unusable says in a session why there is no space, as writeErr does in an answer.
func (s *Server) unusable(err error) *wire.Refusal {
	var e *tidemark.Error
	if !errors.As(err, &e) {
		s.log.Error("request failed", "error", err)
		return &wire.Refusal{Code: tidemark.CodeInternal, Message: "the server failed; its log says why"}
	}
	if e.Code == tidemark.CodeShutdown {
		return goodbye()
	}
	return &wire.Refusal{Code: e.Code, Message: e.Error(), Hint: e.Hint, Retry: 5000}
}

// judged takes what a message says of who speaks: a token, or a hello with one.
// It reports false when the connection ends for it.
func (k *socket) judged(m wire.Up) bool {
	srv := k.space.srv
	text := ""
	switch m := m.(type) {
	case *wire.Token:
		text = m.Token
	case *wire.Hello:
		text, m.Token = m.Token, ""
		if text == "" {
			return true
		}
	default:
		return true
	}
	if srv.opts.Auth == nil {
		if _, is := m.(*wire.Token); is {
			k.peer.outbox.put(frame{down: &wire.Renewed{}})
		}
		return true
	}
	who, err := srv.judge(srv.serving, text)
	switch {
	case err != nil:
		return k.refuse(srv.notGood(err))
	case who.ID != k.who.ID:
		return k.refuse(another(k.who.ID, who.ID))
	}
	if _, is := m.(*wire.Token); is {
		return k.space.send(event{peer: k.peer, kind: evRenew, who: &who})
	}
	k.newer = &who
	return true
}

// cost is how many changesets of its principal's quota a message takes. A token
// takes one, too: judging it is work.
func cost(m wire.Up) int {
	switch m := m.(type) {
	case *wire.Push, *wire.Token:
		return 1
	case *wire.Hello:
		return 1 + (len(m.Held)+len(m.Want))/scopesPerCost
	case *wire.Subscribe:
		return 1 + len(m.Want)/scopesPerCost
	}
	return 0
}

// scopesPerCost is how many names of scopes cost what a changeset does.
const scopesPerCost = 100
