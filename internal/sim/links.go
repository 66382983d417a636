package sim

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// links: references of two columns, to a unique column that is no key, without
// case, deferred, and with every action that is left.
func links() *family {
	const hub, spoke = "SELECT a, b FROM hub ORDER BY a, b", "SELECT id FROM spoke ORDER BY id"
	both := []bool{true, false}
	return &family{
		title: "hub",
		sql: `CREATE TABLE hub (a TEXT COLLATE NOCASE NOT NULL, b INTEGER NOT NULL, code TEXT UNIQUE, n, PRIMARY KEY (a, b));
			CREATE TABLE spoke (id INTEGER PRIMARY KEY, a TEXT, b INTEGER,
				code TEXT REFERENCES hub (code) ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,
				FOREIGN KEY (a, b) REFERENCES hub (a, b) ON UPDATE CASCADE ON DELETE SET NULL);
			CREATE TABLE wheel (id INTEGER PRIMARY KEY, code TEXT DEFAULT 'spare' REFERENCES hub (code) ON DELETE SET DEFAULT ON UPDATE SET NULL);
			CREATE TABLE pin (id INTEGER PRIMARY KEY, a TEXT, b INTEGER, FOREIGN KEY (a, b) REFERENCES hub ON DELETE RESTRICT ON UPDATE RESTRICT);
			INSERT INTO hub VALUES ('x', 0, 'spare', 1), ('y', 1, 'one', 2), ('z', 2, NULL, 3);`,
		tables: []*oracle.Table{
			{Name: "hub", Columns: col("a b code n"), Key: []int{0, 1}, Fold: map[int]bool{0: true}, NotNull: []int{0, 1},
				Unique: []func(oracle.Row) (string, bool){unique(2)}},
			{Name: "spoke", Columns: col("id a b code"), Key: []int{0}, Refs: []oracle.Ref{
				{Columns: []int{3}, Parent: "hub", To: []int{2}, OnDelete: oracle.Cascade, OnUpdate: oracle.Cascade},
				{Columns: []int{1, 2}, Parent: "hub", To: []int{0, 1}, OnDelete: oracle.SetNull, OnUpdate: oracle.Cascade, Fold: both}}},
			{Name: "wheel", Columns: col("id code"), Key: []int{0}, Refs: []oracle.Ref{
				{Columns: []int{1}, Parent: "hub", To: []int{2}, OnDelete: oracle.SetDefault, OnUpdate: oracle.SetNull,
					Default: []tidemark.Value{tidemark.Text("spare")}}}},
			{Name: "pin", Columns: col("id a b"), Key: []int{0}, Refs: []oracle.Ref{
				{Columns: []int{1, 2}, Parent: "hub", To: []int{0, 1}, Fold: both}}},
		},
		ops: []op{
			func(g *gen) error {
				return g.run("INSERT OR IGNORE INTO hub VALUES (?1, ?2, ?3, ?4)", g.letter(), g.n(4), g.code(), g.n(9))
			},
			func(g *gen) error { return g.with(hub, "UPDATE hub SET code = ?3 WHERE a = ?1 AND b = ?2", g.code()) },
			func(g *gen) error {
				return g.with(hub, "UPDATE OR IGNORE hub SET a = ?3 WHERE a = ?1 AND b = ?2", g.letter())
			},
			func(g *gen) error {
				return g.with(hub, "UPDATE OR IGNORE hub SET b = ?3 WHERE a = ?1 AND b = ?2", g.n(5))
			},
			func(g *gen) error { return g.with(hub, "DELETE FROM hub WHERE a = ?1 AND b = ?2 AND a <> 'x'") },
			func(g *gen) error {
				return g.with(hub, "INSERT OR REPLACE INTO spoke (id, a, b) VALUES (?3, upper(?1), ?2)", 20*g.who+g.n(9))
			},
			func(g *gen) error {
				return g.with("SELECT code FROM hub WHERE code NOT NULL ORDER BY code", "INSERT OR REPLACE INTO spoke (id, code) VALUES (?2, ?1)", 20*g.who+g.n(9))
			},
			func(g *gen) error { return g.with(spoke, "DELETE FROM spoke WHERE id = ?1") },
			func(g *gen) error {
				return g.with("SELECT code FROM hub WHERE code NOT NULL ORDER BY code", "INSERT OR REPLACE INTO wheel VALUES (?2, ?1)", 5*g.who+g.n(3))
			},
			func(g *gen) error {
				return g.with(hub, "INSERT OR REPLACE INTO pin VALUES (?3, ?1, ?2)", 5*g.who+g.n(2))
			},
			func(g *gen) error { return g.with("SELECT id FROM pin ORDER BY id", "DELETE FROM pin WHERE id = ?1") },
			childFirst,
		},
	}
}

// childFirst inserts a row before the one that it refers to, as a deferred reference allows.
func childFirst(g *gen) error {
	code := g.name()
	if err := g.run("INSERT OR REPLACE INTO spoke (id, code) VALUES (?1, ?2)", 20*g.who+g.n(9), code); err != nil {
		return err
	}
	return g.run("INSERT INTO hub VALUES (?1, ?2, ?3, 0)", g.letter(), 10+g.n(90), code)
}

func (g *gen) letter() string { return string("xyzXYZ"[g.n(6)]) }

// code is one of a few, so that they meet; sometimes none.
func (g *gen) code() any {
	if g.n(5) == 0 {
		return nil
	}
	return []string{"one", "two", "three", "four", "One"}[g.n(5)]
}

// harsh: constraints that say themselves what happens when they are broken.
func harsh() *family {
	return &family{
		title: "cell",
		sql: `CREATE TABLE cell (x INTEGER, y INTEGER, v TEXT UNIQUE ON CONFLICT REPLACE, n INTEGER NOT NULL ON CONFLICT REPLACE DEFAULT 7,
				PRIMARY KEY (x, y) ON CONFLICT REPLACE);
			CREATE TABLE strictly (id TEXT PRIMARY KEY NOT NULL, u INTEGER UNIQUE ON CONFLICT ROLLBACK, w INTEGER CHECK (w <> 13));
			CREATE TRIGGER strictly_guard BEFORE UPDATE OF w ON strictly WHEN NEW.w > 90 AND NEW.u > 5 BEGIN SELECT RAISE(ROLLBACK, 'out'); END;`,
		tables: []*oracle.Table{
			{Name: "cell", Columns: col("x y v n"), Key: []int{0, 1}, NotNull: []int{3},
				Unique: []func(oracle.Row) (string, bool){unique(2)}},
			{Name: "strictly", Columns: col("id u w"), Key: []int{0}, NotNull: []int{0},
				Unique: []func(oracle.Row) (string, bool){unique(1)},
				Check: []oracle.Check{
					{Code: tidemark.CodeCheck, Holds: func(r oracle.Row) bool { return r[2] != tidemark.Int(13) }},
				}},
		},
		ops: []op{
			func(g *gen) error {
				return g.run("INSERT INTO cell VALUES (?1, ?2, ?3, NULL)", g.n(4), g.n(4), g.person())
			},
			func(g *gen) error {
				return g.run("UPDATE cell SET v = ?1 WHERE x = ?2 AND y = ?3", g.person(), g.n(4), g.n(4))
			},
			func(g *gen) error { return g.run("UPDATE cell SET n = n + 1 WHERE x = ?1", g.n(4)) },
			func(g *gen) error {
				return g.run("UPDATE cell SET x = ?1 WHERE x = ?2 AND y = ?3", g.n(4), g.n(4), g.n(4))
			},
			func(g *gen) error { return g.run("DELETE FROM cell WHERE x = ?1 AND y = ?2", g.n(4), g.n(4)) },
			func(g *gen) error {
				return g.run("INSERT OR IGNORE INTO strictly VALUES (?1, ?2, ?3)", g.name(), g.n(40), g.n(12))
			},
			func(g *gen) error {
				return g.with("SELECT id FROM strictly ORDER BY id", "UPDATE OR IGNORE strictly SET u = ?2 WHERE id = ?1", g.n(40))
			},
			func(g *gen) error {
				return g.with("SELECT id FROM strictly ORDER BY id", "UPDATE strictly SET w = ?2 WHERE id = ?1", g.n(12))
			},
			func(g *gen) error {
				return g.with("SELECT id FROM strictly ORDER BY id", "DELETE FROM strictly WHERE id = ?1")
			},
		},
		spoils: []op{
			func(g *gen) error { return g.run("INSERT INTO strictly VALUES (?1, NULL, 13)", g.name()) },
		},
	}
}

// unique makes a unique constraint over a column; a NULL keeps a row out.
func unique(column int) func(oracle.Row) (string, bool) {
	return func(r oracle.Row) (string, bool) { return r[column].String(), !r[column].IsNull() }
}
