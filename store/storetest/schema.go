package storetest

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
)

var schemaTests = []test{
	{"a new table comes with its rows", items, func(b *bench) {
		b.exec("CREATE TABLE extra (id INTEGER PRIMARY KEY, a); INSERT INTO extra VALUES (1, 'x'), (2, 'y')")
		w := b.sequence()
		if w.Moved == nil || !slices.Equal(w.Moved.Added, []string{"extra"}) {
			b.Fatalf("moved %+v", w.Moved)
		}
		b.wantEffects(w.Changes, "insert 3 (1,'x')", "insert 3 (2,'y')")
		b.exec("UPDATE extra SET a = 'z' WHERE id = 1")
		w = b.sequence()
		b.wantEffects(w.Changes, "update 3 (1) [1] ('z') was ('x')")
		_, err := b.apply(insert(3, 3, "w"))
		b.must(err)
	}},
	{"a new column", items, func(b *bench) {
		b.exec("ALTER TABLE item ADD COLUMN extra TEXT; UPDATE item SET extra = 'set', name = 'uno' WHERE id = 1")
		w := b.sequence()
		if w.Moved == nil || !slices.Equal(w.Moved.Widened, []string{"item"}) {
			b.Fatalf("moved %+v", w.Moved)
		}
		b.wantEffects(w.Changes, "insert 1 (1,'uno',1.0,'set')")
		effects, err := b.apply(update(1, row(2), 3, "also"))
		b.must(err)
		b.wantEffects(effects, "update 1 (2) [3] ('also') was (NULL)")
	}},
	{"a new column with a default", items, func(b *bench) {
		b.exec("ALTER TABLE item ADD COLUMN extra INT NOT NULL DEFAULT '5'; UPDATE item SET extra = 6 WHERE id = 2")
		w := b.sequence()
		b.wantEffects(w.Changes, "insert 1 (2,'two',2.0,6)")
		b.want("item", "(1,'one',1.0,5) (2,'two',2.0,6)")
	}},
	{"a change made under the older schema still fits", items, func(b *bench) {
		b.exec("ALTER TABLE item ADD COLUMN extra INT DEFAULT 7")
		b.sequence()
		effects, err := b.apply(insert(1, 3, "three", 3.0))
		b.must(err)
		b.wantEffects(effects, "insert 1 (3,'three',3.0,7)")
	}},
	{"a row without a key does not take its table out", "CREATE TABLE named (name TEXT PRIMARY KEY, v); INSERT INTO named VALUES ('a', 1)", func(b *bench) {
		b.exec("INSERT INTO named VALUES (NULL, 5); ALTER TABLE named ADD COLUMN w")
		w := b.sequence()
		if w.Moved == nil || len(w.Moved.Out) != 0 || w.Refused == nil || w.Refused.Code != tidemark.CodeNotNull {
			b.Fatalf("moved %+v, refused %v", w.Moved, w.Refused)
		}
		b.want("named", "('a',1,NULL)")
		_, err := b.apply(insert(1, "b", 2, 3))
		b.must(err)
	}},
	{"a table that goes leaves the others alone", items + `CREATE TABLE other (id INTEGER PRIMARY KEY, a); INSERT INTO other VALUES (1, 'x')`, func(b *bench) {
		b.exec("DROP TABLE other; UPDATE item SET name = 'uno' WHERE id = 1")
		w := b.sequence()
		if w.Moved == nil || w.Moved.Out["other"] == "" {
			b.Fatalf("moved %+v", w.Moved)
		}
		b.wantEffects(w.Changes, "update 1 (1) [1] ('uno') was ('one')")
		if got := w.Moved.Schema.Table(2); got == nil || got.Out == "" {
			b.Errorf("table 2 is %+v", got)
		}
		_, err := b.apply(insert(2, 5, "x"))
		if tidemark.CodeOf(err) != tidemark.CodeSchema {
			b.Errorf("a write to it says %v", err)
		}
		_, err = b.apply(insert(1, 5, "x", nil))
		b.must(err)
		b.exec("CREATE TABLE third (id INTEGER PRIMARY KEY)")
		w = b.sequence()
		if w.Moved == nil || len(w.Moved.Out) != 0 || w.Moved.Schema.Named("third").ID != 4 {
			b.Errorf("moved %+v", w.Moved)
		}
		b.must(b.Reopen())
		b.sequence()
	}},
	{"a table that is rebuilt leaves", items, func(b *bench) {
		b.exec("CREATE TABLE n (id INTEGER PRIMARY KEY, name INT); INSERT INTO n SELECT id, 5 FROM item; DROP TABLE item; ALTER TABLE n RENAME TO item")
		w := b.sequence()
		if w.Moved == nil || w.Moved.Out["item"] == "" {
			b.Fatalf("moved %+v", w.Moved)
		}
		b.wantEffects(w.Changes)
	}},
	{"a new table with bad rows stays out", items, func(b *bench) {
		b.exec("PRAGMA foreign_keys = OFF; CREATE TABLE bad (id INTEGER PRIMARY KEY, item INT REFERENCES item); INSERT INTO bad VALUES (1, 99)")
		w := b.sequence()
		if w.Moved == nil || w.Moved.Out["bad"] == "" {
			b.Fatalf("moved %+v", w.Moved)
		}
		b.exec("DELETE FROM bad; CREATE INDEX touch ON bad (item)")
		w = b.sequence()
		if w.Moved == nil || !slices.Equal(w.Moved.Added, []string{"bad"}) {
			b.Fatalf("moved %+v", w.Moved)
		}
	}},
	{"a table dropped and made again the same", items, func(b *bench) {
		b.exec("CREATE TABLE keep AS SELECT * FROM item; DROP TABLE item; CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, n REAL); INSERT INTO item SELECT id + 1, name, n FROM keep; DROP TABLE keep")
		w := b.sequence()
		if w.Moved != nil {
			b.Errorf("moved %+v", w.Moved)
		}
		b.wantEffects(w.Changes, "delete 1 (1) was ()", "insert 1 (2,'one',1.0)", "insert 1 (3,'two',2.0)")
		b.exec("DELETE FROM item WHERE id = 3")
		b.wantEffects(b.sequence().Changes, "delete 1 (3) was (3,'two',2.0)")
		_, err := b.apply(insert(1, 9, "x", nil))
		b.must(err)
	}},
	{"indexes, views and triggers only move the schema", items, func(b *bench) {
		hash := b.state().SchemaHash
		b.exec("CREATE INDEX byname ON item (name); CREATE VIEW v AS SELECT * FROM item; CREATE TRIGGER guard BEFORE DELETE ON item BEGIN SELECT RAISE(ABORT, 'no'); END")
		w := b.sequence()
		if w.Moved == nil || len(w.Moved.Added)+len(w.Moved.Widened)+len(w.Moved.Out) > 0 || b.state().SchemaHash == hash {
			b.Errorf("moved %+v", w.Moved)
		}
		if head := b.state().Head; head != 1 {
			b.Errorf("head %d", head)
		}
		_, err := b.apply(remove(1, 1))
		b.refused(err, tidemark.CodeRaised, "item", row(1))
	}},
	{"VACUUM and ANALYZE move nothing", items, func(b *bench) {
		before := b.state()
		b.exec("VACUUM; ANALYZE")
		if w := b.sequence(); w.Moved != nil || len(w.Changes) > 0 {
			b.Errorf("work %+v", w)
		}
		if b.state() != before {
			b.Error("the state moved")
		}
	}},
}
