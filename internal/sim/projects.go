package sim

import (
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// projectTables is what organisations, their people and their projects are
// made of. What refers across scopes does so on purpose.
const projectTables = `
	CREATE TABLE org (id INTEGER PRIMARY KEY, name TEXT);
	CREATE TABLE member (org INTEGER NOT NULL REFERENCES org (id) ON DELETE CASCADE, person TEXT NOT NULL, role TEXT,
		PRIMARY KEY (org, person)) WITHOUT ROWID;
	CREATE TABLE project (id INTEGER PRIMARY KEY, org INTEGER REFERENCES org (id) ON DELETE SET NULL, name TEXT);
	CREATE TABLE guest (project INTEGER NOT NULL REFERENCES project (id) ON DELETE CASCADE ON UPDATE CASCADE, person TEXT NOT NULL,
		PRIMARY KEY (project, person)) WITHOUT ROWID;
	CREATE TABLE label (id INTEGER PRIMARY KEY, name TEXT);
	CREATE TABLE task (id TEXT PRIMARY KEY NOT NULL, project INTEGER REFERENCES project (id) ON DELETE CASCADE ON UPDATE CASCADE,
		label INTEGER REFERENCES label (id) ON DELETE SET NULL, parent TEXT REFERENCES task (id) ON DELETE SET NULL,
		title TEXT, votes INTEGER NOT NULL DEFAULT 0);
	CREATE TABLE remark (id TEXT PRIMARY KEY NOT NULL, task TEXT REFERENCES task (id) ON DELETE CASCADE, body TEXT);
	CREATE TABLE part (id TEXT PRIMARY KEY NOT NULL, remark TEXT REFERENCES remark (id) ON DELETE CASCADE, v);
	CREATE TABLE diary (id TEXT PRIMARY KEY NOT NULL, person TEXT, project INTEGER REFERENCES project (id) ON DELETE SET NULL ON UPDATE CASCADE,
		shared INTEGER NOT NULL DEFAULT 0, body TEXT);
	CREATE TABLE audit (id TEXT PRIMARY KEY NOT NULL, what TEXT);
	CREATE TABLE hoard (id TEXT PRIMARY KEY NOT NULL, what TEXT);
	CREATE INDEX member_person ON member (person);
	CREATE INDEX guest_person ON guest (person);
	CREATE INDEX project_org ON project (org);
	CREATE INDEX task_project ON task (project);
	CREATE INDEX remark_task ON remark (task);
	CREATE INDEX part_remark ON part (remark);
	INSERT INTO org VALUES (1, '$orgAAAAA'), (2, '$orgBBBBB'), (3, '$orgCCCCC');
	INSERT INTO member VALUES (1, 'p0', 'lead'), (1, 'p1', 'hand'), (2, 'p1', 'lead'), (3, 'p2', 'lead');
	INSERT INTO project VALUES (1, 1, '$projAAAA'), (2, 1, '$projBBBB'), (3, 2, '$projCCCC'), (4, 2, '$projDDDD'), (5, 3, '$projEEEE'), (6, NULL, '$projFFFF');
	INSERT INTO guest VALUES (3, 'p0'), (6, 'p2');
	INSERT INTO label VALUES (1, '$labelAAA'), (2, '$labelBBB');
	INSERT INTO task VALUES ('t1', 1, 1, NULL, '$taskAAAA', 0), ('t2', 2, 2, 't1', '$taskBBBB', 0), ('t3', 3, NULL, 't1', '$taskCCCC', 0),
		('t4', 4, 1, NULL, '$taskDDDD', 0), ('t5', 5, NULL, NULL, '$taskEEEE', 0), ('t6', 6, NULL, 't5', '$taskFFFF', 0), ('t7', NULL, NULL, NULL, '$taskGGGG', 0);
	INSERT INTO remark VALUES ('r1', 't1', '$remaAAAA'), ('r2', 't2', '$remaBBBB'), ('r3', 't3', '$remaCCCC'), ('r5', 't5', '$remaEEEE'), ('r7', 't7', '$remaGGGG');
	INSERT INTO part VALUES ('a1', 'r1', '$partAAAA'), ('a3', 'r3', '$partCCCC'), ('a5', 'r5', '$partEEEE');
	INSERT INTO diary VALUES ('d0', 'p0', 1, 1, '$diarAAAA'), ('d1', 'p1', 3, 0, '$diarBBBB'), ('d2', 'p2', 5, 1, '$diarCCCC');
	INSERT INTO audit VALUES ('u1', '$auditAAA');
	INSERT INTO hoard VALUES ('h1', '$hoardAAA');`

// projects: rows in scopes by columns and by paths of foreign keys, with and
// without conditions, in one scope, in several and in none, granted by rows
// that change like all others.
func projects(ruled bool) *family {
	f := &family{title: "task", sql: projectTables, tables: projectModel(), ops: projectOps(), kinds: projectKinds(), scopes: projectScopes}
	f.spoils = []op{
		func(g *gen) error {
			return g.run("INSERT INTO task (id, project, title) VALUES (?1, ?2, ?3)", fmt.Sprintf("t%d", 1+g.n(7)), 1+g.n(6), g.secret())
		},
		func(g *gen) error {
			return g.run("INSERT INTO remark VALUES (?1, ?2, ?3)", g.name(), fmt.Sprintf("t%d", 1+g.n(7)), g.secret())
		},
		func(g *gen) error {
			return g.run("INSERT INTO remark VALUES (?1, 'nowhere', ?2)", g.name(), g.secret())
		},
	}
	if ruled {
		f.rules = projectRules
		for name, rule := range projectRuled() {
			for _, t := range f.tables {
				if t.Name == name {
					t.Rule = rule
				}
			}
		}
	}
	return f
}

func projectModel() []*oracle.Table {
	to := func(parent string, col int, onDelete, onUpdate oracle.Action, loose bool) oracle.Ref {
		return oracle.Ref{Columns: []int{col}, Parent: parent, To: []int{0}, OnDelete: onDelete, OnUpdate: onUpdate, Loose: loose}
	}
	return []*oracle.Table{
		{Name: "org", Columns: col("id name"), Key: []int{0}},
		{Name: "member", Columns: col("org person role"), Key: []int{0, 1}, NotNull: []int{0, 1},
			Refs: []oracle.Ref{to("org", 0, oracle.Cascade, oracle.NoAction, false)}},
		{Name: "project", Columns: col("id org name"), Key: []int{0},
			Refs: []oracle.Ref{to("org", 1, oracle.SetNull, oracle.NoAction, true)}},
		{Name: "guest", Columns: col("project person"), Key: []int{0, 1}, NotNull: []int{0, 1},
			Refs: []oracle.Ref{to("project", 0, oracle.Cascade, oracle.Cascade, true)}},
		{Name: "label", Columns: col("id name"), Key: []int{0}},
		{Name: "task", Columns: col("id project label parent title votes"), Key: []int{0}, NotNull: []int{0, 5},
			Policy: map[int]string{5: "counter"}, Refs: []oracle.Ref{
				to("project", 1, oracle.Cascade, oracle.Cascade, false),
				to("label", 2, oracle.SetNull, oracle.NoAction, false),
				to("task", 3, oracle.SetNull, oracle.NoAction, true),
			}},
		{Name: "remark", Columns: col("id task body"), Key: []int{0}, NotNull: []int{0}, Policy: map[int]string{2: "manual"},
			Refs: []oracle.Ref{to("task", 1, oracle.Cascade, oracle.NoAction, false)}},
		{Name: "part", Columns: col("id remark v"), Key: []int{0}, NotNull: []int{0},
			Refs: []oracle.Ref{to("remark", 1, oracle.Cascade, oracle.NoAction, false)}},
		{Name: "diary", Columns: col("id person project shared body"), Key: []int{0}, NotNull: []int{0, 3},
			Refs: []oracle.Ref{to("project", 2, oracle.SetNull, oracle.Cascade, true)}},
		{Name: "audit", Columns: col("id what"), Key: []int{0}, NotNull: []int{0}},
		{Name: "hoard", Columns: col("id what"), Key: []int{0}, NotNull: []int{0}},
	}
}

// both takes a row of each of two queries.
func both(a, b string) string {
	const order = " ORDER BY id"
	return fmt.Sprintf("SELECT a.id, b.id FROM (%s) a, (%s) b ORDER BY 1, 2", strings.TrimSuffix(a, order), strings.TrimSuffix(b, order))
}

// on writes to a row of the query, with what args make of the run.
func on(query, sql string, args ...func(*gen) any) op {
	return func(g *gen) error {
		vs := make([]any, len(args))
		for i, a := range args {
			vs[i] = a(g)
		}
		return g.with(query, sql, vs...)
	}
}

func projectOps() []op {
	const (
		org     = "SELECT id FROM org ORDER BY id"
		project = "SELECT id FROM project ORDER BY id"
		task    = "SELECT id FROM task ORDER BY id"
		remark  = "SELECT id FROM remark ORDER BY id"
		part    = "SELECT id FROM part ORDER BY id"
		diary   = "SELECT id FROM diary ORDER BY id"
	)
	text := func(g *gen) any { return g.secret() }
	id := func(g *gen) any { return g.name() }
	who := func(g *gen) any { return person(g.n(3)) }
	n := func(lo, hi int) func(*gen) any { return func(g *gen) any { return lo + g.n(hi-lo+1) } }
	return []op{
		on(project, "INSERT INTO task (id, project, title) VALUES (?2, ?1, ?3)", id, text),
		on(project, "INSERT INTO task (id, project, title) VALUES (?2, ?1, ?3)", id, text),
		on(both(task, project), "UPDATE task SET project = ?2 WHERE id = ?1"),
		on(both(task, project), "UPDATE task SET project = ?2, title = ?3 WHERE id = ?1", text),
		on(task, "UPDATE task SET project = NULL WHERE id = ?1"),
		on(task, "UPDATE task SET title = ?2 WHERE id = ?1", text),
		on(task, "UPDATE task SET votes = votes + 1 WHERE id = ?1"),
		on(task, "UPDATE task SET votes = votes + 1 WHERE id = ?1"),
		on(both(task, task), "UPDATE task SET parent = ?2 WHERE id = ?1"),
		on(task, "UPDATE task SET label = ?2 WHERE id = ?1", n(1, 3)),
		on(task, "DELETE FROM task WHERE id = ?1"),
		on(task, "INSERT INTO remark VALUES (?2, ?1, ?3)", id, text),
		on(task, "INSERT INTO remark VALUES (?2, ?1, ?3)", id, text),
		on(remark, "UPDATE remark SET body = ?2 WHERE id = ?1", text),
		on(both(remark, task), "UPDATE remark SET task = ?2 WHERE id = ?1"),
		on(remark, "DELETE FROM remark WHERE id = ?1"),
		on(remark, "INSERT INTO part VALUES (?2, ?1, ?3)", id, text),
		on(part, "UPDATE part SET v = ?2 WHERE id = ?1", text),
		on(both(part, remark), "UPDATE part SET remark = ?2 WHERE id = ?1"),
		on(org, "INSERT OR IGNORE INTO project VALUES (?2, ?1, ?3)", n(7, 12), text),
		on(project, "UPDATE project SET name = ?2 WHERE id = ?1", text),
		on(project, "UPDATE project SET org = ?2 WHERE id = ?1", n(1, 3)),
		on(project, "UPDATE OR IGNORE project SET id = ?2 WHERE id = ?1", n(5, 12)),
		on(project, "DELETE FROM project WHERE id = ?1 AND id > 5"),
		on(project, "INSERT OR IGNORE INTO guest VALUES (?1, ?2)", who),
		on(project, "INSERT OR IGNORE INTO guest VALUES (?1, ?2)", who),
		on("SELECT project, person FROM guest ORDER BY 1, 2", "DELETE FROM guest WHERE project = ?1 AND person = ?2"),
		on("SELECT project, person FROM guest ORDER BY 1, 2", "UPDATE OR IGNORE guest SET person = ?3 WHERE project = ?1 AND person = ?2", who),
		on(org, "INSERT OR IGNORE INTO member VALUES (?1, ?2, ?3)", who, func(g *gen) any { return g.role() }),
		on("SELECT org, person FROM member ORDER BY 1, 2", "DELETE FROM member WHERE org = ?1 AND person = ?2"),
		on("SELECT org, person FROM member ORDER BY 1, 2", "UPDATE member SET role = ?3 WHERE org = ?1 AND person = ?2", func(g *gen) any { return g.role() }),
		on(org, "UPDATE org SET name = ?2 WHERE id = ?1", text),
		on(project, "INSERT INTO diary VALUES (?2, ?3, ?1, ?4, ?5)", id, func(g *gen) any { return g.meMostly() }, n(0, 1), text),
		on(diary, "UPDATE diary SET shared = 1 - shared WHERE id = ?1"),
		on(diary, "UPDATE diary SET person = ?2 WHERE id = ?1", who),
		on(both(diary, project), "UPDATE diary SET project = ?2 WHERE id = ?1"),
		on(diary, "UPDATE diary SET body = ?2 WHERE id = ?1", text),
		on(diary, "DELETE FROM diary WHERE id = ?1"),
		func(g *gen) error { return g.run("INSERT OR IGNORE INTO label VALUES (?1, ?2)", 1+g.n(4), g.secret()) },
		on("SELECT id FROM label ORDER BY id", "UPDATE label SET name = ?2 WHERE id = ?1", text),
		on("SELECT id FROM label ORDER BY id", "DELETE FROM label WHERE id = ?1 AND id > 1"),
		func(g *gen) error { return g.run("INSERT INTO audit VALUES (?1, ?2)", g.name(), g.secret()) },
		on("SELECT id FROM audit ORDER BY id", "UPDATE audit SET what = ?2 WHERE id = ?1", text),
		on("SELECT id FROM hoard ORDER BY id", "UPDATE hoard SET what = ?2 WHERE id = ?1", text),
	}
}
