package storetest

import (
	"github.com/tidemarkdb/tidemark"
)

const seats = `CREATE TABLE seat (id INTEGER PRIMARY KEY, place TEXT NOT NULL UNIQUE CHECK (length(place) = 1), row INT);
INSERT INTO seat VALUES (1, 'a', 1), (2, 'b', 1), (3, 'c', 1);`

var orderTests = []test{
	{"two rows swap a unique value", seats, func(b *bench) {
		_, err := b.apply(update(1, row(1), 1, "b"), update(1, row(2), 1, "a"))
		b.must(err)
		b.want("seat", "(1,'b',1) (2,'a',1) (3,'c',1)")
	}},
	{"three rotate", seats, func(b *bench) {
		effects, err := b.apply(update(1, row(1), 1, "b"), update(1, row(2), 1, "c"), update(1, row(3), 1, "a"))
		b.must(err)
		b.want("seat", "(1,'b',1) (2,'c',1) (3,'a',1)")
		b.wantEffects(effects, "update 1 (1) [1] ('b') was ('a')", "update 1 (2) [1] ('c') was ('b')", "update 1 (3) [1] ('a') was ('c')")
	}},
	{"a value goes from a deleted to a new row", seats, func(b *bench) {
		_, err := b.apply(insert(1, 4, "a", 1), remove(1, 1), update(1, row(2), 1, "x"), insert(1, 5, "b", 2))
		b.must(err)
		b.want("seat", "(2,'x',1) (3,'c',1) (4,'a',1) (5,'b',2)")
	}},
	{"a value goes from a deleted row to another", seats, func(b *bench) {
		_, err := b.apply(update(1, row(2), 1, "a"), remove(1, 1))
		b.must(err)
		b.want("seat", "(2,'a',1) (3,'c',1)")
	}},
	{"a unique value of a stranger stays refused", seats, func(b *bench) {
		_, err := b.apply(update(1, row(1), 1, "c"), update(1, row(2), 1, "a"))
		b.refused(err, tidemark.CodeUnique, "seat", row(1), "place")
		b.want("seat", "(1,'a',1) (2,'b',1) (3,'c',1)")
	}},
	{"rows trade primary keys", items, func(b *bench) {
		effects, err := b.apply(update(1, row(1), 0, 2), update(1, row(2), 0, 1))
		b.must(err)
		b.want("item", "(1,'two',2.0) (2,'one',1.0)")
		b.wantEffects(effects, "update 1 (1) [1 2] ('two',2.0) was ('one',1.0)", "update 1 (2) [1 2] ('one',1.0) was ('two',2.0)")
	}},
	{"parents trade keys and keep their children", family, func(b *bench) {
		_, err := b.apply(update(1, row(1), 0, 2), update(1, row(2), 0, 1))
		b.must(err)
		b.want("parent", "(1,'b') (2,'a') (3,'c')")
		b.want("child", "(10,2,'x') (11,2,'y') (20,1,'z')")
	}},
	{"parents trade keys, children named too", family, func(b *bench) {
		_, err := b.apply(update(2, row(10), 1, 2), update(2, row(11), 1, 2), update(2, row(20), 1, 1),
			update(1, row(1), 0, 2), update(1, row(2), 0, 1))
		b.must(err)
		b.want("child", "(10,2,'x') (11,2,'y') (20,1,'z')")
	}},
	{"all keys shift by one", items, func(b *bench) {
		var shift []tidemark.Change
		for i := range 40 {
			_, err := b.apply(insert(1, 10+i, "x", float64(i)))
			b.must(err)
			shift = append(shift, update(1, row(10+i), 0, 11+i))
		}
		_, err := b.apply(shift...)
		b.must(err)
		b.view(func(v tidemark.View) {
			for i := range 40 {
				r, err := v.Row(1, row(11+i))
				b.must(err)
				if show(r.Values[2:]) != show(row(float64(i))) {
					b.Errorf("row %d holds %s", 11+i, show(r.Values))
				}
			}
		})
	}},
	{"children before parents", family, func(b *bench) {
		_, err := b.apply(insert(3, 300, 30), insert(2, 30, 4, "new"), insert(1, 4, "d"))
		b.must(err)
		b.want("grandchild", "(100,10) (110,11) (200,20) (300,30)")
	}},
	{"children leave a parent that goes", family, func(b *bench) {
		_, err := b.apply(remove(1, 1), update(2, row(10), 1, 3), update(2, row(11), 1, 3))
		b.must(err)
		b.want("child", "(10,3,'x') (11,3,'y') (20,2,'z')")
		b.want("grandchild", "(100,10) (110,11) (200,20)")
	}},
	{"a member leaves by its key", `
		CREATE TABLE team (id INTEGER PRIMARY KEY);
		CREATE TABLE member (team REFERENCES team ON DELETE CASCADE, person INT, since, PRIMARY KEY (team, person)) WITHOUT ROWID;
		INSERT INTO team VALUES (1), (2);
		INSERT INTO member VALUES (1, 7, 'old'), (2, 7, 'young');`, func(b *bench) {
		_, err := b.apply(remove(2, 2, 7), update(2, row(1, 7), 0, 2), remove(1, 1))
		b.must(err)
		b.want("member", "(2,7,'old')")
	}},
	{"a list is turned round inside a partial and an expression index", `
		CREATE TABLE song (id INTEGER PRIMARY KEY, list INT, pos INT, title TEXT, live INT);
		CREATE UNIQUE INDEX place ON song (list, pos) WHERE live;
		CREATE UNIQUE INDEX title ON song (lower(title));
		INSERT INTO song VALUES (1, 1, 1, 'A', 1), (2, 1, 2, 'B', 1), (3, 1, 3, 'C', 1), (4, 1, 3, 'D', 0);`, func(b *bench) {
		_, err := b.apply(update(1, row(1), 2, 3, 3, "c"), update(1, row(3), 2, 1, 3, "a"), update(1, row(4), 2, 1))
		b.must(err)
		b.want("song", "(1,1,3,'c',1) (2,1,2,'B',1) (3,1,1,'a',1) (4,1,1,'D',0)")
	}},
	{"a guard does not see placeholders", seats + `
		CREATE TRIGGER guard BEFORE UPDATE ON seat WHEN NEW.place NOT BETWEEN 'a' AND 'z' BEGIN SELECT RAISE(ABORT, 'no such place'); END;`, func(b *bench) {
		_, err := b.apply(update(1, row(1), 1, "b"), update(1, row(2), 1, "a"))
		b.must(err)
		_, err = b.apply(update(1, row(1), 1, "A"))
		b.refused(err, tidemark.CodeRaised, "seat", row(1))
	}},
	{"strict types swap", `
		CREATE TABLE s (id TEXT PRIMARY KEY, i INT UNIQUE, r REAL UNIQUE, t TEXT UNIQUE, b BLOB UNIQUE, a ANY UNIQUE) STRICT;
		INSERT INTO s VALUES ('x', 1, 1.5, 't', x'01', 1), ('y', 2, 2.5, 'u', x'02', 'two');`, func(b *bench) {
		_, err := b.apply(
			update(1, row("x"), 1, 2, 2, 2.5, 3, "u", 4, []byte{2}, 5, "two"),
			update(1, row("y"), 1, 1, 2, 1.5, 3, "t", 4, []byte{1}, 5, 1))
		b.must(err)
		b.want("s", "('x',2,2.5,'u',x'02','two') ('y',1,1.5,'t',x'01',1)")
	}},
	{"rows of unsynced tables follow", `
		CREATE TABLE p (id INTEGER PRIMARY KEY);
		CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE);
		CREATE TABLE loose (p REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE, note TEXT);
		CREATE TABLE holding (p REFERENCES p(id));
		CREATE TABLE seen (id INTEGER PRIMARY KEY, what);
		INSERT INTO p VALUES (1), (2), (3), (4); INSERT INTO c VALUES (1, 1); INSERT INTO holding VALUES (4);
		INSERT INTO loose VALUES (1, 'a'), (2, 'b'), (3, 'c'), (NULL, 'd');`, func(b *bench) {
		_, err := b.apply(remove(1, 1), remove(2, 1), update(1, row(2), 0, 3), update(1, row(3), 0, 2))
		b.must(err)
		b.exec("INSERT INTO seen (what) SELECT note || coalesce(p, '') FROM loose")
		b.sequence()
		b.want("seen", "(1,'b3') (2,'c2') (3,'d')")
		_, err = b.apply(remove(1, 4), insert(1, 9))
		b.refused(err, tidemark.CodeForeignKey, "holding", row(1), "p")
		b.want("p", "(2) (3) (4)")
	}},
	{"a tree turns over", `
		CREATE TABLE node (id INTEGER PRIMARY KEY, up INTEGER REFERENCES node ON DELETE CASCADE);
		INSERT INTO node VALUES (1, NULL), (2, 1), (3, 2);`, func(b *bench) {
		_, err := b.apply(remove(1, 1), update(1, row(2), 1, 3), update(1, row(3), 1, nil))
		b.must(err)
		b.want("node", "(2,3) (3,NULL)")
	}},
}
