// Package row reads and writes single rows of synced tables by their schema.
// Every statement says OR ABORT, so that a declared ON CONFLICT clause never
// evicts another row behind the engine's back.
//
// Get and Scan read whole rows, all stored columns in table order; Insert,
// Update and Delete write one. Columns, WhereKey and OrderByKey are the pieces
// for statements that need more than that.
//
// Caveats. A key is compared by the table's own collations. What is read back
// may differ from what was written, by the columns' affinities. A statement that
// meets an ON CONFLICT ROLLBACK of a trigger may end the whole transaction:
// look at InTransaction after an error.
package row

import (
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// Columns lists the quoted names of the stored columns, as they stand in SELECT.
func Columns(t *tidemark.Table) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = lite.Quote(c.Name)
	}
	return strings.Join(names, ", ")
}

// WhereKey writes the condition that finds a row by its key, with parameters
// numbered from first on.
func WhereKey(t *tidemark.Table, first int) string {
	parts := make([]string, len(t.Key))
	for i, c := range t.Key {
		parts[i] = lite.Quote(t.Columns[c].Name) + " = ?" + strconv.Itoa(first+i)
	}
	return strings.Join(parts, " AND ")
}

// WhereKeyless writes the condition that finds rows without a key, "" where
// there can be none: SQLite takes NULL into a primary key that is neither the
// rowid nor NOT NULL. Nothing can name such a row.
func WhereKeyless(t *tidemark.Table) string {
	if t.RowidAlias || t.WithoutRowid {
		return ""
	}
	var parts []string
	for _, k := range t.Key {
		if !t.Columns[k].NotNull {
			parts = append(parts, lite.Quote(t.Columns[k].Name)+" IS NULL")
		}
	}
	return strings.Join(parts, " OR ")
}

// OrderByKey writes the key's columns for ORDER BY.
func OrderByKey(t *tidemark.Table) string {
	names := make([]string, len(t.Key))
	for i, c := range t.Key {
		names[i] = lite.Quote(t.Columns[c].Name)
	}
	return strings.Join(names, ", ")
}

// Get returns the whole row with this key, or nil.
func Get(db *lite.DB, t *tidemark.Table, key []tidemark.Value) ([]tidemark.Value, error) {
	return db.Get("SELECT "+Columns(t)+" FROM main."+lite.Quote(t.Name)+" WHERE "+WhereKey(t, 1), key...)
}

// Exists reports whether a row with this key is there.
func Exists(db *lite.DB, t *tidemark.Table, key []tidemark.Value) (bool, error) {
	r, err := db.Get("SELECT 1 FROM main."+lite.Quote(t.Name)+" WHERE "+WhereKey(t, 1), key...)
	return r != nil, err
}

// Insert inserts a row. values may be shorter than the table; the rest takes its defaults.
func Insert(db *lite.DB, t *tidemark.Table, values []tidemark.Value) error {
	names := make([]string, len(values))
	marks := make([]string, len(values))
	for i := range values {
		names[i] = lite.Quote(t.Columns[i].Name)
		marks[i] = "?" + strconv.Itoa(i+1)
	}
	sql := "INSERT OR ABORT INTO main." + lite.Quote(t.Name) + " (" + strings.Join(names, ", ") +
		") VALUES (" + strings.Join(marks, ", ") + ")"
	return db.Run(sql, values...)
}

// Update sets columns of the row with this key and reports whether there was one.
func Update(db *lite.DB, t *tidemark.Table, key []tidemark.Value, cols []int, values []tidemark.Value) (bool, error) {
	if len(cols) == 0 {
		return Exists(db, t, key)
	}
	sets := make([]string, len(cols))
	for i, c := range cols {
		sets[i] = lite.Quote(t.Columns[c].Name) + " = ?" + strconv.Itoa(i+1)
	}
	sql := "UPDATE OR ABORT main." + lite.Quote(t.Name) + " SET " + strings.Join(sets, ", ") +
		" WHERE " + WhereKey(t, len(cols)+1)
	args := make([]tidemark.Value, 0, len(cols)+len(key))
	args = append(append(args, values...), key...)
	if err := db.Run(sql, args...); err != nil {
		return false, err
	}
	return db.Conn().Changes() > 0, nil
}

// Delete deletes the row with this key and reports whether there was one.
func Delete(db *lite.DB, t *tidemark.Table, key []tidemark.Value) (bool, error) {
	if err := db.Run("DELETE FROM main."+lite.Quote(t.Name)+" WHERE "+WhereKey(t, 1), key...); err != nil {
		return false, err
	}
	return db.Conn().Changes() > 0, nil
}

// Scan calls fn for every row in key order, beginning behind after (nil: at
// the first) and ending at upto (nil: at the last), at most limit rows
// (0: all). A row passed to fn may be kept.
func Scan(db *lite.DB, t *tidemark.Table, after, upto []tidemark.Value, limit int, fn func(row []tidemark.Value) error) error {
	var where []string
	var args []tidemark.Value
	if after != nil {
		where = append(where, compareKey(t, ">", len(args)+1))
		args = append(args, after...)
	}
	if upto != nil {
		where = append(where, compareKey(t, "<=", len(args)+1))
		args = append(args, upto...)
	}
	sql := "SELECT " + Columns(t) + " FROM main." + lite.Quote(t.Name)
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	sql += " ORDER BY " + OrderByKey(t)
	if limit > 0 {
		sql += " LIMIT " + strconv.Itoa(limit)
	}
	return db.Each(sql, func(s *lite.Stmt) error { return fn(s.Row(0)) }, args...)
}

// compareKey writes a comparison of the whole key in index order. Row values
// need SQLite 3.15, which our own driver has.
func compareKey(t *tidemark.Table, op string, first int) string {
	if len(t.Key) == 1 {
		return lite.Quote(t.Columns[t.Key[0]].Name) + " " + op + " ?" + strconv.Itoa(first)
	}
	marks := make([]string, len(t.Key))
	for i := range marks {
		marks[i] = "?" + strconv.Itoa(first+i)
	}
	return "(" + OrderByKey(t) + ") " + op + " (" + strings.Join(marks, ", ") + ")"
}
