package sim

import (
	"maps"

	"github.com/tidemarkdb/tidemark/internal/replica"
)

// subscribe lets the owner of a device want other scopes, online or not.
func (d *device) subscribe() {
	if !d.w.model.Scoped() || !d.up || d.app.Dead() {
		return
	}
	before := d.wants
	d.wants = d.w.chooseWants()
	d.w.trace("%s wants %v", d.name, d.wants)
	err := d.r.Subscribe(d.wants.only, d.wants.list)
	if d.host.Dead() {
		d.wanted = &before
		d.crash(false)
		return
	}
	if err != nil && d.host.Failed() {
		d.w.trace("%s: its disk fails", d.name)
		d.wanted, err = &before, nil
	}
	d.w.must(err, d.name+": subscribing")
	d.observe()
	d.step(replica.Local{})
}

// wishes checks that a device still knows what it wants. Where a crash cut the
// order it may be what it was before, but nothing else.
func (d *device) wishes(v *view) {
	if !d.w.model.Scoped() {
		return
	}
	says := wants{v.hello.Only, v.hello.Want}
	if d.wanted != nil && says.same(*d.wanted) {
		d.wants = *d.wanted
	}
	d.wanted = nil
	if !says.same(d.wants) {
		d.w.fail("I1", "%s was told to want %v and wants %v", d.name, d.wants, says)
	}
}

func (x wants) same(y wants) bool {
	priorities := func(x wants) map[string]int64 {
		m := map[string]int64{}
		for _, want := range x.list {
			m[want.Scope] = want.Priority
		}
		return m
	}
	return x.only == y.only && maps.Equal(priorities(x), priorities(y))
}
