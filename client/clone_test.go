package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// leftovers lists what lies beside a copy.
func leftovers(t *testing.T, path string) []string {
	t.Helper()
	list, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// cutting lets only so many bytes of a snapshot through.
type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(b []byte) (int, error) {
	if len(b) > c.left {
		_, _ = c.ResponseWriter.Write(b[:c.left])
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(b)
	return c.ResponseWriter.Write(b)
}

func TestAnInterruptedCloneGoesOn(t *testing.T) {
	s := serve(t)
	big := s.clone(Options{})
	err := big.Transaction(t.Context(), func(tx *Tx) error {
		for i := range 5000 {
			if _, err := tx.Exec("INSERT INTO artist VALUES (?, hex(randomblob(100)))", 100+i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mustSync(t, big)
	s.stop()
	s.start() // so that the snapshot is a new one
	real := *s.next.Load()
	var ranges []string
	var budget atomic.Int64
	budget.Store(200 << 10)
	s.through(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/snapshot") {
			ranges = append(ranges, r.Header.Get("Range"))
			w = &cutting{w, int(budget.Load())}
		}
		real.ServeHTTP(w, r)
	}))
	path := filepath.Join(t.TempDir(), "big.db")
	for range 2 {
		err := Clone(t.Context(), s.address(), path, CloneOptions{})
		codeIs(t, err, tidemark.CodeOffline)
		if _, err := os.Stat(path); err == nil {
			t.Fatal("half a copy has the name of a whole one")
		}
	}
	budget.Store(1 << 40)
	var stages []string
	err = Clone(t.Context(), s.address(), path, CloneOptions{Progress: func(p Progress) {
		if !slices.Contains(stages, p.Stage) {
			stages = append(stages, p.Stage)
		}
		if p.Stage == "download" && p.Bytes < 200<<10 {
			t.Errorf("began again at %d", p.Bytes)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(ranges) != 3 || ranges[0] != "" || ranges[1] == "" || ranges[2] == "" || ranges[1] == ranges[2] {
		t.Errorf("ranges asked for: %q", ranges)
	}
	if !slices.Equal(stages, []string{"prepare", "download", "install"}) {
		t.Errorf("stages %q", stages)
	}
	db := open(t, path, Options{})
	s.converged(db, big)
}

func TestACloneLeavesOnlyTheCopy(t *testing.T) {
	s := serve(t)
	path := filepath.Join(t.TempDir(), "c.db")
	var last Progress
	if err := Clone(t.Context(), s.address(), path, CloneOptions{Progress: func(p Progress) { last = p }}); err != nil {
		t.Fatal(err)
	}
	if got := leftovers(t, path); len(got) != 1 {
		t.Errorf("%q", got)
	}
	if last.Stage != "install" || last.Rows != 4 || last.Bytes == 0 || last.Bytes != last.Total {
		t.Errorf("the last word was %+v", last)
	}
	db := open(t, path, Options{})
	st, err := db.Status()
	if err != nil || st.Replica == "" || st.Server != s.http.URL+"/v1/spaces/shop" {
		t.Errorf("%+v %v", st, err)
	}
}

func TestCloneRefuses(t *testing.T) {
	s := serve(t)
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken.db")
	if err := os.WriteFile(taken, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "stale.db-wal"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		address, path string
		code          tidemark.Code
	}{
		{s.address(), taken, tidemark.CodeExists},
		{s.address(), filepath.Join(dir, "stale.db"), tidemark.CodeExists},
		{s.http.URL + "/other", filepath.Join(dir, "x.db"), tidemark.CodeNoSpace},
		{s.http.URL, filepath.Join(dir, "x.db"), tidemark.CodeUsage},
		{"127.0.0.1/shop", filepath.Join(dir, "x.db"), tidemark.CodeUsage},
		{"http://127.0.0.1:1/shop", filepath.Join(dir, "x.db"), tidemark.CodeOffline},
	} {
		err := Clone(t.Context(), c.address, c.path, CloneOptions{})
		codeIs(t, err, c.code)
		if i != 5 && tidemark.HintOf(err) == "" {
			t.Errorf("no next step: %v", err)
		}
	}
	if b, _ := os.ReadFile(taken); string(b) != "precious" {
		t.Error("a file was overwritten")
	}
	if got := leftovers(t, filepath.Join(dir, "x.db")); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}

func TestCloneEndsWithItsContext(t *testing.T) {
	s := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.through(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	err := Clone(ctx, s.address(), filepath.Join(t.TempDir(), "c.db"), CloneOptions{})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// A download that is damaged on disk is thrown away, not installed.
func TestADamagedDownloadIsFetchedAnew(t *testing.T) {
	s := serve(t)
	real := *s.next.Load()
	s.through(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/schema/") {
			cut(w)
			return
		}
		real.ServeHTTP(w, r)
	}))
	path := filepath.Join(t.TempDir(), "c.db")
	if err := Clone(t.Context(), s.address(), path, CloneOptions{}); err == nil {
		t.Fatal("cloned without a schema")
	}
	part, err := os.ReadFile(path + partSuffix)
	if err != nil {
		t.Fatal(err)
	}
	for i := range part {
		part[i] ^= 0x55
	}
	if err := os.WriteFile(path+partSuffix, part, 0o600); err != nil {
		t.Fatal(err)
	}
	s.through(real)
	err = Clone(t.Context(), s.address(), path, CloneOptions{})
	codeIs(t, err, tidemark.CodeCorrupt)
	if err := Clone(t.Context(), s.address(), path, CloneOptions{}); err != nil {
		t.Fatal(err)
	}
	s.converged(open(t, path, Options{}))
}

// The second clone gets the snapshot that was made for the first one, and what came since.
func TestCloneCountsWhatTheCopyHolds(t *testing.T) {
	s := serve(t)
	first := s.clone(Options{})
	for i := range 5 {
		mustExec(t, first, "INSERT INTO artist (name) VALUES (?)", fmt.Sprint("later ", i))
		mustSync(t, first)
	}
	path := filepath.Join(t.TempDir(), "second.db")
	var last Progress
	err := Clone(t.Context(), s.address(), path, CloneOptions{Progress: func(p Progress) { last = p }})
	if err != nil {
		t.Fatal(err)
	}
	second := open(t, path, Options{})
	if n := mustQuery(t, second, "SELECT (SELECT count(*) FROM artist) + (SELECT count(*) FROM album)"); n != fmt.Sprint(last.Rows) || last.Rows != 9 {
		t.Errorf("%s rows are there, the clone told of %d", n, last.Rows)
	}
	if last.Bytes == 0 || last.Bytes != last.Total {
		t.Errorf("%+v", last)
	}
}
