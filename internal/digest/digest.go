// Package digest sums keyed hashes of cells, so that two copies can prove that
// they hold the same rows. The sum is free of order: it is kept up by
// subtracting what a row was and adding what it is.
//
// New makes a Hasher for a space's key; Sums.Add counts a row in, or out with
// sign -1; Sums.Total is what a checkpoint carries. A Hasher belongs to one
// goroutine at a time.
//
// A cell is (table ID, column place, key, value). NULL counts nothing, so a new
// column without a default changes no sum. The hash of a row is the sum of its
// cells, the sum of a table the sum of its rows, all modulo 2^64.
//
// The hash of a cell is xxHash64, seed 0, over these bytes, one after another:
//
//	digest key       16 bytes
//	table ID         unsigned varint
//	length of keyID  unsigned varint
//	keyID            Table.KeyID of the row's key
//	column place     unsigned varint
//	value            'i' or 'r' and 8 bytes little-endian; 't' or 'b' and the bytes
//
// Values are hashed as they are stored: read a row back before hashing it, since
// a column's affinity may change what was written.
package digest

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemarkdb/tidemark"
)

// Key is the space's secret that the hashes depend on.
type Key [16]byte

// Hasher computes hashes under one key. It may be used by one goroutine at a time.
type Hasher struct {
	key Key
	buf []byte // what is being hashed; kept so that a cell costs no allocation
}

// keptBuffer is the size above which the buffer of a large value is given back.
const keptBuffer = 64 << 10

// New returns a hasher for a space's key.
func New(key Key) *Hasher { return &Hasher{key: key} }

// Cell hashes one cell; NULL gives 0. keyID is Table.KeyID of the row's key.
func (h *Hasher) Cell(table, column int, keyID string, v tidemark.Value) uint64 {
	h.begin(table, keyID)
	return h.cell(len(h.buf), column, v)
}

// Row sums the cells of a whole row; nil gives 0.
func (h *Hasher) Row(t *tidemark.Table, row []tidemark.Value) uint64 {
	if row == nil {
		return 0
	}
	var sum uint64
	h.begin(t.ID, t.KeyID(t.KeyOf(row)))
	common := len(h.buf)
	for c, v := range row {
		sum += h.cell(common, c, v)
	}
	return sum
}

// member is the column place under which Member hashes: behind every column.
const member = 1 << 16

// Member hashes that a row is in a scope. keyID is Table.KeyID of the row's key.
func (h *Hasher) Member(table int, keyID, scope string) uint64 {
	return h.Cell(table, member, keyID, tidemark.Text(scope))
}

// begin lays what all cells of a row have in common into the buffer.
func (h *Hasher) begin(table int, keyID string) {
	if cap(h.buf) > keptBuffer {
		h.buf = nil
	}
	b := append(h.buf[:0], h.key[:]...)
	b = binary.AppendUvarint(b, uint64(table))
	b = binary.AppendUvarint(b, uint64(len(keyID)))
	h.buf = append(b, keyID...)
}

// cell hashes one cell behind the first common bytes of the buffer.
func (h *Hasher) cell(common, column int, v tidemark.Value) uint64 {
	b := binary.AppendUvarint(h.buf[:common], uint64(column))
	switch v.Kind() {
	case tidemark.KindNull:
		return 0
	case tidemark.KindInt:
		b = binary.LittleEndian.AppendUint64(append(b, 'i'), uint64(v.Int64()))
	case tidemark.KindReal:
		b = binary.LittleEndian.AppendUint64(append(b, 'r'), math.Float64bits(v.Float64()))
	case tidemark.KindText:
		b = append(append(b, 't'), v.Str()...)
	case tidemark.KindBlob:
		b = append(append(b, 'b'), v.Str()...)
	}
	h.buf = b
	return xxhash.Sum64(b)
}
