package server

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// BenchmarkThroughput is single-row changesets from sessions that keep a
// window of pushes open, until each has its outcome; every one is durable, and
// every session gets every batch.
func BenchmarkThroughput(b *testing.B) {
	for _, sessions := range []int{1, 16} {
		for _, window := range []int{1, 64} {
			b.Run(fmt.Sprintf("sessions=%d/window=%d", sessions, window), func(b *testing.B) {
				benchThroughput(b, Options{}, sessions, window)
			})
		}
	}
}

func benchThroughput(b *testing.B, o Options, sessions, window int) {
	d := newDeck(b, o, defaultTuning)
	devices := make([]*device, sessions)
	for i := range devices {
		devices[i] = d.newDevice()
		devices[i].dial()
	}
	each := (b.N + sessions - 1) / sessions
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, v := range devices {
		wg.Go(func() {
			sent := 0
			for v.hello.Settled < int64(each) {
				for sent < each && int64(sent)-v.hello.Settled < int64(window) {
					v.send(v.push(insertItem(int64(i)<<40+int64(sent), fmt.Sprintf("item %d of %d", sent, i))))
					sent++
				}
				if _, err := v.read(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(each*sessions)/b.Elapsed().Seconds(), "changesets/s")
}

// BenchmarkFanOut is one edit until the last of a hundred sessions has it.
func BenchmarkFanOut(b *testing.B) {
	const sessions = 100
	d := newDeck(b, Options{}, defaultTuning)
	writer := d.newDevice()
	writer.dial()
	writer.send(writer.push(insertItem(1, "first")))
	writer.reach(1)
	arrived := make(chan tidemark.Seq, sessions)
	for range sessions {
		v := d.newDevice()
		v.dial()
		v.rows[fmt.Sprint(1, []tidemark.Value{tidemark.Int(1)})] = insertItem(1, "first").New
		go func() {
			for {
				m, err := v.read()
				if err != nil {
					return // the benchmark is over
				}
				if m, ok := m.(*wire.Batch); ok {
					arrived <- m.To
				}
			}
		}()
	}
	b.ResetTimer()
	for i := range b.N {
		writer.send(writer.push(setName(1, fmt.Sprint("name ", i))))
		for range sessions {
			select {
			case <-arrived:
			case <-time.After(patience):
				b.Fatal("somebody did not get it")
			}
		}
		writer.reach(tidemark.Seq(i + 2))
	}
}
