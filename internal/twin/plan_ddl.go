package twin

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

func (p *planner) grow(*machine) (Op, bool) {
	sql := p.apps.Grown(p.grown)
	if sql == "" || p.w.server.due {
		return Op{}, false
	}
	p.grown++
	return Op{Do: "grow", Stmts: []Stmt{{SQL: sql}}}, true
}

// localDDL is what an app does to the structure of its copy, which concerns nobody else.
var localDDL = []string{
	"ALTER TABLE xkeep ADD COLUMN own DEFAULT 'mine'",
	"CREATE INDEX own_index ON xpol (count)",
	"CREATE TABLE own_log (what, at INTEGER)",
	"CREATE TRIGGER own_note AFTER INSERT ON xkeep BEGIN INSERT INTO own_log VALUES (new.id, new.a); END",
	"CREATE TRIGGER own_gone AFTER DELETE ON xpol BEGIN INSERT INTO own_log VALUES (old.id, 'gone'); END",
	"CREATE TRIGGER own_late AFTER UPDATE OF late ON xpol BEGIN UPDATE xpol SET first = new.late WHERE id = new.id; END",
	"CREATE TRIGGER own_limit AFTER UPDATE ON xkeep WHEN new.id = 3 BEGIN INSERT INTO own_few VALUES (new.id); END",
	"CREATE TABLE own_few (n INTEGER CHECK (n < 3))",
	"DROP TABLE own_log",
	"DROP TABLE xdoc_text",
	"DROP TABLE xone",
	"CREATE TABLE xone (a, b TEXT, c, id TEXT PRIMARY KEY NOT NULL, UNIQUE (a, b))",
	"ALTER TABLE xloose RENAME TO own_loose",
	"ALTER TABLE own_loose RENAME TO xloose",
	"ALTER TABLE xwide RENAME COLUMN v12 TO own_v12",
	"ALTER TABLE xkeep DROP COLUMN own",
	"DROP TRIGGER xdoc_stamp",
	"VACUUM",
	"REINDEX",
	"DELETE FROM sqlite_sequence",
	"DROP TRIGGER _tm_",
}

func (p *planner) redefine(d *machine) (Op, bool) {
	dev, ok := d.dev.(*goDevice)
	if !ok {
		return Op{}, false
	}
	sql := localDDL[p.rand.IntN(len(localDDL))]
	if sql == "DROP TRIGGER _tm_" {
		const which = "FROM main.sqlite_master WHERE type = 'trigger' AND name LIKE '\\_tm\\_%' ESCAPE '\\'"
		n, err := dev.db.Int("SELECT count(*) " + which)
		if err != nil || n == 0 {
			return Op{}, false
		}
		name, err := dev.db.Text("SELECT name "+which+" ORDER BY name LIMIT 1 OFFSET ?1", tidemark.Int(p.rand.Int64N(n)))
		if err != nil {
			return Op{}, false
		}
		sql = "DROP TRIGGER " + lite.Quote(name)
	}
	return Op{Do: "ddl", Dev: d.number, Stmts: []Stmt{{SQL: sql}}}, true
}

// serverDDL is what somebody does to the structure of the served file.
var serverDDL = []string{
	"ALTER TABLE xkeep ADD COLUMN more TEXT DEFAULT 'new'",
	"ALTER TABLE xpol ADD COLUMN extra INTEGER NOT NULL DEFAULT 7",
	"ALTER TABLE xchild ADD COLUMN more INTEGER REFERENCES xauto (id)",
	"CREATE TABLE xlate (id INTEGER PRIMARY KEY, v, doc INTEGER REFERENCES xdoc (id) ON DELETE CASCADE)",
	"CREATE UNIQUE INDEX xkeep_b ON xkeep (a, id)",
	"CREATE INDEX xpol_count ON xpol (count DESC)",
	"DROP INDEX xpol_count",
	"CREATE VIEW xview AS SELECT id, count FROM xpol",
	"CREATE TRIGGER xkeep_log AFTER INSERT ON xkeep BEGIN INSERT INTO xlog VALUES (new.id); END",
	"CREATE TABLE xlog (what)",
	"DROP TRIGGER xdoc_stamp",
	"DROP TABLE xone",
	"ALTER TABLE xloose RENAME COLUMN v TO w",
	"CREATE VIRTUAL TABLE xlabels USING fts5(labels)",
	"ALTER TABLE xwide DROP COLUMN v12",
}

func (p *planner) redefineServer(*machine) (Op, bool) {
	if p.w.server.due {
		return Op{}, false
	}
	return Op{Do: "grow", Stmts: []Stmt{{SQL: serverDDL[p.rand.IntN(len(serverDDL))]}}}, true
}
