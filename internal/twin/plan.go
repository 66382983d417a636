package twin

import (
	"math/rand/v2"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/sim"
)

// planner decides what happens next by looking at the first world, whose
// copies are Go's.
type planner struct {
	rand   *rand.Rand
	apps   *sim.Apps
	extras *extras
	scoped *scoped
	w      *world
	brief  bool
	grown  int
	odds   []odd
	loose  int  // one write in so many breaks a constraint
	ahead  []Op // planned already
}

// odd is a kind of operation with its weight.
type odd struct {
	weight int
	make   func(p *planner, d *machine) (Op, bool)
}

// mostDevices bounds clones and forks.
const mostDevices = 5

// choose gives every kind of mishap a weight of this run, many of them none.
func (p *planner) choose() {
	some := func(most int) int {
		if p.rand.IntN(2) == 0 {
			return 0
		}
		return 1 + p.rand.IntN(most)
	}
	frames := 0
	if !p.brief {
		frames = some(4)
	}
	p.loose = []int{3, 12, 12}[p.rand.IntN(3)]
	ddl := 0
	if p.extras.r != nil {
		p.extras.like()
		ddl = max(0, some(6)-2)
	}
	subscribe, redeclare := 0, 0
	if p.scoped.r != nil {
		subscribe, redeclare = 1+p.rand.IntN(12), max(0, some(4)-1)
	}
	p.odds = []odd{
		{subscribe, (*planner).subscribe},
		{redeclare, (*planner).redeclare},
		{40, (*planner).write},
		{2 + p.rand.IntN(16), whole("sync", 1000)},
		{some(12), (*planner).cutShort},
		{some(30), (*planner).message},
		{some(8), plain("group")},
		{12, plain("local")},
		{some(6), plain("connect")},
		{some(4), plain("start")},
		{some(4), plain("tick")},
		{some(4), plain("cut")},
		{some(3), plain("hangup")},
		{some(5), plain("crash")},
		{some(2), plain("exchange")},
		{some(2), dying("local")},
		{some(2), plain("restart")},
		{some(6), (*planner).foreign},
		{some(3), (*planner).grow},
		{some(3), plain("verify")},
		{some(3), (*planner).tamper},
		{some(20), (*planner).dispose},
		{some(2), (*planner).another},
		{some(3), (*planner).restore},
		{frames, (*planner).garble},
		{some(2), (*planner).skew},
		{some(4), plain("report")},
		{some(50), (*planner).clash},
		{ddl, (*planner).redefine},
		{ddl, (*planner).redefineServer},
	}
}

// next makes the next operation.
func (p *planner) next() Op {
	if len(p.ahead) > 0 {
		op := p.ahead[0]
		p.ahead = p.ahead[1:]
		return op
	}
	total := 0
	for _, o := range p.odds {
		total += o.weight
	}
	for {
		d := p.w.devices[p.rand.IntN(len(p.w.devices))]
		pick := p.rand.IntN(total)
		for _, o := range p.odds {
			if pick -= o.weight; pick >= 0 {
				continue
			}
			if op, ok := o.make(p, d); ok {
				op.Wait = p.rand.Int64N(400)
				return op
			}
			break
		}
	}
}

func plain(do string) func(*planner, *machine) (Op, bool) {
	return func(_ *planner, d *machine) (Op, bool) { return Op{Do: do, Dev: d.number}, true }
}

func dying(do string) func(*planner, *machine) (Op, bool) {
	return func(_ *planner, d *machine) (Op, bool) { return Op{Do: do, Dev: d.number, Flag: true}, true }
}

func whole(do string, n int) func(*planner, *machine) (Op, bool) {
	return func(_ *planner, d *machine) (Op, bool) { return Op{Do: do, Dev: d.number, N: n}, true }
}

func (p *planner) cutShort(d *machine) (Op, bool) {
	return Op{Do: "sync", Dev: d.number, N: 1 + p.rand.IntN(12)}, true
}

// write lets the app commit a transaction, by the library or as another program would.
func (p *planner) write(d *machine) (Op, bool) {
	dev, ok := d.dev.(*goDevice)
	if !ok {
		return Op{}, false
	}
	o := Op{Do: "write", Dev: d.number, Flag: p.rand.IntN(5) > 0, Loose: p.rand.IntN(p.loose) == 0}
	var err error
	o.Stmts, err = p.imagine(dev.db, d.number, o.Loose)
	p.w.must(err, "planning a write")
	return o, len(o.Stmts) > 0
}

// imagine makes the statements of a transaction, the simulator's or of the extra tables.
func (p *planner) imagine(db *lite.DB, who int, loose bool) ([]Stmt, error) {
	return imagine(db, loose, func(heard func(string, []tidemark.Value)) error {
		if p.scoped.r != nil && !loose && p.rand.IntN(3) > 0 {
			return p.scoped.write(db, heard)
		}
		if p.extras.r != nil && p.rand.IntN(3) > 0 {
			if loose {
				return p.extras.spoil(db, heard)
			}
			return p.extras.write(db, heard)
		}
		return p.apps.Write(db, who, loose, heard)
	})
}

func (p *planner) foreign(*machine) (Op, bool) {
	o := Op{Do: "foreign", Loose: p.rand.IntN(2*p.loose) == 0}
	var err error
	o.Stmts, err = p.imagine(p.w.server.shell, 0, o.Loose)
	p.w.must(err, "planning a write on the server")
	return o, len(o.Stmts) > 0
}

// tamper changes rows as a bug or a bad disk would.
func (p *planner) tamper(d *machine) (Op, bool) {
	dev, ok := d.dev.(*goDevice)
	if !ok {
		return Op{}, false
	}
	stmts, err := p.imagine(dev.db, d.number, false)
	p.w.must(err, "planning a change that capture does not see")
	return Op{Do: "tamper", Dev: d.number, Stmts: stmts}, len(stmts) > 0
}

func (p *planner) grow(*machine) (Op, bool) {
	sql := p.apps.Grown(p.grown)
	if sql == "" || p.w.server.due {
		return Op{}, false
	}
	p.grown++
	return Op{Do: "grow", Stmts: []Stmt{{SQL: sql}}}, true
}

// message lets a single message through, mostly the first.
func (p *planner) message(d *machine) (Op, bool) {
	if d.link == nil {
		return Op{}, false
	}
	up, down := len(d.link.up), len(d.link.down)
	if up+down == 0 {
		return Op{}, false
	}
	n := p.rand.IntN(up + down)
	o := Op{Do: "down", Dev: d.number, Flag: p.rand.IntN(20) == 0}
	if n < up {
		o = Op{Do: "up", Dev: d.number}
	}
	return o, true
}

func (p *planner) garble(d *machine) (Op, bool) {
	if d.link == nil {
		return Op{}, false
	}
	what := []string{"lose", "double", "swap", "mangle"}[p.rand.IntN(4)]
	o := Op{Do: what, Dev: d.number, N: p.rand.IntN(2)}
	if what == "mangle" {
		const strange = "0123456789[]{},:.-+eE\"\\ nulltrefasi\x00\x7f"
		o.N = p.rand.IntN(4000)
		o.Stmts = []Stmt{{SQL: string(strange[p.rand.IntN(len(strange))])}}
	}
	return o, true
}

// skew puts a device's clock before or behind the server's.
func (p *planner) skew(d *machine) (Op, bool) {
	return Op{Do: "skew", Dev: d.number, N: (p.rand.IntN(3) - 1) * p.rand.IntN(200_000)}, true
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

// dispose retries or discards a rejected changeset, of any device that has one.
func (p *planner) dispose(*machine) (Op, bool) {
	for _, at := range p.rand.Perm(len(p.w.devices)) {
		d := p.w.devices[at]
		dev, ok := d.dev.(*goDevice)
		if !ok {
			continue
		}
		list, err := dev.r.Rejected()
		p.w.must(err, "listing what was rejected")
		if len(list) > 0 {
			return p.disposeOf(d, dev.r.Schema(), list[p.rand.IntN(len(list))])
		}
	}
	return Op{}, false
}

func (p *planner) disposeOf(d *machine, s *tidemark.Schema, r replica.Rejected) (Op, bool) {
	o := Op{Do: "retry", Dev: d.number, N: int(r.ID), Flag: p.rand.IntN(3) == 0}
	switch p.rand.IntN(5) {
	case 0:
		o.Do, o.Flag = "discard", false
	case 1:
		return p.replace(o, r.Changes, s)
	}
	return o, true
}

// replace retries with another value in one of the changes.
func (p *planner) replace(o Op, changes []tidemark.Change, s *tidemark.Schema) (Op, bool) {
	if len(changes) == 0 {
		return Op{}, false
	}
	c := changes[p.rand.IntN(len(changes))]
	t := s.Table(c.Table)
	if t == nil {
		return Op{}, false
	}
	o.Do, o.Flag = "replace", false
	value := tidemark.Int(p.rand.Int64N(20))
	if p.rand.IntN(3) == 0 {
		value = awkward[p.rand.IntN(len(awkward))]
	}
	args := append([]tidemark.Value{tidemark.Text(t.Columns[p.rand.IntN(len(t.Columns))].Name), value}, c.Key...)
	o.Stmts = []Stmt{newStmt(t.Name, args)}
	return o, true
}

// another makes one more device: a clone, or a copy of a copy.
func (p *planner) another(d *machine) (Op, bool) {
	if len(p.w.devices) >= mostDevices {
		return Op{}, false
	}
	if p.rand.IntN(2) == 0 {
		o := Op{Do: "clone", Flag: p.rand.IntN(4) == 0}
		if p.scoped.r != nil {
			o.Loose, o.Stmts = p.scoped.wants()
		}
		return o, true
	}
	return Op{Do: "fork", Dev: d.number}, true
}

// restore puts an older copy of the served file in its place, once there is one.
func (p *planner) restore(*machine) (Op, bool) {
	s := p.w.server
	switch {
	case s.due:
		return Op{}, false
	case s.backup == nil:
		return Op{Do: "backup"}, true
	}
	return Op{Do: "restore"}, true
}
