package lite

import "github.com/ncruces/go-sqlite3"

// SetForeignKeys switches foreign keys, their actions included, on or off for
// this connection. Unlike PRAGMA foreign_keys it works inside a transaction,
// and what is written while they are off is not counted among the deferred
// violations: the caller looks it up itself. It expires prepared statements.
func (db *DB) SetForeignKeys(on bool) error {
	_, err := db.conn.Config(sqlite3.DBCONFIG_ENABLE_FKEY, on)
	return err
}

// AllowQuotedStrings lets this connection read definitions in which a string
// stands in double quotes, as old databases have them: what a trigger says is
// read anew by each connection that it fires on.
func (db *DB) AllowQuotedStrings() error { return db.quotedStrings(true) }

// RefuseQuotedStrings is for statements that are written now, in which a name in
// double quotes that nothing has is a slip.
func (db *DB) RefuseQuotedStrings() error { return db.quotedStrings(false) }

func (db *DB) quotedStrings(on bool) error {
	for _, op := range []sqlite3.DBConfig{sqlite3.DBCONFIG_DQS_DDL, sqlite3.DBCONFIG_DQS_DML} {
		if _, err := db.conn.Config(op, on); err != nil {
			return err
		}
	}
	return nil
}
