package client

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark/internal/lite"
)

// BenchmarkPropagation measures the time from the return of a one-field edit
// on one copy to the call of a live query on another, over loopback.
func BenchmarkPropagation(b *testing.B) {
	for _, transport := range []string{"websocket", "http"} {
		b.Run(transport, func(b *testing.B) {
			s := serve(b)
			from, to := s.clone(Options{Transport: transport}), s.clone(Options{Transport: transport})
			running(b, from)
			running(b, to)
			heard := make(chan string, 16)
			stop, err := to.Watch(b.Context(), "SELECT name FROM artist WHERE id = 1", nil, func(r *Result, err error) {
				if err != nil {
					b.Error(err)
				}
				heard <- text(r)
			})
			if err != nil {
				b.Fatal(err)
			}
			defer stop()
			<-heard
			eventually(b, "both are connected", func() bool {
				return newLease(from.Path()).holder().Live && newLease(to.Path()).holder().Live
			})
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				name := fmt.Sprint("edit ", i)
				mustExec(b, from, "UPDATE artist SET name = ? WHERE id = 1", name)
				began := time.Now()
				for <-heard != "'"+name+"'" {
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			at := func(p int) float64 { return float64(took[len(took)*p/100].Microseconds()) / 1000 }
			b.ReportMetric(at(50), "p50-ms")
			b.ReportMetric(at(95), "p95-ms")
		})
	}
}

// BenchmarkWrite compares a one-row transaction through the client with the
// same on the plain file, by the same driver: durable as the client makes it,
// and without the disk's part, which hides everything else.
func BenchmarkWrite(b *testing.B) {
	const sql = "UPDATE artist SET name = ?1 WHERE id = 1"
	for _, mode := range []string{"FULL", "NORMAL"} {
		b.Run("plain/"+mode, func(b *testing.B) {
			raw := plainShop(b)
			if err := raw.Script("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA synchronous = " + mode); err != nil {
				b.Fatal(err)
			}
			for i := 0; b.Loop(); i++ {
				values, _ := valuesOf([]any{fmt.Sprint("edit ", i)})
				if err := raw.Transaction(func() error { return raw.Run(sql, values...) }); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("client/"+mode, func(b *testing.B) {
			db := open(b, localReplica(b), Options{})
			w := <-db.writer
			err := w.Run("PRAGMA synchronous = " + mode)
			db.writer <- w
			if err != nil {
				b.Fatal(err)
			}
			for i := 0; b.Loop(); i++ {
				mustExec(b, db, sql, fmt.Sprint("edit ", i))
			}
		})
	}
}

func plainShop(b *testing.B) *lite.DB {
	raw, err := lite.Open(filepath.Join(b.TempDir(), "plain.db"), lite.Options{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = raw.Close() })
	if err := raw.Script(shopSQL); err != nil {
		b.Fatal(err)
	}
	return raw
}
