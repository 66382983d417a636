package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func TestQuotas(t *testing.T) {
	tune := testTuning()
	tune.burst = time.Second
	d := newGuardedDeck(t, TokenOptions{}, Quota{Bytes: 300, Connections: 2}, tune)
	ana, ben := tokenFor(t, "ana", time.Hour), tokenFor(t, "ben", time.Hour)
	v := d.newDevice()
	v.signIn(ana)
	v.send(&v.hello)
	v.next()
	p := v.push(insertItem(1, strings.Repeat("x", 3000)))
	v.send(p) // overdraws what is left, but is taken
	if o := v.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
	v.send(v.push(insertItem(2, "two")))
	if r := wait[*wire.Refusal](v); r.Code != tidemark.CodeRateLimited || r.Fatal || r.Retry < 5000 || r.Retry > 15000 {
		t.Fatalf("%+v", r)
	}
	again := d.newDevice()
	if _, resp := again.trip("", bearerOf(ana)); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d", resp.StatusCode)
	}
	if down, resp := again.trip("", bearerOf(ben)); len(down) == 0 {
		t.Errorf("ben pays for ana: %d", resp.StatusCode)
	}
}

func TestConnectionsOfOnePrincipal(t *testing.T) {
	d := newGuardedDeck(t, TokenOptions{}, Quota{Connections: 2}, testTuning())
	ana := tokenFor(t, "ana", time.Hour)
	one, two, three := d.newDevice(), d.newDevice(), d.newDevice()
	one.signIn(ana)
	two.open()
	two.hello.Token = ana
	two.send(&two.hello)
	if w, ok := two.next().(*wire.Welcome); !ok {
		t.Fatalf("%+v", w)
	}
	if status, code, _ := d.request("GET", "/shop/ws", bearerOf(ana), ""); status != http.StatusTooManyRequests || code != tidemark.CodeRateLimited {
		t.Errorf("%d %s", status, code)
	}
	three.hello.Token = ana
	three.open()
	three.send(&three.hello)
	if r, ok := three.next().(*wire.Refusal); !ok || r.Code != tidemark.CodeRateLimited || r.Retry == 0 {
		t.Errorf("%+v", r)
	}
	_ = one.conn.Close()
	eventually(t, "a connection that is gone counts no more", func() bool {
		_, resp := three.trip("", bearerOf(ana))
		return resp.StatusCode == http.StatusOK
	})
}

func TestAQuotaHoldsBackALittle(t *testing.T) {
	q := newQuotas(Quota{Changesets: 10, Bytes: 1000, Connections: 1}, time.Second)
	now := time.Now()
	taken := 0
	for i := range 300 { // 3 seconds
		if q.take("ana", 1, 10, now.Add(time.Duration(i)*10*time.Millisecond)) == 0 {
			taken++
		}
	}
	if taken < 38 || taken > 42 { // a burst of 10, and 10 a second
		t.Errorf("%d were taken", taken)
	}
	if wait := q.take("ben", 1, 5000, now); wait != 0 {
		t.Errorf("a large message never gets in: %v", wait)
	}
	if wait := q.take("ben", 0, 1, now); wait < 4*time.Second || wait > 5*time.Second {
		t.Errorf("%v", wait)
	}
	for i := range manyUsages + 10 {
		q.take(fmt.Sprint(i), 1, 1, now.Add(time.Hour))
	}
	q.take("last", 1, 1, now.Add(2*time.Hour))
	if len(q.all) > manyUsages {
		t.Errorf("%d are remembered", len(q.all))
	}
}
