package sqlite

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// ledger holds the digest's sums in memory and writes the changed ones once per
// group. It follows savepoints: what is undone in the tables is undone here.
//
// A table's sums are a slice: column c at c+1, and in front a rest that belongs
// to no column. The rest takes up what a scrub found: there only the hash of the
// row before is known, not its cells. The total is exact all the same.
type ledger struct {
	hasher *digest.Hasher
	sums   map[int][]uint64
	stored map[int][]uint64 // as they stand in _tm_digest
	frames []map[int][]uint64
}

func newLedger(h *digest.Hasher) *ledger {
	return &ledger{hasher: h, sums: map[int][]uint64{}, stored: map[int][]uint64{}}
}

// load reads the sums from the file.
func (l *ledger) load(db *lite.DB, place string) error {
	l.sums, l.stored, l.frames = map[int][]uint64{}, map[int][]uint64{}, nil
	return db.Each("SELECT t, c, sum FROM "+place+"._tm_digest", func(s *lite.Stmt) error {
		t, c := int(s.Int(0)), int(s.Int(1))
		for _, m := range []map[int][]uint64{l.sums, l.stored} {
			m[t] = wide(m[t], c+2)
			m[t][c+1] = uint64(s.Int(2))
		}
		return nil
	})
}

// begin opens a frame; end closes it, and takes back what happened in it unless keep.
func (l *ledger) begin() { l.frames = append(l.frames, map[int][]uint64{}) }

func (l *ledger) end(keep bool) {
	last := len(l.frames) - 1
	frame := l.frames[last]
	l.frames = l.frames[:last]
	for t, sums := range frame {
		if !keep {
			l.sums[t] = sums
			continue
		}
		if last > 0 {
			if _, saved := l.frames[last-1][t]; !saved {
				l.frames[last-1][t] = sums
			}
		}
	}
}

// touch returns a table's sums for writing, at least so wide.
func (l *ledger) touch(t, columns int) []uint64 {
	if n := len(l.frames); n > 0 {
		if _, saved := l.frames[n-1][t]; !saved {
			l.frames[n-1][t] = append([]uint64(nil), l.sums[t]...)
		}
	}
	l.sums[t] = wide(l.sums[t], columns+1)
	return l.sums[t]
}

func wide(s []uint64, n int) []uint64 {
	for len(s) < n {
		s = append(s, 0)
	}
	return s
}

// cells adds (sign 1) or takes away (sign -1) cells of one row and returns
// their sum. cols nil means all.
func (l *ledger) cells(t *tidemark.Table, keyID string, cols []int, values []tidemark.Value, sign int) uint64 {
	sums := l.touch(t.ID, len(t.Columns))
	var total uint64
	for i, v := range values {
		c := i
		if cols != nil {
			c = cols[i]
		}
		h := l.hasher.Cell(t.ID, c, keyID, v)
		total += h
		if sign < 0 {
			sums[c+1] -= h
		} else {
			sums[c+1] += h
		}
	}
	return total
}

// rest adds a difference that belongs to no column.
func (l *ledger) rest(t int, difference uint64) { l.touch(t, 0)[0] += difference }

// total sums all tables that sync.
func (l *ledger) total(sc *tidemark.Schema) uint64 {
	var sum uint64
	for _, t := range sc.Tables {
		if t.Out == "" {
			for _, s := range l.sums[t.ID] {
				sum += s
			}
		}
	}
	return sum
}

// flush writes the sums that changed.
func (l *ledger) flush(db *lite.DB) error {
	for _, t := range sortedKeys(l.sums) {
		stored := wide(l.stored[t], len(l.sums[t]))
		for i, sum := range l.sums[t] {
			if sum == stored[i] {
				continue
			}
			err := db.Run("INSERT OR REPLACE INTO main._tm_digest (t, c, sum) VALUES (?1, ?2, ?3)",
				tidemark.Int(int64(t)), tidemark.Int(int64(i-1)), tidemark.Int(int64(sum)))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// settle makes the sums the stored ones after a commit; drop does the reverse.
func (l *ledger) settle() { copySums(l.stored, l.sums) }

func (l *ledger) drop() {
	l.frames = nil
	clear(l.sums)
	copySums(l.sums, l.stored)
}

func copySums(to, from map[int][]uint64) {
	for t, sums := range from {
		if len(to[t]) == len(sums) {
			copy(to[t], sums)
			continue
		}
		to[t] = append([]uint64(nil), sums...)
	}
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
