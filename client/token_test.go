package client

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/token"
	"github.com/tidemarkdb/tidemark/server"
)

var testSecret = []byte(strings.Repeat("s", token.MinSecret))

func tokenFor(t testing.TB, who string, ttl time.Duration) string {
	t.Helper()
	text, err := token.Issue(testSecret, who, map[string]any{"jti": time.Now().String()}, time.Now(), ttl)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// opaque is an authenticator whose tokens say nothing to anybody else.
type opaque struct{}

func (opaque) Authenticate(_ context.Context, text string) (tidemark.Principal, error) {
	who, ok := strings.CutPrefix(text, "opaque-")
	if !ok {
		return tidemark.Principal{}, &tidemark.Error{Code: tidemark.CodeUnauthenticated, Msg: "who are you?"}
	}
	who, _, _ = strings.Cut(who, "-")
	return tidemark.Principal{ID: who}, nil
}

// guarded is a service that asks for tokens and lets everybody write.
func guarded(t testing.TB, auth server.Authenticator) *service {
	t.Helper()
	s := serve(t)
	s.stop()
	rules := filepath.Join(filepath.Dir(s.file), "tidemark.yaml")
	if err := os.WriteFile(rules, []byte("rules:\n  default: public\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	srv, err := server.Open(s.file, server.Options{Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	s.srv = srv
	s.through(srv)
	return s
}

func jwtService(t testing.TB, leeway time.Duration) *service {
	t.Helper()
	tokens, err := server.NewTokens(server.TokenOptions{Secrets: [][]byte{testSecret}, Leeway: leeway})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tokens.Close() })
	return guarded(t, tokens)
}

// counted counts the requests that reach the server.
func (s *service) counted() *atomic.Int64 {
	var n atomic.Int64
	srv := s.srv
	s.through(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		srv.ServeHTTP(w, r)
	}))
	return &n
}

// wallet is a source of tokens that a test fills.
type wallet struct {
	mu   sync.Mutex
	text string
	err  error
}

func (w *wallet) put(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = text
}

func (w *wallet) source(context.Context) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text, w.err
}

func (s *service) cloneAs(text string, o Options) *DB {
	s.t.Helper()
	return open(s.t, s.fileOf(text), o)
}

// fileOf makes a copy and returns its path.
func (s *service) fileOf(text string) string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "copy.db")
	if err := Clone(s.t.Context(), s.address(), path, CloneOptions{Token: StaticToken(text)}); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// briefly opens a copy and closes it.
func briefly(t testing.TB, path string, o Options, fn func(db *DB)) {
	t.Helper()
	db, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	fn(db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func change(t testing.TB, db *DB, sql string) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutATokenNothingComes(t *testing.T) {
	s := jwtService(t, 0)
	path := filepath.Join(t.TempDir(), "copy.db")
	for _, source := range []TokenSource{nil, StaticToken(""), StaticToken("x.y.z"), TokenFile(filepath.Join(t.TempDir(), "none"))} {
		codeIs(t, Clone(t.Context(), s.address(), path, CloneOptions{Token: source}), tidemark.CodeUnauthenticated)
	}
	if _, err := SchemaOf(t.Context(), s.address(), Options{}); tidemark.CodeOf(err) != tidemark.CodeUnauthenticated {
		t.Error(err)
	}
	if _, err := SchemaOf(t.Context(), s.address(), Options{Token: StaticToken(tokenFor(t, "ana", time.Hour))}); err != nil {
		t.Error(err)
	}
}

// Whatever the way to the server: under another's token nothing is sent, not
// even a word (I25).
func TestNothingGoesOutUnderAnothersToken(t *testing.T) {
	for _, transport := range []string{"websocket", "http"} {
		t.Run(transport, func(t *testing.T) {
			s := jwtService(t, 0)
			w := &wallet{text: tokenFor(t, "ana", time.Hour)}
			db := s.cloneAs(w.text, Options{Token: w.source, Transport: transport})
			change(t, db, "INSERT INTO artist (name) VALUES ('hers')")
			n := s.counted()
			w.put(tokenFor(t, "ben", time.Hour))
			_, err := db.Sync(t.Context())
			codeIs(t, err, tidemark.CodeForbidden)
			if _, err := db.Head(t.Context()); tidemark.CodeOf(err) != tidemark.CodeForbidden {
				t.Error(err)
			}
			if n.Load() != 0 {
				t.Errorf("%d requests under ben's token", n.Load())
			}
			if st, err := db.Status(); err != nil || st.Pending != 1 || st.Principal != "ana" {
				t.Fatalf("%+v, %v", st, err)
			}
			w.put(tokenFor(t, "ana", time.Hour))
			if res := mustSync(t, db); res.Accepted != 1 {
				t.Fatalf("%+v", res)
			}
		})
	}
}

// A token that says nothing of whose it is goes with a hello alone first.
func TestOpaqueTokensOfOthers(t *testing.T) {
	for _, transport := range []string{"websocket", "http"} {
		t.Run(transport, func(t *testing.T) {
			s := guarded(t, opaque{})
			w := &wallet{text: "opaque-ana"}
			db := s.cloneAs(w.text, Options{Token: w.source, Transport: transport})
			change(t, db, "INSERT INTO artist (name) VALUES ('hers')")
			w.put("opaque-ben")
			_, err := db.Sync(t.Context())
			codeIs(t, err, tidemark.CodeForbidden)
			if strings.Contains(dump(t, s.file), "hers") {
				t.Error("ben wrote what ana did")
			}
			w.put("opaque-ana-2")
			if res := mustSync(t, db); res.Accepted != 1 {
				t.Fatalf("%+v", res)
			}
		})
	}
}

func TestASessionGoesOnWithANewerToken(t *testing.T) {
	for _, transport := range []string{"websocket", "http"} {
		t.Run(transport, func(t *testing.T) {
			s := jwtService(t, -1)
			w := &wallet{text: tokenFor(t, "ana", 6*time.Second)}
			var dials atomic.Int64
			db := s.cloneAs(w.text, Options{Token: w.source, Transport: transport, OnEvent: func(e Event) {
				if e.State == "dialing" {
					dials.Add(1)
				}
			}})
			running(t, db)
			end := time.Now().Add(6 * time.Second)
			w.put(tokenFor(t, "ana", time.Hour))
			eventually(t, "the old token's end", func() bool { return time.Now().After(end) })
			change(t, db, "INSERT INTO artist (name) VALUES ('late')")
			eventually(t, "what is written afterwards arrives", func() bool { return strings.Contains(dump(t, s.file), "late") })
			if dials.Load() != 1 {
				t.Errorf("connected %d times", dials.Load())
			}
		})
	}
}

func TestWaitingForAToken(t *testing.T) {
	s := jwtService(t, -1)
	w := &wallet{text: tokenFor(t, "ana", 6*time.Second)}
	var mu sync.Mutex
	var states []string
	expiring := 0
	db := s.cloneAs(w.text, Options{Token: w.source, OnEvent: func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if !e.Expiring.IsZero() {
			expiring++
			return
		}
		states = append(states, e.State)
	}})
	running(t, db)
	said := func(state string) bool {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range states {
			if s == state {
				return true
			}
		}
		return false
	}
	eventually(t, "auth needed", func() bool { return said("auth needed") })
	mu.Lock()
	if expiring != 1 {
		t.Errorf("warned %d times", expiring)
	}
	states = nil
	mu.Unlock()
	change(t, db, "INSERT INTO artist (name) VALUES ('meanwhile')")
	if said("backoff") || said("dialing") {
		t.Errorf("it tries although nobody signed in: %v", states)
	}
	w.put(tokenFor(t, "ana", time.Hour))
	if err := db.Reconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it goes on", func() bool { return strings.Contains(dump(t, s.file), "meanwhile") })
}

func TestASourceThatFailsIsAskedAgain(t *testing.T) {
	s := jwtService(t, 0)
	w := &wallet{text: tokenFor(t, "ana", time.Hour)}
	db := s.cloneAs(w.text, Options{Token: w.source})
	w.err = errors.New("no network")
	_, err := db.Sync(t.Context())
	codeIs(t, err, tidemark.CodeOffline)
	w.mu.Lock()
	w.err = nil
	w.mu.Unlock()
	mustSync(t, db)
}

func TestLogout(t *testing.T) {
	s := jwtService(t, 0)
	text := tokenFor(t, "ana", time.Hour)
	mine := Options{Token: StaticToken(text)}
	path := s.fileOf(text)
	briefly(t, path, mine, func(db *DB) { change(t, db, "INSERT INTO artist (name) VALUES ('unsent')") })
	codeIs(t, Logout(path, false), tidemark.CodePending)
	briefly(t, path, mine, func(db *DB) {
		mustSync(t, db)
		codeIs(t, busyWith(t, db, func() error { return Logout(path, false) }), tidemark.CodeBusy)
	})
	if err := Logout(path, false); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(path + "*")
	if err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	if !strings.Contains(dump(t, s.file), "unsent") {
		t.Error("the server lost it, too")
	}
	codeIs(t, Logout(path, true), tidemark.CodeNotFound)

	// What is pending goes only by force.
	path = s.fileOf(text)
	briefly(t, path, Options{}, func(db *DB) { change(t, db, "INSERT INTO artist (name) VALUES ('lost')") })
	codeIs(t, Logout(path, false), tidemark.CodePending)
	if err := Logout(path, true); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(path + "*"); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// busyWith runs fn while the copy is being synced.
func busyWith(t *testing.T, db *DB, fn func() error) error {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- db.Run(ctx) }()
	eventually(t, "it syncs", func() bool { return newLease(db.path).holder().Live })
	err := fn()
	stop()
	if rerr := <-done; rerr != nil {
		t.Error(rerr)
	}
	return err
}
