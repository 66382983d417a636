package storetest

import (
	"errors"
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// refused makes sure that err is the data's refusal with these particulars.
func (b *bench) refused(err error, code tidemark.Code, table string, key []tidemark.Value, columns ...string) {
	b.Helper()
	var e *tidemark.Error
	if !errors.As(err, &e) {
		b.Errorf("got %v, want a refusal with code %s", err, code)
		return
	}
	if e.Code != code || e.Table != table || show(e.Key) != show(key) || !slices.Equal(e.Columns, columns) {
		b.Errorf("refused with %s %q %s %q (%s), want %s %q %s %q", e.Code, e.Table, show(e.Key), e.Columns, e.Msg, code, table, show(key), columns)
	}
}

const ugly = `
CREATE TABLE "a.b, c" (id INTEGER PRIMARY KEY, "x.y" TEXT NOT NULL, "select" INT, "d, a.b, c.x" INT, UNIQUE ("select", "d, a.b, c.x"));
INSERT INTO "a.b, c" VALUES (1, 'x', 1, 1);`

var refuseTests = []test{
	{"unique", seats, func(b *bench) {
		_, err := b.apply(insert(1, 9, "a", 1))
		b.refused(err, tidemark.CodeUnique, "seat", row(9), "place")
	}},
	{"primary key", seats, func(b *bench) {
		_, err := b.apply(insert(1, 1, "q", 1))
		b.refused(err, tidemark.CodeUnique, "seat", row(1), "id")
	}},
	{"composite key without rowid", `CREATE TABLE p (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO p VALUES (1, 2)`, func(b *bench) {
		_, err := b.apply(pair(1, 1, 2))
		b.refused(err, tidemark.CodeUnique, "p", row(1, 2), "a", "b")
	}},
	{"unique index on an expression", `CREATE TABLE p (id INTEGER PRIMARY KEY, mail TEXT); CREATE UNIQUE INDEX m ON p (lower(mail)); INSERT INTO p VALUES (1, 'A@B')`, func(b *bench) {
		_, err := b.apply(insert(1, 2, "a@b"))
		var e *tidemark.Error
		if !errors.As(err, &e) || e.Code != tidemark.CodeUnique || e.Table != "p" || len(e.Columns) != 1 {
			b.Errorf("got %#v", err)
		}
	}},
	{"who has the unique value", `CREATE TABLE p (id TEXT PRIMARY KEY, mail TEXT, team INT, name TEXT COLLATE NOCASE, gone INT, UNIQUE (team, name));
		CREATE UNIQUE INDEX m ON p (lower(mail)) WHERE gone IS NULL;
		INSERT INTO p VALUES ('a', 'A@B', 1, 'Ann', NULL), ('b', 'b@b', 1, 'Bob', NULL), ('c', 'c@b', 2, 'Bob', NULL), ('d', 'a@b', 3, 'Dan', 1)`, func(b *bench) {
		for i, c := range []struct {
			change tidemark.Change
			other  string
		}{
			{insert(1, "x", "x@b", 1, "ANN", nil), "a"},
			{update(1, row("c"), 2, 1), "b"},
			{insert(1, "x", "a@B", 9, "x", nil), "a"},
			{update(1, row("d"), 4, nil), "a"},
			{insert(1, "b", "x@b", 9, "x", nil), "b"},
			{update(1, row("c"), 0, "a"), "a"},
		} {
			_, err := b.apply(c.change)
			var e *tidemark.Error
			if !errors.As(err, &e) || e.Code != tidemark.CodeUnique || e.Table != "p" || show(e.Other) != show(row(c.other)) || len(e.Columns) == 0 {
				b.Errorf("%d: %#v, want %s", i, err, c.other)
			}
		}
		// Not known, and no worse for it: the row that would be is half defaults.
		_, err := b.apply(tidemark.Change{Table: 1, Op: tidemark.Insert, Key: row("x"), New: row("x", "a@b")})
		if tidemark.CodeOf(err) != tidemark.CodeUnique {
			b.Error(err)
		}
	}},
	{"check", seats, func(b *bench) {
		_, err := b.apply(update(1, row(2), 1, "long"))
		b.refused(err, tidemark.CodeCheck, "seat", row(2))
	}},
	{"not null", seats, func(b *bench) {
		_, err := b.apply(update(1, row(2), 1, nil))
		b.refused(err, tidemark.CodeNotNull, "seat", row(2), "place")
	}},
	{"null key", seats, func(b *bench) {
		_, err := b.apply(insert(1, nil, "n", 1))
		b.refused(err, tidemark.CodeNotNull, "seat", row(nil), "id")
	}},
	{"type", `CREATE TABLE s (id INTEGER PRIMARY KEY, i INT) STRICT; INSERT INTO s VALUES (1, 1)`, func(b *bench) {
		_, err := b.apply(update(1, row(1), 1, "text"))
		b.refused(err, tidemark.CodeType, "s", row(1))
	}},
	{"foreign key, single", family, func(b *bench) {
		_, err := b.apply(insert(2, 12, 99, "orphan"))
		b.refused(err, tidemark.CodeForeignKey, "child", row(12), "parent")
	}},
	{"foreign key among others", family, func(b *bench) {
		_, err := b.apply(insert(1, 4, "d"), update(2, row(20), 1, 98), insert(2, 13, 4, "fine"))
		b.refused(err, tidemark.CodeForeignKey, "child", row(20), "parent")
		b.want("parent", "(1,'a') (2,'b') (3,'c')")
	}},
	{"a parent with children that hold it", `
		CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (id INTEGER PRIMARY KEY, p INT REFERENCES parent ON DELETE RESTRICT);
		INSERT INTO parent VALUES (1); INSERT INTO child VALUES (5, 1);`, func(b *bench) {
		_, err := b.apply(remove(1, 1))
		b.refused(err, tidemark.CodeForeignKey, "child", row(5), "p")
		_, err = b.apply(remove(1, 1), remove(2, 5))
		b.must(err)
	}},
	{"a guard", seats + `CREATE TRIGGER guard BEFORE DELETE ON seat BEGIN SELECT RAISE(ABORT, 'seats stay'); END;`, func(b *bench) {
		_, err := b.apply(remove(1, 1))
		b.refused(err, tidemark.CodeRaised, "seat", row(1))
	}},
	{"a guard that rolls everything back", seats + `CREATE TRIGGER guard BEFORE DELETE ON seat BEGIN SELECT RAISE(ROLLBACK, 'seats stay'); END;`, func(b *bench) {
		before := b.state()
		err := b.group(func(tx tidemark.Tx) error {
			if _, err := b.write(tx, []tidemark.Change{insert(1, 9, "z", 1)}); err != nil {
				return err
			}
			return tx.Savepoint(func() error { return tx.WriteAll([]tidemark.Change{remove(1, 1)}) })
		})
		if !errors.Is(err, tidemark.ErrTransactionGone) || tidemark.CodeOf(err) != tidemark.CodeRaised {
			b.Errorf("got %v", err)
		}
		if b.state() != before {
			b.Error("the state moved")
		}
		_, err = b.apply(insert(1, 9, "z", 1))
		b.must(err)
	}},
	{"names that look like lists", ugly, func(b *bench) {
		_, err := b.apply(insert(1, 2, nil, 2, 2))
		b.refused(err, tidemark.CodeNotNull, "a.b, c", row(2), "x.y")
		_, err = b.apply(insert(1, 2, "x", 1, 1))
		b.refused(err, tidemark.CodeUnique, "a.b, c", row(2), "select", "d, a.b, c.x")
	}},
	{"a change that does not fit", items, func(b *bench) {
		for _, c := range []tidemark.Change{
			{Table: 1, Op: tidemark.Insert}, {Table: 1, Op: tidemark.Update, Key: row(1), Cols: []int{9}, New: row(1)},
			{Table: 1, Op: tidemark.Update, Key: row(1), Cols: []int{1}}, {Table: 1, Op: tidemark.Delete},
			{Table: 77, Op: tidemark.Delete, Key: row(1)}, {Table: 1, Op: 9, Key: row(1)},
		} {
			_, err := b.apply(c)
			if tidemark.CodeOf(err) != tidemark.CodeSchema {
				b.Errorf("%v: %v", c, err)
			}
		}
	}},
	{"a refusal leaves the group usable", seats, func(b *bench) {
		b.must(b.group(func(tx tidemark.Tx) error {
			for i := range 20 {
				err := tx.Savepoint(func() error {
					_, err := b.write(tx, []tidemark.Change{update(1, row(3), 2, i), insert(1, 100+i, string(rune('a'+i)), i)})
					return err
				})
				if (err != nil) != (i < 3) {
					b.Errorf("%d: %v", i, err)
				}
			}
			return nil
		}))
		if head := b.state().Head; head != 17 {
			b.Errorf("head %d", head)
		}
	}},
}
