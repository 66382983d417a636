package server

import (
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func TestACrammedOutboxLetsNobodyAsk(t *testing.T) {
	o := newOutbox(1000, func() {})
	done := make(chan struct{})
	if !o.await(done) {
		t.Fatal("an empty one is not crammed")
	}
	for range 20 {
		o.put(frame{down: &wire.Outcomes{List: make([]tidemark.Outcome, 1)}})
	}
	passed := make(chan bool)
	go func() { passed <- o.await(done) }()
	for !o.empty() {
		select {
		case <-passed:
			if o.crammed() {
				t.Fatal("it was crammed")
			}
			passed = nil
		default:
		}
		o.take()
	}
	if passed != nil && !<-passed {
		t.Fatal("it is empty now")
	}
	for range 20 {
		o.put(frame{down: &wire.Outcomes{List: make([]tidemark.Outcome, 1)}})
	}
	close(done)
	if o.await(done) {
		t.Fatal("nobody will empty it")
	}
}

// One who says hello for ever and never reads the answers costs the server
// what one outbox holds, not more.
func TestAFloodOfHellosIsBounded(t *testing.T) {
	tune := testTuning()
	tune.outbox = 64 << 10
	d := newDeck(t, Options{}, tune)
	dev := d.newDevice()
	dev.dial()
	dev.conn.NetConn().(interface{ SetReadBuffer(int) error }).SetReadBuffer(4 << 10)
	hello := wire.AppendUp(nil, &wire.Hello{Protocol: wire.Protocol})
	end := time.Now().Add(patience)
	for n := 0; ; n++ {
		_ = dev.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
		if dev.conn.WriteMessage(websocket.TextMessage, hello) != nil {
			return // the server reads no more
		}
		if time.Now().After(end) {
			t.Fatalf("%d hellos were read, and no answer was", n)
		}
	}
}
