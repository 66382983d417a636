package storetest

import (
	"math"

	"github.com/tidemarkdb/tidemark"
)

const family = `
CREATE TABLE parent (id INTEGER PRIMARY KEY, code TEXT UNIQUE);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE, note TEXT);
CREATE TABLE grandchild (id INTEGER PRIMARY KEY, child INTEGER REFERENCES child(id) ON DELETE SET NULL ON UPDATE CASCADE);
INSERT INTO parent VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO child VALUES (10, 1, 'x'), (11, 1, 'y'), (20, 2, 'z');
INSERT INTO grandchild VALUES (100, 10), (110, 11), (200, 20);`

var writeTests = []test{
	{"insert, update, delete", items, func(b *bench) {
		effects, err := b.apply(insert(1, 3, "three", 3.5), update(1, row(1), 1, "uno"), remove(1, 2))
		b.must(err)
		b.wantEffects(effects, "update 1 (1) [1] ('uno') was ('one')", "delete 1 (2) was (2,'two',2.0)", "insert 1 (3,'three',3.5)")
		b.want("item", "(1,'uno',1.0) (3,'three',3.5)")
	}},
	{"values as they are stored", items, func(b *bench) {
		effects, err := b.apply(insert(1, 3, 7, 7), insert(1, 4, []byte("\x00\xff"), math.Inf(-1)), insert(1, 5, "a\x00b\U0001F600", nil))
		b.must(err)
		b.wantEffects(effects, "insert 1 (3,'7',7.0)", `insert 1 (4,x'00ff',-9e999)`, "insert 1 (5,'a\x00b\U0001F600',NULL)")
	}},
	{"an index that refuses is left out", `
		CREATE TABLE shape (id INTEGER PRIMARY KEY, x REAL);
		CREATE VIRTUAL TABLE area USING rtree(id, x0, x1);
		CREATE TRIGGER shape_ai AFTER INSERT ON shape BEGIN INSERT INTO area VALUES (new.id, new.x, new.x + 1); END;
		INSERT INTO shape VALUES (7, 1.0);`, func(b *bench) {
		_, err := b.apply(update(1, row(7), 0, 8))
		b.must(err)
		effects, err := b.apply(insert(1, 7, 5.0))
		b.must(err)
		b.wantEffects(effects, "insert 1 (7,5.0)")
		b.want("shape", "(7,5.0) (8,1.0)")
	}},
	{"what changes nothing has no effect", items, func(b *bench) {
		effects, err := b.apply(update(1, row(1), 1, "one"), remove(1, 77), update(1, row(78), 1, "x"))
		b.must(err)
		b.wantEffects(effects)
	}},
	{"a shorter insert takes defaults", `CREATE TABLE item (id INTEGER PRIMARY KEY, a, b DEFAULT 'dflt')`, func(b *bench) {
		effects, err := b.apply(insert(1, 1, "x"))
		b.must(err)
		b.wantEffects(effects, "insert 1 (1,'x','dflt')")
	}},
	{"a move is delete and insert", items, func(b *bench) {
		effects, err := b.apply(update(1, row(1), 0, 9, 1, "nine"))
		b.must(err)
		b.wantEffects(effects, "delete 1 (1) was (1,'one',1.0)", "insert 1 (9,'nine',1.0)")
	}},
	{"a key spelled anew stays the row", `CREATE TABLE item (id TEXT COLLATE NOCASE PRIMARY KEY, a); INSERT INTO item VALUES ('abc', 1)`, func(b *bench) {
		effects, err := b.apply(update(1, row("ABC"), 0, "aBC"))
		b.must(err)
		b.wantEffects(effects, "update 1 ('abc') [0] ('aBC') was ('abc')")
		b.want("item", "('aBC',1)")
	}},
	{"cascades are effects", family, func(b *bench) {
		effects, err := b.apply(remove(1, 1))
		b.must(err)
		b.wantEffects(effects, "delete 1 (1) was (1,'a')", "delete 2 (10) was (10,1,'x')", "delete 2 (11) was (11,1,'y')",
			"update 3 (100) [1] (NULL) was (10)", "update 3 (110) [1] (NULL) was (11)")
	}},
	{"a moved parent takes its children along", family, func(b *bench) {
		effects, err := b.apply(update(1, row(2), 0, 22))
		b.must(err)
		b.wantEffects(effects, "delete 1 (2) was (2,'b')", "insert 1 (22,'b')", "update 2 (20) [1] (22) was (2)")
	}},
	{"effects of two savepoints do not mix", items, func(b *bench) {
		b.must(b.group(func(tx tidemark.Tx) error {
			for i := range 3 {
				effects, err := b.write(tx, []tidemark.Change{insert(1, 10+i, "x", nil)})
				if err != nil {
					return err
				}
				if len(effects) != 1 {
					b.Errorf("%d effects", len(effects))
				}
			}
			return nil
		}))
	}},
	{"a row knows its last writer", items, func(b *bench) {
		_, err := b.apply(update(1, row(1), 1, "uno"), remove(1, 2))
		b.must(err)
		b.view(func(v tidemark.View) {
			for _, c := range []struct {
				key  int
				want tidemark.RowState
			}{
				{1, tidemark.RowState{Values: row(1, "uno", 1.0), Seq: 1, Writer: "r"}},
				{2, tidemark.RowState{Seq: 1, Writer: "r"}},
				{3, tidemark.RowState{}},
			} {
				r, err := v.Row(1, row(c.key))
				b.must(err)
				if show(r.Values) != show(c.want.Values) || r.Seq != c.want.Seq || r.Writer != c.want.Writer {
					b.Errorf("row %d: %v, want %v", c.key, r, c.want)
				}
			}
		})
	}},
	{"triggers that write unsynced tables fire", `
		CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT);
		CREATE TABLE journal (what TEXT);
		CREATE TABLE stamped (id INTEGER PRIMARY KEY, at TEXT);
		CREATE TRIGGER note AFTER INSERT ON item BEGIN INSERT INTO journal VALUES (NEW.name); END;
		CREATE TRIGGER stamp AFTER INSERT ON item BEGIN INSERT INTO stamped VALUES (NEW.id, 'here'); END;`, func(b *bench) {
		effects, err := b.apply(insert(1, 1, "x"))
		b.must(err)
		// journal has no key and does not sync: its trigger fired. stamped does
		// sync: its trigger fires at the origin only.
		b.wantEffects(effects, "insert 1 (1,'x')")
		b.exec("INSERT INTO item (id, name) SELECT 2, what FROM journal")
		b.sequence()
		b.want("item", "(1,'x') (2,'x')")
		b.want("stamped", "(2,'here')")
	}},
	{"a broken trigger is left out", `
		CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT);
		CREATE TABLE journal (what TEXT UNIQUE);
		INSERT INTO journal VALUES ('x');
		CREATE TRIGGER note AFTER INSERT ON item BEGIN INSERT INTO journal VALUES (NEW.name); END;`, func(b *bench) {
		_, err := b.apply(insert(1, 1, "x"))
		b.must(err)
		b.want("item", "(1,'x')")
	}},
}
