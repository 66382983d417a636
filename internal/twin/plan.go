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
	w      *world
	brief  bool
	grown  int
	odds   []odd
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
	p.odds = []odd{
		{40, (*planner).write},
		{16, whole("sync", 1000)},
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
		{some(2), dying("local")},
		{some(2), plain("restart")},
		{some(6), (*planner).foreign},
		{some(3), (*planner).grow},
		{some(3), plain("verify")},
		{some(3), (*planner).tamper},
		{some(8), (*planner).dispose},
		{some(1), (*planner).another},
		{some(1), (*planner).restore},
		{frames, (*planner).garble},
	}
}

// next makes the next operation.
func (p *planner) next() Op {
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
	o := Op{Do: "write", Dev: d.number, Flag: p.rand.IntN(5) > 0, Loose: p.rand.IntN(12) == 0}
	var err error
	o.Stmts, err = p.imagine(dev.db, d.number, o.Loose)
	p.w.must(err, "planning a write")
	return o, len(o.Stmts) > 0
}

// imagine makes the statements of a transaction, the simulator's or of the extra tables.
func (p *planner) imagine(db *lite.DB, who int, loose bool) ([]Stmt, error) {
	return imagine(db, loose, func(heard func(string, []tidemark.Value)) error {
		if p.extras.r != nil && p.rand.IntN(3) > 0 {
			return p.extras.write(db, heard)
		}
		return p.apps.Write(db, who, loose, heard)
	})
}

func (p *planner) foreign(*machine) (Op, bool) {
	o := Op{Do: "foreign", Loose: p.rand.IntN(10) == 0}
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
	what := []string{"lose", "double", "swap"}[p.rand.IntN(3)]
	return Op{Do: what, Dev: d.number, N: p.rand.IntN(2)}, true
}

// dispose retries or discards a rejected changeset.
func (p *planner) dispose(d *machine) (Op, bool) {
	dev, ok := d.dev.(*goDevice)
	if !ok {
		return Op{}, false
	}
	list, err := dev.r.Rejected()
	p.w.must(err, "listing what was rejected")
	if len(list) == 0 {
		return Op{}, false
	}
	o := Op{Do: "retry", Dev: d.number, N: int(list[p.rand.IntN(len(list))].ID), Flag: p.rand.IntN(3) == 0}
	if p.rand.IntN(3) == 0 {
		o.Do, o.Flag = "discard", false
	}
	return o, true
}

// another makes one more device: a clone, or a copy of a copy.
func (p *planner) another(d *machine) (Op, bool) {
	if len(p.w.devices) >= mostDevices {
		return Op{}, false
	}
	if p.rand.IntN(2) == 0 {
		return Op{Do: "clone", Flag: p.rand.IntN(4) == 0}, true
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
