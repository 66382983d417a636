package server

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func TestAnEditReachesAnotherDevice(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	a, b := d.newDevice(), d.newDevice()
	a.dial()
	b.dial()
	a.send(a.push(insertItem(1, "one")))
	if o := a.outcome(); o.Kind != tidemark.Accepted || o.Seq != 1 {
		t.Fatalf("%+v", o)
	}
	b.reach(1)
	a.reach(1)
	if len(b.rows) != 1 || a.sum != b.sum {
		t.Fatalf("%v", b.rows)
	}
	a.send(a.push(setName(1, "uno")))
	b.send(b.push(insertItem(2, "uno")))
	first, second := a.outcome(), b.outcome()
	if (first.Kind == tidemark.Accepted) == (second.Kind == tidemark.Accepted) {
		t.Fatalf("%+v %+v", first, second)
	}
}

func TestTheSameOverHTTP(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip", "zstd"} {
		t.Run(encoding, func(t *testing.T) { testRoundTrips(t, encoding) })
	}
}

func testRoundTrips(t *testing.T, encoding string) {
	d := newDeck(t, Options{}, testTuning())
	a, b := d.newDevice(), d.newDevice()
	h := http.Header{"Accept-Encoding": {encoding}, "Content-Encoding": {encoding}}
	a.trip("", h)
	list, resp := a.trip("", h, a.push(insertItem(1, "one")), a.push(insertItem(2, "two")))
	if len(list) < 3 || a.hello.Settled != 2 || a.hello.Seq != 2 {
		t.Fatalf("%v", list)
	}
	if got := resp.Header.Get("Content-Encoding"); got != encoding && encoding != "identity" {
		t.Fatalf("answered with %q", got)
	}
	b.trip("", h)
	if b.hello.Seq != 2 || len(b.rows) != 2 || a.sum != b.sum {
		t.Fatalf("%v", b.rows)
	}
}

func TestARoundTripWaitsForNews(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	a, b := d.newDevice(), d.newDevice()
	a.dial()
	done := make(chan []wire.Down)
	go func() {
		list, _ := b.trip("?wait=20s", nil)
		done <- list
	}()
	a.send(a.push(insertItem(1, "one")))
	select {
	case list := <-done:
		if b.hello.Seq != 1 {
			t.Fatalf("%v", list)
		}
	case <-time.After(patience / 2):
		t.Fatal("it did not come back")
	}
	began := time.Now()
	list, _ := b.trip("?wait=50ms", nil)
	if len(list) != 1 || time.Since(began) < 50*time.Millisecond {
		t.Fatalf("without news: %v after %v", list, time.Since(began))
	}
}

func TestWritesByHandReachALiveSession(t *testing.T) {
	var events []Event
	d := newDeck(t, Options{OnEvent: func(e Event) { events = append(events, e) }}, testTuning())
	a := d.newDevice()
	a.dial()
	d.byHand("INSERT INTO item VALUES (5, 'by hand', x'00ff')")
	a.reach(1)
	if len(a.rows) != 1 {
		t.Fatalf("%v", a.rows)
	}
	d.byHand("PRAGMA foreign_keys = OFF; INSERT INTO part VALUES (1, 77)")
	a.send(a.push(insertItem(1, "one")))
	if o := a.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
	eventually(t, "the log tells of it", func() bool { return contains(d.logs, "was undone") })
	d.byHand("ALTER TABLE item ADD COLUMN price REAL")
	if m := wait[*wire.Schema](a); m.Hash == "" {
		t.Fatal("no schema")
	}
	d.byHand("UPDATE item SET price = 2.5 WHERE id = 5")
	a.reach(d.space().State().Head)
}

func contains(b *syncBuffer, s string) bool {
	text := b.String()
	for i := 0; i+len(s) <= len(text); i++ {
		if text[i:i+len(s)] == s {
			return true
		}
	}
	return false
}

func TestInfoAndErrorsAreJSON(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	for path, want := range map[string]int{
		"/v1/health": 200, "/v1/ready": 200, "/metrics": 200, "/v1/spaces": 200,
		"/v1/spaces/shop": 200, "/shop": 200, "/v1/spaces/zoo": 404, "/zoo": 404, "/v1/spaces/..": 404, "/a/b/c/d": 404,
		"/v1/spaces/shop/schema/0000": 404, "/shop/schema/" + d.space().State().SchemaHash: 200,
	} {
		resp, err := d.http.Client().Get(d.http.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		var e errorJSON
		if resp.StatusCode != want {
			t.Errorf("%s: %d", path, resp.StatusCode)
		} else if want >= 400 && (json.NewDecoder(resp.Body).Decode(&e) != nil || e.Error.Code == "" || e.Error.Message == "") {
			t.Errorf("%s: %+v", path, e)
		}
		resp.Body.Close()
	}
}
