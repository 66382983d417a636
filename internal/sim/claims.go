package sim

import (
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// claims: unique places that several devices want, by every statement that can
// evict, swap or give up.
func claims() *family {
	const one = "SELECT id FROM claim ORDER BY id"
	return &family{
		title: "claim",
		sql: `CREATE TABLE claim (id INTEGER PRIMARY KEY, room TEXT COLLATE NOCASE NOT NULL, slot INTEGER, who TEXT, UNIQUE (room, slot));
			CREATE UNIQUE INDEX claim_who ON claim (lower(who)) WHERE slot > 5;`,
		tables: []*oracle.Table{{
			Name: "claim", Columns: col("id room slot who"), Key: []int{0}, NotNull: []int{1},
			Unique: []func(oracle.Row) (string, bool){roomSlot, liveWho},
		}},
		ops: []op{
			func(g *gen) error {
				return g.run("INSERT INTO claim (room, slot, who) VALUES (?1, ?2, ?3)", g.room(), g.n(9), g.name())
			},
			func(g *gen) error {
				return g.run("INSERT INTO claim VALUES (?1, ?2, ?3, ?4)", g.who*100+g.n(50), g.room(), g.n(9), g.person())
			},
			func(g *gen) error {
				return g.run("INSERT OR REPLACE INTO claim VALUES (?1, ?2, ?3, ?4)", g.who*100+g.n(50), g.room(), g.n(9), g.person())
			},
			func(g *gen) error {
				return g.run("INSERT OR IGNORE INTO claim (room, slot, who) VALUES (?1, ?2, ?3)", g.room(), g.n(9), g.person())
			},
			func(g *gen) error {
				return g.run("INSERT INTO claim (room, slot, who) VALUES (?1, ?2, ?3) ON CONFLICT (room, slot) DO UPDATE SET who = excluded.who", g.room(), g.n(9), g.name())
			},
			func(g *gen) error { return g.with(one, "UPDATE OR REPLACE claim SET slot = ?2 WHERE id = ?1", g.n(9)) },
			func(g *gen) error {
				return g.with(one, "UPDATE OR IGNORE claim SET who = ?2 WHERE id = ?1", g.person())
			},
			func(g *gen) error { return g.with(one, "UPDATE claim SET slot = NULL WHERE id = ?1") },
			func(g *gen) error {
				return g.with(one, "UPDATE OR REPLACE claim SET id = ?2 WHERE id = ?1", g.who*100+g.n(50))
			},
			func(g *gen) error { return g.with(one, "DELETE FROM claim WHERE id = ?1") },
			swapSlots,
		},
	}
}

// swapSlots lets two rows exchange a unique value.
func swapSlots(g *gen) error {
	const placed = "SELECT id, slot FROM claim WHERE room = 'a' AND slot BETWEEN 0 AND 5 ORDER BY id"
	a, err := g.some(placed)
	if err != nil || a == nil {
		return err
	}
	b, err := g.some(placed)
	if err != nil || b[0] == a[0] {
		return err
	}
	for _, step := range []struct{ id, slot tidemark.Value }{{a[0], tidemark.Null}, {b[0], a[1]}, {a[0], b[1]}} {
		if err := g.run("UPDATE claim SET slot = ?2 WHERE id = ?1", step.id, step.slot); err != nil {
			return err
		}
	}
	return nil
}

func (g *gen) room() string { return []string{"a", "A", "b", "c"}[g.n(4)] }

// person is one of a few, so that people meet; sometimes nobody.
func (g *gen) person() any {
	if g.n(4) == 0 {
		return nil
	}
	return []string{"ann", "Ann", "bob", "cleo", "dan", "eve"}[g.n(6)]
}

func roomSlot(r oracle.Row) (string, bool) {
	return strings.ToLower(r[1].Str()) + "/" + r[2].String(), !r[2].IsNull()
}

func liveWho(r oracle.Row) (string, bool) {
	live := !r[2].IsNull() && r[2].Float64() > 5 && !r[3].IsNull()
	return strings.ToLower(r[3].Str()), live
}

// trees: foreign keys of every kind, with cascades through them.
func trees() *family {
	const node = "SELECT id FROM node ORDER BY id"
	return &family{
		title: "tree",
		sql: `CREATE TABLE node (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES node (id) ON DELETE CASCADE ON UPDATE CASCADE, label TEXT);
			CREATE TABLE leaf (id TEXT PRIMARY KEY, node INTEGER REFERENCES node (id) ON DELETE SET NULL ON UPDATE CASCADE, v);
			CREATE TABLE tag (node INTEGER NOT NULL REFERENCES node (id) ON DELETE CASCADE ON UPDATE CASCADE, tag TEXT NOT NULL, PRIMARY KEY (node, tag)) WITHOUT ROWID;
			CREATE TABLE hold (id INTEGER PRIMARY KEY, node INTEGER REFERENCES node (id));
			CREATE INDEX node_parent ON node (parent);
			INSERT INTO node VALUES (1, NULL, 'root'), (2, 1, 'left'), (3, 1, 'right');`,
		tables: []*oracle.Table{
			{Name: "node", Columns: col("id parent label"), Key: []int{0}, Refs: []oracle.Ref{
				{Columns: []int{1}, Parent: "node", To: []int{0}, OnDelete: oracle.Cascade, OnUpdate: oracle.Cascade}}},
			{Name: "leaf", Columns: col("id node v"), Key: []int{0}, Refs: []oracle.Ref{
				{Columns: []int{1}, Parent: "node", To: []int{0}, OnDelete: oracle.SetNull, OnUpdate: oracle.Cascade}}},
			{Name: "tag", Columns: col("node tag"), Key: []int{0, 1}, NotNull: []int{0, 1}, Refs: []oracle.Ref{
				{Columns: []int{0}, Parent: "node", To: []int{0}, OnDelete: oracle.Cascade, OnUpdate: oracle.Cascade}}},
			{Name: "hold", Columns: col("id node"), Key: []int{0}, Refs: []oracle.Ref{
				{Columns: []int{1}, Parent: "node", To: []int{0}}}},
		},
		ops: []op{
			func(g *gen) error {
				return g.with(node, "INSERT INTO node VALUES (?2, ?1, ?3)", 1000*(1+g.who)+g.n(400), g.name())
			},
			func(g *gen) error {
				return g.with(node, "INSERT INTO node SELECT max(id) + 1, ?1, ?2 FROM node", g.name())
			},
			func(g *gen) error { return g.with(node, "UPDATE node SET label = ?2 WHERE id = ?1", g.name()) },
			func(g *gen) error {
				return g.with(node, "UPDATE node SET parent = ?1 WHERE id = (SELECT max(id) FROM node WHERE id <> ?1)")
			},
			func(g *gen) error { return g.with(node, "DELETE FROM node WHERE id = ?1 AND id > 1") },
			func(g *gen) error {
				return g.with(node, "UPDATE node SET id = ?2 WHERE id = ?1 AND id > 1", 1000*(1+g.who)+g.n(400))
			},
			func(g *gen) error { return g.with(node, "INSERT INTO leaf VALUES (?2, ?1, ?3)", g.name(), g.value()) },
			func(g *gen) error {
				return g.with(node, "UPDATE leaf SET node = ?1 WHERE id = (SELECT min(id) FROM leaf)")
			},
			func(g *gen) error {
				return g.with(node, "INSERT OR IGNORE INTO tag VALUES (?1, ?2)", string(rune('a'+g.n(4))))
			},
			func(g *gen) error {
				return g.with(node, "INSERT OR REPLACE INTO hold VALUES (?2, ?1)", 10*g.who+g.n(3))
			},
			func(g *gen) error { return g.with("SELECT id FROM hold ORDER BY id", "DELETE FROM hold WHERE id = ?1") },
		},
		spoils: []op{
			func(g *gen) error { return g.run("INSERT INTO leaf VALUES (?1, 777777, NULL)", g.name()) },
			func(g *gen) error { return g.with(node, "DELETE FROM node WHERE id = ?1 AND id > 1") },
		},
	}
}
