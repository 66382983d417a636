package replica

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
	structure "github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

const wide = "CREATE TABLE item (id INTEGER PRIMARY KEY, a TEXT, b INTEGER, c REAL, d TEXT)"

func benchReplica(b *testing.B) *Replica {
	b.Helper()
	path := b.TempDir() + "/bench.db"
	db, err := lite.Open(path, lite.Options{Create: true})
	must(b, err)
	must(b, db.Script(wide))
	s, _, err := structure.Inspect(db, nil)
	must(b, err)
	must(b, db.Close())
	must(b, Create(path, CreateOptions{Schema: s, State: tidemark.SpaceState{Space: "s", Incarnation: "i", Term: "t", DigestKey: digest.Key{1}}}))
	r, err := Open(path, Options{})
	must(b, err)
	b.Cleanup(func() { _ = r.Close() })
	return r
}

func benchRow(i int) []tidemark.Value {
	return []tidemark.Value{tidemark.Int(int64(i)), tidemark.Text(fmt.Sprintf("some text of row %d", i)),
		tidemark.Int(int64(i * 7)), tidemark.Real(float64(i) / 3), tidemark.Text("more")}
}

func benchBatch(r *Replica, from, to int, name string) *wire.Batch {
	t := r.schema.Tables[0]
	batch := &wire.Batch{Schema: r.server.Hash, Term: "t"}
	for i := from; i < to; i++ {
		values := benchRow(i)
		values[4] = tidemark.Text(name)
		batch.Changes = append(batch.Changes, tidemark.Change{Table: t.ID, Op: tidemark.Insert, Key: t.KeyOf(values), New: values})
	}
	return batch
}

// deliver applies a batch at the replica's checkpoint, with the sum it expects.
func deliver(b *testing.B, r *Replica, batch *wire.Batch) {
	b.Helper()
	h, err := r.Hello()
	must(b, err)
	batch.From, batch.To = h.Seq, h.Seq+1
	batch.Sum = h.Sum
	hasher := digest.New(digest.Key{1})
	for i := range batch.Changes {
		batch.Sum += hasher.Row(r.schema.Tables[0], batch.Changes[i].New)
	}
	a, err := r.Apply(batch, nil, 1)
	must(b, err)
	if a.Repair != "" {
		b.Fatal(a.Repair)
	}
}

// BenchmarkApply applies 10,000 new rows that meet no pending; "ratio" is the
// time against plain prepared inserts of the same rows.
func BenchmarkApply(b *testing.B) {
	const n = 10_000
	var applied, plain time.Duration
	for range b.N {
		b.StopTimer()
		r := benchReplica(b)
		batch := benchBatch(r, 0, n, "x")
		b.StartTimer()
		start := time.Now()
		deliver(b, r, batch)
		applied += time.Since(start)
		b.StopTimer()
		other := benchReplica(b)
		start = time.Now()
		must(b, other.db.Transaction(func() error {
			for i := range batch.Changes {
				if err := row.Insert(other.db, r.schema.Tables[0], batch.Changes[i].New); err != nil {
					return err
				}
			}
			return nil
		}))
		plain += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(applied)/float64(plain), "ratio")
	b.ReportMetric(float64(applied.Nanoseconds())/float64(b.N*n), "ns/row")
}

// BenchmarkRebase brings 10,000 rows to a replica with 1,000 pending
// changesets, all of them on those rows.
func BenchmarkRebase(b *testing.B) {
	for _, kind := range []string{"last-write", "mixed"} {
		b.Run(kind, func(b *testing.B) {
			for range b.N {
				benchRebase(b, kind)
			}
		})
	}
}

func benchRebase(b *testing.B, kind string) {
	b.StopTimer()
	r := benchReplicaOf(b, kind)
	deliver(b, r, benchBatch(r, 0, 10_000, "x"))
	pend(b, r, 1000)
	batch := benchBatch(r, 0, 10_000, "y")
	h, err := r.Hello()
	must(b, err)
	batch.From, batch.To = h.Seq, h.Seq+1
	hasher := digest.New(digest.Key{1})
	for i := range batch.Changes {
		batch.Sum += hasher.Row(r.schema.Tables[0], batch.Changes[i].New)
	}
	b.StartTimer()
	a, err := r.Apply(batch, nil, 1)
	must(b, err)
	if a.Repair != "" || len(a.Suspended) > 0 {
		b.Fatalf("%+v", a)
	}
}

// pend makes n pending changesets of one row each.
func pend(b *testing.B, r *Replica, n int) {
	app, err := lite.Open(r.db.Path(), lite.Options{})
	must(b, err)
	defer app.Close()
	must(b, app.Run("PRAGMA synchronous = OFF"))
	for i := range n {
		must(b, app.Run("UPDATE item SET b = 0 WHERE id = ?1", tidemark.Int(int64(i*7))))
		_, err := r.Seal(1)
		must(b, err)
	}
}

// BenchmarkSettle answers one of 10,000 pending changesets at a time; it must
// not depend on how many there are.
func BenchmarkSettle(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := benchReplica(b)
			deliver(b, r, benchBatch(r, 0, 7*n+1, "x"))
			pend(b, r, n)
			hasher := digest.New(digest.Key{1})
			h, err := r.Hello()
			must(b, err)
			b.ResetTimer()
			for i := range min(b.N, n-1) { // the first update changes nothing
				p, err := loadPending(r.db, int64(i+1))
				must(b, err)
				must(b, p.decode())
				c := p.raw[0]
				item := r.schema.Tables[0]
				before := benchRow(int(c.Key[0].Int64()))
				before[4] = tidemark.Text("x")
				after, err := withColumns(item, before, &c)
				must(b, err)
				h.Sum += hasher.Row(item, after) - hasher.Row(item, before)
				batch := &wire.Batch{From: h.Seq, To: h.Seq + 1, Term: "t", Schema: r.server.Hash, Changes: p.raw, Sum: h.Sum}
				out := tidemark.Outcome{Name: tidemark.Name{N: p.n, Hash: p.hash}, Kind: tidemark.Accepted, Seq: batch.To}
				a, err := r.Apply(batch, []tidemark.Outcome{out}, 1)
				must(b, err)
				if a.Repair != "" || len(a.Settled) != 1 || len(a.Tables) != 0 {
					b.Fatalf("%+v", a)
				}
				h.Seq++
			}
		})
	}
}

// BenchmarkSeal makes one pending changeset of a small transaction at a time:
// with the policies that every table has, and with some of each kind.
func BenchmarkSeal(b *testing.B) {
	for _, kind := range []string{"last-write", "mixed"} {
		b.Run(kind, func(b *testing.B) {
			r := benchReplicaOf(b, kind)
			deliver(b, r, benchBatch(r, 0, 1000, "x"))
			app, err := lite.Open(r.db.Path(), lite.Options{})
			must(b, err)
			defer app.Close()
			must(b, app.Run("PRAGMA synchronous = OFF"))
			b.ResetTimer()
			for i := range b.N {
				b.StopTimer()
				must(b, app.Run("UPDATE item SET a = a || 'x', b = b + 1, d = 'new' WHERE id = ?1", tidemark.Int(int64(i%1000))))
				b.StartTimer()
				_, err := r.Seal(1)
				must(b, err)
			}
		})
	}
}

// BenchmarkKeystroke seals a key press in a text of 1 MB; "bytes" is what is sent of it.
func BenchmarkKeystroke(b *testing.B) {
	r := benchReplicaOf(b, "mixed")
	deliver(b, r, benchBatch(r, 0, 2, "x"))
	app, err := lite.Open(r.db.Path(), lite.Options{})
	must(b, err)
	defer app.Close()
	must(b, app.Run("PRAGMA synchronous = OFF"))
	must(b, app.Run("UPDATE item SET a = ?1 WHERE id = 1", tidemark.Text(strings.Repeat("All work and no play. ", 1<<20/22))))
	_, err = r.Seal(1)
	must(b, err)
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		must(b, app.Run("UPDATE item SET a = substr(a, 1, 500000) || 'k' || substr(a, 500001) WHERE id = 1"))
		b.StartTimer()
		_, err := r.Seal(1)
		must(b, err)
	}
	b.StopTimer()
	sum, err := r.db.Int("SELECT sum(length(body)) FROM _tm_pending WHERE n > 1")
	must(b, err)
	b.ReportMetric(float64(sum)/float64(b.N), "bytes")
}

// benchReplicaOf is an empty replica whose columns a and b merge as text and counter.
func benchReplicaOf(b *testing.B, kind string) *Replica {
	b.Helper()
	r := benchReplica(b)
	if kind == "last-write" {
		return r
	}
	s := *r.server
	s.Tables = []*tidemark.Table{{}}
	*s.Tables[0] = *r.server.Tables[0]
	s.Tables[0].Columns = slices.Clone(s.Tables[0].Columns)
	s.Tables[0].Columns[1].Policy, s.Tables[0].Columns[2].Policy = tidemark.PolicyText, tidemark.PolicyCounter
	s.Hash = kind
	saveSchema(b, r, &wire.Schema{Hash: kind, Body: structure.Encode(&s)})
	_, err := r.Apply(&wire.Batch{From: 0, To: 0, Term: "t", Schema: kind, Changes: []tidemark.Change{}}, nil, 1)
	must(b, err)
	return r
}
