package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/token"
	"github.com/tidemarkdb/tidemark/server"
)

func TestCopiesHoldWhatTheyAreGranted(t *testing.T) {
	s := team(t)
	ana, bo := s.scoped("ana", Options{}), s.scoped("bo", Options{})
	holds(t, ana, "1 2")
	holds(t, bo, "1 2 3 4")
	if got := mustQuery(t, ana, "SELECT (SELECT count(*) FROM comment), (SELECT count(*) FROM member), (SELECT group_concat(id) FROM project)"); got != "2,2,'site'" {
		t.Error(got)
	}
	if got := standing(t, ana); got != "mine/ana 1 ready listed wanted; project/site 7 ready listed wanted" {
		t.Error(got)
	}
	for _, db := range []*DB{ana, bo} {
		if r, err := db.Verify(t.Context()); err != nil || r.Differed != 0 {
			t.Errorf("%+v %v", r, err)
		}
	}
	nobody := s.scoped("cy", Options{})
	holds(t, nobody, "")
	if got := standing(t, nobody); got != "mine/cy 0 ready listed wanted" {
		t.Error(got)
	}
}

func TestSubscribeAndUnsubscribe(t *testing.T) {
	for _, transport := range []string{"websocket", "http"} {
		t.Run(transport, func(t *testing.T) {
			s := team(t)
			bo := s.scoped("bo", Options{Transport: transport}, Want{Scope: "project/site"})
			holds(t, bo, "1 2")
			if err := bo.Subscribe(t.Context(), Want{Scope: "project/van"}); err != nil {
				t.Fatal(err)
			}
			if err := bo.Ready(t.Context(), "project/van", "project/site"); err != nil {
				t.Fatal(err)
			}
			holds(t, bo, "1 2 3 4")
			if err := bo.Unsubscribe(t.Context(), "project/site"); err != nil {
				t.Fatal(err)
			}
			res := mustSync(t, bo)
			if len(res.Scopes) != 1 || res.Scopes[0] != (ScopeNews{Scope: "project/site", State: ScopeLost, Rows: 7, Unwanted: true}) {
				t.Errorf("%+v", res.Scopes)
			}
			holds(t, bo, "3 4")
			if err := bo.SubscribeAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := bo.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			holds(t, bo, "1 2 3 4")
			if got := standing(t, bo); got != "mine/bo 1 ready listed wanted; project/site 7 ready listed wanted; project/van 6 ready listed wanted" {
				t.Error(got)
			}
			if r, err := bo.Verify(t.Context()); err != nil || r.Differed != 0 {
				t.Errorf("%+v %v", r, err)
			}
		})
	}
}

// A copy that took everything and drops a scope names the others from then on.
func TestUnsubscribeNamesTheRest(t *testing.T) {
	s := team(t)
	bo := s.scoped("bo", Options{})
	if err := bo.Unsubscribe(t.Context(), "project/van"); err != nil {
		t.Fatal(err)
	}
	mustSync(t, bo)
	holds(t, bo, "1 2 3") // 3 is his
	s.run("INSERT INTO member VALUES ('bare', 'bo')")
	mustSync(t, bo)
	if got := mustQuery(t, bo, "SELECT group_concat(id) FROM project"); got != "'site'" {
		t.Errorf("what was granted later came by itself: %s", got)
	}
	if st, err := bo.Status(); err != nil || !st.Only || !st.Scoped || st.Filling != 0 || st.Unasked {
		t.Errorf("%+v %v", st, err)
	}
}

func TestSubscribeWithoutTheServer(t *testing.T) {
	s := team(t)
	bo := s.scoped("bo", Options{}, Want{Scope: "project/site"})
	s.stop()
	if err := bo.Subscribe(t.Context(), Want{Scope: "project/van", Priority: -2}); err != nil {
		t.Fatal(err)
	}
	if err := bo.Unsubscribe(t.Context(), "project/site"); err != nil {
		t.Fatal(err)
	}
	codeIs(t, bo.Ready(t.Context(), "project/van"), tidemark.CodeOffline)
	holds(t, bo, "1 2") // until the server knows
	if st, err := bo.Status(); err != nil || !st.Unasked {
		t.Errorf("%+v %v", st, err)
	}
	s.guard()
	if err := bo.Ready(t.Context(), "project/van"); err != nil {
		t.Fatal(err)
	}
	mustSync(t, bo)
	holds(t, bo, "3 4")
	list, err := bo.Scopes()
	if err != nil || len(list) != 1 || list[0].Priority != -2 {
		t.Errorf("%+v %v", list, err)
	}
}

func TestReadyTellsWhatIsNotGranted(t *testing.T) {
	s := team(t)
	ana := s.scoped("ana", Options{}, Want{Scope: "project/site"}, Want{Scope: "project/van"})
	codeIs(t, ana.Ready(t.Context(), "project/van"), tidemark.CodeForbidden)
	codeIs(t, ana.Ready(t.Context(), "project/nowhere"), tidemark.CodeForbidden)
	if err := ana.Ready(t.Context(), "project/site", "project/site"); err != nil {
		t.Error(err)
	}
	s.run("INSERT INTO member VALUES ('van', 'ana')")
	if err := ana.Ready(t.Context(), "project/van"); err != nil {
		t.Error(err)
	}
	holds(t, ana, "1 2 3 4")
}

func TestSubscribeRefusesWhatCannotBe(t *testing.T) {
	s := team(t)
	bo := s.scoped("bo", Options{})
	codeIs(t, bo.Subscribe(t.Context(), Want{}), tidemark.CodeUsage)
	wants := make([]Want, mostWants+1)
	for i := range wants {
		wants[i].Scope = fmt.Sprint("project/", i)
	}
	codeIs(t, bo.Subscribe(t.Context(), wants...), tidemark.CodeTooLarge)
	if st, err := bo.Status(); err != nil || st.Unasked {
		t.Errorf("%+v %v", st, err)
	}
	plain := serve(t).clone(Options{})
	codeIs(t, plain.Subscribe(t.Context(), Want{Scope: "project/1"}), tidemark.CodeUsage)
	codeIs(t, plain.Unsubscribe(t.Context(), "project/1"), tidemark.CodeUsage)
	if list, err := plain.Scopes(); err != nil || list != nil {
		t.Errorf("%+v %v", list, err)
	}
}

func TestScopesComeAndGoWhileConnected(t *testing.T) {
	for _, transport := range []string{"websocket", "http"} {
		t.Run(transport, func(t *testing.T) {
			s := team(t)
			var c collected
			ana := s.scoped("ana", Options{OnEvent: c.hear, Transport: transport})
			running(t, ana)
			s.run("INSERT INTO member VALUES ('van', 'ana')")
			eventually(t, "she is let in", func() bool { return c.has("project/van gained 0") && c.has("project/van ready 7") })
			holds(t, ana, "1 2 3 4")
			s.run("DELETE FROM member WHERE project = 'site' AND person = 'ana'")
			eventually(t, "she is taken out", func() bool { return c.has("project/site lost 6") }) // her task stays
			holds(t, ana, "1 3 4")
			s.run("UPDATE task SET project = 'bare' WHERE id = 4")
			eventually(t, "a row goes elsewhere", func() bool { return c.has("left map[comment:1 task:1]") })
			holds(t, ana, "1 3")
		})
	}
}

// What left is not in the file any more, nor in its write-ahead log, while
// the file is in use: read, watched and written by others.
func TestNothingIsKeptOfRowsThatLeft(t *testing.T) {
	s := team(t)
	ana := s.scoped("ana", Options{})
	beside := open(t, ana.Path(), Options{})
	watch(t, beside, "SELECT body FROM comment").want(t, "'in blue?'; 'which?'")
	running(t, ana)
	mustExec(t, beside, "INSERT INTO comment VALUES (10, 2, 'said and taken back')")
	mustExec(t, beside, "DELETE FROM comment WHERE id = 10")
	inFile := func(text string) bool {
		for _, suffix := range []string{"", "-wal"} {
			if b, err := os.ReadFile(ana.Path() + suffix); err == nil && strings.Contains(string(b), text) {
				return true
			}
		}
		return false
	}
	if !inFile("which?") {
		t.Fatal("the comment was never there")
	}
	s.run("DELETE FROM member WHERE person = 'ana'")
	eventually(t, "nothing is left", func() bool { return !inFile("which?") && !inFile("in blue?") && !inFile("New site") })
	holds(t, ana, "1") // it is hers
}

// A newer token that claims other things grants other scopes.
func TestANewTokenGrantsOtherScopes(t *testing.T) {
	s := team(t)
	s.stop()
	yaml := strings.Replace(teamScopes, "SELECT project FROM member WHERE person = :user", "SELECT value FROM json_each(:claims, '$.projects')", 1)
	if err := os.WriteFile(filepath.Join(filepath.Dir(s.file), "tidemark.yaml"), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := server.NewTokens(server.TokenOptions{Secrets: [][]byte{testSecret}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tokens.Close() })
	srv, err := server.Open(s.file, server.Options{Auth: tokens})
	if err != nil {
		t.Fatal(err)
	}
	s.srv = srv
	s.through(srv)
	of := func(projects ...string) TokenSource {
		text, err := token.Issue(testSecret, "ana", map[string]any{"projects": projects}, time.Now(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return StaticToken(text)
	}
	path := filepath.Join(t.TempDir(), "ana.db")
	if err := Clone(t.Context(), s.address(), path, CloneOptions{Token: of("site")}); err != nil {
		t.Fatal(err)
	}
	for _, next := range []struct {
		token TokenSource
		tasks string
	}{{of("site", "van"), "1 2 3 4"}, {of("van"), "1 3 4"}, {of(), "1"}, {of("site"), "1 2"}} {
		briefly(t, path, Options{Token: next.token}, func(db *DB) {
			mustSync(t, db)
			holds(t, db, next.tasks)
		})
	}
	intact(t, path)
}

func TestWatchTellsRowsThatLeftFromDeletedOnes(t *testing.T) {
	s := team(t)
	ana, bo := s.scoped("ana", Options{}), s.scoped("bo", Options{})
	heard := make(chan *Result, 100)
	stop, err := ana.Watch(t.Context(), "SELECT id FROM task ORDER BY id", nil, func(r *Result, err error) {
		if err != nil {
			t.Error(err)
		}
		heard <- r
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	wait := func(rows string, left map[string]int64) {
		t.Helper()
		select {
		case r := <-heard:
			if text(r) != rows || fmt.Sprint(r.Left) != fmt.Sprint(left) {
				t.Fatalf("%s, left %v; want %s, left %v", text(r), r.Left, rows, left)
			}
		case <-time.After(testPatience):
			t.Fatalf("never %s", rows)
		}
	}
	wait("1; 2", nil)
	running(t, ana)
	mustExec(t, bo, "INSERT INTO task VALUES (6, 'site', 'Sell', NULL)")
	mustSync(t, bo)
	wait("1; 2; 6", nil)
	mustExec(t, bo, "UPDATE task SET project = 'van' WHERE id = 6")
	mustSync(t, bo)
	wait("1; 2", map[string]int64{"task": 1})
	mustExec(t, bo, "DELETE FROM task WHERE id = 2")
	mustSync(t, bo)
	wait("1", nil)
	s.run("DELETE FROM member WHERE person = 'ana'")
	mustExec(t, ana, "UPDATE task SET assignee = NULL WHERE id = 1")
	wait("", map[string]int64{"task": 1})
}

// What another process subscribes to is fetched by the one that syncs.
func TestAnotherProcessSubscribes(t *testing.T) {
	s := team(t)
	bo := s.scoped("bo", Options{}, Want{Scope: "project/site"})
	running(t, bo)
	if err := bo.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	beside := open(t, bo.Path(), Options{Token: StaticToken("opaque-bo")})
	if err := beside.Subscribe(t.Context(), Want{Scope: "project/van"}); err != nil {
		t.Fatal(err)
	}
	if err := beside.Ready(t.Context(), "project/van"); err != nil {
		t.Fatal(err)
	}
	holds(t, beside, "1 2 3 4")
	if err := beside.Unsubscribe(t.Context(), "project/site"); err != nil {
		t.Fatal(err)
	}
	mustSync(t, beside)
	holds(t, bo, "3 4")
}

// Scopes come in the order of their priorities.
func TestPrioritiesOrderTheFilling(t *testing.T) {
	s := team(t)
	var c collected
	bo := s.scoped("bo", Options{OnEvent: c.hear}, Want{Scope: "mine/nobody"})
	wants := []Want{{Scope: "project/site", Priority: 5}, {Scope: "project/van", Priority: -5}, {Scope: "mine/bo"}}
	if err := bo.Subscribe(t.Context(), wants...); err != nil {
		t.Fatal(err)
	}
	if err := bo.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var ready []string
	for _, n := range c.news {
		if strings.Contains(n, " ready ") {
			ready = append(ready, n)
		}
	}
	if want := []string{"project/van ready 6", "mine/bo ready 1", "project/site ready 7"}; !slices.Equal(ready, want) {
		t.Errorf("%q", ready)
	}
}

// What is pending on a scope that was lost meanwhile is rejected, kept, and out of the tables.
func TestEditsOfALostScopeAreRejected(t *testing.T) {
	s := team(t)
	ana := s.scoped("ana", Options{})
	s.stop()
	mustExec(t, ana, "UPDATE task SET title = 'hers' WHERE id = 2")
	mustExec(t, ana, "UPDATE task SET title = 'still hers' WHERE id = 1")
	s.run("DELETE FROM member WHERE person = 'ana'")
	s.guard()
	res := mustSync(t, ana)
	if res.Rejected != 1 || res.Accepted != 1 {
		t.Errorf("%+v", res)
	}
	holds(t, ana, "1")
	list, err := ana.Rejected()
	if err != nil || len(list) != 1 || list[0].Code != tidemark.CodeForbidden || list[0].Table != "task" {
		t.Fatalf("%+v %v", list, err)
	}
	if got := list[0].Changes[0].New[0].Str(); got != "hers" {
		t.Errorf("kept is %q", got)
	}
	if b, err := os.ReadFile(ana.Path()); err != nil || strings.Contains(string(b), "which?") {
		t.Errorf("the comment that left is still in the file (%v)", err)
	}
}

func TestPresenceIsOfThoseInTheScope(t *testing.T) {
	s := team(t)
	ana, bo, cy := s.scoped("ana", Options{}), s.scoped("bo", Options{}), s.scoped("cy", Options{})
	in := func(db *DB, scope, name string) (*Presence, error) {
		p := db.Presence(scope)
		if err := p.Join(map[string]string{"name": name}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		return p, p.Seen(ctx)
	}
	a, err := in(ana, "project/site", "ana")
	if err != nil {
		t.Fatal(err)
	}
	b, err := in(bo, "project/site", "bo")
	if err != nil {
		t.Fatal(err)
	}
	until(t, a, `{"name":"bo"}`)
	until(t, b, `{"name":"ana"}`)
	_, err = in(cy, "project/site", "cy")
	codeIs(t, err, tidemark.CodeForbidden)
	_, err = in(ana, "project/van", "ana")
	codeIs(t, err, tidemark.CodeForbidden)

	// She is taken out, and gone; nobody is shown to her any more.
	s.run("DELETE FROM member WHERE person = 'ana'")
	until(t, b, "")
	eventually(t, "she sees nobody", func() bool { return len(a.Peers()) == 0 && a.Err() != nil })
	// Let in again she is there by herself.
	s.run("INSERT INTO member VALUES ('site', 'ana')")
	until(t, b, `{"name":"ana"}`)
	until(t, a, `{"name":"bo"}`)
}

// A clone that is interrupted while its scopes fill goes on where it was; for other scopes it begins anew.
func TestCloneGoesOnFilling(t *testing.T) {
	s := team(t)
	const rows = 8000 // some chunks come before it is noticed that the clone was interrupted
	s.stop()
	s.run(fmt.Sprintf(`WITH RECURSIVE n (i) AS (VALUES (100) UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO task SELECT i, 'van', hex(randomblob(800)), NULL FROM n`, 99+rows))
	s.guard()
	path := filepath.Join(t.TempDir(), "bo.db")
	o := CloneOptions{Token: StaticToken("opaque-bo"), Scopes: []Want{{Scope: "project/van"}}}
	attempt := func(until int64) (came int64, err error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		o.Progress = func(p Progress) {
			if p.Stage != "rows" {
				return
			}
			if came = p.Rows; until > 0 && came >= until {
				cancel()
			}
		}
		return came, Clone(ctx, s.address(), path, o)
	}
	first, err := attempt(1)
	if !errors.Is(err, context.Canceled) || first == 0 || first >= rows {
		t.Fatalf("%d rows came, then %v", first, err)
	}
	sum, tries := first, 1
	for ; errors.Is(err, context.Canceled); tries++ {
		var more int64
		more, err = attempt(1)
		sum += more
	}
	if err != nil {
		t.Fatal(err)
	}
	if sum >= rows+6 || sum < rows/2 {
		t.Errorf("%d rows came in %d goes, of %d", sum, tries, rows)
	}
	if got := leftovers(t, path); len(got) != 1 {
		t.Errorf("%q", got)
	}
	db := open(t, path, Options{Token: o.Token})
	if got := mustQuery(t, db, "SELECT count(*) FROM task"); got != fmt.Sprint(rows+2) {
		t.Error(got)
	}

	path = filepath.Join(t.TempDir(), "other.db")
	if _, err := attempt(1); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	o.Scopes = []Want{{Scope: "project/site"}}
	if _, err := attempt(0); err != nil {
		t.Fatal(err)
	}
	holds(t, open(t, path, Options{Token: o.Token}), "1 2")
}
