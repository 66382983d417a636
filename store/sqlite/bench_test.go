package sqlite

import (
	"context"
	"fmt"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

const benchTable = `CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
INSERT INTO item SELECT i, 'item ' || i, i * 1.5, 'a note on item ' || i FROM n;`

func benchFile(b *testing.B) string {
	b.Helper()
	path := b.TempDir() + "/bench.sqlite"
	db, err := lite.Open(path, lite.Options{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if err := db.Script(benchTable); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkGroup writes single-row updates, each a changeset of its own with
// effects, log entry, row record, digest and outcome. BenchmarkPlain is what
// SQLite alone takes for the same updates with the same durability.
func BenchmarkGroup(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, err := Open(benchFile(b), Options{Space: "bench"})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			n := int64(0)
			b.ResetTimer()
			for range b.N {
				err := s.Group(context.Background(), func(tx tidemark.Tx) error {
					if _, err := tx.Foreign(); err != nil {
						return err
					}
					for range size {
						n++
						if err := benchOne(tx, n); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "changesets/s")
		})
	}
}

func benchOne(tx tidemark.Tx, n int64) error {
	return tx.Savepoint(func() error {
		key := []tidemark.Value{tidemark.Int(n%10000 + 1)}
		if _, err := tx.Row(1, key); err != nil {
			return err
		}
		changes := []tidemark.Change{{Table: 1, Op: tidemark.Update, Key: key, Cols: []int{2}, New: []tidemark.Value{tidemark.Real(float64(n) + 0.5)}}}
		if err := tx.WriteAll(changes); err != nil {
			return err
		}
		if err := tx.Settle(changes); err != nil {
			return err
		}
		effects, err := tx.Effects()
		if err != nil {
			return err
		}
		name := tidemark.Name{Replica: "r", N: n}
		if err := tx.Append(tidemark.LogEntry{Name: name, Effects: effects}); err != nil {
			return err
		}
		return tx.SaveOutcome(tidemark.Outcome{Name: name, Kind: tidemark.Accepted, Seq: tidemark.Seq(n)})
	})
}

func BenchmarkPlain(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			db, err := lite.Open(benchFile(b), lite.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			if err := db.Script("PRAGMA journal_mode = wal; PRAGMA synchronous = FULL"); err != nil {
				b.Fatal(err)
			}
			n := int64(0)
			b.ResetTimer()
			for range b.N {
				err := db.Transaction(func() error {
					for range size {
						n++
						err := db.Run("UPDATE item SET price = ?2 WHERE id = ?1", tidemark.Int(n%10000+1), tidemark.Real(float64(n)+0.5))
						if err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "updates/s")
		})
	}
}

func BenchmarkAdopt(b *testing.B) {
	for range b.N {
		b.StopTimer()
		path := benchFile(b)
		b.StartTimer()
		s, err := Open(path, Options{Space: "bench"})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(10000*b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkHistory asks for the past of rows: of one that each of a hundred
// changesets updated, and of the many rows of one large changeset.
func BenchmarkHistory(b *testing.B) {
	for _, shape := range []struct {
		name             string
		changesets, rows int
	}{{"deep", 100, 1}, {"wide", 1, 10000}} {
		b.Run(shape.name, func(b *testing.B) {
			s, err := Open(benchFile(b), Options{Space: "bench"})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for n := range shape.changesets {
				if err := benchBulk(s, shape.rows, float64(n)+0.25); err != nil {
					b.Fatal(err)
				}
			}
			effects := 0
			b.ResetTimer()
			for n := range b.N {
				err := s.View(context.Background(), func(v tidemark.View) error {
					key := []tidemark.Value{tidemark.Int(int64(n%shape.rows) + 1)}
					_, err := v.History(1, key, 0, func(tidemark.RowEffect) bool { effects++; return true })
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			if effects != b.N*shape.changesets {
				b.Fatalf("%d effects in %d rounds", effects, b.N)
			}
		})
	}
}

// BenchmarkBulk writes changesets of 10,000 updates.
func BenchmarkBulk(b *testing.B) {
	s, err := Open(benchFile(b), Options{Space: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ResetTimer()
	for n := range b.N {
		if err := benchBulk(s, 10000, float64(n)+0.5); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(10000*b.N)/b.Elapsed().Seconds(), "rows/s")
}

func benchBulk(s *Store, rows int, price float64) error {
	return s.Group(context.Background(), func(tx tidemark.Tx) error {
		if _, err := tx.Foreign(); err != nil {
			return err
		}
		changes := make([]tidemark.Change, rows)
		for i := range changes {
			changes[i] = tidemark.Change{
				Table: 1, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(int64(i) + 1)}, Cols: []int{2}, New: []tidemark.Value{tidemark.Real(price)},
			}
		}
		if err := tx.WriteAll(changes); err != nil {
			return err
		}
		effects, err := tx.Effects()
		if err != nil {
			return err
		}
		return tx.Append(tidemark.LogEntry{Name: tidemark.Name{Replica: "r", N: 1}, Effects: effects})
	})
}
