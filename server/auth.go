package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/token"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Authenticator says whose a token is. Tokens is the usual one.
type Authenticator interface {
	// Authenticate judges a token, "" when none came. An *Error with
	// tidemark.CodeUnauthenticated says that it is not good; any other error
	// that it cannot be judged now. It is called beside the spaces' loops, from
	// many goroutines, and may ask elsewhere until ctx ends.
	Authenticate(ctx context.Context, token string) (tidemark.Principal, error)
}

// Revoker is an Authenticator that may take back what it said. It is asked
// about every connected principal every second.
type Revoker interface {
	Authenticator
	Revoked(tidemark.Principal) bool
}

// judgement is how long judging a token may take.
const judgement = 10 * time.Second

type callerKey struct{}

// callerOf returns who asks, the zero principal without authentication.
func callerOf(r *http.Request) tidemark.Principal {
	p, _ := r.Context().Value(callerKey{}).(tidemark.Principal)
	return p
}

// authentic lets requests through that bring a good token, where tokens are
// asked for.
func (s *Server) authentic(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.letIn(w, r) || tokenInAddress(w, r) {
			return
		}
		if s.opts.Auth == nil {
			next(w, r)
			return
		}
		p, err := s.judge(r.Context(), bearer(r))
		if err != nil {
			s.turnAway(w, err)
			return
		}
		next(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, p)))
	}
}

// inAddress are the names under which tokens are put into addresses elsewhere.
var inAddress = []string{"token", "access_token", "jwt"}

// tokenInAddress refuses a token where logs, caches and other pages see it.
func tokenInAddress(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.RawQuery == "" {
		return false
	}
	q := r.URL.Query()
	for _, name := range inAddress {
		if q.Has(name) {
			writeError(w, http.StatusBadRequest, tidemark.CodeUsage, "a token does not belong into an address",
				"send it in the Authorization header, as Bearer TOKEN, or in the first message; and have this one revoked: logs may hold it")
			return true
		}
	}
	return false
}

// bearer returns the token of the Authorization header, "" when there is none.
func bearer(r *http.Request) string {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(text)
}

// judge asks whose a token is.
func (s *Server) judge(ctx context.Context, text string) (tidemark.Principal, error) {
	ctx, cancel := context.WithTimeout(ctx, judgement)
	defer cancel()
	p, err := s.opts.Auth.Authenticate(ctx, text)
	if err == nil && !token.IsID(p.ID) {
		err = errors.New("the authenticator named nobody")
	}
	if err != nil {
		s.metrics.refusedTokens.WithLabelValues(reasonOf(err)).Inc()
		return tidemark.Principal{}, err
	}
	return p, nil
}

// reasonOf sorts errors for the metrics.
func reasonOf(err error) string {
	var r *token.Refused
	switch {
	case errors.As(err, &r):
		return r.Reason
	case tidemark.CodeOf(err) == tidemark.CodeUnauthenticated:
		return token.Bad
	}
	return "error"
}

// notGood turns what an Authenticator said into a refusal.
func (s *Server) notGood(err error) *wire.Refusal {
	var e *tidemark.Error
	if errors.As(err, &e) && e.Code == tidemark.CodeUnauthenticated {
		return &wire.Refusal{Code: e.Code, Message: e.Msg, Hint: e.Hint}
	}
	s.log.Error("a token cannot be judged", "error", err)
	return &wire.Refusal{Code: tidemark.CodeBusy, Message: "tokens cannot be judged now", Hint: "try again later", Retry: 5000}
}

// turnAway answers a request whose token is not good.
func (s *Server) turnAway(w http.ResponseWriter, err error) {
	s.writeRefusal(w, s.notGood(err))
}

// writeRefusal answers a request with what would be a refusal in a session.
func (s *Server) writeRefusal(w http.ResponseWriter, r *wire.Refusal) {
	status := http.StatusServiceUnavailable
	switch r.Code {
	case tidemark.CodeUnauthenticated:
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Bearer realm="tidemark"`)
	case tidemark.CodeForbidden:
		status = http.StatusForbidden
	case tidemark.CodeRateLimited:
		status = http.StatusTooManyRequests
	}
	if r.Retry > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(float64(r.Retry)/1000)), 10))
	}
	writeError(w, status, r.Code, r.Message, r.Hint)
}

// nearby reports whether a request comes from this machine and not through a
// proxy, which would make everybody's do so.
func nearby(r *http.Request) bool {
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip"} {
		if r.Header.Get(h) != "" {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// serveMetrics tells numbers, which say something of who uses the server.
func (s *Server) serveMetrics() http.HandlerFunc {
	show := s.metrics.handler().ServeHTTP
	asked := s.authentic(show)
	return func(w http.ResponseWriter, r *http.Request) {
		if s.opts.Auth != nil && !nearby(r) {
			asked(w, r)
			return
		}
		show(w, r)
	}
}

// another refuses a token of somebody else on a connection.
func another(was, is string) *wire.Refusal {
	return &wire.Refusal{
		Code: tidemark.CodeForbidden, Fatal: true,
		Message: fmt.Sprintf("the connection is of %q, the token is of %q", was, is),
		Hint:    "make a connection of its own for it",
	}
}

// ended is what a connection hears whose token's time is over.
func ended() *wire.Refusal {
	return &wire.Refusal{Code: tidemark.CodeUnauthenticated, Message: "the token expired", Hint: "bring a new one"}
}

// expireAt sets or moves the end of a connection to that of its token. Clocks
// may differ a little, as where the token was judged.
func (sp *space) expireAt(p *peer) {
	if p.expiry != nil {
		p.expiry.Stop()
		p.expiry = nil
	}
	end := p.session.Principal().Expires
	if end.IsZero() || p.trip != nil {
		return
	}
	p.expires = time.Now().Add(max(0, time.Until(end)) + sp.srv.grace)
	p.expiry = time.AfterFunc(time.Until(p.expires), func() { sp.send(event{peer: p, kind: evExpired}) })
}

// expired ends a connection, unless its token was renewed meanwhile.
func (sp *space) expired(p *peer) {
	if sp.peers[p] && p.expiry != nil && !time.Now().Before(p.expires) {
		sp.end(p, ended())
	}
}

// renewed goes on with a newer token of the same principal.
func (sp *space) renewed(p *peer, who tidemark.Principal) {
	if !sp.peers[p] {
		return
	}
	if !p.session.Renew(who) {
		sp.end(p, another(p.session.Principal().ID, who.ID))
		return
	}
	sp.expireAt(p)
	p.put([]wire.Down{&wire.Renewed{Expires: hub.Expiry(who)}}, nil)
	sp.settle(p) // other claims may grant other scopes
}

// auditEvery is how often it is asked whether somebody connected was revoked.
const auditEvery = time.Second

// audit ends the connections of those whose token is not good any more.
func (sp *space) audit() {
	sp.auditAt = time.Now().Add(auditEvery)
	r, ok := sp.srv.opts.Auth.(Revoker)
	if !ok {
		return
	}
	for p := range sp.peers {
		if r.Revoked(p.session.Principal()) {
			sp.srv.metrics.refusedTokens.WithLabelValues(token.Revoked).Inc()
			sp.end(p, sp.srv.notGood(token.RefuseRevoked()))
		}
	}
}
