package client

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func isUpgrade(r *http.Request) bool { return r.Header.Get("Upgrade") != "" }

// Things that stand between and do not let WebSockets through.
func TestProxiesThatBlockWebSockets(t *testing.T) {
	page := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<html><body>No.</body></html>"))
		}
	}
	for name, block := range map[string]http.HandlerFunc{
		"403 page": page(403), "502 page": page(502), "200 page": page(200), "404 page": page(404), "426": page(426),
		"cut": func(w http.ResponseWriter, _ *http.Request) { cut(w) },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			real := *s.next.Load()
			var upgrades atomic.Int32
			s.through(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if isUpgrade(r) {
					upgrades.Add(1)
					block(w, r)
					return
				}
				real.ServeHTTP(w, r)
			}))
			a, b := s.clone(Options{}), s.clone(Options{})
			running(t, b)
			before := upgrades.Load()
			if before == 0 {
				t.Error("a WebSocket was never tried")
			}
			for i := range 5 {
				mustExec(t, a, "INSERT INTO artist (name) VALUES (?)", fmt.Sprint("n", i))
				mustSync(t, a)
			}
			eventually(t, "the other copy hears of it", func() bool {
				return mustQuery(t, b, "SELECT count(*) FROM artist") == "7"
			})
			if n := upgrades.Load() - before; n > 2 {
				t.Errorf("%d more attempts although it is known not to work", n)
			}
			s.converged(a, b)
		})
	}
}

// A middlebox that lets the upgrade through and then cuts the connection.
func TestSocketsThatDieAtOnce(t *testing.T) {
	s := serve(t)
	real := *s.next.Load()
	s.through(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isUpgrade(r) {
			real.ServeHTTP(w, r)
			return
		}
		inner := httptest.NewServer(real)
		defer inner.Close()
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		accept, err := upgradeAnswer(inner.URL, r)
		if err == nil {
			_, _ = conn.Write(accept)
		}
	}))
	a := s.clone(Options{})
	mustExec(t, a, "INSERT INTO artist (name) VALUES ('through')")
	mustSync(t, a)
	s.converged(a)
}

// upgradeAnswer gets the head of a genuine answer to an upgrade.
func upgradeAnswer(url string, r *http.Request) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, url+r.URL.Path, nil)
	if err != nil {
		return nil, err
	}
	req.Header = r.Header.Clone()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var b strings.Builder
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	if err := resp.Header.Write(&b); err != nil {
		return nil, err
	}
	return []byte(b.String() + "\r\n"), nil
}

// What passes is waited for, whatever says it.
func TestPassingErrorsOfProxies(t *testing.T) {
	s := serve(t)
	real := *s.next.Load()
	a := s.clone(Options{Transport: "http"})
	answers := []int{502, 200, 413, 0}
	var at atomic.Int32
	s.through(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := int(at.Add(1)) - 1
		switch {
		case i >= len(answers):
			real.ServeHTTP(w, r)
		case answers[i] == 0:
			cut(w)
		default:
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(answers[i])
			_, _ = w.Write([]byte("<html>"))
		}
	}))
	running(t, a)
	for i := range 3 {
		mustExec(t, a, "INSERT INTO artist (name) VALUES (?)", fmt.Sprint("n", i))
	}
	eventually(t, "everything settled", func() bool { st, err := a.Status(); return err == nil && st.Pending == 0 && !st.Unsealed })
	s.converged(a)
}
