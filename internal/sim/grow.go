package sim

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// growth is what somebody does to the schema of the served file, in this order.
var growth = []struct {
	sql   string
	table string
	width int // columns that the table has then
}{
	{"ALTER TABLE grow ADD COLUMN x1", "grow", 3},
	{"CREATE TABLE more1 (id TEXT PRIMARY KEY, v, parent INTEGER REFERENCES grow (id) ON DELETE CASCADE)", "more1", 3},
	{"ALTER TABLE grow ADD COLUMN x2 TEXT DEFAULT 'two'", "grow", 4},
	{"ALTER TABLE grow ADD COLUMN x3 INTEGER NOT NULL DEFAULT 3", "grow", 5},
	{"CREATE TABLE more2 (a INTEGER, b INTEGER, v, PRIMARY KEY (a, b)) WITHOUT ROWID", "more2", 3},
	{"ALTER TABLE more1 ADD COLUMN w DEFAULT 1.5", "more1", 4},
}

// grows: tables that get columns, and tables that come, while old copies go on writing.
func grows() *family {
	const one = "SELECT id FROM grow ORDER BY id"
	return &family{
		title: "grow",
		sql:   "CREATE TABLE grow (id INTEGER PRIMARY KEY, base TEXT); INSERT INTO grow VALUES (1, 'a'), (2, 'b'), (3, 'c');",
		tables: []*oracle.Table{
			{Name: "grow", Columns: col("id base x1 x2 x3"), Key: []int{0}, Grows: true,
				Defaults: map[int]tidemark.Value{3: tidemark.Text("two"), 4: tidemark.Int(3)}},
			{Name: "more1", Columns: col("id v parent w"), Key: []int{0}, Grows: true,
				Defaults: map[int]tidemark.Value{3: tidemark.Real(1.5)}, Refs: []oracle.Ref{
					{Columns: []int{2}, Parent: "grow", To: []int{0}, OnDelete: oracle.Cascade}}},
			{Name: "more2", Columns: col("a b v"), Key: []int{0, 1}, Grows: true},
		},
		ops: []op{
			func(g *gen) error {
				return g.run("INSERT INTO grow (id, base) VALUES (?1, ?2)", 100*g.who+g.n(90), g.name())
			},
			func(g *gen) error { return g.with(one, "UPDATE grow SET base = ?2 WHERE id = ?1", g.name()) },
			func(g *gen) error { return g.with(one, "DELETE FROM grow WHERE id = ?1") },
			func(g *gen) error {
				return g.once("grow", 3, func() error { return g.with(one, "UPDATE grow SET x1 = ?2 WHERE id = ?1", g.value()) })
			},
			func(g *gen) error {
				return g.once("grow", 4, func() error { return g.with(one, "UPDATE grow SET x2 = ?2 WHERE id = ?1", g.name()) })
			},
			func(g *gen) error {
				return g.once("grow", 5, func() error { return g.run("UPDATE grow SET x3 = x3 + 1 WHERE id % 4 = ?1", g.n(4)) })
			},
			func(g *gen) error {
				return g.once("more1", 3, func() error {
					return g.with(one, "INSERT INTO more1 (id, v, parent) VALUES (?2, ?3, ?1)", g.name(), g.value())
				})
			},
			func(g *gen) error {
				return g.once("more2", 3, func() error {
					return g.run("INSERT OR REPLACE INTO more2 VALUES (?1, ?2, ?3)", g.n(4), g.n(4), g.value())
				})
			},
		},
	}
}

// once does something on a copy whose table has so many columns already.
func (g *gen) once(table string, width int64, do func() error) error {
	n, err := g.db.Int(fmt.Sprintf("SELECT count(*) FROM pragma_table_info('%s')", table))
	if err != nil || n < width {
		return err
	}
	return do()
}

// grow lets somebody's shell change the schema of the served file.
func (s *server) grow() {
	w := s.w
	if w.model.Table("grow") == nil || s.grown >= len(growth) || !s.up || s.moving || s.foreignBefore != nil || s.tool.Dead() {
		return
	}
	step := growth[s.grown]
	w.must(s.shell.Script(step.sql), "changing the schema")
	w.trace("shell on the server: %s", step.sql)
	s.grown++
	s.moving = true
	s.backup = nil // to put an older schema in place is another story
	s.plan(w.between(0, 300))
}

// moved folds a change of the schema, or of what is declared about scopes.
func (l *ledger) moved(s *server) {
	if n := s.declared; l.now.at(l.now.head()).Declared() != n {
		l.now.append(l.now.at(l.now.head()).Declare(n), tidemark.Hash{}, tidemark.FileReplica)
		s.moving = false
		return
	}
	step := growth[s.grown-1]
	l.now.append(l.now.at(l.now.head()).Widen(l.w.model.Table(step.table), step.width), tidemark.Hash{}, tidemark.FileReplica)
	s.moving = false
}
