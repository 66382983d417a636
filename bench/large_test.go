package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark/client"
)

// BenchmarkLargeTransaction: one local transaction of 20,000 inserts, until
// the server has it.
func BenchmarkLargeTransaction(b *testing.B) {
	const rows = 20_000
	_, address := serve(b, 1)
	db := clone(b, address)
	ctx := context.Background()
	var plain time.Duration
	next := 1
	for b.Loop() {
		b.StopTimer()
		err := db.Transaction(ctx, func(tx *client.Tx) error {
			for i := next; i < next+rows; i++ {
				if _, err := tx.Exec("INSERT INTO task (id, project, title) VALUES (?1, 1, 'large')", fmt.Sprintf("%026d", i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		next += rows
		plain += fill(b, b.TempDir()+"/plain.sqlite", 0, rows)
		b.StartTimer()
		if res, err := db.Sync(ctx); err != nil || res.Accepted != 1 {
			b.Fatalf("%+v, %v", res, err)
		}
	}
	ratio(b, plain/time.Duration(b.N))
}
