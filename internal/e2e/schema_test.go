package e2e

import (
	"fmt"
	"strings"
)

// kinds is a schema with every kind of table that capture must get right, with
// names that need quoting, constraints of all sorts and triggers of the app.
var kinds = `
CREATE TABLE audit (id TEXT PRIMARY KEY NOT NULL, by TEXT);
CREATE TABLE tally (id INTEGER PRIMARY KEY, n INTEGER NOT NULL DEFAULT 0, members TEXT NOT NULL DEFAULT '[]', note TEXT NOT NULL DEFAULT '');
INSERT INTO tally (id) VALUES (1), (2), (3);
CREATE TABLE slot (id INTEGER PRIMARY KEY, holder TEXT);
INSERT INTO slot (id) VALUES (1), (2), (3), (4);
CREATE TABLE took (by TEXT PRIMARY KEY NOT NULL, over TEXT);
CREATE TABLE one (id TEXT PRIMARY KEY NOT NULL);
CREATE TABLE plain (id INTEGER PRIMARY KEY, a, b TEXT, c REAL DEFAULT 1.5);
CREATE TABLE "sel ect" ("gro""up" TEXT PRIMARY KEY NOT NULL, "[order]" INTEGER, "'ключ'" BLOB);
CREATE TABLE pair (x INTEGER NOT NULL, y TEXT NOT NULL COLLATE NOCASE, v, PRIMARY KEY (x, y)) WITHOUT ROWID;
CREATE TABLE strict1 (k BLOB PRIMARY KEY NOT NULL, i INTEGER, r REAL, t TEXT, anyv ANY) STRICT;
CREATE TABLE claim (id INTEGER PRIMARY KEY, name TEXT UNIQUE, slot INTEGER, day TEXT, state TEXT CHECK (state IN ('new', 'old')), UNIQUE (slot, day));
CREATE UNIQUE INDEX claim_lower ON claim (lower(name) COLLATE RTRIM) WHERE state = 'old';
CREATE TABLE node (id TEXT PRIMARY KEY NOT NULL, parent TEXT REFERENCES node (id) ON DELETE CASCADE ON UPDATE CASCADE, label TEXT NOT NULL);
CREATE TABLE leaf (id INTEGER PRIMARY KEY, node TEXT REFERENCES node (id) ON DELETE SET NULL ON UPDATE CASCADE, n INTEGER);
CREATE TABLE gen (id INTEGER PRIMARY KEY, a INTEGER, twice INTEGER AS (a * 2) STORED, b TEXT, low TEXT AS (lower(b)) VIRTUAL);
CREATE TABLE film (id INTEGER PRIMARY KEY, title TEXT, last_update INTEGER DEFAULT 0);
CREATE TRIGGER film_stamp AFTER UPDATE OF title ON film BEGIN UPDATE film SET last_update = last_update + 1 WHERE id = new.id; END;
CREATE TABLE guard (id INTEGER PRIMARY KEY, n INTEGER);
CREATE TRIGGER guard_no BEFORE INSERT ON guard WHEN new.n < 0 BEGIN SELECT RAISE(ABORT, 'n must not be negative'); END;
CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT);
CREATE TABLE seen (what TEXT);
CREATE TRIGGER note_seen AFTER INSERT ON note BEGIN INSERT INTO seen VALUES (new.body); END;
CREATE VIEW films AS SELECT title FROM film;
CREATE TABLE wide (id INTEGER PRIMARY KEY, ` + wideColumns + `);
`

// declared are the policies of tally, by which every transaction leaves a
// trace that no other may lose. Everything else merges by default.
const declared = `tables:
  tally: { columns: { n: counter, members: set, note: text } }
`

// wideColumns are 499 columns, so that the table has as many as any that people make.
var wideColumns = func() string {
	names := make([]string, 499)
	for i := range names {
		names[i] = fmt.Sprintf("c%03d", i+1)
	}
	return strings.Join(names, ", ")
}()

// syncedTables lists the tables above that sync, with the order of their canonical dump.
var syncedTables = []struct{ name, order string }{
	{"audit", "id"}, {"tally", "id"}, {"slot", "id"}, {"took", "by"}, {"tm_conflicts", "id"}, {"one", "id"}, {"plain", "id"}, {"sel ect", `"gro""up"`}, {"pair", "x, y"}, {"strict1", "k"}, {"claim", "id"},
	{"node", "id"}, {"leaf", "id"}, {"gen", "id"}, {"film", "id"}, {"guard", "id"}, {"note", "id"}, {"wide", "id"},
}
