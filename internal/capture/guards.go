package capture

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// GuardPrefix begins the names of the triggers that a schema brings along, see
// tidemark.Guard. They live and go with those of capture.
const GuardPrefix = "_tm_rule_"

// searched is how many records of the log are looked at for a row. Where there
// are more a guard lets pass: what a write may cost is bounded.
const searched = 4096

// Untouched is a condition for an AFTER trigger: what the log holds has nothing
// of this row from before the write that fires it.
func Untouched(t *tidemark.Table, op tidemark.Op) string {
	row, own, ops := "OLD", 1, []int{opAbsent, opPart, opDelete, opVacant, opTo}
	switch op {
	case tidemark.Insert:
		row, own, ops = "NEW", 0, []int{opPart, opDelete, opImage, opVacant, opTo}
	case tidemark.Delete: // with recursive triggers REPLACE deletes, and was logged by a probe
		ops = append(ops, opImage)
	}
	var list, key []string
	for _, o := range ops {
		list = append(list, strconv.Itoa(o))
	}
	for i, c := range layoutOf(t).inline {
		col := &t.Columns[c]
		key = append(key, fmt.Sprintf("v%d = %s.%s COLLATE %s", i, row, lite.Quote(col.Name), lite.Quote(col.Collation)))
	}
	return fmt.Sprintf("coalesce((SELECT max(n) FROM _tm_log) - (SELECT min(n) FROM _tm_log), 0) < %d"+
		" AND (SELECT count(*) FROM _tm_log WHERE t = %d AND op IN (%s) AND %s) <= %d",
		searched, t.ID, strings.Join(list, ", "), strings.Join(key, " AND "), own)
}

// guards are the triggers that the schema brings, of tables that sync here.
func guards(s *tidemark.Schema) []trigger {
	var out []trigger
	for _, g := range s.Guards {
		if t := s.Table(g.Table); t != nil && t.Out == "" {
			out = append(out, trigger{g.Table, g.Name, strings.TrimPrefix(g.SQL, "CREATE TRIGGER ")})
		}
	}
	return out
}

// createGuards makes guards. One that this SQLite does not compile would make
// every write of its table fail, so it is left out: the server has the last word.
func createGuards(db *lite.DB, s *tidemark.Schema, missing []trigger) error {
	if len(missing) == 0 {
		return nil
	}
	return db.WithTriggers(true, func() error {
		for _, g := range missing {
			t := s.Table(g.table)
			if compiles(db, t) != nil {
				continue
			}
			err := db.Savepoint("_tm_guard", func() error {
				if err := db.Script("CREATE TRIGGER main." + g.body); err != nil {
					return err
				}
				return compiles(db, t)
			})
			if lite.Environment(err) {
				return err
			}
		}
		return nil
	})
}
