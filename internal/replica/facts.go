package replica

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
)

// Facts in _tm_meta beside those that both sides keep.
const (
	keyServer    = "server"    // address
	keyReplica   = "replica"   // name that the server gave, "" until then
	keyTicket    = "ticket"    // proves that this file is the replica and not a copy of it
	keyPrincipal = "principal" // whose copy it is, by the first Welcome that named somebody
	keyNext      = "next_n"    // number of the next changeset
	keyKept      = "kept"      // ID of the last rejected record, never given again
	keyHead      = "head"      // newest seq that the server told
	keyContact   = "contact"   // last word from the server, Unix milliseconds
	keyProven    = "proven"    // 1: sums were equal at the last checkpoint
	keyRepair    = "repair"    // why the copy has to be compared with the server
	keyStopped   = "stopped"   // code of the refusal that ended syncing
	keyFence     = "fence"     // counts the takers of the sync lease
	keyReadOnly  = "read_only" // 1: nobody may write here
	keyOnly      = "only"      // 1: the scopes of _tm_want are wanted and no others
	keyWants     = "wants"     // counts how often what is wanted changed
	keyAnswered  = "answered"  // what keyWants was when the server listed what is granted of it
	keyUnlisted  = "unlisted"  // 1: a Welcome listed no scope, and its schema is to come
	keyScrub     = "scrub"     // rows left: 1: the WAL may still hold them, 2: full-text indexes may, too
)

// bookkeeping is what a replica keeps in its file beside _tm_meta and what
// capture makes. SQLite 3.8 must understand it.
const bookkeeping = `
CREATE TABLE IF NOT EXISTS main._tm_table (t INTEGER PRIMARY KEY, name TEXT, out TEXT);
CREATE TABLE main._tm_schema (hash TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE main._tm_pending (n INTEGER PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL,
  was_replica TEXT, was_n INTEGER, was_hash BLOB, seen INTEGER NOT NULL, schema TEXT NOT NULL,
  made_at INTEGER NOT NULL, suspended INTEGER NOT NULL DEFAULT 0, cause TEXT, body BLOB NOT NULL, view BLOB);
CREATE INDEX main._tm_pending_suspended ON _tm_pending (n) WHERE suspended = 1;
CREATE TABLE main._tm_pending_row (t INTEGER NOT NULL, key BLOB NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY (t, key, n)) WITHOUT ROWID;
CREATE INDEX main._tm_pending_row_n ON _tm_pending_row (n);
CREATE TABLE main._tm_base (t INTEGER NOT NULL, key BLOB NOT NULL, image BLOB, PRIMARY KEY (t, key)) WITHOUT ROWID;
CREATE TABLE main._tm_rejected (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, hash BLOB, code TEXT NOT NULL,
  message TEXT, tbl TEXT, key BLOB, cols BLOB, seq INTEGER NOT NULL, made_at INTEGER NOT NULL,
  at INTEGER NOT NULL, schema TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE main._tm_stage (pos INTEGER PRIMARY KEY, since INTEGER NOT NULL, cursor TEXT NOT NULL, body BLOB NOT NULL,
  scope TEXT, part INTEGER NOT NULL DEFAULT 0);
CREATE TABLE main._tm_digest (t INTEGER PRIMARY KEY, sums BLOB NOT NULL);
CREATE TABLE main._tm_touch (t INTEGER PRIMARY KEY, counter INTEGER NOT NULL);
` + textBookkeeping + historyBookkeeping + idBookkeeping + scopeBookkeeping

// textBookkeeping names, for each cell that merges as text, the pending
// changesets that wrote it (col -1: every cell of the row), and whether the
// text that is shown moved since under the newest of them.
const textBookkeeping = `
CREATE TABLE main._tm_text (t INTEGER NOT NULL, key BLOB NOT NULL, col INTEGER NOT NULL, n INTEGER NOT NULL,
  moved INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (t, key, col, n)) WITHOUT ROWID;
CREATE INDEX main._tm_text_n ON _tm_text (n);
`

// fact is a named value to be stored.
type fact struct {
	key   string
	value tidemark.Value
}

func text(key, s string) fact         { return fact{key, tidemark.Text(s)} }
func number(key string, n int64) fact { return fact{key, tidemark.Int(n)} }

func flag(key string, on bool) fact {
	if on {
		return number(key, 1)
	}
	return number(key, 0)
}

func store(db *lite.DB, facts ...fact) error {
	for _, f := range facts {
		if err := meta.SetValue(db, f.key, f.value); err != nil {
			return err
		}
	}
	return nil
}

// allFacts reads _tm_meta.
func allFacts(db *lite.DB) (map[string]tidemark.Value, error) {
	facts := map[string]tidemark.Value{}
	err := db.Each("SELECT k, v FROM main._tm_meta", func(s *lite.Stmt) error {
		facts[s.Text(0)] = s.Value(1)
		return nil
	})
	return facts, err
}
