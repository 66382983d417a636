package sqlite

import (
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// bookkeeping are the server's tables beside _tm_meta, _tm_table, _tm_log and the triggers,
// which packages meta and capture make. The file stays readable to old builds of
// SQLite: nothing newer than 3.8.2 may stand here.
var bookkeeping = []string{
	`CREATE TABLE main._tm_schema (hash TEXT PRIMARY KEY, body) WITHOUT ROWID`,
	`CREATE TABLE main._tm_term (i INTEGER PRIMARY KEY, term TEXT UNIQUE, first_seq INTEGER)`,
	`CREATE TABLE main._tm_replica (id TEXT PRIMARY KEY, principal TEXT, ticket TEXT, previous TEXT,
	 last_n INTEGER, settled_n INTEGER, seq INTEGER, contact INTEGER, agent TEXT) WITHOUT ROWID`,
	`CREATE TABLE main._tm_changeset (seq INTEGER PRIMARY KEY, replica TEXT, n INTEGER, hash BLOB,
	 author TEXT, at INTEGER, schema TEXT, effects, prevs BLOB)`,
	`CREATE TABLE main._tm_outcome (replica TEXT, n INTEGER, hash BLOB, kind TEXT, code TEXT, detail TEXT,
	 seq INTEGER, PRIMARY KEY (replica, n)) WITHOUT ROWID`,
	`CREATE TABLE main._tm_row (t INTEGER, key BLOB, seq INTEGER, writer TEXT, hash INTEGER,
	 PRIMARY KEY (t, key)) WITHOUT ROWID`,
	`CREATE TABLE main._tm_digest (t INTEGER, c INTEGER, sum INTEGER, PRIMARY KEY (t, c)) WITHOUT ROWID`,
	`CREATE TABLE main._tm_rejected (id INTEGER PRIMARY KEY, seq INTEGER, code TEXT, message TEXT, detail TEXT, body)`,
	`CREATE TABLE main._tm_text (t INTEGER, key BLOB, c INTEGER, seq INTEGER, i INTEGER, replica TEXT, n INTEGER,
	 seen INTEGER, done TEXT, sent TEXT, refused INTEGER, PRIMARY KEY (t, key, c, seq, i)) WITHOUT ROWID`,
	`CREATE TABLE main._tm_time (t INTEGER, key BLOB, c INTEGER, at INTEGER, PRIMARY KEY (t, key, c)) WITHOUT ROWID`,
	`CREATE TABLE main._tm_renumbered (replica TEXT, i INTEGER, tbl TEXT, was INTEGER, id INTEGER, before INTEGER,
	 PRIMARY KEY (replica, i)) WITHOUT ROWID`,
	`CREATE TABLE main._tm_refused (replica TEXT, t INTEGER, key BLOB, n INTEGER, PRIMARY KEY (replica, t, key)) WITHOUT ROWID`,
	`CREATE TABLE main._tm_lease (replica TEXT, t INTEGER, first INTEGER, last INTEGER, PRIMARY KEY (replica, t)) WITHOUT ROWID`,
	`CREATE TABLE main._tm_scope (i INTEGER PRIMARY KEY, name TEXT UNIQUE, sum INTEGER)`,
	// s is _tm_scope.i, seq when the row was last changed in the scope, entered or
	// left it, joined when it entered, live one of the three below.
	`CREATE TABLE main._tm_feed (t INTEGER, key BLOB, s INTEGER, seq INTEGER, live INTEGER, joined INTEGER,
	 PRIMARY KEY (t, key, s)) WITHOUT ROWID`,
	`CREATE INDEX main._tm_feed_s ON _tm_feed (s, seq, t, key, live)`,
	// The row (t, key) that the conflict with the KeyID id speaks of.
	`CREATE TABLE main._tm_about (id BLOB PRIMARY KEY, t INTEGER, key BLOB) WITHOUT ROWID`,
	`CREATE INDEX main._tm_about_row ON _tm_about (t, key)`,
}

// How a row is to a scope, in _tm_feed.
const (
	rowIn   = 1  // it is in the scope
	rowDied = 0  // it was in the scope when it was deleted
	rowLeft = -1 // it left the scope and was elsewhere then, wherever it is now
)

// feedIndex orders the rows for catch-up. It is made after adoption filled the table.
const feedIndex = `CREATE INDEX main._tm_row_seq ON _tm_row (seq, t, key)`

// Facts of _tm_meta that only a server keeps.
const (
	keyLogSeen  = "log_seen" // rowid of the last record of _tm_log that was sequenced
	keyScrub    = "scrub"    // 1: rows changed without capture, compare them all
	keyAccepted = "accepted" // violations that were there at adoption and were accepted
	keyScopes   = "scopes"   // the declaration by which _tm_feed was made, as JSON
	keyFeed     = "feed"     // names what _tm_feed was made by; another: make it anew
)

func makeBookkeeping(db *lite.DB) error {
	for _, sql := range bookkeeping {
		if err := db.Run(sql); err != nil {
			return err
		}
	}
	return nil
}
