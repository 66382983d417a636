// Package meta keeps what a replica and a served file have in common: _tm_meta,
// a set of named facts, among them the role of the file and the format mark
// that tells an older build to keep away.
//
// Adopted comes first: it says whether a file is plain, a replica or served,
// and refuses one of a newer format. Create makes the table, Get, Int and Value
// read a fact (one that is not there is empty), their Set counterparts store
// it. Own tells our names from the app's. Drop takes all bookkeeping off again.
//
// Caveats. Nothing here opens a transaction: call it inside of one where
// several facts must hold together. Drop must run outside of one, since it
// restores the journal mode.
package meta

import (
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// Format is the version of the bookkeeping tables that this build writes.
// A file with a higher one was adopted by a newer version.
const Format = 2

// Prefix begins the name of every bookkeeping table, index and trigger.
const Prefix = "_tm_"

// Roles of a file.
const (
	RoleServer  = "server"
	RoleReplica = "replica"
)

// Keys of facts that both sides keep. Each engine adds its own.
const (
	KeyFormat      = "format"
	KeyRole        = "role"
	KeySpace       = "space"
	KeyIncarnation = "incarnation"
	KeyTerm        = "term"
	KeySchema      = "schema"       // hash of the current schema
	KeySchemaBody  = "schema_body"  // the schema as JSON, by schema.Encode
	KeyDDLVersion  = "ddl_version"  // PRAGMA schema_version when capture was last made
	KeyDigestKey   = "digest_key"   // secret of the cell hashes, 16 bytes
	KeyJournalMode = "journal_mode" // what the file had before adoption
	KeySeq         = "seq"
	KeySum         = "sum"
)

// Adopted reports whether the file has Tidemark's bookkeeping, its role and
// its format, and refuses a format newer than this build knows.
func Adopted(db *lite.DB) (role string, err error) {
	n, err := db.Int("SELECT count(*) FROM main.sqlite_master WHERE type = 'table' AND name = '_tm_meta'")
	if err != nil || n == 0 {
		return "", err
	}
	format, err := Int(db, KeyFormat)
	if err != nil {
		return "", err
	}
	if format > Format {
		return "", &tidemark.Error{
			Code: tidemark.CodeNewerFormat, Op: "open",
			Msg:  fmt.Sprintf("%s was adopted by a newer version of Tidemark (format %d, this build knows %d)", db.Path(), format, Format),
			Hint: "install the newer version, or detach the file with it first",
		}
	}
	return Get(db, KeyRole)
}

// Create makes the table of facts and marks the format and role.
func Create(db *lite.DB, role string) error {
	if err := db.Run("CREATE TABLE main._tm_meta (k TEXT PRIMARY KEY, v) WITHOUT ROWID"); err != nil {
		return err
	}
	if err := SetInt(db, KeyFormat, Format); err != nil {
		return err
	}
	return Set(db, KeyRole, role)
}

// Value returns a fact, NULL when it is not there.
func Value(db *lite.DB, key string) (tidemark.Value, error) {
	row, err := db.Get("SELECT v FROM main._tm_meta WHERE k = ?1", tidemark.Text(key))
	if err != nil || row == nil {
		return tidemark.Null, err
	}
	return row[0], nil
}

// Get returns a fact as text, "" when it is not there.
func Get(db *lite.DB, key string) (string, error) {
	v, err := Value(db, key)
	return v.Str(), err
}

// Int returns a fact as an integer, 0 when it is not there.
func Int(db *lite.DB, key string) (int64, error) {
	v, err := Value(db, key)
	return v.Int64(), err
}

// SetValue stores a fact.
func SetValue(db *lite.DB, key string, v tidemark.Value) error {
	return db.Run("INSERT OR REPLACE INTO main._tm_meta (k, v) VALUES (?1, ?2)", tidemark.Text(key), v)
}

// Set stores a fact as text.
func Set(db *lite.DB, key, text string) error { return SetValue(db, key, tidemark.Text(text)) }

// SetInt stores a fact as an integer.
func SetInt(db *lite.DB, key string, n int64) error { return SetValue(db, key, tidemark.Int(n)) }

// Own reports whether a name belongs to Tidemark's bookkeeping.
func Own(name string) bool {
	return len(name) >= len(Prefix) && strings.EqualFold(name[:len(Prefix)], Prefix)
}

// OwnConflicts reports whether the file has the table of conflicts, as it was
// made: one that somebody changed is theirs.
func OwnConflicts(db *lite.DB) (bool, error) {
	sql, err := db.Text("SELECT sql FROM main.sqlite_master WHERE type = 'table' AND name = ?1", tidemark.Text(tidemark.ConflictsTable))
	return err == nil && sql == tidemark.ConflictsSQL, err
}

// Drop takes the table of conflicts and every bookkeeping object off the file and restores the journal
// mode that the file had. Capture triggers must be gone from every connection's
// point of view afterwards: they are dropped first.
func Drop(db *lite.DB) error {
	mode, err := Get(db, KeyJournalMode)
	if err != nil {
		return err
	}
	db.Forget()
	if err := db.Transaction(func() error { return dropObjects(db) }); err != nil {
		return err
	}
	db.Forget()
	if mode == "" {
		return nil
	}
	return db.Run("PRAGMA main.journal_mode = " + mode)
}

func dropObjects(db *lite.DB) error {
	ours, err := OwnConflicts(db)
	if err != nil {
		return err
	}
	if ours {
		if err := db.Run("DROP TABLE main." + tidemark.ConflictsTable); err != nil {
			return err
		}
	}
	for _, kind := range []string{"trigger", "index", "table"} {
		var names []string
		err := db.Each("SELECT name FROM main.sqlite_master WHERE type = ?1 AND sql IS NOT NULL", func(s *lite.Stmt) error {
			if Own(s.Text(0)) {
				names = append(names, s.Text(0))
			}
			return nil
		}, tidemark.Text(kind))
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := db.Run("DROP " + kind + " main." + lite.Quote(name)); err != nil {
				return err
			}
		}
	}
	return dropStatistics(db)
}

// dropStatistics clears what ANALYZE wrote about the bookkeeping tables.
func dropStatistics(db *lite.DB) error {
	for _, table := range []string{"sqlite_stat1", "sqlite_stat4"} {
		n, err := db.Int("SELECT count(*) FROM main.sqlite_master WHERE name = ?1", tidemark.Text(table))
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if err := db.Run("DELETE FROM main." + lite.Quote(table) + " WHERE tbl LIKE '\\_tm\\_%' ESCAPE '\\'"); err != nil {
			return err
		}
	}
	return nil
}
