package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// declared gives a schema the policies that the model's tables have.
func (w *world) declared(sc *tidemark.Schema) (*tidemark.Schema, error) {
	out := *sc
	out.Tables = slices.Clone(sc.Tables)
	for i, t := range sc.Tables {
		if m := w.model.Table(t.Name); m != nil {
			out.Tables[i] = declare(t, m)
		}
	}
	out.Hash = schema.HashOf(&out)
	return &out, nil
}

func declare(t *tidemark.Table, m *oracle.Table) *tidemark.Table {
	c := *t
	c.Columns = slices.Clone(t.Columns)
	for i := range c.Columns {
		c.Columns[i].Policy = tidemark.Policy(m.Policy[i])
		if c.Columns[i].Policy == tidemark.PolicyCustom {
			c.Columns[i].Custom = "longer"
		}
	}
	for _, group := range m.Groups {
		for _, col := range group {
			c.Columns[col].Group = m.Columns[group[0]]
		}
	}
	c.Policy.OnInsert = tidemark.InsertReject
	if m.MergeInserts {
		c.Policy.OnInsert = tidemark.InsertMerge
	}
	if m.Renumber {
		c.Policy.OnInsert = tidemark.InsertRenumber
	}
	if m.AppendOnly {
		c.Policy.Columns = tidemark.PolicyAppendOnly
	}
	if m.UpdateWins {
		c.Policy.OnDelete = tidemark.UpdateWins
	}
	if m.Quiet {
		c.Policy.Keep = tidemark.KeepNothing
	}
	return &c
}

// functions are those of columns whose policy is custom.
func functions() map[string]merge.Func {
	return map[string]merge.Func{"longer": func(base, theirs, mine tidemark.Value) (tidemark.Value, error) {
		return oracle.Longer(base, theirs, mine), nil
	}}
}

// tallies: numbers that add up, and never fall below zero.
func tallies() *family {
	const one = "SELECT id FROM tally ORDER BY id"
	return &family{
		title: "tally",
		sql: `CREATE TABLE tally (id TEXT PRIMARY KEY NOT NULL, n INTEGER NOT NULL CHECK (n >= 0), r REAL, high INTEGER, low);
			INSERT INTO tally VALUES ('a', 20, 1.5, 0, 0), ('b', 3, NULL, 5, 'x'), ('c', 0, 0.25, NULL, NULL);`,
		tables: []*oracle.Table{{
			Name: "tally", Columns: col("id n r high low"), Key: []int{0}, NotNull: []int{0, 1},
			Policy: map[int]string{1: "counter", 2: "counter", 3: "max", 4: "min"},
			Check:  []oracle.Check{{Code: tidemark.CodeCheck, Holds: func(r oracle.Row) bool { return r[1].Float64() >= 0 }}},
		}},
		ops: []op{
			func(g *gen) error { return g.with(one, "UPDATE tally SET n = n + ?2 WHERE id = ?1", 1+g.n(9)) },
			func(g *gen) error {
				return g.with(one, "UPDATE OR IGNORE tally SET n = n - ?2 WHERE id = ?1 AND n >= ?2", 1+g.n(9))
			},
			func(g *gen) error {
				return g.with(one, "UPDATE tally SET n = n + 1, r = coalesce(r, 0) + ?2 WHERE id = ?1", float64(g.n(64))/4)
			},
			func(g *gen) error {
				return g.with(one, "UPDATE tally SET high = ?2, low = ?3 WHERE id = ?1", g.n(100), g.n(100))
			},
			func(g *gen) error { return g.with(one, "UPDATE tally SET low = ?2 WHERE id = ?1", g.value()) },
		},
	}
}

// banks: money that moves between accounts, never below nothing. It is neither
// made nor lost: whatever meets, the total stays.
func banks() *family {
	transfer := func(g *gen) error {
		from, to, amount := 1+g.n(5), 1+g.n(5), 1+g.n(40)
		if err := g.run("UPDATE account SET balance = balance - ?2 WHERE id = ?1 AND balance >= ?2", from, amount); err != nil {
			return err
		}
		if n, err := g.db.Int("SELECT changes()"); err != nil || n == 0 {
			return err
		}
		return g.run("UPDATE account SET balance = balance + ?2 WHERE id = ?1", to, amount)
	}
	return &family{
		title: "account",
		sql: `CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0), owner TEXT);
			INSERT INTO account VALUES (1, 100, 'a'), (2, 60, 'b'), (3, 20, 'c'), (4, 20, 'd'), (5, 0, 'e');`,
		tables: []*oracle.Table{{
			Name: "account", Columns: col("id balance owner"), Key: []int{0}, NotNull: []int{1},
			Policy: map[int]string{1: "counter"},
			Check:  []oracle.Check{{Code: tidemark.CodeCheck, Holds: func(r oracle.Row) bool { return r[1].Float64() >= 0 }}},
		}},
		ops: []op{
			transfer, transfer, transfer, transfer,
			func(g *gen) error {
				return g.with("SELECT id FROM account ORDER BY id", "UPDATE account SET owner = ?2 WHERE id = ?1", g.name())
			},
		},
		invariant: func(s oracle.State) string {
			var total int64
			for _, r := range s["account"] {
				total += r[1].Int64()
			}
			if total != 200 {
				return fmt.Sprintf("the accounts hold %d of 200", total)
			}
			return ""
		},
	}
}

// shelves: sets and objects as JSON.
func shelves() *family {
	const one = "SELECT id FROM shelf ORDER BY id"
	change := func(g *gen) error {
		row, err := g.some("SELECT id, labels, prefs FROM shelf ORDER BY id")
		if err != nil || row == nil {
			return err
		}
		return g.run("UPDATE shelf SET labels = ?2, prefs = ?3 WHERE id = ?1", row[0], g.relabel(row[1].Str()), g.prefer(row[2].Str()))
	}
	return &family{
		title: "shelf",
		sql: `CREATE TABLE shelf (id TEXT PRIMARY KEY NOT NULL, labels TEXT, prefs TEXT);
			INSERT INTO shelf VALUES ('a', '[]', '{}'), ('b', '["x","y"]', '{"u":1}'), ('c', NULL, '{}');`,
		tables: []*oracle.Table{{
			Name: "shelf", Columns: col("id labels prefs"), Key: []int{0}, NotNull: []int{0},
			Policy: map[int]string{1: "set", 2: "json"},
		}},
		ops: []op{
			change, change, change,
			func(g *gen) error { return g.run("INSERT OR IGNORE INTO shelf VALUES (?1, '[\"z\"]', '{}')", g.name()) },
			func(g *gen) error { return g.with(one, "DELETE FROM shelf WHERE id = ?1 AND length(id) > 1") },
		},
	}
}

// relabel adds or takes away a member of a set.
func (g *gen) relabel(labels string) string {
	list := []string{}
	_ = json.Unmarshal([]byte(labels), &list)
	label := string(rune('a' + g.n(8)))
	if i := slices.Index(list, label); i >= 0 {
		list = slices.Delete(list, i, i+1)
	} else {
		list = append(list, label)
	}
	text, _ := json.Marshal(list)
	return string(text)
}

// prefer sets or removes a key of an object.
func (g *gen) prefer(prefs string) string {
	m := map[string]int{}
	_ = json.Unmarshal([]byte(prefs), &m)
	key := string(rune('p' + g.n(5)))
	if _, there := m[key]; there && g.n(3) == 0 {
		delete(m, key)
	} else {
		m[key] = g.n(50)
	}
	text, _ := json.Marshal(m)
	return string(text)
}

// notes: texts whose characters are all different.
func notes() *family {
	write := func(g *gen) error {
		row, err := g.some("SELECT id, body FROM memo ORDER BY id")
		if err != nil || row == nil {
			return err
		}
		return g.run("UPDATE memo SET body = ?2 WHERE id = ?1", row[0], g.rewrite(row[1].Str()))
	}
	return &family{
		title: "note",
		sql: `CREATE TABLE memo (id TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL, title TEXT);
			INSERT INTO memo VALUES ('a', 'ab', ''), ('b', '', NULL);`,
		tables: []*oracle.Table{{
			Name: "memo", Columns: col("id body title"), Key: []int{0}, NotNull: []int{0, 1},
			Policy: map[int]string{1: "text", 2: "custom"},
		}},
		ops: []op{
			write, write, write, write,
			func(g *gen) error {
				return g.with("SELECT id FROM memo ORDER BY id", "UPDATE memo SET title = ?2 WHERE id = ?1", strings.Repeat("t", g.n(5))+g.name())
			},
		},
	}
}

// rewrite inserts a few characters that were never used, or takes some away.
func (g *gen) rewrite(body string) string {
	text := []rune(body)
	at := g.n(len(text) + 1)
	if g.n(3) == 0 && len(text) > 0 {
		end := min(len(text), at+1+g.n(3))
		return string(slices.Delete(text, at, end))
	}
	fresh := make([]rune, 1+g.n(3))
	for i := range fresh {
		// Planes 15 and 16 are for private use: 131,000 characters beyond the
		// surrogates. A prime step spreads them, so that order says nothing.
		g.w.letters++
		fresh[i] = rune(0xF0000 + g.w.letters*40_503%0x1FFFD)
	}
	return string(slices.Insert(text, at, fresh...))
}

// decisions: columns of which what was there stays, or stale edits are refused,
// or a person decides; an address that changes as one.
func decisions() *family {
	const one = "SELECT id FROM due ORDER BY id"
	return &family{
		title: "due",
		sql: `CREATE TABLE due (id TEXT PRIMARY KEY NOT NULL, first, day, strict, street TEXT, city TEXT, late);
			INSERT INTO due VALUES ('a', 1, 1, 1, 's', 'c', 1), ('b', 2, 2, 2, 's', 'c', 2), ('c', 3, 3, 3, 's', 'c', 3);`,
		tables: []*oracle.Table{{
			Name: "due", Columns: col("id first day strict street city late"), Key: []int{0}, NotNull: []int{0},
			Policy: map[int]string{1: "first-write", 2: "manual", 3: "reject", 6: "latest-edit"}, Groups: [][]int{{4, 5}},
		}},
		ops: []op{
			func(g *gen) error { return g.with(one, "UPDATE due SET first = ?2 WHERE id = ?1", g.n(9)) },
			func(g *gen) error { return g.with(one, "UPDATE due SET day = ?2 WHERE id = ?1", g.n(9)) },
			func(g *gen) error { return g.with(one, "UPDATE due SET strict = ?2 WHERE id = ?1", g.n(9)) },
			func(g *gen) error { return g.with(one, "UPDATE due SET late = ?2 WHERE id = ?1", g.n(9)) },
			func(g *gen) error { return g.with(one, "UPDATE due SET street = ?2 WHERE id = ?1", g.name()) },
			func(g *gen) error {
				return g.with(one, "UPDATE due SET street = ?2, city = ?3 WHERE id = ?1", g.name(), g.name())
			},
			func(g *gen) error {
				return g.with(one, "UPDATE due SET city = ?2, first = ?3 WHERE id = ?1", g.name(), g.n(9))
			},
		},
	}
}

// survivors: rows that come back when somebody changed them, a log that only
// grows, and rows that two may make and both mean.
func survivors() *family {
	const one = "SELECT id FROM keeper ORDER BY id"
	return &family{
		title: "keeper",
		sql: `CREATE TABLE keeper (id TEXT PRIMARY KEY NOT NULL, a, b);
			CREATE TABLE trail (id TEXT PRIMARY KEY NOT NULL, what);
			CREATE TABLE setting (name INTEGER PRIMARY KEY, v, n INTEGER);
			CREATE TABLE scratch (id INTEGER PRIMARY KEY, v);
			INSERT INTO keeper VALUES ('a', 1, 1), ('b', 2, 2), ('c', 3, 3);
			INSERT INTO trail VALUES ('start', 1);
			INSERT INTO scratch VALUES (1, 1), (2, 2);`,
		tables: []*oracle.Table{
			{Name: "keeper", Columns: col("id a b"), Key: []int{0}, NotNull: []int{0}, UpdateWins: true},
			{Name: "trail", Columns: col("id what"), Key: []int{0}, NotNull: []int{0}, AppendOnly: true},
			{Name: "setting", Columns: col("name v n"), Key: []int{0}, MergeInserts: true},
			{Name: "scratch", Columns: col("id v"), Key: []int{0}, Quiet: true},
		},
		ops: []op{
			func(g *gen) error { return g.with(one, "UPDATE keeper SET a = ?2 WHERE id = ?1", g.n(9)) },
			func(g *gen) error { return g.with(one, "UPDATE keeper SET b = ?2 WHERE id = ?1", g.n(9)) },
			func(g *gen) error { return g.with(one, "DELETE FROM keeper WHERE id = ?1") },
			func(g *gen) error { return g.run("INSERT INTO keeper VALUES (?1, 0, 0)", g.name()) },
			func(g *gen) error { return g.run("INSERT INTO trail VALUES (?1, ?2)", g.name(), g.value()) },
			func(g *gen) error {
				return g.run("INSERT OR IGNORE INTO setting VALUES (?1, ?2, ?3)", g.n(30), g.n(5), g.n(5))
			},
			func(g *gen) error {
				return g.with("SELECT id FROM scratch ORDER BY id", "UPDATE scratch SET v = ?2 WHERE id = ?1", g.n(99))
			},
		},
		spoils: []op{
			func(g *gen) error { return g.run("UPDATE trail SET what = ?1 WHERE id = 'start'", g.name()) },
		},
	}
}

// orders: rows that devices number as SQLite does, with lines and notes that refer to them.
func orders() *family {
	const one = "SELECT id FROM ord ORDER BY id"
	return &family{
		title: "ord",
		sql: `CREATE TABLE ord (id INTEGER PRIMARY KEY, what);
			CREATE TABLE line (id INTEGER PRIMARY KEY, ord INTEGER NOT NULL REFERENCES ord (id) ON DELETE CASCADE, n);
			CREATE TABLE mark (ord INTEGER NOT NULL REFERENCES ord (id) ON DELETE CASCADE, name TEXT NOT NULL, PRIMARY KEY (ord, name)) WITHOUT ROWID;
			INSERT INTO ord VALUES (1, 'a'), (2, 'b');
			INSERT INTO line VALUES (1, 1, 1);`,
		tables: []*oracle.Table{
			{Name: "ord", Columns: col("id what"), Key: []int{0}, Renumber: true},
			{Name: "line", Columns: col("id ord n"), Key: []int{0}, NotNull: []int{1}, Renumber: true,
				Refs: []oracle.Ref{{Columns: []int{1}, Parent: "ord", To: []int{0}, OnDelete: oracle.Cascade}}},
			{Name: "mark", Columns: col("ord name"), Key: []int{0, 1}, NotNull: []int{0, 1},
				Refs: []oracle.Ref{{Columns: []int{0}, Parent: "ord", To: []int{0}, OnDelete: oracle.Cascade}}},
		},
		ops: []op{
			func(g *gen) error { return g.run("INSERT INTO ord (what) VALUES (?1)", g.name()) },
			func(g *gen) error {
				if err := g.run("INSERT INTO ord (what) VALUES (?1)", g.name()); err != nil {
					return err
				}
				return g.run("INSERT INTO line (ord, n) SELECT max(id), ?1 FROM ord", g.n(9))
			},
			func(g *gen) error { return g.with(one, "INSERT INTO line (ord, n) VALUES (?1, ?2)", g.n(9)) },
			func(g *gen) error {
				return g.with(one, "INSERT OR IGNORE INTO mark VALUES (?1, ?2)", string(rune('a'+g.n(5))))
			},
			func(g *gen) error { return g.with(one, "UPDATE ord SET what = ?2 WHERE id = ?1", g.name()) },
			func(g *gen) error {
				return g.with("SELECT id FROM line ORDER BY id", "UPDATE line SET n = ?2 WHERE id = ?1", g.n(99))
			},
			func(g *gen) error { return g.with("SELECT id FROM line ORDER BY id", "DELETE FROM line WHERE id = ?1") },
			func(g *gen) error { return g.with(one, "DELETE FROM ord WHERE id = ?1 AND id % 3 = 0") },
		},
	}
}
