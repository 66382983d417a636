package replica

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
)

// additions are what later builds added to the bookkeeping: a file that an
// earlier one made gets them when it is opened.
var additions = []struct {
	table, column string // what is looked for; no column: the table
	sql           string
}{
	{"_tm_pending", "view", "ALTER TABLE main._tm_pending ADD COLUMN view BLOB"},
	{"_tm_text", "", textBookkeeping},
	{"_tm_history", "", historyBookkeeping},
	{"_tm_renumbered", "", idBookkeeping},
	{"_tm_stage", "scope", "ALTER TABLE main._tm_stage ADD COLUMN scope TEXT"},
	{"_tm_stage", "part", "ALTER TABLE main._tm_stage ADD COLUMN part INTEGER NOT NULL DEFAULT 0"},
	{"_tm_scope", "", scopeBookkeeping},
}

// extend brings the bookkeeping of an older file up to date. It tells whether
// something was to be done; DDL of other programs is left for drift to find.
func (r *Replica) extend(version int64) (changed bool, err error) {
	for _, a := range additions {
		there, err := has(r.db, a.table, a.column)
		if err != nil {
			return changed, err
		}
		if there {
			continue
		}
		if err := r.db.Script(a.sql); err != nil {
			return changed, err
		}
		changed = true
	}
	if !changed {
		return false, nil
	}
	r.db.Forget()
	// From here on an earlier build would not understand what is written.
	if err := meta.SetInt(r.db, meta.KeyFormat, meta.Format); err != nil {
		return true, err
	}
	made, err := meta.Int(r.db, meta.KeyDDLVersion)
	if err != nil || made != version {
		return true, err
	}
	return true, markStructure(r.db)
}

func has(db *lite.DB, table, column string) (bool, error) {
	if column == "" {
		n, err := db.Int("SELECT count(*) FROM main.sqlite_master WHERE type = 'table' AND name = ?1", tidemark.Text(table))
		return n > 0, err
	}
	n, err := db.Int("SELECT count(*) FROM pragma_table_info(?1, 'main') WHERE name = ?2", tidemark.Text(table), tidemark.Text(column))
	return n > 0, err
}
