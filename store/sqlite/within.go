package sqlite

import (
	"errors"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// Up to maxPicked rows of scopes are fetched by their keys. With more of them the
// whole table is read, and every row looked up.
const (
	maxPicked  = 8192
	maxParams  = 30_000 // of one statement
	firstBatch = 64
)

// within is the rows of one table that are in some scopes.
type within struct {
	v      *view
	t      *tidemark.Table
	scopes map[int64]string
	picked map[string][]int64 // by KeyID; nil: too many, or not worth it
}

func (v *view) within(scopes []string, t *tidemark.Table) (*within, error) {
	ids, err := v.scopeIDs(scopes)
	if err != nil {
		return nil, err
	}
	w := &within{v: v, t: t, scopes: ids, picked: map[string][]int64{}}
	most := min(maxPicked, maxParams/len(t.Key))
	for _, i := range sortedKeys(ids) {
		err := v.db.Each("SELECT key FROM main._tm_feed WHERE s = ?1 AND t = ?2 AND live = 1", func(s *lite.Stmt) error {
			id := string(s.Blob(0))
			if w.picked[id] = append(w.picked[id], i); len(w.picked) > most {
				return errEnough
			}
			return nil
		}, tidemark.Int(i), tidemark.Int(int64(t.ID)))
		if errors.Is(err, errEnough) {
			w.picked = nil
			return w, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

// rangesWithin is Ranges for some scopes.
func (v *view) rangesWithin(scopes []string, t *tidemark.Table, after, upto []tidemark.Value, bounds [][]tidemark.Value) ([]tidemark.RangeSum, error) {
	w, err := v.within(scopes, t)
	if err != nil {
		return nil, err
	}
	sums := make([]tidemark.RangeSum, len(bounds)+1)
	count := func(i int, r []tidemark.Value, in []int64) error {
		id := t.KeyID(t.KeyOf(r))
		sums[i].Count++
		sums[i].Sum += v.hasher.Row(t, r)
		for _, s := range in {
			sums[i].Sum += v.hasher.Member(t.ID, id, w.scopes[s])
		}
		return nil
	}
	if w.picked != nil {
		return sums, w.pick(after, upto, bounds, 0, count)
	}
	for i := range sums {
		end := upto
		if i < len(bounds) {
			end = bounds[i]
		}
		err := w.scan(after, end, func(r []tidemark.Value, in []int64) error { return count(i, r, in) })
		if err != nil {
			return nil, err
		}
		after = end
	}
	return sums, nil
}

// rowsWithin is Rows for some scopes.
func (v *view) rowsWithin(scopes []string, t *tidemark.Table, after, upto []tidemark.Value, limit int) (rows [][]tidemark.Value, more bool, err error) {
	w, err := v.within(scopes, t)
	if err != nil {
		return nil, false, err
	}
	keep := func(r []tidemark.Value, _ []int64) error {
		if limit > 0 && len(rows) == limit {
			return errEnough
		}
		rows = append(rows, r)
		return nil
	}
	if w.picked != nil {
		most := 0
		if limit > 0 {
			most = limit + 1
		}
		err = w.pick(after, upto, nil, most, func(_ int, r []tidemark.Value, in []int64) error { return keep(r, in) })
	} else {
		err = w.scan(after, upto, keep)
	}
	if errors.Is(err, errEnough) {
		return rows, true, nil
	}
	return rows, false, err
}

// scan reads a whole range of the table and gives the rows that are in the scopes.
func (w *within) scan(after, upto []tidemark.Value, fn func(r []tidemark.Value, in []int64) error) error {
	return row.Scan(w.v.db, w.t, after, upto, 0, func(r []tidemark.Value) error {
		if !keyed(w.t, r) {
			return nil
		}
		in, err := w.scopesOf(w.t.KeyID(w.t.KeyOf(r)))
		if err != nil || len(in) == 0 {
			return err
		}
		return fn(r, in)
	})
}

func (w *within) scopesOf(id string) (in []int64, err error) {
	err = w.v.db.Each("SELECT s FROM main._tm_feed WHERE t = ?1 AND key = ?2 AND live = 1", func(s *lite.Stmt) error {
		if _, ok := w.scopes[s.Int(0)]; ok {
			in = append(in, s.Int(0))
		}
		return nil
	}, tidemark.Int(int64(w.t.ID)), tidemark.BlobString(id))
	return in, err
}

// pick gives the picked rows of a range in order, at most limit (0: all), each
// with the number of the range between bounds that it is in.
func (w *within) pick(after, upto []tidemark.Value, bounds [][]tidemark.Value, limit int, fn func(i int, r []tidemark.Value, in []int64) error) error {
	q := w.query()
	q.text("SELECT 0")
	for _, b := range bounds {
		q.text(" + (").compare(">", b).text(")")
	}
	q.text(", " + row.Columns(w.t) + " FROM _tm_picked CROSS JOIN main." + lite.Quote(w.t.Name) + " WHERE ")
	for k, c := range w.t.Key {
		if k > 0 {
			q.text(" AND ")
		}
		q.text(lite.Quote(w.t.Columns[c].Name) + " = _tm_k" + strconv.Itoa(k))
	}
	if after != nil {
		q.text(" AND ").compare(">", after)
	}
	if upto != nil {
		q.text(" AND ").compare("<=", upto)
	}
	q.text(" ORDER BY " + row.OrderByKey(w.t) + limited(limit))
	return w.v.db.Each(q.sql.String(), func(s *lite.Stmt) error {
		r := s.Row(1)
		return fn(int(s.Int(0)), r, w.picked[w.t.KeyID(w.t.KeyOf(r))])
	}, q.args...)
}

// picking is a query over the picked keys in the making.
type picking struct {
	t    *tidemark.Table
	sql  strings.Builder
	args []tidemark.Value
}

// query begins with the picked keys as a table. Few sizes of it make few
// statements; NULL fills it up, which is no row's key.
func (w *within) query() *picking {
	q := &picking{t: w.t}
	size := firstBatch
	for size < len(w.picked) {
		size *= 4
	}
	size = min(size, maxParams/len(w.t.Key))
	q.text("WITH _tm_picked (_tm_k0")
	for k := 1; k < len(w.t.Key); k++ {
		q.text(", _tm_k" + strconv.Itoa(k))
	}
	q.text(") AS (VALUES ")
	ids := sortedKeys(w.picked)
	for i := range size {
		key := make([]tidemark.Value, len(w.t.Key))
		if i < len(ids) {
			if parsed, err := tidemark.ParseKeyID(ids[i]); err == nil && len(parsed) == len(key) {
				key = parsed
			}
		}
		if i > 0 {
			q.text(", ")
		}
		q.text("(").values(key).text(")")
	}
	q.text(") ")
	return q
}

func (q *picking) text(s string) *picking {
	q.sql.WriteString(s)
	return q
}

func (q *picking) values(list []tidemark.Value) *picking {
	for i, v := range list {
		if i > 0 {
			q.text(", ")
		}
		q.args = append(q.args, v)
		q.text("?" + strconv.Itoa(len(q.args)))
	}
	return q
}

// compare compares the whole key with values, in the order of the index.
func (q *picking) compare(op string, with []tidemark.Value) *picking {
	if len(with) == 1 {
		return q.text(row.OrderByKey(q.t) + " " + op + " ").values(with)
	}
	return q.text("(" + row.OrderByKey(q.t) + ") " + op + " (").values(with).text(")")
}
