package wire

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// tasks makes the inserts of a table as apps have them: 100,000 rows, 7 columns.
func tasks() []tidemark.Change {
	changes := make([]tidemark.Change, 100_000)
	for i := range changes {
		n := int64(i)
		row := []tidemark.Value{
			tidemark.Int(n + 1), tidemark.Text(fmt.Sprintf("Task number %d of the project", n)), tidemark.Int(n % 50),
			tidemark.Real(float64(n) + 0.25), tidemark.Text("open"), tidemark.Int(1763712000000 + n), tidemark.Null,
		}
		changes[i] = tidemark.Change{Table: 3, Op: tidemark.Insert, Key: row[:1:1], New: row}
	}
	return changes
}

// plain is what a program would hand to encoding/json.
func plain(changes []tidemark.Change) [][]any {
	rows := make([][]any, len(changes))
	for i, c := range changes {
		for _, v := range c.New {
			rows[i] = append(rows[i], v.Any())
		}
	}
	return rows
}

func BenchmarkAppend(b *testing.B) {
	changes := tasks()
	rows := plain(changes)
	b.Run("wire", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = AppendChanges(buf[:0], changes, false)
		}
		b.ReportMetric(float64(len(buf)), "bytes")
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf, err := json.Marshal(rows)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(buf)), "bytes")
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	changes := tasks()
	coded := AppendChanges(nil, changes, false)
	text, err := json.Marshal(plain(changes))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("wire", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeChanges(coded); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var rows [][]any
			if err := json.Unmarshal(text, &rows); err != nil {
				b.Fatal(err)
			}
		}
	})
}
