package replica

import (
	"encoding/binary"
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// tally keeps the sums of the confirmed rows during one transaction. A table
// without stored sums is counted from its rows.
type tally struct {
	db     *lite.DB
	schema *tidemark.Schema
	hasher *digest.Hasher
	sums   digest.Sums
	dirty  map[int]bool
	bare   bool // the tables show confirmed rows only: pending is undone

	scopes *scopeSums // where scopes are declared: these sums and no others are kept
}

func (r *Replica) newTally() *tally {
	tl := &tally{db: r.db, schema: r.schema, hasher: r.hasher}
	if r.server.Scoped() {
		tl.scopes = newScopeSums(r.db)
	}
	return tl
}

// load reads the stored sums.
func (tl *tally) load() error {
	tl.sums, tl.dirty = digest.Sums{}, map[int]bool{}
	if tl.scopes != nil {
		return nil
	}
	err := tl.db.Each("SELECT t, sums FROM main._tm_digest", func(s *lite.Stmt) error {
		b := s.Blob(1)
		if len(b)%8 != 0 {
			return fmt.Errorf("damaged sums of table %d", s.Int(0))
		}
		list := make([]uint64, len(b)/8)
		for i := range list {
			list[i] = binary.BigEndian.Uint64(b[8*i:])
		}
		tl.sums[int(s.Int(0))] = list
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range tl.schema.Tables {
		if t.Out != "" || tl.sums[t.ID] != nil {
			continue
		}
		if err := tl.count(t); err != nil {
			return err
		}
	}
	return nil
}

// count sums a table's confirmed rows as they are stored.
func (tl *tally) count(t *tidemark.Table) error {
	tl.sums[t.ID] = make([]uint64, len(t.Columns))
	tl.dirty[t.ID] = true
	return tl.confirmed(t, func(image []tidemark.Value) { tl.sums.Add(tl.hasher, t, image, 1) })
}

// confirmed passes a table's confirmed rows as they are stored.
func (tl *tally) confirmed(t *tidemark.Table, fn func(image []tidemark.Value)) error {
	base, err := tl.laidAside(t)
	if err != nil {
		return err
	}
	err = row.Scan(tl.db, t, nil, nil, 0, func(values []tidemark.Value) error {
		if len(base) > 0 {
			if _, laidAside := base[t.KeyID(t.KeyOf(values))]; laidAside {
				return nil
			}
		}
		fn(values)
		return nil
	})
	if err != nil {
		return err
	}
	for _, image := range base {
		if image != nil {
			fn(image)
		}
	}
	return nil
}

func (tl *tally) laidAside(t *tidemark.Table) (map[string][]tidemark.Value, error) {
	if tl.bare {
		return nil, nil
	}
	return loadBase(tl.db, t)
}

// change replaces a confirmed row by another; nil is no row.
func (tl *tally) change(t *tidemark.Table, before, after []tidemark.Value) {
	if tl.scopes != nil {
		tl.changeScopes(t, before, after)
		return
	}
	if after != nil || !planted.Is(planted.SumIgnoresDeletes) {
		tl.sums.Add(tl.hasher, t, before, -1)
	}
	tl.sums.Add(tl.hasher, t, after, 1)
	tl.dirty[t.ID] = true
}

// changeScopes counts a row that changed in every scope that it is in. One that
// was not there is in none yet.
func (tl *tally) changeScopes(t *tidemark.Table, before, after []tidemark.Value) {
	if before == nil {
		return
	}
	delta := tl.hasher.Row(t, after)
	if after != nil || !planted.Is(planted.SumIgnoresDeletes) {
		delta -= tl.hasher.Row(t, before)
	}
	tl.scopes.addTo(idOf(t, t.KeyOf(before)), delta)
}

func (tl *tally) total() uint64 { return tl.sums.Total(tl.schema) }

// save stores the sums of the tables that changed.
func (tl *tally) save() error {
	if tl.scopes != nil {
		return tl.scopes.save()
	}
	for _, t := range tl.schema.Tables {
		if !tl.dirty[t.ID] {
			continue
		}
		b := make([]byte, 0, 8*len(tl.sums[t.ID]))
		for _, n := range tl.sums[t.ID] {
			b = binary.BigEndian.AppendUint64(b, n)
		}
		err := tl.db.Run("INSERT OR REPLACE INTO main._tm_digest (t, sums) VALUES (?1, ?2)", tidemark.Int(int64(t.ID)), tidemark.Blob(b))
		if err != nil {
			return err
		}
	}
	tl.dirty = map[int]bool{}
	return nil
}

// forgetSums makes the next tally count a table from its rows.
func forgetSums(db *lite.DB, t int) error {
	return db.Run("DELETE FROM main._tm_digest WHERE t = ?1", tidemark.Int(int64(t)))
}

// loadBase reads the confirmed images of the rows that pending touches in a table.
func loadBase(db *lite.DB, t *tidemark.Table) (map[string][]tidemark.Value, error) {
	base := map[string][]tidemark.Value{}
	err := db.Each("SELECT key, image FROM main._tm_base WHERE t = ?1", func(s *lite.Stmt) error {
		image, err := decodeImage(s, 1)
		base[string(s.Blob(0))] = image
		return err
	}, tidemark.Int(int64(t.ID)))
	return base, err
}

func decodeImage(s *lite.Stmt, column int) ([]tidemark.Value, error) {
	if s.Null(column) {
		return nil, nil
	}
	return wire.DecodeValues(s.Blob(column))
}

func encodeImage(image []tidemark.Value) tidemark.Value {
	if image == nil {
		return tidemark.Null
	}
	return tidemark.BlobString(string(wire.AppendValues(nil, image)))
}
