package sim

import "github.com/tidemarkdb/tidemark/internal/replica"

// subscribe lets the owner of a device want other scopes, online or not.
func (d *device) subscribe() {
	if !d.w.model.Scoped() || !d.up || d.app.Dead() {
		return
	}
	d.wants = d.w.chooseWants()
	d.w.trace("%s wants %v", d.name, d.wants)
	err := d.r.Subscribe(d.wants.only, d.wants.list)
	if d.host.Dead() {
		d.crash(false)
		return
	}
	if err != nil && d.host.Failed() {
		d.w.trace("%s: its disk fails", d.name)
		err = nil
	}
	d.w.must(err, d.name+": subscribing")
	d.observe()
	d.step(replica.Local{})
}
