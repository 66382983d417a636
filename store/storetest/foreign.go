package storetest

import (
	"github.com/tidemarkdb/tidemark"
)

var foreignTests = []test{
	{"another program's writes", items, func(b *bench) {
		b.exec("INSERT INTO item VALUES (3, 'three', 3); UPDATE item SET name = 'uno' WHERE id = 1; DELETE FROM item WHERE id = 2; UPDATE item SET id = 30 WHERE id = 3")
		w := b.sequence()
		b.wantEffects(w.Changes, "update 1 (1) [1] ('uno') was ('one')", "delete 1 (2) was (2,'two',2.0)", "insert 1 (30,'three',3.0)")
		if w := b.sequence(); len(w.Changes) > 0 || w.Moved != nil {
			b.Errorf("the same work came twice: %v", w)
		}
		if head := b.state().Head; head != 1 {
			b.Errorf("head %d", head)
		}
	}},
	{"its cascades", family, func(b *bench) {
		b.exec("DELETE FROM parent WHERE id = 2")
		w := b.sequence()
		b.wantEffects(w.Changes, "delete 1 (2) was (2,'b')", "delete 2 (20) was (20,2,'z')", "update 3 (200) [1] (NULL) was (20)")
	}},
	{"cascades that it skipped", family, func(b *bench) {
		b.exec("PRAGMA foreign_keys = OFF; DELETE FROM parent WHERE id = 1; UPDATE parent SET id = 22 WHERE id = 2")
		w := b.sequence()
		if w.Refused != nil {
			b.Fatal(w.Refused)
		}
		b.wantEffects(w.Changes, "delete 1 (1) was (1,'a')", "delete 1 (2) was (2,'b')", "insert 1 (22,'b')",
			"delete 2 (10) was (10,1,'x')", "delete 2 (11) was (11,1,'y')", "update 2 (20) [1] (22) was (2)",
			"update 3 (100) [1] (NULL) was (10)", "update 3 (110) [1] (NULL) was (11)")
		b.want("grandchild", "(100,NULL) (110,NULL) (200,20)")
	}},
	{"a parent that came back needs no cascade", family, func(b *bench) {
		b.exec("PRAGMA foreign_keys = OFF; DELETE FROM parent WHERE id = 1; INSERT INTO parent VALUES (1, 'again')")
		w := b.sequence()
		b.wantEffects(w.Changes, "update 1 (1) [1] ('again') was ('a')")
	}},
	{"an orphan is undone and kept", family, func(b *bench) {
		before := b.state()
		b.exec("PRAGMA foreign_keys = OFF; UPDATE parent SET code = 'changed' WHERE id = 3; INSERT INTO child VALUES (12, 99, 'orphan'); DELETE FROM child WHERE id = 10")
		w := b.sequence()
		if w.Refused == nil {
			b.Fatal("accepted")
		}
		b.refused(w.Refused, tidemark.CodeForeignKey, "child", row(12), "parent")
		b.want("parent", "(1,'a') (2,'b') (3,'c')")
		b.want("child", "(10,1,'x') (11,1,'y') (20,2,'z')")
		b.want("grandchild", "(100,10) (110,11) (200,20)")
		if b.state() != before {
			b.Error("the state moved")
		}
	}},
	{"a parent that is held", `
		CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (id INTEGER PRIMARY KEY, p INT REFERENCES parent);
		INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (5, 1);`, func(b *bench) {
		b.exec("PRAGMA foreign_keys = OFF; DELETE FROM parent")
		w := b.sequence()
		b.refused(w.Refused, tidemark.CodeForeignKey, "child", row(5), "p")
		b.want("parent", "(1) (2)")
	}},
	{"a check that it ignored", seats, func(b *bench) {
		b.exec("PRAGMA ignore_check_constraints = ON; UPDATE seat SET place = 'long' WHERE id = 2; INSERT INTO seat VALUES (9, 'z', 9)")
		w := b.sequence()
		b.refused(w.Refused, tidemark.CodeCheck, "seat", row(2))
		b.want("seat", "(1,'a',1) (2,'b',1) (3,'c',1)")
	}},
	{"undo of swaps, moves and replacements", seats, func(b *bench) {
		b.exec(`PRAGMA ignore_check_constraints = ON;
			UPDATE seat SET place = 'q' WHERE id = 1; UPDATE seat SET place = 'a' WHERE id = 2; UPDATE seat SET place = 'b' WHERE id = 1;
			REPLACE INTO seat VALUES (7, 'c', 7); UPDATE seat SET id = 3 WHERE id = 7; UPDATE seat SET place = 'long' WHERE id = 3`)
		w := b.sequence()
		if w.Refused == nil {
			b.Fatal("accepted")
		}
		b.want("seat", "(1,'a',1) (2,'b',1) (3,'c',1)")
	}},
	{"in front of a changeset in the same group", items, func(b *bench) {
		b.exec("UPDATE item SET name = 'theirs' WHERE id = 1")
		effects, err := b.apply(update(1, row(1), 1, "mine"))
		b.must(err)
		b.wantEffects(effects, "update 1 (1) [1] ('mine') was ('theirs')")
		if head := b.state().Head; head != 2 {
			b.Errorf("head %d", head)
		}
	}},
	{"the app's triggers fired where it wrote", `
		CREATE TABLE film (id INTEGER PRIMARY KEY, name TEXT, last_update TEXT);
		INSERT INTO film VALUES (1, 'x', 'long ago');
		CREATE TRIGGER stamp AFTER UPDATE ON film BEGIN UPDATE film SET last_update = 'now' WHERE id = NEW.id; END;`, func(b *bench) {
		b.exec("UPDATE film SET name = 'y'")
		w := b.sequence()
		b.wantEffects(w.Changes, "update 1 (1) [1 2] ('y','now') was ('x','long ago')")
		effects, err := b.apply(update(1, row(1), 1, "z"))
		b.must(err)
		b.wantEffects(effects, "update 1 (1) [1] ('z') was ('y')")
	}},
	{"a row without a key", `CREATE TABLE t (k TEXT PRIMARY KEY, a); INSERT INTO t VALUES ('x', 1)`, func(b *bench) {
		b.exec("INSERT INTO t VALUES (NULL, 1); INSERT INTO t VALUES (NULL, 2); INSERT INTO t VALUES ('y', 3)")
		w := b.sequence()
		b.refused(w.Refused, tidemark.CodeNotNull, "t", row(nil), "k")
		b.want("t", "('x',1)")
		b.must(b.Smuggle("INSERT INTO t VALUES (NULL, 1)"))
		if missed := b.scrubAll(10); len(missed) > 0 {
			b.Errorf("the scrub wants to sequence %v", missed)
		}
		b.must(b.Smuggle("DELETE FROM t WHERE k IS NULL"))
		b.want("t", "('x',1)")
		_, err := b.apply(insert(1, "z", 1))
		b.must(err)
	}},
	{"many programs at once", items, func(b *bench) {
		for i := range 20 {
			b.exec("UPDATE item SET n = n + 1 WHERE id = 1")
			if i%3 == 0 {
				_, err := b.apply(update(1, row(2), 2, float64(i)))
				b.must(err)
			}
		}
		b.sequence()
		b.want("item", "(1,'one',21.0) (2,'two',18.0)")
	}},
	{"nothing may be written before it was looked at", items, func(b *bench) {
		b.exec("UPDATE item SET n = 5 WHERE id = 1")
		err := b.Store.Group(b.Context(), func(tx tidemark.Tx) error { return tx.Write(insert(1, 3, "x", nil)) })
		if err == nil {
			b.Error("written in front of foreign work")
		}
	}},
	{"work that nobody appends is not lost", items, func(b *bench) {
		b.exec("UPDATE item SET n = 5 WHERE id = 1")
		err := b.Store.Group(b.Context(), func(tx tidemark.Tx) error { _, err := tx.Foreign(); return err })
		if err == nil {
			b.Error("committed without it")
		}
		if w := b.sequence(); len(w.Changes) != 1 {
			b.Errorf("work %v", w)
		}
	}},
}
