package storetest

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// snapshot makes one and opens it.
func (b *bench) snapshot() (*lite.DB, tidemark.SnapshotInfo) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "snapshot.sqlite")
	info, err := b.Store.Snapshot(context.Background(), path)
	b.must(err)
	db, err := lite.Open(path, lite.Options{})
	b.must(err)
	b.Cleanup(func() { _ = db.Close() })
	said, err := db.Text("PRAGMA integrity_check")
	b.must(err)
	if said != "ok" {
		b.Errorf("the snapshot is damaged: %s", said)
	}
	return db, info
}

func (b *bench) text(db *lite.DB, sql string) string {
	b.Helper()
	s, err := db.Text(sql)
	b.must(err)
	return s
}

var snapshotTests = []test{
	{"the whole schema, synced rows, no bookkeeping", `PRAGMA application_id = 77; PRAGMA user_version = 5;` + items + `
		CREATE TABLE loose (a); INSERT INTO loose VALUES ('secret');
		CREATE TABLE "od""d [t]" ("k 1" TEXT, k2 BLOB, v REAL, g AS (v * 2), PRIMARY KEY (k2, "k 1")) WITHOUT ROWID;
		INSERT INTO "od""d [t]" VALUES ('a', x'00', -0.0), ('b', x'', 9e999);
		CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO auto VALUES (5), (9); DELETE FROM auto WHERE id = 9;
		CREATE INDEX i ON item (name DESC) WHERE n > 1; CREATE VIEW v AS SELECT name FROM item;
		CREATE TRIGGER t AFTER INSERT ON item BEGIN INSERT INTO loose VALUES (NEW.name); END;`, func(b *bench) {
		_, err := b.apply(insert(1, 3, "three", 3.0))
		b.must(err)
		db, info := b.snapshot()
		if info.State != b.state() || info.Rows != 6 || info.Bytes == 0 || len(info.Left) != 0 {
			b.Errorf("info %+v", info)
		}
		for sql, want := range map[string]string{
			"SELECT group_concat(name, ',') FROM (SELECT name FROM item ORDER BY id)":                                      "one,two,three",
			"SELECT count(*) || '' FROM loose":                                                                             "0",
			"SELECT group_concat(name, ',') FROM (SELECT name FROM sqlite_master WHERE name LIKE '\\_tm\\_%' ESCAPE '\\')": "",
			"SELECT seq || '' FROM sqlite_sequence WHERE name = 'auto'":                                                    "9",
			"SELECT application_id || '' FROM pragma_application_id":                                                       "77",
			"SELECT user_version || '' FROM pragma_user_version":                                                           "5",
			"SELECT count(*) || '' FROM sqlite_master WHERE type IN ('index', 'view', 'trigger') AND sql IS NOT NULL":      "3",
			`SELECT group_concat(g, ',') FROM "od""d [t]"`:                                                                 "Inf,0.0",
		} {
			if got := b.text(db, sql); got != want {
				b.Errorf("%s\n gives %q, want %q", sql, got, want)
			}
		}
	}},
	{"full text comes along", `
		CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT);
		CREATE VIRTUAL TABLE ft USING fts5(body, content=doc, content_rowid=id);
		CREATE VIRTUAL TABLE own USING fts5(body);
		CREATE TRIGGER ai AFTER INSERT ON doc BEGIN INSERT INTO ft(rowid, body) VALUES (NEW.id, NEW.body); INSERT INTO own(rowid, body) VALUES (NEW.id, NEW.body); END;
		INSERT INTO doc VALUES (1, 'the quick brown fox'), (2, 'lazy dogs');`, func(b *bench) {
		_, err := b.apply(insert(1, 3, "a fox again"))
		b.must(err)
		db, info := b.snapshot()
		if len(info.Left) != 0 {
			b.Errorf("left out %v", info.Left)
		}
		for _, table := range []string{"ft", "own"} {
			if got := b.text(db, "SELECT group_concat(rowid) FROM "+table+" WHERE "+table+" MATCH 'fox'"); got != "1,3" {
				b.Errorf("%s finds %q", table, got)
			}
		}
		b.must(db.Script("INSERT INTO doc VALUES (9, 'another fox')"))
	}},
	{"busy while something is not sequenced", items, func(b *bench) {
		b.exec("UPDATE item SET name = 'x'")
		path := filepath.Join(b.TempDir(), "snapshot.sqlite")
		_, err := b.Store.Snapshot(context.Background(), path)
		if tidemark.CodeOf(err) != tidemark.CodeBusy {
			b.Errorf("got %v", err)
		}
		b.sequence()
		_, err = b.Store.Snapshot(context.Background(), path)
		b.must(err)
		_, err = b.Store.Snapshot(context.Background(), path)
		if tidemark.CodeOf(err) != tidemark.CodeExists {
			b.Errorf("got %v", err)
		}
	}},
	{"a row without a key is left behind", "CREATE TABLE named (name TEXT PRIMARY KEY, v); INSERT INTO named VALUES ('a', 1)", func(b *bench) {
		b.must(b.Smuggle("INSERT INTO named VALUES (NULL, 5)"))
		if db, info := b.snapshot(); info.Rows != 1 || b.text(db, "SELECT count(*) || '' FROM named") != "1" {
			b.Errorf("%+v", info)
		}
		b.must(b.Smuggle("DELETE FROM named WHERE name IS NULL")) // the doctor would find it
	}},
	{"unloved definitions", `
		CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT);
		CREATE VIEW broken AS SELECT * FROM nowhere;
		INSERT INTO t VALUES (1, 'x');`, func(b *bench) {
		db, info := b.snapshot()
		if n := b.text(db, "SELECT count(*) || '' FROM t"); n != "1" {
			b.Errorf("%s rows", n)
		}
		_ = strings.Join(info.Left, "")
	}},
}
