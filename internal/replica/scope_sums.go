package replica

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// scopeSums keeps the sums of the hashes of the confirmed rows of each scope
// during one transaction. A row counts in every scope that it is in.
type scopeSums struct {
	db    *lite.DB
	sums  map[int64]uint64
	dirty map[int64]bool
	err   error // the first that was met
}

func newScopeSums(db *lite.DB) *scopeSums {
	return &scopeSums{db: db, sums: map[int64]uint64{}, dirty: map[int64]bool{}}
}

func (s *scopeSums) sum(scope int64) uint64 {
	n, known := s.sums[scope]
	if !known {
		stored, err := s.db.Int("SELECT sum FROM main._tm_scope WHERE i = ?1", tidemark.Int(scope))
		s.err = firstError(s.err, err)
		n = uint64(stored)
		s.sums[scope] = n
	}
	return n
}

func (s *scopeSums) add(scope int64, hash uint64) {
	s.sums[scope] = s.sum(scope) + hash
	s.dirty[scope] = true
}

// addTo counts a hash in all scopes that a row is in.
func (s *scopeSums) addTo(id rowID, hash uint64) {
	if hash == 0 {
		return
	}
	list, err := membersOf(s.db, id)
	s.err = firstError(s.err, err)
	for _, scope := range list {
		s.add(scope, hash)
	}
}

func (s *scopeSums) save() error {
	for scope := range s.dirty {
		err := s.db.Run("UPDATE main._tm_scope SET sum = ?1 WHERE i = ?2", tidemark.Int(int64(s.sums[scope])), tidemark.Int(scope))
		s.err = firstError(s.err, err)
	}
	clear(s.dirty)
	return s.err
}

// countScopes sums the confirmed rows of all scopes as they are stored.
func (tl *tally) countScopes() error {
	if err := tl.db.Run("UPDATE main._tm_scope SET sum = 0"); err != nil {
		return err
	}
	tl.scopes = newScopeSums(tl.db)
	for _, t := range tl.schema.Tables {
		if t.Out != "" {
			continue
		}
		err := tl.confirmed(t, func(image []tidemark.Value) {
			tl.scopes.addTo(idOf(t, t.KeyOf(image)), tl.hasher.Row(t, image))
		})
		if err != nil {
			return err
		}
	}
	return tl.scopes.err
}

// proveScopes compares the sums of the scopes that a batch speaks of, which are
// whole from here on. Of the others nothing changed.
func (r *Replica) proveScopes(b *wire.Batch, a *attempt) error {
	wrong, err := a.wrongScope(b.Parts)
	if err != nil {
		return err
	}
	if wrong != "" && len(a.damage) == 0 && !r.partial() {
		if err := r.countAnew(a.tally); err != nil {
			return err
		}
		if wrong, err = a.wrongScope(b.Parts); err != nil {
			return err
		}
	}
	if err := a.tally.save(); err != nil {
		return err
	}
	if err := a.ready(b.Parts); err != nil {
		return err
	}
	switch {
	case len(a.damage) > 0:
		a.out.Repair = a.damage[0]
	case r.partial():
		return store(r.db, flag(keyProven, false))
	case wrong != "":
		a.out.Repair = fmt.Sprintf("the rows of %s differ from the server's at seq %d", wrong, b.To)
	default:
		return r.provenAgain()
	}
	return store(r.db, flag(keyProven, false), text(keyRepair, a.out.Repair))
}

// provenAgain takes sums for equal again that could not be compared for a
// while. What is to be repaired is proven by comparing all rows, and not before.
func (r *Replica) provenAgain() error {
	why, err := meta.Get(r.db, keyRepair)
	if err != nil || why != "" {
		return err
	}
	return store(r.db, flag(keyProven, true))
}

// wrongScope names the first scope whose sum is not the server's.
func (a *attempt) wrongScope(parts []wire.Part) (string, error) {
	for i := range parts {
		s, err := numberOf(a.db, parts[i].Scope)
		if err != nil {
			return "", err
		}
		if a.tally.scopes.sum(s) != parts[i].Sum {
			return parts[i].Scope, a.tally.scopes.err
		}
	}
	return "", a.tally.scopes.err
}

// ready marks the scopes of a batch as whole.
func (a *attempt) ready(parts []wire.Part) error {
	for i := range parts {
		name := tidemark.Text(parts[i].Scope)
		err := a.db.Run("UPDATE main._tm_scope SET held = 1 WHERE name = ?1 AND held = 0", name)
		if err != nil {
			return err
		}
		if a.db.Conn().Changes() == 0 {
			continue
		}
		n, err := a.db.Int("SELECT count(*) FROM main._tm_member m JOIN main._tm_scope s ON m.s = s.i WHERE s.name = ?1", name)
		if err != nil {
			return err
		}
		a.out.Scopes = append(a.out.Scopes, ScopeNews{Scope: parts[i].Scope, State: ScopeReady, Rows: int(n)})
	}
	return nil
}

// partsOf decodes what a batch brings: parts of scopes, or, where none are
// declared, one that has no name.
func (r *Replica) partsOf(b *wire.Batch) ([]wire.Part, error) {
	parts := []wire.Part{{Changes: b.Changes, Raw: b.Raw}}
	if r.server.Scoped() {
		if len(b.Changes) > 0 {
			return nil, &tidemark.Error{Code: tidemark.CodeProtocol, Msg: "changes came without their scopes"}
		}
		parts = slices.Clone(b.Parts)
	} else if len(b.Parts) > 0 {
		return nil, otherKind(true)
	}
	for i := range parts {
		p := &parts[i]
		if p.Changes != nil || p.Raw == nil {
			continue
		}
		var err error
		if p.Changes, err = wire.DecodeChanges(p.Raw); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// rowsIn counts the rows that parts tell of. One that is in several scopes
// stands in several parts.
func (r *Replica) rowsIn(parts []wire.Part) (n int) {
	if len(parts) == 1 {
		return len(parts[0].Changes)
	}
	seen := map[rowID]bool{}
	for i := range parts {
		for _, c := range parts[i].Changes {
			t := r.schema.Table(c.Table)
			if t == nil || len(c.Key) != len(t.Key) {
				n++
				continue
			}
			seen[idOf(t, c.Key)] = true
		}
	}
	return n + len(seen)
}
