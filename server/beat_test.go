package server

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// piped is a response on a pipe, which a WebSocket can take over.
type piped struct {
	*httptest.ResponseRecorder
	conn net.Conn
	buf  *bufio.ReadWriter
}

func (p piped) Hijack() (net.Conn, *bufio.ReadWriter, error) { return p.conn, p.buf, nil }

// heard is what came to the other end of a line, and when.
type heard struct {
	at  time.Duration
	msg wire.Down
}

// writing runs the writer of a connection against a clock that a bubble makes,
// and returns its peer and what the other end hears until the line ends.
func writing(t *testing.T, tune tuning) (p *peer, news <-chan heard) {
	srv, err := newServer(Options{}, tune)
	if err != nil {
		t.Fatal(err)
	}
	sp := &space{srv: srv, meter: srv.metrics.space("shop"), present: &presences{}}
	ours, theirs := net.Pipe()
	k := &socket{space: sp, gone: make(chan struct{}), quit: make(chan struct{})}
	k.peer = sp.newPeer(tidemark.Principal{})
	began := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := bufio.NewReadWriter(bufio.NewReader(ours), bufio.NewWriter(ours))
		r, err := http.ReadRequest(buf.Reader)
		if err == nil {
			k.conn, err = srv.upgrade(piped{httptest.NewRecorder(), ours, buf}, r)
		}
		if err != nil {
			t.Error(err)
			_ = ours.Close()
			return
		}
		srv.idle.Add(1)
		k.write()
	}()
	dialer := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) { return theirs, nil }}
	conn, _, err := dialer.Dial("ws://server/", nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetPingHandler(func(string) error { return nil }) // the reader, which takes pongs, is not there
	hear := make(chan heard, 10_000)
	go func() {
		defer close(hear)
		for {
			_, b, err := conn.ReadMessage()
			if err != nil {
				return
			}
			m, err := wire.DecodeDown(b)
			if err != nil {
				t.Error(err)
			}
			hear <- heard{time.Since(began), m}
		}
	}()
	t.Cleanup(func() {
		close(k.gone)
		<-done
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return k.peer, hear
}

// An idle connection hears something at every ping.
func TestAnIdleConnectionHearsBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, news := writing(t, defaultTuning)
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		if len(news) != 144 {
			t.Fatalf("%d beats in an hour", len(news))
		}
		for i := range 144 {
			h := <-news
			if !wire.IsBeat(h.msg) || h.at != time.Duration(i+1)*25*time.Second {
				t.Fatalf("it heard %+v after %v", h.msg, h.at)
			}
		}
	})
}

// A connection that is told things is not told that it is there, and it is
// never without a word for as long as a page waits.
func TestABusyConnectionHearsNoBeats(t *testing.T) {
	for every := time.Second; every < 2*time.Minute; every += 7 * time.Second {
		synctest.Test(t, func(t *testing.T) {
			p, news := writing(t, defaultTuning)
			for range 100 {
				time.Sleep(every)
				p.outbox.put(frame{down: &wire.Renewed{Expires: 1}})
			}
			synctest.Wait()
			var last time.Duration
			for range len(news) {
				h := <-news
				if wire.IsBeat(h.msg) && (every <= 12*time.Second || h.at-last < 12*time.Second) {
					t.Fatalf("told of something every %v, it hears a beat %v after the last word", every, h.at-last)
				}
				if h.at-last > 38*time.Second {
					t.Fatalf("told of something every %v, it hears nothing for %v", every, h.at-last)
				}
				last = h.at
			}
		})
	}
}

// One who is present is pinged more often, but hears no more beats for it.
func TestPingsOfPresenceBringNoBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, news := writing(t, defaultTuning)
		p.space.present.over = true // nobody is there
		p.listening.present.Store(true)
		p.outbox.ring()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(news); n < 144 || n > 200 {
			t.Fatalf("%d beats in an hour", n)
		}
	})
}
