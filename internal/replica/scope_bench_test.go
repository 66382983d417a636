package replica

import (
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/lite"
	structure "github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func benchScoped(b *testing.B, scopes ...string) *Replica {
	b.Helper()
	path := b.TempDir() + "/bench.db"
	db, err := lite.Open(path, lite.Options{Create: true})
	must(b, err)
	must(b, db.Script(wide))
	s, _, err := structure.Inspect(db, nil)
	must(b, err)
	must(b, db.Close())
	s.Scopes = []string{"a"}
	must(b, Create(path, CreateOptions{Schema: s, State: tidemark.SpaceState{Space: "s", Incarnation: "i", Term: "t", DigestKey: digest.Key{1}}}))
	r, err := Open(path, Options{})
	must(b, err)
	b.Cleanup(func() { _ = r.Close() })
	_, err = r.TakeScopes(scopes, 1)
	must(b, err)
	return r
}

// deliverParts applies rows as parts of all these scopes.
func deliverParts(b *testing.B, r *Replica, batch *wire.Batch, scopes ...string) {
	b.Helper()
	hasher, sum := digest.New(digest.Key{1}), uint64(0)
	for i := range batch.Changes {
		sum += hasher.Row(r.schema.Tables[0], batch.Changes[i].New)
	}
	for _, s := range scopes {
		batch.Parts = append(batch.Parts, wire.Part{Scope: s, Changes: batch.Changes, Sum: sum})
	}
	batch.Changes = nil
	a, err := r.Apply(batch, nil, 1)
	must(b, err)
	if a.Repair != "" {
		b.Fatal(a.Repair)
	}
}

// BenchmarkApplyScoped applies 10,000 new rows that are in one scope, or in two.
func BenchmarkApplyScoped(b *testing.B) {
	for name, scopes := range map[string][]string{"one": {"a/1"}, "two": {"a/1", "a/2"}} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				r := benchScoped(b, scopes...)
				batch := benchBatch(r, 0, 10_000, "x")
				b.StartTimer()
				deliverParts(b, r, batch, scopes...)
			}
		})
	}
}

// BenchmarkDropScope loses a scope of 10,000 rows, the WAL emptied behind it.
func BenchmarkDropScope(b *testing.B) {
	for range b.N {
		b.StopTimer()
		r := benchScoped(b, "a/1")
		deliverParts(b, r, benchBatch(r, 0, 10_000, "x"), "a/1")
		b.StartTimer()
		a, err := r.TakeScopes(nil, 1)
		must(b, err)
		if a.Left[1] != 10_000 {
			b.Fatal(a.Left)
		}
	}
}
