package capture

import (
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// Each benchmark does the same work on a file with capture and on one without
// and reports the quotient of CPU time; own transactions include their mark.

const benchTables = `
	CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT, stars INT, created REAL);
	CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT UNIQUE, nick TEXT UNIQUE, age INT);`

func benchFile(b *testing.B, captured bool) *lite.DB {
	b.Helper()
	db, err := lite.Open(filepath.Join(b.TempDir(), "b.db"), lite.Options{Create: true})
	must(b, err)
	b.Cleanup(func() { _ = db.Close() })
	must(b, db.Script("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"+benchTables))
	if captured {
		s, _, err := schema.Inspect(db, nil)
		must(b, err)
		must(b, Install(db, Main, s, false))
	}
	return db
}

// compare runs transactions on both files in turn, so many at a time, and
// reports the quotient of their times.
func compare(b *testing.B, batch int, prepare, write func(db *lite.DB, i int) error) {
	plain, captured := benchFile(b, false), benchFile(b, true)
	must(b, plain.Transaction(func() error { return prepare(plain, 0) }))
	must(b, captured.Transaction(func() error { return prepare(captured, 0) }))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var took [2][]time.Duration
	round := 0
	for b.Loop() {
		start := clock()
		for i := range batch {
			must(b, plain.Transaction(func() error { return write(plain, round*batch+i) }))
		}
		middle := clock()
		for i := range batch {
			must(b, captured.Transaction(func() error {
				return marked(captured, func() error { return write(captured, round*batch+i) })
			}))
		}
		took[0] = append(took[0], middle-start)
		took[1] = append(took[1], clock()-middle)
		round++
	}
	b.ReportMetric(float64(usual(took[1]))/float64(usual(took[0])), "x-plain")
	b.ReportMetric(float64(usual(took[1]).Nanoseconds())/1000/float64(batch), "µs/captured")
}

// usual is the lower decile, since caches and checkpoints make some runs dear.
func usual(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/10]
}

func marked(db *lite.DB, write func() error) error {
	first, err := Begin(db)
	if err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	_, err = End(db, Mark{First: first})
	return err
}

const insertNote = "INSERT INTO note(title, body, stars, created) VALUES ('a title of a note', 'some text that a person may have written in it', ?1, 1700000000.5)"

func nothing(*lite.DB, int) error { return nil }

func notes(db *lite.DB, _ int) error { return manyNotes(db, 0) }

func manyNotes(db *lite.DB, _ int) error {
	for i := range 10_000 {
		if err := db.Run(insertNote, tidemark.Int(int64(i))); err != nil {
			return err
		}
	}
	return nil
}

func BenchmarkCaptureSingleInsert(b *testing.B) {
	compare(b, 2000, nothing, func(db *lite.DB, i int) error { return db.Run(insertNote, tidemark.Int(int64(i))) })
}

func BenchmarkCaptureSingleUpdate(b *testing.B) {
	compare(b, 2000, notes, func(db *lite.DB, i int) error {
		return db.Run("UPDATE note SET stars = ?1 WHERE id = ?2", tidemark.Int(int64(-i)), tidemark.Int(int64(i*7919%10_000+1)))
	})
}

func BenchmarkCaptureBulkInsert(b *testing.B) { compare(b, 1, nothing, manyNotes) }

func BenchmarkCaptureBulkInsertStatement(b *testing.B) {
	compare(b, 1, nothing, func(db *lite.DB, _ int) error {
		return db.Run(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
			INSERT INTO note(title, body, stars, created) SELECT 'a title of a note', 'some text that a person may have written in it', i, 1700000000.5 FROM n`)
	})
}

func BenchmarkCaptureBulkUpdateStatement(b *testing.B) {
	compare(b, 1, notes, func(db *lite.DB, i int) error { return db.Run("UPDATE note SET stars = stars + 1") })
}

func BenchmarkCaptureBulkDeleteStatement(b *testing.B) {
	compare(b, 1, nothing, func(db *lite.DB, i int) error {
		if err := manyNotes(db, i); err != nil {
			return err
		}
		return db.Run("DELETE FROM note WHERE id > 0")
	})
}

func BenchmarkCaptureTwoUniqueKeys(b *testing.B) {
	compare(b, 1, nothing, func(db *lite.DB, n int) error {
		for i := range 10_000 {
			k := tidemark.Int(int64((n*10_000 + i) * 7919 % 100_000_007))
			err := db.Run("INSERT INTO person(email, nick, age) VALUES (?1 || '@example.com', 'nick' || ?1, 30)", k)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkSegments reads a log of 10,000 inserts, updates and deletes.
func BenchmarkSegments(b *testing.B) {
	db := benchFile(b, true)
	s, _, err := schema.Inspect(db, nil)
	must(b, err)
	must(b, db.Transaction(func() error { return manyNotes(db, 0) }))
	must(b, db.Transaction(func() error {
		return db.Script("UPDATE note SET stars = stars + 1 WHERE id % 2; DELETE FROM note WHERE id % 3 = 0")
	}))
	b.ReportAllocs()
	for b.Loop() {
		segs, err := Segments(db, Main, s)
		must(b, err)
		if len(segs) != 1 || len(segs[0].Rows) != 10_000*2/3+1 {
			b.Fatalf("%d segments, %d rows", len(segs), len(segs[0].Rows))
		}
	}
}
