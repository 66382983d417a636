package sim

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// lists: every device appends to lists, at what it takes for the end.
func lists() *family {
	add := func(g *gen) error {
		k := g.n(5)
		return g.run("INSERT INTO list SELECT ?1, ?2, coalesce(max(pos), 0) + 1, ?3 FROM list WHERE k = ?2", g.name(), k, g.value())
	}
	return &family{
		title: "list",
		sql:   "CREATE TABLE list (id TEXT PRIMARY KEY, k INTEGER NOT NULL, pos INTEGER NOT NULL, what);",
		tables: []*oracle.Table{
			{Name: "list", Columns: col("id k pos what"), Key: []int{0}, NotNull: []int{1, 2}},
		},
		ops:    []op{add, add, add},
		spoils: []op{},
	}
}

// registers: a few rows that everyone overwrites, whole and column by column.
func registers() *family {
	const one = "SELECT k FROM reg ORDER BY k"
	return &family{
		title: "reg",
		sql: `CREATE TABLE reg (k INTEGER PRIMARY KEY, a, b TEXT, c REAL);
			WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12) INSERT INTO reg SELECT i, NULL, 'b' || i, i FROM n;`,
		tables: []*oracle.Table{{Name: "reg", Columns: col("k a b c"), Key: []int{0}}},
		ops: []op{
			func(g *gen) error { return g.with(one, "UPDATE reg SET a = ?2 WHERE k = ?1", g.value()) },
			func(g *gen) error { return g.with(one, "UPDATE reg SET b = ?2 WHERE k = ?1", g.value()) },
			func(g *gen) error { return g.with(one, "UPDATE reg SET c = ?2 WHERE k = ?1", g.value()) },
			func(g *gen) error {
				return g.with(one, "UPDATE reg SET a = ?2, b = ?3, c = ?4 WHERE k = ?1", g.value(), g.value(), g.value())
			},
			func(g *gen) error {
				return g.run("INSERT INTO reg VALUES (?1, ?2, ?3, 0.5) ON CONFLICT (k) DO UPDATE SET a = excluded.a", g.n(20), g.value(), g.name())
			},
			func(g *gen) error {
				return g.run("INSERT OR REPLACE INTO reg VALUES (?1, ?2, ?3, ?4)", g.n(20), g.value(), g.name(), g.n(9))
			},
			func(g *gen) error { return g.with(one, "DELETE FROM reg WHERE k = ?1") },
			func(g *gen) error { return g.run("UPDATE reg SET c = coalesce(c, 0) + 1 WHERE k % 5 = ?1", g.n(5)) },
		},
	}
}

// pairs: rows that are only ever written together, with one stamp. Whoever
// sees two stamps in a group sees half a changeset.
func pairs() *family {
	return &family{
		title: "pair",
		sql: `CREATE TABLE pair (grp INTEGER, part INTEGER, stamp TEXT, PRIMARY KEY (grp, part)) WITHOUT ROWID;
			INSERT INTO pair VALUES (1, 1, ''), (1, 2, ''), (1, 3, ''), (2, 1, ''), (2, 2, ''), (3, 1, ''), (3, 2, ''), (3, 3, ''), (3, 4, '');`,
		tables: []*oracle.Table{{Name: "pair", Columns: col("grp part stamp"), Key: []int{0, 1}, NotNull: []int{0, 1}}},
		ops: []op{
			func(g *gen) error { return g.run("UPDATE pair SET stamp = ?2 WHERE grp = ?1", 1+g.n(3), g.name()) },
		},
		invariant: oneStamp,
	}
}

func oneStamp(s oracle.State) string {
	stamps := map[int64]tidemark.Value{}
	for _, r := range s["pair"] {
		grp := r[0].Int64()
		if other, seen := stamps[grp]; seen && other != r[2] {
			return fmt.Sprintf("group %d shows stamps %v and %v", grp, other, r[2])
		}
		stamps[grp] = r[2]
	}
	return ""
}

// sets: rows that are there or not.
func sets() *family {
	return &family{
		title: "elem",
		sql:   "CREATE TABLE elem (v TEXT COLLATE NOCASE PRIMARY KEY, who INTEGER);",
		tables: []*oracle.Table{
			{Name: "elem", Columns: col("v who"), Key: []int{0}, Fold: map[int]bool{0: true}},
		},
		ops: []op{
			func(g *gen) error { return g.run("INSERT INTO elem VALUES (?1, ?2)", g.name(), g.who) },
			func(g *gen) error {
				return g.run("INSERT OR IGNORE INTO elem VALUES (?1, ?2)", string(rune("aAbBcCdD"[g.n(8)])), g.who)
			},
			func(g *gen) error { return g.with("SELECT v FROM elem ORDER BY v", "DELETE FROM elem WHERE v = ?1") },
			func(g *gen) error {
				return g.with("SELECT v FROM elem ORDER BY v", "UPDATE elem SET v = upper(v) WHERE v = ?1")
			},
			func(g *gen) error { return g.run("DELETE FROM elem WHERE who = ?1 AND v < 'M'", g.who) },
		},
	}
}

// counters: increments as rows that never conflict, a total that is read,
// changed and written, and a trigger of the app's that does the same.
func counters() *family {
	return &family{
		title: "counter",
		sql: `CREATE TABLE incr (id BLOB PRIMARY KEY NOT NULL, counter INTEGER NOT NULL, n INTEGER NOT NULL) STRICT;
			CREATE TABLE total (counter INTEGER PRIMARY KEY, n INTEGER NOT NULL);
			INSERT INTO total VALUES (1, 0), (2, 0), (3, 0);
			CREATE TRIGGER incr_total AFTER INSERT ON incr BEGIN UPDATE total SET n = n + NEW.n WHERE counter = NEW.counter; END;`,
		tables: []*oracle.Table{
			{Name: "incr", Columns: col("id counter n"), Key: []int{0}, NotNull: []int{0, 1, 2}},
			{Name: "total", Columns: col("counter n"), Key: []int{0}, NotNull: []int{1}},
		},
		ops: []op{
			func(g *gen) error {
				return g.run("INSERT INTO incr VALUES (CAST(?1 AS BLOB), ?2, ?3)", g.name(), 1+g.n(3), 1+g.n(9))
			},
			func(g *gen) error { return g.run("UPDATE total SET n = n + ?2 WHERE counter = ?1", 1+g.n(3), 1+g.n(9)) },
		},
	}
}

// guarded: constraints that hold on each device alone and break when edits meet.
func guarded() *family {
	const one = "SELECT id FROM guard ORDER BY id"
	return &family{
		title: "guard",
		sql: `CREATE TABLE guard (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER CHECK (n >= 0),
				a INTEGER NOT NULL DEFAULT 0, b INTEGER NOT NULL DEFAULT 0, CHECK (a + b <= 100));
			INSERT INTO guard (a) VALUES (1), (2), (3), (4), (5), (6);
			CREATE TRIGGER guard_insert BEFORE INSERT ON guard WHEN NEW.a > 60 AND NEW.b > 30 BEGIN SELECT RAISE(ABORT, 'too much'); END;
			CREATE TRIGGER guard_update BEFORE UPDATE ON guard WHEN NEW.a > 60 AND NEW.b > 30 BEGIN SELECT RAISE(ABORT, 'too much'); END;`,
		tables: []*oracle.Table{{
			Name: "guard", Columns: col("id n a b"), Key: []int{0}, NotNull: []int{2, 3},
			Check: []oracle.Check{
				{Code: tidemark.CodeCheck, Holds: func(r oracle.Row) bool { return r[1].IsNull() || r[1].Float64() >= 0 }},
				{Code: tidemark.CodeCheck, Holds: func(r oracle.Row) bool { return r[2].Float64()+r[3].Float64() <= 100 }},
				{Code: tidemark.CodeRaised, Holds: func(r oracle.Row) bool { return r[2].Float64() <= 60 || r[3].Float64() <= 30 }},
			},
		}},
		ops: []op{
			func(g *gen) error { return g.with(one, "UPDATE guard SET a = ?2 WHERE id = ?1", g.n(99)) },
			func(g *gen) error { return g.with(one, "UPDATE guard SET b = ?2 WHERE id = ?1", g.n(99)) },
			func(g *gen) error { return g.with(one, "UPDATE guard SET n = ?2 WHERE id = ?1", g.n(99)) },
			func(g *gen) error { return g.run("INSERT INTO guard (n, a) VALUES (?1, ?2)", g.n(9), g.n(50)) },
			func(g *gen) error { return g.with(one, "DELETE FROM guard WHERE id = ?1") },
		},
		spoils: []op{
			func(g *gen) error { return g.with(one, "UPDATE guard SET n = -1 WHERE id = ?1") },
			func(g *gen) error { return g.run("INSERT INTO guard (n, a) VALUES (-2, 101)") },
			func(g *gen) error { return g.with(one, "UPDATE guard SET a = 70, b = 31, n = -3 WHERE id = ?1") },
		},
	}
}
