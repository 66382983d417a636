package digest

import (
	"github.com/tidemarkdb/tidemark"
)

// Sums are the sums per table and column: Sums[table ID][column]. A table or
// column that is missing has the sum 0.
type Sums map[int][]uint64

// Add adds (or, with sign -1, takes away) the cells of a row; nil changes nothing.
func (s Sums) Add(h *Hasher, t *tidemark.Table, row []tidemark.Value, sign int) {
	if row == nil {
		return
	}
	sums := s[t.ID]
	for len(sums) < len(row) {
		sums = append(sums, 0)
	}
	s[t.ID] = sums
	h.begin(t.ID, t.KeyID(t.KeyOf(row)))
	common := len(h.buf)
	for c, v := range row {
		if sign < 0 {
			sums[c] -= h.cell(common, c, v)
		} else {
			sums[c] += h.cell(common, c, v)
		}
	}
}

// Table sums all cells of a table.
func (s Sums) Table(id int) uint64 {
	var sum uint64
	for _, column := range s[id] {
		sum += column
	}
	return sum
}

// Total sums all cells of the schema's tables that sync.
func (s Sums) Total(sc *tidemark.Schema) uint64 {
	var sum uint64
	for _, t := range sc.Tables {
		if t.Out == "" {
			sum += s.Table(t.ID)
		}
	}
	return sum
}

// Clone returns a copy that shares nothing, for a transaction that may be undone.
func (s Sums) Clone() Sums {
	c := make(Sums, len(s))
	for id, sums := range s {
		c[id] = append([]uint64(nil), sums...)
	}
	return c
}
