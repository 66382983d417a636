package twin

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

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
