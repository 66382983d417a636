package hub

import (
	"reflect"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
)

// groupGrants is what one group knows of who may read what. Grants are
// evaluated inside its transaction: a changeset is judged by what those before
// it in the group left.
type groupGrants struct {
	all   bool            // everybody's may be others than those of the sessions
	who   map[string]bool // or those of these principals
	fresh map[*Session][]string
	known map[string][]evaluated // by principal: what was evaluated since it last changed
	count int
}

// evaluated is what somebody with some claims may read.
type evaluated struct {
	claims map[string]any
	scopes []string
}

// concerned notes whose grants may be others for what was appended.
func (g *group) concerned() {
	if !g.scoped() {
		return
	}
	all, who := g.tx.Concerned()
	if all {
		g.allConcerned()
		return
	}
	for _, id := range who {
		if g.grants.who == nil {
			g.grants.who = map[string]bool{}
		}
		g.grants.who[id] = true
		delete(g.grants.known, id)
		for s := range g.grants.fresh {
			if s.principal.ID == id {
				delete(g.grants.fresh, s)
			}
		}
	}
}

func (g *group) allConcerned() {
	g.grants.all = true
	clear(g.grants.fresh)
	clear(g.grants.known)
}

func (g *group) scoped() bool { return g.tx.Schema().Scoped() }

// granted lists what a session's principal may read in the state that the
// group has reached. The list of a session that is over is not kept any more.
func (g *group) granted(s *Session) ([]string, error) {
	if list, ok := g.grants.fresh[s]; ok {
		return list, nil
	}
	if r := s.reach; r != nil && !s.over && !r.unsure && !g.grants.all && !g.grants.who[s.principal.ID] {
		return r.granted, nil
	}
	list, err := g.evaluate(s.principal)
	if err != nil {
		return nil, err
	}
	if g.grants.fresh == nil {
		g.grants.fresh = map[*Session][]string{}
	}
	g.grants.fresh[s] = list
	return list, nil
}

// evaluate asks the store, once for all sessions of a principal with the same claims.
func (g *group) evaluate(p tidemark.Principal) ([]string, error) {
	for _, e := range g.grants.known[p.ID] {
		if reflect.DeepEqual(e.claims, p.Claims) {
			return e.scopes, nil
		}
	}
	list, err := g.tx.Granted(p)
	if err != nil {
		return nil, err
	}
	g.grants.count++
	if g.grants.known == nil {
		g.grants.known = map[string][]evaluated{}
	}
	g.grants.known[p.ID] = append(g.grants.known[p.ID], evaluated{p.Claims, list})
	return list, nil
}

// regrant evaluates what the group may have changed, at its end, for everybody
// who is connected.
func (g *group) regrant() error {
	if !g.scoped() {
		return nil
	}
	principals := g.hub.listeners.principals
	if g.grants.all {
		for _, sessions := range principals {
			if err := g.regrantAll(sessions); err != nil {
				return err
			}
		}
		return nil
	}
	for id := range g.grants.who {
		if err := g.regrantAll(principals[id]); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) regrantAll(sessions map[*Session]struct{}) error {
	for s := range sessions {
		if _, err := g.granted(s); err != nil {
			return err
		}
	}
	return nil
}

// rememberGrants takes over what a durable group evaluated. The sessions hear
// of it by Deliver.
func (h *Hub) rememberGrants(g *group) {
	g.commit.Granted = g.grants.count
	for s, list := range g.grants.fresh {
		if s.reach == nil || s.over || planted.Is(planted.StaleGrant) {
			continue
		}
		if s.reach.grant(list); s.reach.stale || s.reach.moved {
			g.commit.regranted[s] = true
		}
	}
}
