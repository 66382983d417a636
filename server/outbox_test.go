package server

import (
	"testing"

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
