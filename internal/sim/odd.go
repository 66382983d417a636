package sim

import (
	"fmt"
	"math"
	"strings"

	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// value makes a value of any kind, with a liking for the awkward ones.
func (g *gen) value() any {
	switch g.n(16) {
	case 0:
		return nil
	case 1:
		return int64(math.MaxInt64)
	case 2:
		return int64(math.MinInt64)
	case 3:
		return math.Copysign(0, -1)
	case 4:
		return math.Inf(1 - 2*g.n(2))
	case 5:
		return float64(g.n(100))
	case 6:
		return "a\x00b"
	case 7:
		return "𝄞 \u202eé\u0301"
	case 8:
		return []byte{}
	case 9:
		return []byte{0, 255, 128, byte(g.n(256))}
	case 10:
		return ""
	case 11:
		return int64(1)<<53 + int64(g.n(3)) - 1
	case 12:
		return g.r.Float64() * 1e-300
	case 13:
		return strings.Repeat("x", g.n(600))
	}
	return int64(g.n(1000))
}

const oddTable = `od d "tab[le]` + "`"

// odd: names that want quoting, a key of two columns that compares without
// case, generated columns, a key of reals.
func odd() *family {
	t := `"od d ""tab[le]` + "`" + `"`
	one := `SELECT "key", "n°" FROM ` + t + ` ORDER BY 1, 2`
	where := ` WHERE "key" = ?1 AND "n°" = ?2`
	return &family{
		title: "odd",
		sql: `CREATE TABLE ` + t + ` ("key" TEXT COLLATE NOCASE, "n°" INTEGER, "group", "select" NUMERIC, "ge n" AS ("n°" * 2) VIRTUAL,
				"kept" TEXT AS (typeof("group")) STORED, PRIMARY KEY ("key", "n°")) WITHOUT ROWID;
			CREATE TABLE "réal" (x REAL PRIMARY KEY NOT NULL, "order" DEFAULT 'd');`,
		tables: []*oracle.Table{
			{Name: oddTable, Columns: []string{"key", "n°", "group", "select"}, Key: []int{0, 1}, NotNull: []int{0, 1}, Fold: map[int]bool{0: true}},
			{Name: "réal", Columns: col("x order"), Key: []int{0}, NotNull: []int{0}},
		},
		ops: []op{
			func(g *gen) error {
				return g.run("INSERT OR IGNORE INTO "+t+" VALUES (?1, ?2, ?3, ?4)", g.person2(), g.n(4), g.value(), g.value())
			},
			func(g *gen) error {
				return g.run("INSERT OR REPLACE INTO "+t+" VALUES (?1, ?2, ?3, ?4)", g.person2(), g.n(4), g.value(), g.n(9))
			},
			func(g *gen) error { return g.with(one, "UPDATE "+t+` SET "group" = ?3`+where, g.value()) },
			func(g *gen) error { return g.with(one, "UPDATE "+t+` SET "select" = ?3`+where, g.value()) },
			func(g *gen) error { return g.with(one, "UPDATE "+t+` SET "key" = upper("key")`+where) },
			func(g *gen) error { return g.with(one, "UPDATE OR REPLACE "+t+` SET "n°" = ?3`+where, g.n(6)) },
			func(g *gen) error { return g.with(one, "DELETE FROM "+t+where) },
			func(g *gen) error { return g.run(`INSERT OR IGNORE INTO "réal" VALUES (?1, ?2)`, g.real(), g.value()) },
			func(g *gen) error {
				return g.with(`SELECT x FROM "réal" ORDER BY x`, `UPDATE OR IGNORE "réal" SET x = ?2, "order" = ?3 WHERE x = ?1`, g.real(), g.value())
			},
			func(g *gen) error {
				return g.with(`SELECT x FROM "réal" ORDER BY x`, `DELETE FROM "réal" WHERE x = ?1`)
			},
		},
	}
}

func (g *gen) person2() string { return []string{"ann", "ANN", "é", "É", "bob", ""}[g.n(6)] }

func (g *gen) real() float64 {
	return []float64{0, math.Copysign(0, -1), 1, 1.5, math.Inf(1), math.Inf(-1), 1e300, -2.25}[g.n(8)]
}

// wideColumns is more than one capture record holds.
const wideColumns = 37

// wide: many columns, of which a few change.
func wide() *family {
	names, defs := []string{"id"}, []string{"id BLOB PRIMARY KEY NOT NULL"}
	for i := range wideColumns {
		names = append(names, fmt.Sprintf("c%d", i))
		defs = append(defs, fmt.Sprintf("c%d ANY", i))
	}
	const one = "SELECT id FROM wide ORDER BY id"
	set := func(g *gen) error {
		return g.with(one, fmt.Sprintf("UPDATE wide SET c%d = ?2, c%d = ?3 WHERE id = ?1", g.n(18), 18+g.n(19)), g.value(), g.value())
	}
	return &family{
		title:  "wide",
		sql:    "CREATE TABLE wide (" + strings.Join(defs, ", ") + ") STRICT;",
		tables: []*oracle.Table{{Name: "wide", Columns: names, Key: []int{0}, NotNull: []int{0}}},
		ops: []op{
			set, set,
			func(g *gen) error {
				return g.run("INSERT INTO wide (id, c1, c20) VALUES (CAST(?1 AS BLOB), ?2, ?3)", g.name(), g.value(), g.value())
			},
			func(g *gen) error {
				return g.run("INSERT OR REPLACE INTO wide (id, c3, c36) VALUES (CAST(?1 AS BLOB), ?2, ?3)", fmt.Sprint(g.n(4)), g.value(), g.value())
			},
			func(g *gen) error { return g.with(one, "DELETE FROM wide WHERE id = ?1") },
		},
	}
}

// stamped: a trigger that touches the row again, as many apps have it, and one
// that writes into a table without a key, which does not sync.
func stamped() *family {
	const one = "SELECT id FROM note ORDER BY id"
	return &family{
		title: "note",
		sql: `CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT, touched INTEGER NOT NULL DEFAULT 0);
			CREATE TABLE audit (what);
			CREATE TRIGGER note_touch AFTER UPDATE OF body ON note BEGIN UPDATE note SET touched = touched + 1 WHERE id = NEW.id; END;
			CREATE TRIGGER note_audit AFTER INSERT ON note BEGIN INSERT INTO audit VALUES (NEW.id); END;`,
		tables: []*oracle.Table{{Name: "note", Columns: col("id body touched"), Key: []int{0}, NotNull: []int{2}}},
		ops: []op{
			func(g *gen) error {
				return g.run("INSERT INTO note (id, body) VALUES (?1, ?2)", g.who*1000+g.n(900), g.name())
			},
			func(g *gen) error { return g.with(one, "UPDATE note SET body = ?2 WHERE id = ?1", g.name()) },
			func(g *gen) error { return g.with(one, "UPDATE note SET body = ?2 WHERE id = ?1", g.name()) },
			func(g *gen) error { return g.with(one, "DELETE FROM note WHERE id = ?1") },
		},
	}
}
