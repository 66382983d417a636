package disk_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/sim/disk"
)

// open starts a process with one connection.
func open(t *testing.T, d *disk.Disk, name string) (*disk.Process, *lite.DB) {
	t.Helper()
	p := d.Start(name)
	db, err := lite.Open("app.db", lite.Options{VFS: name, Create: true, Busy: -1})
	if err != nil {
		t.Fatal(err)
	}
	return p, db
}

// TestPowerCut cuts the power in the middle of transactions, over and over:
// what was committed stays, what was not leaves no trace.
func TestPowerCut(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		d := disk.New(r)
		p, db := open(t, d, fmt.Sprintf("cut-%d-first", seed))
		must(t, db.Script("CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, pad BLOB); INSERT INTO t VALUES (1, 0, NULL), (2, 0, NULL)"))
		committed := int64(0)
		for life := range 8 {
			p.KillAfter(r.IntN(60))
			tried := work(db, committed, r)
			_ = db.Close()
			d.PowerCut()
			p.Stop()
			p, db = open(t, d, fmt.Sprintf("cut-%d-%d", seed, life))
			a, b := counters(t, db)
			if a != b {
				t.Fatalf("seed %d life %d: half a transaction: %d and %d", seed, life, a, b)
			}
			if a < tried-1 || a > tried {
				t.Fatalf("seed %d life %d: %d committed, found %d", seed, life, tried-1, a)
			}
			check, err := db.Text("PRAGMA integrity_check")
			must(t, err)
			if check != "ok" {
				t.Fatalf("seed %d life %d: %s", seed, life, check)
			}
			committed = a
		}
		must(t, db.Close())
		p.Stop()
	}
}

// work commits until the process dies, and returns the last number that it tried.
func work(db *lite.DB, n int64, r *rand.Rand) int64 {
	for {
		n++
		err := db.Transaction(func() error {
			if err := db.Script(fmt.Sprintf("UPDATE t SET n = %d, pad = zeroblob(%d) WHERE id = 1", n, r.IntN(20000))); err != nil {
				return err
			}
			return db.Script(fmt.Sprintf("UPDATE t SET n = %d WHERE id = 2", n))
		})
		if err != nil {
			return n
		}
	}
}

func counters(t *testing.T, db *lite.DB) (int64, int64) {
	t.Helper()
	a, err := db.Int("SELECT n FROM t WHERE id = 1")
	must(t, err)
	b, err := db.Int("SELECT n FROM t WHERE id = 2")
	must(t, err)
	return a, b
}

// TestLocks: two processes on one file keep out of each other's way without waiting.
func TestLocks(t *testing.T) {
	d := disk.New(rand.New(rand.NewPCG(1, 1)))
	p, a := open(t, d, "locks-a")
	q, b := open(t, d, "locks-b")
	must(t, a.Script("CREATE TABLE t(n)"))
	must(t, a.Script("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)"))
	if err := b.Script("BEGIN IMMEDIATE"); !lite.Busy(err) {
		t.Fatalf("two writers at once: %v", err)
	}
	if n, err := b.Int("SELECT count(*) FROM t"); err != nil || n != 0 {
		t.Fatalf("a reader beside a writer: %d, %v", n, err)
	}
	p.Kill()
	must(t, b.Script("INSERT INTO t VALUES (2)"))
	if n, err := b.Int("SELECT sum(n) FROM t"); err != nil || n != 2 {
		t.Fatalf("after the other died: %d, %v", n, err)
	}
	_ = a.Close()
	must(t, b.Close())
	p.Stop()
	q.Stop()
}

// TestFailure: one failing write rolls its transaction back and nothing else.
func TestFailure(t *testing.T) {
	d := disk.New(rand.New(rand.NewPCG(1, 1)))
	p, db := open(t, d, "failure")
	must(t, db.Script("CREATE TABLE t(n)"))
	for n := 1; n < 12; n++ {
		before, err := db.Int("SELECT count(*) FROM t")
		must(t, err)
		p.FailAfter(n, disk.ErrFull)
		err = db.Script("INSERT INTO t VALUES (1)")
		fired := p.Failed()
		p.FailAfter(0, nil)
		after, cerr := db.Int("SELECT count(*) FROM t")
		must(t, cerr)
		if err != nil && after != before || err == nil && after != before+1 {
			t.Fatalf("write %d (fired %v): %v, %d rows became %d", n, fired, err, before, after)
		}
	}
	must(t, db.Close())
	p.Stop()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
