package sqlite

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// place is where a scrub is: first the stored rows of a table by key, then what
// the bookkeeping believes to be there, by KeyID.
type place struct {
	table  int
	recall bool // the second pass
	keyID  string
}

func (p place) String() string {
	pass := "rows"
	if p.recall {
		pass = "recall"
	}
	return strconv.Itoa(p.table) + "/" + pass + "/" + hex.EncodeToString([]byte(p.keyID))
}

func parsePlace(s string) (place, error) {
	if s == "" {
		return place{}, nil
	}
	parts := strings.SplitN(s, "/", 3)
	bad := &tidemark.Error{Code: tidemark.CodeUsage, Op: "scrub", Msg: "the cursor is damaged"}
	if len(parts) != 3 {
		return place{}, bad
	}
	table, err := strconv.Atoi(parts[0])
	key, kerr := hex.DecodeString(parts[2])
	if err != nil || kerr != nil {
		return place{}, bad
	}
	return place{table, parts[1] == "recall", string(key)}, nil
}

// Scrub compares a slice of the stored rows with their hashes; see tidemark.Store.
func (s *Store) Scrub(_ context.Context, t tidemark.Tx, cursor string, limit int) ([]tidemark.Change, string, error) {
	x := t.(*tx)
	at, err := parsePlace(cursor)
	if err != nil {
		return nil, "", err
	}
	if limit <= 0 {
		limit = 1000
	}
	var missed []tidemark.Change
	for limit > 0 {
		table := x.tableFrom(at.table)
		if table == nil {
			return missed, "", nil
		}
		if table.ID != at.table {
			at = place{table: table.ID}
		}
		slice, seen, last, err := x.scrubSlice(table, at, limit)
		if err != nil {
			return nil, "", err
		}
		missed, limit = append(missed, slice...), limit-seen
		switch {
		case limit <= 0:
			at.keyID = last
		case at.recall:
			at = place{table: table.ID + 1}
		default:
			at = place{table: table.ID, recall: true}
		}
	}
	return missed, at.String(), nil
}

// tableFrom returns the first synced table with this number or a higher one.
func (x *tx) tableFrom(id int) *tidemark.Table {
	for _, t := range x.schema.Tables {
		if t.ID >= id && t.Out == "" {
			return t
		}
	}
	return nil
}

func (x *tx) scrubSlice(t *tidemark.Table, at place, limit int) (missed []tidemark.Change, seen int, last string, err error) {
	if at.recall {
		return x.recall(t, at.keyID, limit)
	}
	var after []tidemark.Value
	if at.keyID != "" {
		if after, err = tidemark.ParseKeyID(at.keyID); err != nil {
			return nil, 0, "", err
		}
	}
	err = row.Scan(x.db, t, after, nil, limit, func(r []tidemark.Value) error {
		if seen++; !keyed(t, r) {
			return nil
		}
		key := t.KeyOf(r)
		last = t.KeyID(key)
		hash, live, err := x.hashOf(t, last)
		if err == nil && (!live || hash != x.hasher.Row(t, r)) {
			missed = append(missed, tidemark.Change{Table: t.ID, Op: tidemark.Insert, Key: key, New: r})
		}
		return err
	})
	return missed, seen, last, err
}

// known is a row that the bookkeeping believes to be there.
type known struct {
	id   string
	hash uint64
}

// recall looks for rows that are gone.
func (x *tx) recall(t *tidemark.Table, after string, limit int) (missed []tidemark.Change, seen int, last string, err error) {
	rows, err := x.believed(t.ID, after, limit)
	for _, k := range rows {
		if err != nil {
			return nil, 0, "", err
		}
		seen, last = seen+1, k.id
		var key []tidemark.Value
		if key, err = tidemark.ParseKeyID(k.id); err != nil {
			continue
		}
		var there bool
		if there, err = row.Exists(x.db, t, key); err == nil && !there {
			missed = append(missed, tidemark.Change{Table: t.ID, Op: tidemark.Delete, Key: key})
		}
	}
	return missed, seen, last, err
}

func (x *tx) liveKeys(table int) ([]known, error) { return x.believed(table, "", 0) }

func (x *tx) believed(table int, after string, limit int) ([]known, error) {
	var rows []known
	err := x.db.Each("SELECT key, hash FROM main._tm_row WHERE t = ?1 AND key > ?2 AND hash IS NOT NULL ORDER BY key"+limited(limit),
		func(s *lite.Stmt) error {
			rows = append(rows, known{string(s.Blob(0)), uint64(s.Int(1))})
			return nil
		}, tidemark.Int(int64(table)), tidemark.BlobString(after))
	return rows, err
}

// compareTables returns everything in which whole tables differ from the bookkeeping.
func (x *tx) compareTables(tables []*tidemark.Table) ([]tidemark.Change, error) {
	var all []tidemark.Change
	for _, t := range tables {
		for _, recall := range []bool{false, true} {
			missed, _, _, err := x.scrubSlice(t, place{table: t.ID, recall: recall}, 0)
			if err != nil {
				return nil, err
			}
			all = append(all, missed...)
		}
	}
	return all, nil
}
