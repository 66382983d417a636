package twin

import (
	"math/rand/v2"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
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
