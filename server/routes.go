package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/tidemarkdb/tidemark"
)

// spaceHandler serves a request for one space, which is open.
type spaceHandler func(http.ResponseWriter, *http.Request, *space)

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /v1/ready", s.serveReady)
	mux.HandleFunc("GET /metrics", s.serveMetrics())
	mux.HandleFunc("GET /v1/spaces", s.authentic(s.serveList))
	for _, base := range []string{"/v1/spaces/{name}", "/{name}"} {
		mux.HandleFunc("GET "+base, s.in(s.serveInfo))
		mux.HandleFunc("GET "+base+"/ws", s.serveSocket)
		mux.HandleFunc("POST "+base+"/sync", s.in(s.serveSync))
		mux.HandleFunc("GET "+base+"/snapshot", s.in(s.serveSnapshot))
		mux.HandleFunc("GET "+base+"/schema/{hash}", s.in(s.serveSchema))
		mux.HandleFunc("OPTIONS "+base, s.servePreflight)
		mux.HandleFunc("OPTIONS "+base+"/{rest...}", s.servePreflight)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, tidemark.CodeNotFound, "nothing is served at "+r.URL.Path, "a space is at /v1/spaces/NAME, or /NAME for short")
	})
	return mux
}

// in finds the space of a request and opens it if need be, once it is known
// who asks, and turns away web pages of other origins.
func (s *Server) in(h spaceHandler) http.HandlerFunc {
	return s.authentic(func(w http.ResponseWriter, r *http.Request) {
		sp, err := s.space(r.Context(), r.PathValue("name"))
		if err != nil {
			s.writeErr(w, err)
			return
		}
		h(w, r, sp)
	})
}

// spaceJSON says where a space is.
type spaceJSON struct {
	Space       string       `json:"space"`
	Incarnation string       `json:"incarnation,omitempty"`
	Term        string       `json:"term,omitempty"`
	Head        tidemark.Seq `json:"head"`
	Sum         string       `json:"sum,omitempty"`
	Schema      string       `json:"schema,omitempty"`
	Status      string       `json:"status"` // ok, failing, closed
	Error       string       `json:"error,omitempty"`
}

func infoOf(name string, st tidemark.SpaceState) spaceJSON {
	return spaceJSON{
		Space: name, Incarnation: st.Incarnation, Term: st.Term, Head: st.Head,
		Sum: strconv.FormatUint(st.Sum, 10), Schema: st.SchemaHash, Status: "ok",
	}
}

func (s *Server) serveInfo(w http.ResponseWriter, _ *http.Request, sp *space) {
	info := infoOf(sp.name, sp.State())
	if err := sp.broken.Load(); err != nil {
		info.Status, info.Error = "failing", (*err).Error()
	}
	writeJSON(w, http.StatusOK, info)
}

func (s *Server) serveList(w http.ResponseWriter, _ *http.Request) {
	spaces, err := s.Spaces()
	if err != nil {
		s.writeErr(w, err)
		return
	}
	list := make([]spaceJSON, len(spaces))
	for i, sp := range spaces {
		switch {
		case sp.Open:
			list[i] = infoOf(sp.Name, sp.State)
		case sp.Err != nil:
			list[i] = spaceJSON{Space: sp.Name, Status: "failing", Error: sp.Err.Error()}
		default:
			list[i] = spaceJSON{Space: sp.Name, Status: "closed"}
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"spaces": list})
}

// serveReady says whether requests can be served: what was opened is open, and
// the stores work.
func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	spaces := map[string]string{}
	status := http.StatusOK
	s.mu.Lock()
	for name, l := range s.spaces {
		spaces[name] = "ok"
		if sp := l.ready(); sp == nil || sp.broken.Load() != nil {
			spaces[name], status = "failing", http.StatusServiceUnavailable
			if _, err := l.failed(); sp == nil && err == nil {
				spaces[name] = "opening"
			}
		}
	}
	s.mu.Unlock()
	ready := map[bool]string{true: "ready", false: "not ready"}[status == http.StatusOK]
	writeJSON(w, status, map[string]any{"status": ready, "spaces": spaces})
}

func (s *Server) serveSchema(w http.ResponseWriter, r *http.Request, sp *space) {
	hash := r.PathValue("hash")
	var body []byte
	err := sp.view(r.Context(), func() error {
		return sp.store.View(r.Context(), func(v tidemark.View) (err error) {
			body, err = v.SchemaBody(hash)
			return err
		})
	})
	switch {
	case err != nil:
		s.writeErr(w, err)
	case body == nil:
		writeError(w, http.StatusNotFound, tidemark.CodeSchema, "this space never had schema "+hash, "")
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=31536000, immutable")
		_, _ = w.Write(body)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // an error is one of the connection
}

// errorJSON is the body of every answer that is an error.
type errorJSON struct {
	Error struct {
		Code    tidemark.Code `json:"code"`
		Message string        `json:"message"`
		Hint    string        `json:"hint,omitempty"`
	} `json:"error"`
}

func writeError(w http.ResponseWriter, status int, code tidemark.Code, message, hint string) {
	var e errorJSON
	e.Error.Code, e.Error.Message, e.Error.Hint = code, message, hint
	writeJSON(w, status, e)
}

// writeErr answers with an error of ours.
func (s *Server) writeErr(w http.ResponseWriter, err error) {
	var e *tidemark.Error
	if !errors.As(err, &e) {
		s.log.Error("request failed", "error", err)
		writeError(w, http.StatusInternalServerError, tidemark.CodeInternal, "the server failed; its log says why", "")
		return
	}
	status := http.StatusServiceUnavailable // also for a space that cannot be opened: others are served
	switch e.Code {
	case tidemark.CodeNoSpace, tidemark.CodeNotFound:
		status = http.StatusNotFound
	case tidemark.CodeShutdown:
		comeBack(w)
		return
	}
	w.Header().Set("Retry-After", "5")
	writeError(w, status, e.Code, e.Error(), e.Hint)
}

// refuseBody answers a request whose body cannot be taken.
func (s *Server) refuseBody(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errTooLarge):
		r := tooLarge(s.opts.Limits.Message)
		writeError(w, http.StatusRequestEntityTooLarge, r.Code, r.Message, r.Hint)
	case errors.Is(err, errEncoding):
		w.Header().Set("Accept-Encoding", "gzip, zstd")
		writeError(w, http.StatusUnsupportedMediaType, tidemark.CodeProtocol, "the body has an encoding that this server does not know", "send it plain, or with gzip or zstd")
	default:
		writeError(w, http.StatusBadRequest, tidemark.CodeProtocol, "the messages cannot be read: "+err.Error(), "")
	}
}

// comeBack answers while the server goes down.
func comeBack(w http.ResponseWriter) {
	r := goodbye()
	w.Header().Set("Retry-After", strconv.FormatInt((r.Retry+999)/1000, 10))
	w.Header().Set("Connection", "close")
	writeError(w, http.StatusServiceUnavailable, r.Code, r.Message, "come back in a few seconds")
}

func bytesText(n int) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%.3g MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}
