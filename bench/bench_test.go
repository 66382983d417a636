package bench

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/server"
)

// The row that the figures speak of: seven columns, a key of 26 characters,
// a title of 40 and a body of 120.
const taskTable = `CREATE TABLE task (
	id TEXT PRIMARY KEY NOT NULL, project INTEGER, title TEXT, body TEXT, done INTEGER, votes INTEGER, updated_at REAL)`

const insertTask = "INSERT INTO task VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"

func task(i int) []tidemark.Value {
	id := fmt.Sprintf("%026d", i)
	return []tidemark.Value{
		tidemark.Text(id), tidemark.Int(int64(i % 40)),
		tidemark.Text(strings.Repeat("t", 30) + id[16:]), tidemark.Text(strings.Repeat("body ", 22) + id[16:]),
		tidemark.Int(int64(i % 2)), tidemark.Int(int64(i)), tidemark.Real(float64(i) + 0.5),
	}
}

// fill writes rows first to first+n-1 in one transaction and says how long plain SQLite took.
func fill(b *testing.B, path string, first, n int) time.Duration {
	b.Helper()
	db, err := lite.Open(path, lite.Options{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.Script("PRAGMA journal_mode = wal; " + strings.Replace(taskTable, "TABLE", "TABLE IF NOT EXISTS", 1)); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	err = db.Transaction(func() error {
		for i := first; i < first+n; i++ {
			if err := db.Run(insertTask, task(i)...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// serve fills a file, serves it and returns its path and address.
func serve(b *testing.B, rows int) (file, address string) {
	b.Helper()
	file = filepath.Join(b.TempDir(), "tasks.sqlite")
	fill(b, file, 0, rows)
	srv, err := server.Open(file, server.Options{})
	if err != nil {
		b.Fatal(err)
	}
	ts := httptest.NewServer(srv)
	b.Cleanup(func() {
		_ = srv.Close()
		ts.Close()
	})
	return file, ts.URL + "/tasks"
}

func clone(b *testing.B, address string) *client.DB {
	b.Helper()
	path := filepath.Join(b.TempDir(), "copy.sqlite")
	if err := client.Clone(context.Background(), address, path, client.CloneOptions{}); err != nil {
		b.Fatal(err)
	}
	db, err := client.Open(path, client.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

func count(b *testing.B, db *client.DB, sql string) int64 {
	b.Helper()
	res, err := db.Query(context.Background(), sql)
	if err != nil {
		b.Fatal(err)
	}
	return res.Rows[0][0].Int64()
}

// BenchmarkClone: from nothing to a readable replica of 100,000 rows. The
// server has its snapshot ready after the first.
func BenchmarkClone(b *testing.B) {
	const rows = 100_000
	_, address := serve(b, rows)
	plain := fill(b, filepath.Join(b.TempDir(), "plain.sqlite"), 0, rows)
	for b.Loop() {
		db := clone(b, address)
		if n := count(b, db, "SELECT count(*) FROM task"); n != rows {
			b.Fatalf("%d rows", n)
		}
	}
	ratio(b, plain)
}

// BenchmarkCatchUp: a replica that was away gets 10,000 new rows that another
// program wrote into the server's file.
func BenchmarkCatchUp(b *testing.B) {
	const rows = 10_000
	file, address := serve(b, 1)
	db := clone(b, address)
	plain := fill(b, filepath.Join(b.TempDir(), "plain.sqlite"), 0, rows)
	next := 1
	for b.Loop() {
		b.StopTimer()
		fill(b, file, next, rows)
		next += rows
		b.StartTimer()
		for count(b, db, "SELECT count(*) FROM task") != int64(next) {
			if _, err := db.Sync(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	}
	ratio(b, plain)
}

// BenchmarkOfflineEdits: 5,000 single-row edits made offline, until the server has them all.
func BenchmarkOfflineEdits(b *testing.B) {
	const rows, edits = 5_000, 5_000
	_, address := serve(b, rows)
	db := clone(b, address)
	ctx := context.Background()
	var plain time.Duration
	for b.Loop() {
		b.StopTimer()
		for i := range edits {
			if _, err := db.Exec(ctx, "UPDATE task SET votes = votes + 1 WHERE id = ?1", fmt.Sprintf("%026d", i)); err != nil {
				b.Fatal(err)
			}
		}
		plain += fill(b, filepath.Join(b.TempDir(), "plain.sqlite"), 0, edits)
		b.StartTimer()
		res, err := db.Sync(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if res.Accepted != edits {
			b.Fatalf("%d accepted", res.Accepted)
		}
	}
	ratio(b, plain/time.Duration(b.N))
	b.ReportMetric(float64(edits)*float64(b.N)/b.Elapsed().Seconds(), "edits/s")
}

// BenchmarkPropagation: a one-field edit on one replica until a live query of
// another sees it, both connected, everything durable.
func BenchmarkPropagation(b *testing.B) {
	_, address := serve(b, 1_000)
	from, to := clone(b, address), clone(b, address)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	for _, db := range []*client.DB{from, to} {
		go func() { done <- db.Run(ctx) }()
	}
	seen := make(chan int64, 16)
	stop, err := to.Watch(ctx, "SELECT votes FROM task WHERE id = ?1", []any{fmt.Sprintf("%026d", 7)}, func(r *client.Result, err error) {
		if err == nil {
			seen <- r.Rows[0][0].Int64()
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	<-seen
	var times []time.Duration
	n := int64(1000)
	for b.Loop() {
		n++
		start := time.Now()
		if _, err := from.Exec(ctx, "UPDATE task SET votes = ?2 WHERE id = ?1", fmt.Sprintf("%026d", 7), n); err != nil {
			b.Fatal(err)
		}
		for v := range seen {
			if v == n {
				break
			}
		}
		times = append(times, time.Since(start))
	}
	stop()
	cancel()
	for range 2 {
		<-done
	}
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	for _, p := range []int{50, 95, 99} {
		b.ReportMetric(float64(times[len(times)*p/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", p))
	}
}

// ratio reports how many times as long one round took as the same rows
// inserted by plain SQLite in one transaction.
func ratio(b *testing.B, plain time.Duration) {
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/plain.Seconds(), "x-plain")
}
