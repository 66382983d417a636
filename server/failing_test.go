package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// brokenStore is a store whose disk fails when told to.
type brokenStore struct {
	tidemark.Store
	failures atomic.Int64 // so many groups fail
	poison   atomic.Value // a name that no row can get, for no reason of its own
}

var errBroken = errors.New("input/output error")

func (s *brokenStore) Group(ctx context.Context, fn func(tidemark.Tx) error) error {
	if s.failures.Add(-1) >= 0 {
		return errBroken
	}
	return s.Store.Group(ctx, func(tx tidemark.Tx) error { return fn(&brokenTx{tx, s}) })
}

type brokenTx struct {
	tidemark.Tx
	s *brokenStore
}

func (x *brokenTx) WriteAs(author tidemark.Author, changes []tidemark.Change) error {
	if x.poisoned(changes) {
		return errBroken
	}
	return x.Tx.WriteAs(author, changes)
}

func (x *brokenTx) poisoned(changes []tidemark.Change) bool {
	name, _ := x.s.poison.Load().(string)
	return slices.ContainsFunc(changes, func(c tidemark.Change) bool {
		return name != "" && len(c.New) > 1 && c.New[1] == tidemark.Text(name)
	})
}

// newBrokenDeck is newDeck with a store that can be broken.
func newBrokenDeck(t *testing.T, tune tuning) (*deck, *brokenStore) {
	broken := &brokenStore{}
	tune.store = func(s tidemark.Store) tidemark.Store {
		broken.Store = s
		return broken
	}
	return newDeck(t, Options{}, tune), broken
}

func TestAStoreThatFailsForAWhile(t *testing.T) {
	tune := testTuning()
	tune.retry = time.Millisecond
	d, broken := newBrokenDeck(t, tune)
	v, other := d.newDevice(), d.newDevice()
	v.dial()
	other.dial()
	broken.failures.Store(5)
	v.send(v.push(insertItem(1, "one")))
	other.send(other.push(insertItem(2, "two")))
	if a, b := v.outcome(), other.outcome(); a.Kind != tidemark.Accepted || b.Kind != tidemark.Accepted {
		t.Fatalf("%+v %+v", a, b)
	}
	if !contains(d.logs, "the store works again") || !contains(d.logs, errBroken.Error()) {
		t.Fatal("nobody was told")
	}
	broken.failures.Store(1 << 40)
	v.send(v.push(setName(1, "uno")))
	eventually(t, "the server says so", func() bool { return d.status("/v1/ready") == http.StatusServiceUnavailable })
	if d.status("/v1/health") != http.StatusOK || d.status("/shop") != http.StatusOK {
		t.Fatal("a failing store is no failing process")
	}
	broken.failures.Store(0)
	if o := v.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
	if d.status("/v1/ready") != http.StatusOK {
		t.Fatal("not ready")
	}
}

func (d *deck) status(path string) int {
	d.t.Helper()
	resp, err := d.http.Client().Get(d.http.URL + path)
	if err != nil {
		d.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestOneThatKeepsFailingDelaysNobody(t *testing.T) {
	tune := testTuning()
	tune.retry = 20 * time.Millisecond
	d, broken := newBrokenDeck(t, tune)
	broken.poison.Store("poison")
	v, other := d.newDevice(), d.newDevice()
	v.dial()
	other.dial()
	v.send(v.push(insertItem(1, "poison")))
	v.send(v.push(insertItem(2, "behind it")))
	began := time.Now()
	for i := range int64(20) {
		other.send(other.push(insertItem(100+i, fmt.Sprint("other ", i))))
		if o := other.outcome(); o.Kind != tidemark.Accepted {
			t.Fatalf("%+v", o)
		}
	}
	healthy := time.Since(began)
	m := wait[*wire.Outcomes](v)
	for len(m.List) < 2 {
		m.List = append(m.List, wait[*wire.Outcomes](v).List...)
	}
	if m.List[0].Code != tidemark.CodeInternal || m.List[1].Kind != tidemark.Accepted {
		t.Fatalf("%+v", m.List)
	}
	if healthy > 5*time.Second {
		t.Fatalf("others took %v", healthy)
	}
}

func TestTheScrubFindsWhatCaptureMissed(t *testing.T) {
	tune := testTuning()
	tune.scrub, tune.rest, tune.scrubRows = 5*time.Millisecond, 10*time.Millisecond, 2
	d := newDeck(t, Options{}, tune)
	v := d.newDevice()
	v.dial()
	for i := range int64(10) {
		v.send(v.push(insertItem(i, fmt.Sprint("item ", i))))
	}
	v.reach(10)
	db, err := lite.Open(d.path, lite.Options{Busy: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.SetTriggers(false); err != nil {
		t.Fatal(err)
	}
	if err := db.Run("UPDATE item SET note = 'unseen' WHERE id = 7"); err != nil {
		t.Fatal(err)
	}
	v.reach(11)
	if row := v.rows[fmt.Sprint(1, []tidemark.Value{tidemark.Int(7)})]; row[2] != tidemark.Text("unseen") {
		t.Fatalf("%v", row)
	}
	if d.metric("tidemark_scrub_findings_total") != `tidemark_scrub_findings_total{space="shop"} 1` {
		t.Fatal(d.metric("tidemark_scrub_findings_total"))
	}
}

func TestAConnectionThatDoesNotAnswerIsCut(t *testing.T) {
	tune := testTuning()
	tune.ping, tune.silence = 20*time.Millisecond, 3*time.Second
	d := newDeck(t, Options{}, tune)
	alive, dead := d.newDevice(), d.newDevice()
	alive.dial()
	dead.dial()
	dead.conn.SetPingHandler(func(string) error { return nil })
	reached := make(chan error)
	go func() {
		for alive.hello.Seq < 1 {
			if _, err := alive.read(); err != nil {
				reached <- err
				return
			}
		}
		reached <- nil
	}()
	began := time.Now()
	if _, err := dead.read(); err == nil || time.Since(began) > patience/2 {
		t.Fatal("it was not cut")
	}
	other := d.newDevice()
	other.dial()
	other.send(other.push(insertItem(1, "one")))
	if err := <-reached; err != nil {
		t.Fatal(err)
	}
}
