package sqlite

import (
	"errors"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// Since streams the rows that changed behind the cursor, see tidemark.View.
func (v *view) Since(cursor tidemark.Cursor, fn func(at tidemark.Cursor, c tidemark.Change) bool) error {
	from := cursor.Table
	if from == 0 {
		from = 1<<31 - 1 // behind every table of this seq
	}
	s, err := v.db.Prepare(`SELECT seq, t, key, hash IS NULL FROM main._tm_row
		WHERE (seq, t, key) > (?1, ?2, ?3) ORDER BY seq, t, key`)
	if err != nil {
		return err
	}
	defer func() { _ = s.Reset() }()
	if err := s.BindAll(tidemark.Int(int64(cursor.Seq)), tidemark.Int(int64(from)), tidemark.BlobString(cursor.KeyID)); err != nil {
		return err
	}
	for s.Step() {
		at := tidemark.Cursor{Seq: tidemark.Seq(s.Int(0)), Table: int(s.Int(1)), KeyID: string(s.Blob(2))}
		t := v.schema.Table(at.Table)
		if t == nil || t.Out != "" {
			continue
		}
		c, err := v.stateOf(t, at.KeyID)
		if err != nil {
			return err
		}
		if c.Op == tidemark.Delete && planted.Is(planted.SkipTombstone) {
			continue
		}
		if !fn(at, c) {
			return nil
		}
	}
	return s.Err()
}

// stateOf returns a row's state as a put or a delete. The live row counts, not
// what the bookkeeping thinks of it.
func (v *view) stateOf(t *tidemark.Table, keyID string) (tidemark.Change, error) {
	key, err := tidemark.ParseKeyID(keyID)
	if err != nil {
		return tidemark.Change{}, err
	}
	values, err := row.Get(v.db, t, key)
	if err != nil {
		return tidemark.Change{}, err
	}
	if values == nil {
		return tidemark.Change{Table: t.ID, Op: tidemark.Delete, Key: key}, nil
	}
	return tidemark.Change{Table: t.ID, Op: tidemark.Insert, Key: t.KeyOf(values), New: values}, nil
}

// Ranges counts and sums stored rows, see tidemark.View.
func (v *view) Ranges(scopes []string, table int, after, upto []tidemark.Value, bounds [][]tidemark.Value) ([]tidemark.RangeSum, error) {
	t, err := v.table(table)
	if err != nil {
		return nil, err
	}
	if scopes != nil {
		return v.rangesWithin(scopes, t, after, upto, bounds)
	}
	sums := make([]tidemark.RangeSum, 0, len(bounds)+1)
	for i := 0; i <= len(bounds); i++ {
		end := upto
		if i < len(bounds) {
			end = bounds[i]
		}
		var sum tidemark.RangeSum
		err := row.Scan(v.db, t, after, end, 0, func(r []tidemark.Value) error {
			if keyed(t, r) {
				sum.Count++
				sum.Sum += v.hasher.Row(t, r)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		sums, after = append(sums, sum), end
	}
	return sums, nil
}

// Rows reads rows by key order, see tidemark.View.
func (v *view) Rows(scopes []string, table int, after, upto []tidemark.Value, limit int) (rows [][]tidemark.Value, more bool, err error) {
	t, err := v.table(table)
	if err != nil {
		return nil, false, err
	}
	if scopes != nil {
		return v.rowsWithin(scopes, t, after, upto, limit)
	}
	err = row.Scan(v.db, t, after, upto, 0, func(r []tidemark.Value) error {
		if !keyed(t, r) {
			return nil
		}
		if limit > 0 && len(rows) == limit {
			return errEnough
		}
		rows = append(rows, r)
		return nil
	})
	if errors.Is(err, errEnough) {
		return rows, true, nil
	}
	return rows, false, err
}

// errEnough ends a scan at its limit.
var errEnough = errors.New("enough")
