package client

// OnChange calls fn with the list of peers after each change of it, and of Err,
// until stop is called. Calls come one after the other, on a goroutine of this
// Presence; changes that come while fn runs are put together.
func (p *Presence) OnChange(fn func([]Peer)) (stop func()) {
	return register(p, p.onChange, &fn)
}

// OnCast calls fn with what others cast, in order, until stop is called. One
// who does not keep up misses the oldest.
func (p *Presence) OnCast(fn func(Cast)) (stop func()) {
	return register(p, p.onCast, &fn)
}

func register[F comparable](p *Presence, set map[F]bool, fn F) (stop func()) {
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	set[fn] = true
	return func() {
		p.all.mu.Lock()
		defer p.all.mu.Unlock()
		delete(set, fn)
	}
}

// note has listeners told, and those who wait look again.
func (p *Presence) note() {
	p.changed = true
	close(p.news)
	p.news = make(chan struct{})
	p.rouse()
}

func (p *Presence) rouse() {
	if p.done == nil {
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// tell calls listeners until Leave or Close.
func (p *Presence) tell(wake <-chan struct{}) {
	for {
		select {
		case _, open := <-wake:
			p.deliver()
			if !open {
				return
			}
		case <-p.all.db.ended.Done():
			return
		}
	}
}

func (p *Presence) deliver() {
	p.all.mu.Lock()
	changed, list, heard := p.changed, p.list(), p.heard
	p.changed, p.heard = false, nil
	onChange, onCast := keys(p.onChange), keys(p.onCast)
	p.all.mu.Unlock()
	for _, c := range heard {
		for _, fn := range onCast {
			(*fn)(c)
		}
	}
	if changed {
		for _, fn := range onChange {
			(*fn)(list)
		}
	}
}

func keys[F comparable](set map[F]bool) []F {
	list := make([]F, 0, len(set))
	for fn := range set {
		list = append(list, fn)
	}
	return list
}
