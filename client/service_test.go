package client

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/server"
)

// service is a server at an address that stays, whatever happens to it.
type service struct {
	t    testing.TB
	file string
	http *httptest.Server
	srv  *server.Server
	next atomic.Pointer[http.Handler]
}

func serve(t testing.TB) *service {
	t.Helper()
	s := &service{t: t, file: filepath.Join(t.TempDir(), "shop.sqlite")}
	db, err := lite.Open(s.file, lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Script(shopSQL); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*s.next.Load()).ServeHTTP(w, r)
	}))
	s.start()
	t.Cleanup(func() {
		s.stop()
		s.http.Close()
		intact(t, s.file)
	})
	return s
}

func (s *service) start() {
	s.t.Helper()
	srv, err := server.Open(s.file, server.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.srv = srv
	s.through(srv)
}

// stop is the end of the server's process: connections break off, new ones
// are not answered.
func (s *service) stop() {
	s.through(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { cut(w) }))
	if s.srv != nil {
		if err := s.srv.Close(); err != nil {
			s.t.Error(err)
		}
		s.srv = nil
	}
	s.http.CloseClientConnections()
}

// through puts something in front of the server.
func (s *service) through(h http.Handler) { s.next.Store(&h) }

// cut ends a connection without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func (s *service) address() string { return s.http.URL + "/shop" }

// clone makes a copy and opens it.
func (s *service) clone(o Options) *DB {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "copy.db")
	if err := Clone(s.t.Context(), s.address(), path, CloneOptions{HTTP: o.HTTP}); err != nil {
		s.t.Fatal(err)
	}
	return open(s.t, path, o)
}

func mustSync(t testing.TB, db *DB) *SyncResult {
	t.Helper()
	res, err := db.Sync(t.Context())
	if err != nil {
		t.Fatalf("sync: %v", err)
	}
	return res
}

// dump writes all rows of the synced tables of a file.
func dump(t testing.TB, path string) string {
	t.Helper()
	db, err := lite.Open(path, lite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var b strings.Builder
	for _, table := range []string{"artist", "album"} {
		b.WriteString(table + "\n")
		err := db.Each("SELECT * FROM "+table+" ORDER BY 1", func(s *lite.Stmt) error {
			for _, v := range s.Row(0) {
				b.WriteString(v.String() + "|")
			}
			b.WriteString("\n")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// converged syncs every copy and compares it with the server's file.
func (s *service) converged(copies ...*DB) {
	s.t.Helper()
	for range 2 {
		for _, db := range copies {
			mustSync(s.t, db)
		}
	}
	want := dump(s.t, s.file)
	for i, db := range copies {
		// A copy that is connected hears a moment later of what another one just sent.
		var got string
		if !within(testPatience, func() bool { got = dump(s.t, db.Path()); return got == want }) {
			s.t.Errorf("copy %d differs\n--- server\n%s--- copy\n%s", i, want, got)
		}
		if st, err := db.Status(); err != nil || st.Pending != 0 || !st.Proven || st.Repair != "" {
			s.t.Errorf("copy %d: %+v %v", i, st, err)
		}
	}
}

// running keeps a copy in sync until the test ends.
func running(t testing.TB, db *DB) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- db.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

// eventually waits for something that has no event of its own.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	if !within(testPatience, ok) {
		t.Fatalf("never: %s", what)
	}
}

// testPatience is how long a test waits for anything.
const testPatience = time.Minute

// within asks again and again, and reports whether it came true in time.
func within(limit time.Duration, ok func() bool) bool {
	for end := time.Now().Add(limit); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func codeIs(t testing.TB, err error, code tidemark.Code) {
	t.Helper()
	if tidemark.CodeOf(err) != code {
		t.Errorf("%v, want an error with code %s", err, code)
	}
}
