package server

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Items are in the scope that their note names. An item named `ana>red` lets
// ana read color/red, and is in no scope where it has no note.
const colors = `
rules: {default: public, tables: {item: {insert: public, update: public, delete: public}}}
scopes:
  color:
    grant: SELECT substr(name, length(:user) + 2) FROM item WHERE substr(name, 1, length(:user) + 1) = :user || '>' UNION SELECT :claims ->> 'also' WHERE :claims ->> 'also' IS NOT NULL
    tables: { item: note }
`

// holder is a device of somebody in a space with scopes.
type holder struct {
	*device
	list    []string
	members map[string]map[string][]tidemark.Value // by scope and key
	staged  []wire.Part
	peers   map[string]map[string]string // by scope: states by principal
	heard   []string
}

func newColors(t testing.TB) (*deck, string) {
	d, file := declaredDeck(t, colors, Options{Auth: testTokens(t, TokenOptions{})})
	d.byHand("INSERT INTO item (id, name, note) VALUES (1001, 'ana>red', NULL), (1002, 'ana>blue', NULL), (1003, 'bob>blue', NULL), (1, 'apple', 'red'), (2, 'sky', 'blue'), (3, 'grass', 'green')")
	return d, file
}

func (d *deck) holder(who string, more ...any) *holder {
	d.t.Helper()
	h := &holder{device: d.newDevice(), members: map[string]map[string][]tidemark.Value{}, peers: map[string]map[string]string{}}
	h.signIn(tokenFor(d.t, who, time.Hour, more...))
	h.hello.Seq = 0
	h.send(&h.hello)
	h.until("it is welcome", func(m wire.Down) bool { _, is := m.(*wire.Welcome); return is })
	return h
}

// until reads and keeps what comes.
func (h *holder) until(what string, done func(wire.Down) bool) {
	h.d.t.Helper()
	for {
		m, err := h.read()
		if err != nil {
			h.d.t.Fatalf("waiting until %s: %v; has %v, peers %v", what, err, h.members, h.peers)
		}
		h.keep(m)
		if done(m) {
			return
		}
	}
}

func (h *holder) keep(m wire.Down) {
	switch m := m.(type) {
	case *wire.Welcome:
		h.take(m.Scopes)
	case *wire.Scopes:
		h.take(m.List)
		h.staged, h.hello.Staged = nil, ""
	case *wire.Batch:
		h.batch(m)
	case *wire.Peers:
		if m.All || h.peers[m.Scope] == nil {
			h.peers[m.Scope] = map[string]string{}
		}
		for _, p := range m.List {
			if h.peers[m.Scope][p.Principal] = string(p.State); p.State == nil {
				maps.DeleteFunc(h.peers[m.Scope], func(_, state string) bool { return strings.Contains(state, p.ID) || state == "" })
			}
		}
	case *wire.Heard:
		h.heard = append(h.heard, m.Scope+" "+m.Principal+" "+string(m.Body))
	}
}

func (h *holder) take(list []string) {
	h.list = list
	for scope := range h.members {
		if !slices.Contains(list, scope) {
			delete(h.members, scope)
		}
	}
}

func (h *holder) batch(m *wire.Batch) {
	for _, p := range m.Parts {
		if !slices.Contains(h.list, p.Scope) {
			h.d.t.Errorf("a part of %s came, has %v", p.Scope, h.list)
		}
	}
	if h.staged = append(h.staged, m.Parts...); m.More {
		return
	}
	for _, p := range h.staged {
		if h.members[p.Scope] == nil {
			h.members[p.Scope] = map[string][]tidemark.Value{}
		}
		for _, c := range p.Changes {
			h.change(h.members[p.Scope], c)
		}
	}
	h.staged = nil
}

func (h *holder) change(rows map[string][]tidemark.Value, c tidemark.Change) {
	id := fmt.Sprint(c.Key[0].Int64())
	switch c.Op {
	case tidemark.Insert:
		rows[id] = c.New
	case tidemark.Update:
		row := slices.Clone(rows[id])
		for i, col := range c.Cols {
			row[col] = c.New[i]
		}
		rows[id] = row
	default:
		delete(rows, id)
	}
}

// text lists what it has: scopes, and in each the names of its items.
func (h *holder) text() string {
	var out []string
	for _, scope := range slices.Sorted(maps.Keys(h.members)) {
		var names []string
		for _, id := range slices.Sorted(maps.Keys(h.members[scope])) {
			names = append(names, h.members[scope][id][1].Str())
		}
		out = append(out, strings.TrimPrefix(scope, "color/")+": "+strings.Join(names, " "))
	}
	return strings.Join(out, "; ")
}

func (h *holder) has(want string) {
	h.d.t.Helper()
	if h.text() != want {
		h.until("it has "+want, func(wire.Down) bool { return h.text() == want })
	}
}

func colored(id int64, name, color string) tidemark.Change {
	c := insertItem(id, name)
	c.New[2] = tidemark.Text(color)
	return c
}

func TestEachGetsHisScopes(t *testing.T) {
	d, _ := newColors(t)
	ana, bob, cid := d.holder("ana"), d.holder("bob"), d.holder("cid")
	ana.has("blue: sky; red: apple")
	bob.has("blue: sky")
	bob.send(bob.push(colored(4, "sea", "blue")))
	ana.has("blue: sky sea; red: apple")
	bob.has("blue: sky sea")
	bob.send(bob.push(tidemark.Change{Table: 1, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(4)}, Cols: []int{2}, New: []tidemark.Value{tidemark.Text("red")}}))
	ana.has("blue: sky; red: apple sea")
	bob.has("blue: sky")
	// Another program takes ana off red and lets cid in, at once.
	d.byHand("BEGIN; DELETE FROM item WHERE name = 'ana>red'; INSERT INTO item VALUES (1004, 'cid>red', NULL); UPDATE item SET name = 'pear' WHERE id = 1; COMMIT")
	cid.has("red: pear sea")
	ana.until("it hears that red is gone", func(m wire.Down) bool {
		if _, is := m.(*wire.Batch); is {
			t.Error("a batch came first")
		}
		_, is := m.(*wire.Scopes)
		return is
	})
	ana.has("blue: sky")
	p := ana.push(setName(1, "mine"))
	p.Seen = ana.hello.Seq
	ana.send(p)
	if o := ana.fate(); o.Code != tidemark.CodeForbidden {
		t.Fatalf("%+v", o)
	}
	cid.send(&wire.Subscribe{Only: true})
	cid.until("it has nothing", func(m wire.Down) bool { s, is := m.(*wire.Scopes); return is && len(s.List) == 0 })
	cid.has("")
}

// fate reads until the next outcome.
func (h *holder) fate() (o tidemark.Outcome) {
	h.d.t.Helper()
	h.until("there is an outcome", func(m wire.Down) bool {
		list, is := m.(*wire.Outcomes)
		if is {
			o = list.List[len(list.List)-1]
		}
		return is
	})
	return o
}

func TestRenewedTokensGrantAnew(t *testing.T) {
	d, _ := newColors(t)
	ana := d.holder("ana", "also", "green")
	ana.has("blue: sky; green: grass; red: apple")
	ana.send(&wire.Token{Token: tokenFor(t, "ana", time.Hour)})
	ana.has("blue: sky; red: apple")
	ana.send(&wire.Token{Token: tokenFor(t, "ana", time.Hour, "also", "green")})
	ana.has("blue: sky; green: grass; red: apple")
}

// A round trip ends when the rounds are through, or when it is full.
func TestScopesByRoundTrips(t *testing.T) {
	d, _ := newColors(t)
	big := strings.Repeat("x", 1<<20)
	for i := range 12 {
		d.byHand(fmt.Sprintf("INSERT INTO item VALUES (%d, '%d%s', '%s')", 100+i, i, big, []string{"red", "blue"}[i%2]))
	}
	h := &holder{device: d.newDevice(), members: map[string]map[string][]tidemark.Value{}}
	h.hello.Seq = 0
	h.hello.Want = []wire.Want{{Scope: "color/blue", Priority: -1}}
	header := http.Header{"Authorization": {"Bearer " + tokenFor(t, "ana", time.Hour)}}
	trips, staged := 0, false
	for ; len(h.members["color/red"]) < 7 && trips < 10; trips++ {
		h.hello.Held = slices.Sorted(maps.Keys(h.members))
		down, resp := h.trip("", header)
		if down == nil {
			t.Fatal(resp.Status)
		}
		for _, m := range down {
			h.keep(m)
		}
		staged = staged || h.hello.Staged != ""
		if len(h.members["color/red"]) > 0 && len(h.members["color/blue"]) < 7 {
			t.Fatal("red came first")
		}
	}
	if trips < 2 || trips == 10 || !staged {
		t.Fatalf("it took %d trips, staged %v", trips, staged)
	}
	// More changes of mind than one trip may have.
	msgs := make([]wire.Up, subscribesAtOnce+1)
	for i := range msgs {
		msgs[i] = &wire.Subscribe{}
	}
	if _, resp := h.trip("", header, msgs...); resp.StatusCode != http.StatusBadRequest {
		t.Fatal(resp.Status)
	}
}

func TestSubscribeStormsAreSlowedDown(t *testing.T) {
	k := &socket{}
	for i := range subscribesAtOnce {
		if wait := k.turn(); wait != 0 {
			t.Fatalf("number %d waits %v", i, wait)
		}
	}
	if wait := k.turn(); wait <= 0 {
		t.Fatal("there is no end to it")
	}
	if n := cost(&wire.Subscribe{Want: make([]wire.Want, 10_000)}); n != 101 {
		t.Fatalf("naming 10,000 scopes costs %d", n)
	}
}

func TestHostileScopes(t *testing.T) {
	d, _ := newColors(t)
	many := make([]string, 100_000)
	for i := range many {
		many[i] = fmt.Sprint("color/", i)
	}
	v := d.newDevice()
	v.signIn(tokenFor(t, "ana", time.Hour))
	v.hello.Held = many
	v.send(&v.hello)
	if r := wait[*wire.Refusal](v); r.Code != tidemark.CodeTooLarge || !r.Fatal {
		t.Fatalf("%+v", r)
	}
	h := d.holder("ana")
	h.has("blue: sky; red: apple")
	h.send(&wire.Subscribe{Only: true, Want: []wire.Want{{Scope: "color/green"}, {Scope: "color/\x00\x1b[2J"}, {Scope: strings.Repeat("x", 1<<16)}, {Scope: "color/red", Priority: 1}, {Scope: "color/red"}}})
	h.until("it hears of its scopes", func(m wire.Down) bool { _, is := m.(*wire.Scopes); return is })
	h.has("red: apple")
	h.send(&wire.Presence{Scope: "color/green", State: []byte("{}")})
	h.send(&wire.Presence{Scope: "color/\x1b" + strings.Repeat("y", 1000), State: []byte("{}")})
	h.send(&wire.Cast{Scope: "color/green", Body: []byte("1")})
	for range 3 {
		var no *wire.Declined
		h.until("it is declined", func(m wire.Down) (is bool) { no, is = m.(*wire.Declined); return is })
		if no.Code != tidemark.CodeForbidden || len(no.Scope) > 2*wire.MaxPart {
			t.Fatalf("%+v", no)
		}
	}
}

func (h *holder) present(scope string) {
	h.send(&wire.Presence{Scope: scope, State: fmt.Appendf(nil, `{"id":%q}`, h.hello.Replica)})
}

func (h *holder) sees(scope string, who ...string) {
	h.d.t.Helper()
	seen := func() bool { return slices.Equal(slices.Sorted(maps.Keys(h.peers[scope])), who) }
	if !seen() {
		h.until(fmt.Sprintf("%v are in %s", who, scope), func(wire.Down) bool { return seen() })
	}
}

func TestPresenceInScopes(t *testing.T) {
	d, _ := newColors(t)
	ana, bob, cid := d.holder("ana"), d.holder("bob"), d.holder("cid", "also", "red")
	ana.present("color/blue")
	ana.present("color/red")
	bob.present("color/blue")
	cid.present("color/red")
	ana.sees("color/blue", "ana", "bob")
	ana.sees("color/red", "ana", "cid")
	bob.sees("color/blue", "ana", "bob")
	cid.sees("color/red", "ana", "cid")
	bob.send(&wire.Cast{Scope: "color/blue", Body: []byte(`"psst"`)})
	ana.until("it hears bob", func(wire.Down) bool { return slices.Contains(ana.heard, `color/blue bob "psst"`) })
	cid.send(&wire.Cast{Scope: "color/blue", Body: []byte(`"hello?"`)})
	cid.until("it is declined", func(m wire.Down) bool { no, is := m.(*wire.Declined); return is && no.Code == tidemark.CodeForbidden })

	// Who may read it no more leaves at once.
	d.byHand("DELETE FROM item WHERE name = 'bob>blue'")
	ana.sees("color/blue", "ana")
	scopes := false
	bob.until("it is out", func(m wire.Down) bool {
		_, is := m.(*wire.Scopes)
		scopes = scopes || is
		no, is := m.(*wire.Declined)
		return is && no.Scope == "color/blue" && no.Code == tidemark.CodeForbidden
	})
	if !scopes {
		t.Fatal("it was not told that the scope is gone")
	}
	ana.send(&wire.Cast{Scope: "color/blue", Body: []byte(`"gone?"`)})
	ana.until("it hears itself", func(wire.Down) bool { return slices.Contains(ana.heard, `color/blue ana "gone?"`) })
	bob.present("color/blue")
	bob.until("it is declined", func(m wire.Down) bool { no, is := m.(*wire.Declined); return is && no.Scope == "color/blue" })
	if len(bob.heard) != 1 || len(cid.heard) != 0 {
		t.Fatalf("bob heard %v, cid %v", bob.heard, cid.heard)
	}
	if len(cid.peers) != 1 {
		t.Fatalf("cid sees %v", cid.peers)
	}

	// And may again.
	d.byHand("INSERT INTO item VALUES (1005, 'bob>blue', NULL)")
	bob.has("blue: sky")
	bob.present("color/blue")
	ana.sees("color/blue", "ana", "bob")
}

// What was made before scopes were declared is not given out after.
func TestScopesAreDeclaredWhileServing(t *testing.T) {
	d, file := declaredDeck(t, "rules: {default: public}", Options{Auth: testTokens(t, TokenOptions{})})
	d.byHand("INSERT INTO item VALUES (1, 'secret', 'green')")
	ana := d.signedIn("ana")
	header := http.Header{"Authorization": {"Bearer " + tokenFor(t, "ana", time.Hour)}}
	first, whole := d.download(header)
	if first.StatusCode != http.StatusOK || first.Header.Get(wire.HeaderRows) != "1" {
		t.Fatal(first.Status, first.Header)
	}
	writeFile(t, file, colors)
	if err := d.srv.Reload(); err != nil {
		t.Fatal(err)
	}
	if r := wait[*wire.Refusal](ana); r.Code != tidemark.CodeSchema || !r.Fatal || r.Hint == "" {
		t.Fatalf("%+v", r)
	}
	header.Set("If-Range", first.Header.Get("ETag"))
	header.Set("Range", fmt.Sprintf("bytes=%d-", len(whole)/2))
	again, _ := d.download(header)
	if again.StatusCode != http.StatusOK || again.Header.Get(wire.HeaderRows) != "0" {
		t.Fatal(again.Status, again.Header)
	}
}

// A commit is delivered to its listeners, and to nobody else.
func TestCommitsReachTheirListeners(t *testing.T) {
	d, _ := newColors(t)
	ana, bob := d.holder("ana"), d.holder("bob")
	ana.has("blue: sky; red: apple")
	bob.has("blue: sky")
	// Counted behind the sending.
	eventually(t, "three subscriptions", func() bool { return strings.HasSuffix(d.metric("tidemark_subscriptions"), " 3") })
	at := bob.hello.Seq
	ana.send(ana.push(colored(10, "rose", "red")))
	ana.has("blue: sky; red: apple rose")
	d.byHand("UPDATE item SET name = 'Sky' WHERE id = 2")
	var from tidemark.Seq
	bob.until("the sky is another", func(m wire.Down) bool {
		b, is := m.(*wire.Batch)
		if is {
			from = b.From
		}
		return is && bob.text() == "blue: Sky"
	})
	if from != at || bob.hello.Seq < at+2 {
		t.Fatalf("from %d, was at %d, is at %d", from, at, bob.hello.Seq)
	}
}

// waiting tells that somebody waits for it to end.
type waiting struct {
	context.Context
	once sync.Once
	told chan struct{}
}

func (w *waiting) Done() <-chan struct{} {
	w.once.Do(func() { close(w.told) })
	return w.Context.Done()
}

// Nor is what was being made when they were declared.
func TestScopesAreDeclaredWhileASnapshotIsMade(t *testing.T) {
	d, file := declaredDeck(t, "rules: {default: public}", Options{Auth: testTokens(t, TokenOptions{})})
	d.byHand("INSERT INTO item VALUES (1, 'secret', 'green')")
	ana := d.signedIn("ana")
	sp := d.space()
	old, err := sp.build(filepath.Join(t.TempDir(), "old"))
	if err != nil || old.info.Rows != 1 {
		t.Fatal(old, err)
	}
	making := make(chan struct{})
	sp.shots.mu.Lock()
	sp.shots.making = making
	sp.shots.mu.Unlock()
	writeFile(t, file, colors)
	if err := d.srv.Reload(); err != nil {
		t.Fatal(err)
	}
	wait[*wire.Refusal](ana) // they are in force
	ctx, rows := &waiting{Context: t.Context(), told: make(chan struct{})}, make(chan int64, 1)
	go func() {
		sh, err := sp.snapshot(ctx)
		if err != nil {
			t.Error(err)
			sh = old
		}
		rows <- sh.info.Rows
	}()
	<-ctx.told
	sp.shots.mu.Lock()
	sp.shots.list, sp.shots.making = []*shot{old}, nil
	sp.shots.mu.Unlock()
	close(making)
	if n := <-rows; n != 0 {
		t.Errorf("%d rows are given to everybody", n)
	}
}
