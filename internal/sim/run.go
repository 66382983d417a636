package sim

// Run makes one run and returns what it did, with a Failure when an invariant
// did not hold.
func Run(o Options) (stats Stats, failure *Failure) {
	w := newWorld(o)
	defer func() {
		if p := recover(); p != nil {
			failure = w.caught(p)
		}
		w.close()
		w.stats.Runs = 1
		w.stats.Virtual = w.now - w.start
		w.stats.Trace = w.sum()
		stats = w.stats
	}()
	w.open()
	for range w.opts.Steps {
		w.until(w.now + w.between(0, w.work.pace()))
		w.act()
	}
	w.settle()
	return w.stats, nil
}

func (w *world) open() {
	if w.opts.Steps == 0 {
		w.opts.Steps = 200
	}
	some := 2 + w.rand.IntN(4) // always drawn: a failure is repeated with the number that it had
	if w.opts.Replicas == 0 {
		w.opts.Replicas = some
	}
	w.trace("workload %s, %d replicas, faults %+v", w.work.name(), w.opts.Replicas, w.faults)
	w.server = w.newServer()
	for i := range w.opts.Replicas {
		w.newDevice(i + 1)
	}
}

// close gives everything back; a failed run may have left anything open.
func (w *world) close() {
	for _, d := range w.devices {
		if d.r != nil {
			_ = d.r.Close()
		}
		_ = d.db.Close()
		d.host.Stop()
		d.app.Stop()
	}
	if s := w.server; s != nil {
		if s.store != nil {
			_ = s.store.Close()
		}
		_ = s.shell.Close()
		if s.host != nil {
			s.host.Stop()
		}
		s.tool.Stop()
	}
}
