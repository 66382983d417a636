package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// letIn reports whether a request may be served, and answers it if not. It lets
// through what is no web page (it sends no Origin), the server's own pages and
// those of the origins that the options name; browsers let these read the answer.
func (s *Server) letIn(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	switch {
	case origin == "" || ownOrigin(origin, r):
		return true
	case s.named(origin):
		share(w.Header(), origin)
		return true
	}
	writeError(w, http.StatusForbidden, tidemark.CodeForbidden, "pages of "+origin+" may not use this server",
		"serve with that origin allowed: tidemark serve --origin "+origin)
	return false
}

func ownOrigin(origin string, r *http.Request) bool {
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

func (s *Server) named(origin string) bool {
	return slices.Contains(s.opts.AllowOrigins, "*") || slices.Contains(s.opts.AllowOrigins, origin)
}

// exposed are the headers that pages of other origins need to read.
var exposed = strings.Join([]string{
	"Content-Range", "ETag", "Retry-After", wire.HeaderState, wire.HeaderRows, wire.HeaderBytes,
}, ", ")

// share lets pages of an origin read the answer.
func share(h http.Header, origin string) {
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", exposed)
}

// servePreflight says what pages of other origins may send. It opens no space.
func (s *Server) servePreflight(w http.ResponseWriter, r *http.Request) {
	if !s.letIn(w, r) {
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, POST")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Encoding, Content-Type, If-Range, Range")
	h.Set("Access-Control-Max-Age", "7200")
	w.WriteHeader(http.StatusNoContent)
}
