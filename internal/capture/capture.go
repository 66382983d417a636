// Package capture records every change of a synced table in plain SQL
// triggers, whoever writes, and turns the record into changesets.
//
// Install makes _tm_log, _tm_table and the triggers. A writer that owns its
// transaction calls Begin before and End at the end of it, inside the
// transaction. Segments reads the log backward from the live rows and returns
// what each transaction did; Changes puts that into the form that travels.
//
// # The log
//
// Each record of _tm_log states a fact about one row at the moment when it was
// written, never a difference: the row with this key was not there (opAbsent),
// it had these values in these columns (opPart), or it was exactly this
// (opImage). Such facts stay true whatever the statement does afterwards: when
// OR IGNORE drops it, when a trigger of the app changes the row again, when a
// cascade comes back to it. So facts are recorded before the write, and the
// state of a row at a point of the log is the first fact behind that point,
// or the live row. One backward pass finds all of them.
//
// Which row became which, when keys change, is no fact about a state and has
// records of its own (opFrom, opTo). They only ever decide whether a change is
// told as a move or as a delete and an insert.
//
// # Caveats
//
// A trigger of the app that deletes or moves a row in AFTER INSERT is captured
// right when the capture triggers are younger; Install sees to that, but a TEMP
// trigger of another program always fires first. A unique index over an
// expression that compares a column with a literal of another type may miss
// the row that REPLACE evicts, since SQLite gives NEW.x no affinity.
package capture

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// Where the capture triggers and their log live.
type Place string

// Main is the file itself, for every writer. Temp is this connection only, for
// a connection whose stored triggers are switched off.
const (
	Main Place = "main"
	Temp Place = "temp"
)

func (p Place) log() string { return string(p) + "._tm_log" }

func (p Place) master() string {
	if p == Temp {
		return "temp.sqlite_temp_master"
	}
	return "main.sqlite_master"
}

// The kinds of log record, with what stands in v0, v1, ... Numbers are stored
// in files: never change one. A record of cells has the kind + opGroup × the
// group of columns that it holds.
const (
	opAbsent  = 1 // key: the row was inserted, it was not there before
	opPart    = 2 // key, cells: the row was there and had these values
	opDelete  = 3 // key, cells: like opImage, and the row is being deleted
	opImage   = 4 // key, cells: the row was there and was exactly this
	opVacant  = 5 // key: no row had this key
	opFrom    = 6 // key: the key that the row of the next opTo had
	opTo      = 7 // key: the key that it has now
	opKeyRest = 8 // the key's columns that found no place in the record before
	opMark    = 9 // first, salt, made at, seen
	opBlank   = 10

	opGroup = 16
)

// A record has ten slots. Fewer would make more records, and each further one
// costs every insert the time that it takes to store a NULL: with 25 columns in
// a record a bulk insert took half as long again.
const (
	slots    = 10
	keySlots = 5 // at most so many of the key
)

// Mark closes the changeset of the writer's own transaction: it must be the
// last write before COMMIT. First is what Begin returned.
type Mark struct {
	First  int64 // rowid of the first log record of the transaction
	Salt   tidemark.Salt
	MadeAt int64
	Seen   tidemark.Seq
}

// Begin returns the rowid that the next log record will have. Call it after BEGIN IMMEDIATE.
func Begin(db *lite.DB) (int64, error) {
	n, err := end(db, Main)
	return n + 1, err
}

// end returns the highest rowid of the log, whatever it holds.
func end(db *lite.DB, place Place) (int64, error) {
	return db.Int("SELECT max(n) FROM " + place.log())
}

// End writes the mark, unless the transaction recorded nothing.
func End(db *lite.DB, m Mark) (recorded bool, err error) {
	const sql = `INSERT INTO main._tm_log (op, v0, v1, v2, v3) SELECT ?1, ?2, ?3, ?4, ?5
		WHERE (SELECT max(n) FROM main._tm_log) >= ?2`
	err = db.Run(sql, tidemark.Int(opMark), tidemark.Int(m.First), tidemark.Blob(m.Salt[:]), tidemark.Int(m.MadeAt), tidemark.Int(int64(m.Seen)))
	return err == nil && db.Conn().Changes() > 0, err
}

// Last returns the rowid of the log's last record, 0 when it is empty.
func Last(db *lite.DB, place Place) (int64, error) {
	row, err := db.Get("SELECT n, op FROM " + place.log() + " ORDER BY n DESC LIMIT 1")
	if err != nil || row == nil || row[1].Int64() == opBlank {
		return 0, err
	}
	return row[0].Int64(), nil
}

// Touched lists the table IDs with records behind the rowid after.
func Touched(db *lite.DB, place Place, after int64) ([]int, error) {
	var ids []int
	err := db.Each("SELECT DISTINCT t FROM "+place.log()+" WHERE n > ?1 AND t > 0 ORDER BY t", func(s *lite.Stmt) error {
		ids = append(ids, int(s.Int(0)))
		return nil
	}, tidemark.Int(after))
	return ids, err
}

// Clear deletes the log's records. In Main the last one stays, so that rowids
// never start again; a log that holds nothing else counts as empty.
func Clear(db *lite.DB, place Place) error {
	if place == Temp {
		return db.Run("DELETE FROM temp._tm_log")
	}
	last, err := end(db, Main)
	if err != nil || last == 0 {
		return err
	}
	if err := db.Run("DELETE FROM main._tm_log WHERE n < ?1", tidemark.Int(last)); err != nil {
		return err
	}
	const blank = `UPDATE main._tm_log SET t = NULL, op = ?2, m = NULL, v0 = NULL, v1 = NULL, v2 = NULL, v3 = NULL, v4 = NULL,
		v5 = NULL, v6 = NULL, v7 = NULL, v8 = NULL, v9 = NULL WHERE n = ?1 AND op <> ?2`
	return db.Run(blank, tidemark.Int(last), tidemark.Int(opBlank))
}
