package server

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// benchColors is a space in which a token says which color one may read.
func benchColors(b *testing.B) *deck {
	d, _ := declaredDeck(b, `
rules: { default: public }
scopes: { color: { grant: "SELECT :claims ->> 'color'", tables: { item: note } } }
`, Options{Auth: testTokens(b, TokenOptions{}), Quota: Quota{Changesets: -1, Bytes: -1, Connections: -1}})
	d.byHand("INSERT INTO item VALUES (1, 'first', '0')")
	return d
}

func (d *deck) idle(i int) *holder { return d.holder("idler", "color", fmt.Sprint(1+i%1000)) }

// BenchmarkScopedFanOut is one edit in one scope until the last of its
// listeners has it, with idle connections in other scopes or with many listeners.
func BenchmarkScopedFanOut(b *testing.B) {
	for _, c := range []struct{ idle, listeners int }{{1, 1}, {100, 1}, {2000, 1}, {0, 100}, {0, 1000}} {
		b.Run(fmt.Sprintf("idle=%d/listeners=%d", c.idle, c.listeners), func(b *testing.B) {
			d := benchColors(b)
			arrived := make(chan tidemark.Seq, c.listeners)
			for i := range c.idle {
				d.idle(i)
			}
			for range c.listeners {
				h := d.holder("listener", "color", "0")
				h.has("0: first")
				go func() {
					for {
						m, err := h.read()
						if err != nil {
							return // the benchmark is over
						}
						if m, ok := m.(*wire.Batch); ok {
							arrived <- m.To
						}
					}
				}()
			}
			writer := d.holder("writer", "color", "0")
			writer.has("0: first")
			for i := 0; b.Loop(); i++ {
				p := writer.push(setName(1, fmt.Sprint("name ", i)))
				p.Seen = writer.hello.Seq
				writer.send(p)
				for range c.listeners {
					select {
					case <-arrived:
					case <-time.After(patience):
						b.Fatal("somebody did not get it")
					}
				}
				writer.has(fmt.Sprint("0: name ", i))
			}
		})
	}
}

// BenchmarkConnectionMemory is what a connection with one scope costs, both of
// its ends in this process, with their goroutines' stacks.
func BenchmarkConnectionMemory(b *testing.B) {
	const connections = 1000
	d := benchColors(b)
	keep := make([]*holder, 0, connections)
	before := used()
	for i := range connections {
		keep = append(keep, d.idle(i))
	}
	after := used()
	for b.Loop() {
		runtime.KeepAlive(keep)
	}
	b.ReportMetric(float64(after-before)/connections, "B/connection")
}

func used() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
