package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
)

func joined(t *testing.T, db *DB, state any) *Presence {
	t.Helper()
	p := db.Presence("all")
	if err := p.Join(state); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := p.Seen(ctx); err != nil {
		t.Fatalf("not seen: %v", err)
	}
	return p
}

// until waits for the states that others have.
func until(t *testing.T, p *Presence, want string) {
	t.Helper()
	untilWithin(t, p, want, 8*time.Second) // less than a server waits for one whose connection broke
}

func untilWithin(t *testing.T, p *Presence, want string, limit time.Duration) {
	t.Helper()
	got := make(chan string, 100)
	look := func(list []Peer) {
		var states []string
		for _, peer := range list {
			if !peer.Me {
				states = append(states, string(peer.State))
			}
		}
		select {
		case got <- strings.Join(states, " "):
		default:
		}
	}
	defer p.OnChange(look)()
	look(p.Peers())
	last, late := "", time.After(limit)
	for {
		select {
		case last = <-got:
			if last == want {
				return
			}
		case <-late:
			t.Fatalf("others are %s, not %s: %v", last, want, p.Err())
		}
	}
}

func TestReplicasSeeWhoIsThere(t *testing.T) {
	s := serve(t)
	a, b := s.clone(Options{}), s.clone(Options{})
	pa := joined(t, a, map[string]any{"name": "Ana"})
	pb := joined(t, b, nil)
	until(t, pa, `{}`)
	until(t, pb, `{"name":"Ana"}`)
	if list := pa.Peers(); len(list) != 2 || list[0].Me == list[1].Me {
		t.Errorf("%+v", list)
	}
	if a.Presence("all") != pa {
		t.Error("there are two of one scope")
	}
	for i := range 500 {
		if err := pa.Update(map[string]int{"n": i}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, pb, `{"n":499}`)

	var mu sync.Mutex
	var heard []string
	all := make(chan struct{})
	pb.OnCast(func(c Cast) {
		mu.Lock()
		defer mu.Unlock()
		if heard = append(heard, string(c.Body)); len(heard) == 10 {
			close(all)
		}
	})
	pa.OnCast(func(c Cast) { t.Errorf("it hears itself: %s", c.Body) })
	for i := range 10 {
		if err := pa.Cast([]int{i}); err != nil {
			t.Fatal(err)
		}
	}
	<-all
	if got := strings.Join(heard, ""); got != "[0][1][2][3][4][5][6][7][8][9]" {
		t.Errorf("heard %s", got)
	}

	// The sync beside it, and after it.
	mustExec(t, a, "INSERT INTO artist VALUES (3, 'Barbara')")
	s.converged(a, b)
	pa.Leave()
	until(t, pb, ``)
	if err := pa.Update(nil); tidemark.CodeOf(err) != tidemark.CodeUsage {
		t.Errorf("after Leave: %v", err)
	}
	joined(t, a, json.RawMessage(`{ "again": true }`))
	until(t, pb, `{"again":true}`)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	// On a machine that is busy enough the connection is cut before its last word is out.
	untilWithin(t, pb, ``, 30*time.Second)
}

// onlySockets is for tests in which a server goes. Where one cuts a WebSocket off and
// answers plain HTTP by then, a client takes that way for some minutes, and is not present.
var onlySockets = Options{Transport: "websocket"}

// A server that restarts knows nobody; everyone comes back without being told to.
func TestPresenceSurvivesARestart(t *testing.T) {
	s := serve(t)
	a, b := s.clone(onlySockets), s.clone(onlySockets)
	running(t, a)
	pa, pb := joined(t, a, map[string]int{"a": 1}), joined(t, b, map[string]int{"b": 1})
	until(t, pa, `{"b":1}`)
	for round := range 2 {
		s.stop()
		state := map[string]int{"b": 2 + round}
		if err := pb.Update(state); err != nil { // while there is nobody to hear it
			t.Fatal(err)
		}
		s.start()
		until(t, pa, fmt.Sprintf(`{"b":%d}`, 2+round))
		until(t, pb, `{"a":1}`)
	}
}

func TestPresenceOffline(t *testing.T) {
	s := serve(t)
	a, b := s.clone(onlySockets), s.clone(onlySockets)
	s.stop()
	p := a.Presence("all")
	if err := p.Join(nil); err != nil {
		t.Fatal(err)
	}
	codeIs(t, p.Cast("hello"), tidemark.CodeOffline)
	codeIs(t, p.Err(), tidemark.CodeOffline)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if p.Seen(ctx) == nil {
		t.Error("seen without a server")
	}
	s.start()
	joined(t, b, map[string]int{"b": 1})
	until(t, p, `{"b":1}`)
	if err := p.Err(); err != nil {
		t.Error(err)
	}
}

func TestPresenceThatCannotBe(t *testing.T) {
	s := serve(t)
	a, b := s.clone(Options{}), s.clone(Options{Transport: "http"})
	p := a.Presence("all")
	codeIs(t, p.Update(nil), tidemark.CodeUsage)
	codeIs(t, p.Cast(nil), tidemark.CodeUsage)
	codeIs(t, p.Err(), tidemark.CodeUsage)
	codeIs(t, p.Join([]int{1}), tidemark.CodeUsage)
	codeIs(t, p.Join(func() {}), tidemark.CodeUsage)
	codeIs(t, p.Join(map[string]string{"x": strings.Repeat("y", MaxState)}), tidemark.CodeTooLarge)
	if len(p.Peers()) != 0 || p.done != nil {
		t.Error("what was refused began something")
	}
	other := a.Presence("project/42")
	if err := other.Join(nil); err != nil {
		t.Fatal(err)
	}
	codeIs(t, other.Seen(t.Context()), tidemark.CodeNotFound)
	joined(t, a, nil)
	codeIs(t, p.Cast(strings.Repeat("y", MaxCast)), tidemark.CodeTooLarge)

	over := b.Presence("all")
	if err := over.Join(nil); err != nil {
		t.Fatal(err)
	}
	codeIs(t, over.Seen(t.Context()), tidemark.CodeUsage)
	mustExec(t, b, "INSERT INTO artist VALUES (3, 'Barbara')")
	s.converged(a, b)
}

// What its callbacks do must not stop it.
func TestPresenceFromItsCallbacks(t *testing.T) {
	s := serve(t)
	a, b := s.clone(Options{}), s.clone(Options{})
	pa, pb := joined(t, a, nil), joined(t, b, nil)
	left := make(chan struct{})
	pa.OnCast(func(c Cast) {
		_ = pa.Update(map[string]string{"heard": string(c.Body)})
		_ = pa.Cast(c.From)
		pa.Leave()
		close(left)
	})
	until(t, pb, `{}`)
	if err := pb.Cast(1); err != nil {
		t.Fatal(err)
	}
	<-left
	until(t, pb, ``)
}
