//go:build unix

package server

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark/internal/wire"
)

// What one update costs until every listener has read it. The time is that of
// the pause between two tellings; what is spent counts, the listeners' part too.
func BenchmarkPresence(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("listeners=%d", n), func(b *testing.B) {
			d := newDeck(b, Options{}, testTuning())
			heard := make(chan struct{}, n)
			var first *device
			for i := range n {
				v := d.newDevice()
				v.dial()
				v.send(&wire.Presence{Scope: "all", State: []byte(`{"x":1,"y":2}`)})
				if i == 0 {
					first = v
				}
				_ = v.conn.SetReadDeadline(time.Time{})
				go func() {
					for {
						_, m, err := v.conn.ReadMessage()
						if err != nil {
							return
						}
						if strings.Contains(string(m), `"tick":`) {
							heard <- struct{}{}
						}
					}
				}()
			}
			for { // until everyone is there
				sp := d.space()
				sp.present.mu.Lock()
				there := sp.present.hall.Peers()
				sp.present.mu.Unlock()
				if there == n {
					break
				}
				time.Sleep(time.Millisecond)
			}
			time.Sleep(3 * time.Second) // what the joins left to tell
			var before, after syscall.Rusage
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
			b.ResetTimer()
			for i := range b.N {
				first.send(&wire.Presence{Scope: "all", State: fmt.Appendf(nil, `{"tick":%d}`, i)})
				for range n {
					<-heard
				}
			}
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
			spent := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
			b.ReportMetric(float64(spent)/float64(b.N)/1000, "cpu-µs/op")
		})
	}
}
