// Package conflict reads the records of tidemark.ConflictsTable and carries
// out what people decide about them. Both work on any file that has the table:
// a replica and a served file.
//
// List and Count read. Resolve and Restore write with the caller's connection,
// inside the caller's transaction, so that the cells and the state of the
// record change together; on an error the caller rolls back. What they write is
// an ordinary edit: captured, sent, judged by constraints and policies like any
// other.
package conflict

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Conflict is one record: two edits that met, of one cell or of one row.
type Conflict struct {
	ID     string // seq and a number: "17-1"
	State  string // tidemark.StateOpen, StateKept or StateResolved
	Table  string
	Key    []tidemark.Value
	Column string // "": the whole row is meant, and Rows is set
	Unit   string // name of the column group that merged as one; "": the cell alone
	Policy string // what decided: a policy, delete-wins, update-wins, ...
	Winner string // tidemark.WinnerTheirs, WinnerMine or WinnerBoth

	Base   tidemark.Value // what both started from; NULL also when it is not known
	Theirs tidemark.Value // what the server had
	Mine   tidemark.Value // what the changeset brought
	Rows   *Rows          // for whole rows, instead of the three above

	TheirsBy string       // replica that wrote theirs; "" when it is not known
	MineBy   string       // replica and number of the changeset: "r1/17"
	Author   string       // principal of the changeset
	MadeAt   int64        // when mine was made, Unix milliseconds by its replica's clock
	At       int64        // when the server met it, Unix milliseconds
	Seq      tidemark.Seq // of the changeset

	row     string // the key as the record has it
	damaged error  // why the record cannot be acted on
}

// Rows are the sides of a conflict about a whole row, by column name. A nil
// side is no row. Mine may hold only the columns that were changed.
type Rows struct {
	Base, Theirs, Mine map[string]tidemark.Value
}

// Filter selects records. The zero Filter selects those that are not resolved.
type Filter struct {
	States []string // nil: open and kept
	Table  string   // "": of all tables
	After  tidemark.Seq
	Limit  int // the oldest so many; 0: all
}

const columns = `id, state, tbl, row, coalesce(col, ''), col IS NULL, coalesce(unit, ''), policy, winner, base, theirs, mine,
	coalesce(theirs_by, ''), mine_by, author, made_at, at, seq`

// List reads the records that f selects, the oldest first. A file without the
// table has none.
func List(db *lite.DB, f Filter) ([]Conflict, error) {
	where, args := f.condition()
	sql := "SELECT " + columns + " FROM main." + tidemark.ConflictsTable + " WHERE " + where + " ORDER BY seq, length(id), id"
	if f.Limit > 0 {
		sql += fmt.Sprintf(" LIMIT %d", f.Limit)
	}
	return read(db, sql, args...)
}

func (f Filter) condition() (string, []tidemark.Value) {
	states := f.States
	if states == nil {
		states = []string{tidemark.StateOpen, tidemark.StateKept}
	}
	args := []tidemark.Value{tidemark.Int(int64(f.After))}
	for _, s := range states {
		args = append(args, tidemark.Text(s))
	}
	marks := strings.TrimSuffix(strings.Repeat("?,", len(states)), ",")
	where := "seq > ? AND state IN (" + marks + ")"
	if f.Table != "" {
		where += " AND tbl = ? COLLATE NOCASE"
		args = append(args, tidemark.Text(f.Table))
	}
	return where, args
}

// Get reads one record.
func Get(db *lite.DB, id string) (*Conflict, error) {
	list, err := read(db, "SELECT "+columns+" FROM main."+tidemark.ConflictsTable+" WHERE id = ?1", tidemark.Text(id))
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, &tidemark.Error{Code: tidemark.CodeNotFound, Msg: "there is no conflict " + id,
			Hint: "list the conflicts; records are dropped when the time is over for which their table keeps them"}
	}
	return &list[0], nil
}

// Count counts the records in a state.
func Count(db *lite.DB, state string) (int, error) {
	there, err := exists(db)
	if err != nil || !there {
		return 0, err
	}
	n, err := db.Int("SELECT count(*) FROM main."+tidemark.ConflictsTable+" WHERE state = ?1", tidemark.Text(state))
	return int(n), err
}

// exists reports whether the file has the table: one that was adopted by an
// older version may not.
func exists(db *lite.DB) (bool, error) {
	n, err := db.Int("SELECT count(*) FROM main.sqlite_master WHERE type = 'table' AND name = ?1", tidemark.Text(tidemark.ConflictsTable))
	return n > 0, err
}

func read(db *lite.DB, sql string, args ...tidemark.Value) ([]Conflict, error) {
	there, err := exists(db)
	if err != nil || !there {
		return nil, err
	}
	var list []Conflict
	err = db.Each(sql, func(s *lite.Stmt) error {
		list = append(list, scan(s))
		return nil
	}, args...)
	return list, err
}

// scan reads a row of columns. The table can be written by any program, so
// what cannot be understood is noted, not an error of the whole list.
func scan(s *lite.Stmt) Conflict {
	c := Conflict{
		ID: s.Text(0), State: s.Text(1), Table: s.Text(2), row: s.Text(3), Column: s.Text(4), Unit: s.Text(6),
		Policy: s.Text(7), Winner: s.Text(8), TheirsBy: s.Text(12), MineBy: s.Text(13), Author: s.Text(14),
		MadeAt: s.Int(15), At: s.Int(16), Seq: tidemark.Seq(s.Int(17)),
	}
	c.Key, c.damaged = wire.DecodeValues([]byte(c.row))
	if s.Int(5) == 0 {
		c.Base, c.Theirs, c.Mine = s.Value(9), s.Value(10), s.Value(11)
		return c
	}
	c.Rows = &Rows{Base: c.side(s.Value(9)), Theirs: c.side(s.Value(10)), Mine: c.side(s.Value(11))}
	return c
}

func (c *Conflict) side(v tidemark.Value) map[string]tidemark.Value {
	if v.IsNull() {
		return nil
	}
	row, err := parseRow(v.Str())
	if err != nil && c.damaged == nil {
		c.damaged = err
	}
	return row
}

// parseRow reads a JSON object of values by column name.
func parseRow(text string) (map[string]tidemark.Value, error) {
	var parts map[string]json.RawMessage
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&parts); err != nil {
		return nil, err
	}
	row := make(map[string]tidemark.Value, len(parts))
	for name, raw := range parts {
		v, err := wire.DecodeValue(bytes.TrimSpace(raw))
		if err != nil {
			return nil, err
		}
		row[name] = v
	}
	return row, nil
}
