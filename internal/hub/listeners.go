package hub

// listeners finds sessions by the scopes that are ready in them, and by their
// principals. Only sessions of a space with scopes are in it.
type listeners struct {
	scopes     map[string]map[*Session]struct{}
	principals map[string]map[*Session]struct{}
	size       int // scopes of all sessions together
}

func newListeners() listeners {
	return listeners{scopes: map[string]map[*Session]struct{}{}, principals: map[string]map[*Session]struct{}{}}
}

// open takes a session in.
func (l *listeners) open(s *Session) {
	put(l.principals, s.principal.ID, s)
	l.join(s, s.reach.ready)
}

// end takes a session out.
func (l *listeners) end(s *Session) {
	drop(l.principals, s.principal.ID, s)
	l.leave(s, s.reach.ready)
}

// join notes that scopes became ready.
func (l *listeners) join(s *Session, scopes []string) {
	for _, scope := range scopes {
		put(l.scopes, scope, s)
	}
	l.size += len(scopes)
}

func (l *listeners) leave(s *Session, scopes []string) {
	for _, scope := range scopes {
		drop(l.scopes, scope, s)
	}
	l.size -= len(scopes)
}

func put(m map[string]map[*Session]struct{}, name string, s *Session) {
	set := m[name]
	if set == nil {
		set = map[*Session]struct{}{}
		m[name] = set
	}
	set[s] = struct{}{}
}

func drop(m map[string]map[*Session]struct{}, name string, s *Session) {
	set := m[name]
	if delete(set, s); len(set) == 0 {
		delete(m, name)
	}
}

// Subscriptions returns how many scopes are ready in all sessions together.
func (h *Hub) Subscriptions() int { return h.listeners.size }
