package replica

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func TestRefusalsThatStop(t *testing.T) {
	for _, c := range []tidemark.Code{tidemark.CodeIncarnation, tidemark.CodeWrongSpace, tidemark.CodeProtocol} {
		l := in(t, Pushing)
		l.mustStep(t, down(&wire.Refusal{Code: c, Fatal: true, Message: "why"}))
		if l.State() != Stopped || l.copy.stopped != c || len(l.copy.pending) != 2 {
			t.Fatalf("%s: %v, remembered %q, %d pending", c, l.State(), l.copy.stopped, len(l.copy.pending))
		}
		l.mustStep(t, Start{})
		if l.State() != Dialing {
			t.Fatal("Start does not begin again")
		}
	}
}

// A message that came broken is sent again; it stops nothing.
func TestUnreadableMessageIsTriedAgain(t *testing.T) {
	l := in(t, Pushing)
	l.mustStep(t, down(&wire.Refusal{Code: tidemark.CodeProtocol, Message: "why"}))
	if l.State() != Backoff || l.copy.stopped != "" {
		t.Fatalf("%v, remembered %q", l.State(), l.copy.stopped)
	}
}

// What the server would not take goes up by its hash alone, and what comes
// behind it goes up whole.
func TestTooLargeBodyIsWithheld(t *testing.T) {
	for _, limits := range []wire.Limits{{Changeset: 5000}, {Message: 5000 + frame}} {
		l := in(t, Greeting)
		big, small := make([]byte, 5001), make([]byte, 5000)
		l.copy.pending = []*wire.Push{{N: 1, Body: big}, {N: 2, Body: small}}
		l.sent()
		l.mustStep(t, down(&wire.Welcome{Limits: limits}))
		var pushes []*wire.Push
		for _, m := range l.sent() {
			if p, ok := m.(*wire.Push); ok {
				pushes = append(pushes, p)
			}
		}
		if len(pushes) != 2 || pushes[0].Body != nil || pushes[0].Hash != wire.HashOf(tidemark.Salt{}, big) || len(pushes[1].Body) != 5000 {
			t.Fatalf("%+v: %+v", limits, pushes)
		}
	}
}

func TestServerSaysWhenToComeBack(t *testing.T) {
	l := in(t, Idle)
	l.mustStep(t, down(&wire.Refusal{Code: tidemark.CodeShutdown, Retry: 5000}))
	if l.State() != Backoff || l.timer < 5*time.Second || l.timer > 6*time.Second {
		t.Fatalf("%v for %v", l.State(), l.timer)
	}
}

type comeBackIn struct{ time.Duration }

func (comeBackIn) Error() string               { return "come back later" }
func (c comeBackIn) RetryAfter() time.Duration { return c.Duration }

func TestTransportSaysWhenToComeBack(t *testing.T) {
	for told, atLeast := range map[time.Duration]time.Duration{4 * time.Second: 4 * time.Second, 1000 * time.Hour: maxTold} {
		l := in(t, Idle)
		l.mustStep(t, Disconnected{Err: fmt.Errorf("post: %w", comeBackIn{told})})
		if l.State() != Backoff || l.timer < atLeast || l.timer > atLeast+time.Second {
			t.Errorf("%v for %v", l.State(), l.timer)
		}
	}
}

func TestBackoffGrowsIsCappedAndReset(t *testing.T) {
	l := newTestLoop(3)
	l.mustStep(t, Start{})
	var longest time.Duration
	for i := range 200 {
		l.mustStep(t, Disconnected{Err: errors.New("refused")})
		ceiling := l.opts.MaxDelay
		if i < 8 {
			ceiling = min(ceiling, l.opts.MinDelay<<i)
		}
		if l.timer <= 0 || l.timer > ceiling {
			t.Fatalf("failure %d waits %v, at most %v is right", i, l.timer, ceiling)
		}
		longest = max(longest, l.timer)
		l.mustStep(t, Tick{})
	}
	if longest < l.opts.MaxDelay/2 {
		t.Errorf("the longest of 200 pauses was %v", longest)
	}
	if l.Retries() != 200 {
		t.Errorf("counted %d", l.Retries())
	}
	// A session that only begins is no success, one that holds is.
	l.mustStep(t, Connected{}, down(&wire.Welcome{}), Disconnected{})
	if l.attempts != 201 {
		t.Errorf("%d failures in a row", l.attempts)
	}
	l.mustStep(t, Tick{}, Connected{}, down(&wire.Welcome{}))
	l.clock += l.opts.MaxDelay.Milliseconds()
	l.mustStep(t, Disconnected{})
	if l.timer > l.opts.MinDelay {
		t.Errorf("after a success the first pause is %v", l.timer)
	}
	// And so is one that brings something.
	l.mustStep(t, Tick{}, Disconnected{}, Tick{}, Disconnected{}, Tick{}, Connected{}, down(&wire.Welcome{Head: 1}),
		down(&wire.Batch{From: 0, To: 1}), Disconnected{})
	if l.timer > l.opts.MinDelay {
		t.Errorf("after progress the first pause is %v", l.timer)
	}
}

// A writer that never rests must not hide a server that never answers.
func TestLocalWritesDoNotWindTheTimerUp(t *testing.T) {
	l := in(t, Pushing)
	l.timer = time.Second
	l.copy.unsealed = 1
	l.mustStep(t, Local{})
	if l.timer != time.Second {
		t.Fatalf("the timer was set to %v", l.timer)
	}
}

func TestFileErrorsHangUpAndComeBack(t *testing.T) {
	l := in(t, Idle)
	l.copy.fail = errors.New("database or disk is full")
	if err := l.step(down(&wire.Batch{From: 0, To: 1})); err == nil {
		t.Fatal("the error was swallowed")
	}
	if l.State() != Backoff {
		t.Fatal(l.State())
	}
	l.mustStep(t, Tick{}, Connected{}, down(&wire.Welcome{Head: 1}), down(&wire.Batch{From: 0, To: 1}))
	if l.State() != Idle || l.seq != 1 {
		t.Fatalf("%v at %d", l.State(), l.seq)
	}
}

func TestJitterSurvivesAnEmptySource(t *testing.T) {
	l := newLoop(&fakeCopy{}, LoopOptions{Rand: bytes.NewReader(nil)})
	if d := l.jitter(); d != l.opts.MinDelay {
		t.Fatal(d)
	}
}
