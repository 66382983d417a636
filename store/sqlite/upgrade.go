package sqlite

import (
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
)

// upgrade gives a file that an earlier build served the bookkeeping that it
// lacks. What was logged before does not know its rows' past.
func (s *Store) upgrade() error {
	format, err := meta.Int(s.db, meta.KeyFormat)
	if err != nil {
		return err
	}
	there, err := ownTables(s.db)
	if err != nil || format >= meta.Format && complete(there) {
		return err
	}
	return s.db.Transaction(func() error {
		same, err := sameDDL(s.db)
		if err != nil {
			return err
		}
		if err := addMissing(s.db); err != nil {
			return err
		}
		if err := meta.SetInt(s.db, meta.KeyFormat, meta.Format); err != nil {
			return err
		}
		if same {
			if err := rememberDDL(s.db); err != nil {
				return err
			}
		}
		if format >= meta.Format {
			return nil
		}
		// A table like any other: the next group sequences it.
		return makeConflicts(s.db, s.path)
	})
}

// complete reports whether the bookkeeping has everything that this build makes.
func complete(there map[string]bool) bool {
	return !slices.ContainsFunc(bookkeeping, func(sql string) bool { return !there[nameIn(sql)] })
}

// addMissing makes tables and columns of the bookkeeping that are not there.
func addMissing(db *lite.DB) error {
	there, err := ownTables(db)
	if err != nil {
		return err
	}
	for _, sql := range bookkeeping {
		if there[nameIn(sql)] {
			continue
		}
		if err := db.Run(sql); err != nil {
			return err
		}
	}
	n, err := db.Int("SELECT count(*) FROM pragma_table_info('_tm_changeset', 'main') WHERE name = 'prevs'")
	if err != nil || n > 0 {
		return err
	}
	return db.Run("ALTER TABLE main._tm_changeset ADD COLUMN prevs BLOB")
}

// ownTables names the tables and indexes of the bookkeeping that are there.
func ownTables(db *lite.DB) (map[string]bool, error) {
	there := map[string]bool{}
	err := db.Each("SELECT name FROM main.sqlite_master WHERE type IN ('table', 'index') AND substr(name, 1, 4) = '_tm_'", func(s *lite.Stmt) error {
		there[s.Text(0)] = true
		return nil
	})
	return there, err
}

// nameIn picks the name of what a statement of the bookkeeping makes.
func nameIn(sql string) string { return strings.TrimPrefix(strings.Fields(sql)[2], "main.") }

// sameDDL reports whether the schema is the one that was read last, so that
// what changes it now is our own doing.
func sameDDL(db *lite.DB) (bool, error) {
	ddl, err := db.Int("PRAGMA main.schema_version")
	if err != nil {
		return false, err
	}
	known, err := meta.Int(db, meta.KeyDDLVersion)
	return ddl == known, err
}

func rememberDDL(db *lite.DB) error {
	ddl, err := db.Int("PRAGMA main.schema_version")
	if err != nil {
		return err
	}
	return meta.SetInt(db, meta.KeyDDLVersion, ddl)
}
