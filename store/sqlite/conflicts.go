package sqlite

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
)

// makeConflicts adds the table of conflicts to the app's own. One that is left
// of an earlier adoption serves again, with what it holds.
func makeConflicts(db *lite.DB, path string) error {
	if err := conflictsFree(db, path); err != nil {
		return err
	}
	there, err := meta.OwnConflicts(db)
	if err != nil || there {
		return err
	}
	return db.Run(tidemark.ConflictsSQL)
}

// conflictsFree refuses a file in which the name of the table means something else.
func conflictsFree(db *lite.DB, path string) error {
	kind, err := db.Text("SELECT type FROM main.sqlite_master WHERE lower(name) = ?1", tidemark.Text(tidemark.ConflictsTable))
	if err != nil || kind == "" {
		return err
	}
	ours, err := meta.OwnConflicts(db)
	if err != nil || ours {
		return err
	}
	return &tidemark.Error{
		Code: tidemark.CodeExists, Op: "adopt", Table: tidemark.ConflictsTable,
		Msg:  path + " has a " + kind + " named " + tidemark.ConflictsTable + " of its own, where Tidemark keeps conflicts",
		Hint: "rename it, for example with: sqlite3 FILE 'ALTER TABLE tm_conflicts RENAME TO conflict'",
	}
}

// OpenConflicts counts the conflicts in a served file that wait for a decision.
func OpenConflicts(path string) (int64, error) {
	db, err := openServed(path, lite.Options{ReadOnly: true}, "conflicts")
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	ours, err := meta.OwnConflicts(db)
	if err != nil || !ours {
		return 0, explainOpen(path, "conflicts", err)
	}
	n, err := db.Int("SELECT count(*) FROM main."+tidemark.ConflictsTable+" WHERE state = ?1", tidemark.Text(tidemark.StateOpen))
	return n, explainOpen(path, "conflicts", err)
}
