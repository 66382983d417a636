package client

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

type (
	// Want names a scope that a copy subscribes to. Scopes with a lower Priority
	// come first, those of one priority together; 0 is that of a scope that is not named.
	Want = wire.Want
	// Scope is a scope that a copy wants, is granted or holds.
	Scope = replica.ScopeStatus
	// ScopeNews says that a scope was gained, is ready or was lost.
	ScopeNews = replica.ScopeNews
)

// What happened to a scope.
const (
	ScopeGained = replica.ScopeGained // the server lists it for this copy now; its rows are coming
	ScopeReady  = replica.ScopeReady  // all of its rows are here
	ScopeLost   = replica.ScopeLost   // its rows left, those excepted that are in another scope
)

// mostWants is how many scopes a server lets a copy name.
const mostWants = 10000

// Scopes lists the scopes that this copy wants, was granted at the last contact,
// or holds, sorted by name. It reads the file alone. It is nil where the space
// declares no scopes: then every copy holds everything.
func (db *DB) Scopes() (list []Scope, err error) {
	err = db.withEngine(func(r *replica.Replica) error { list, err = r.Scopes(); return err })
	return list, err
}

// Subscribe has the copy take these scopes, too. It is kept in the file and
// done by the sync that runs, or at the next contact; Ready waits for the rows.
// A scope that is not granted is taken once it is. In a copy that takes
// everything it is granted, as a clone does that names no scopes, it only sets
// their priorities.
func (db *DB) Subscribe(ctx context.Context, wants ...Want) error {
	for _, w := range wants {
		if w.Scope == "" {
			return &tidemark.Error{Code: tidemark.CodeUsage, Op: "subscribe", Msg: "a scope without a name",
				Hint: "name it by its kind and key, like project/42"}
		}
	}
	return db.want(ctx, func(r *replica.Replica, only bool, list []Want) (bool, []Want, error) {
		for _, w := range wants {
			list = append(without(list, w.Scope), w)
		}
		return only, list, nil
	})
}

// Unsubscribe has the copy take these scopes no more: their rows leave it with
// the next contact, unless another scope that it holds has them, and nobody
// else notices. What is pending on them is kept and judged as ever. A copy
// that took everything it is granted names what it takes from here on: the other
// scopes that it was granted at the last contact. Scopes that are public and
// have no key stay with every copy.
func (db *DB) Unsubscribe(ctx context.Context, scopes ...string) error {
	return db.want(ctx, func(r *replica.Replica, only bool, list []Want) (bool, []Want, error) {
		if !only {
			known, err := r.Scopes()
			if err != nil {
				return false, nil, err
			}
			list = slices.DeleteFunc(list, func(w Want) bool { return true })
			for _, s := range known {
				if s.Listed {
					list = append(list, Want{Scope: s.Scope, Priority: s.Priority})
				}
			}
		}
		return true, without(list, scopes...), nil
	})
}

// SubscribeAll has the copy take everything that it is granted, now and later.
// Priorities stay.
func (db *DB) SubscribeAll(ctx context.Context) error {
	return db.want(ctx, func(_ *replica.Replica, _ bool, list []Want) (bool, []Want, error) { return false, list, nil })
}

// want replaces what the copy takes by what fn makes of it, and tells the sync that runs.
func (db *DB) want(ctx context.Context, fn func(*replica.Replica, bool, []Want) (bool, []Want, error)) error {
	err := db.withEngine(func(r *replica.Replica) error {
		defer interruptible(ctx, r.DB())()
		if !db.scoped {
			return unscoped("subscribe")
		}
		only, list, err := r.Wants()
		if err == nil {
			only, list, err = fn(r, only, list)
		}
		if err != nil {
			return err
		}
		if len(list) > mostWants {
			return &tidemark.Error{Code: tidemark.CodeTooLarge, Op: "subscribe",
				Msg:  fmt.Sprintf("a copy can name %d scopes, not %d", mostWants, len(list)),
				Hint: "declare a larger kind of scope, or make several copies"}
		}
		return r.Subscribe(only, list)
	})
	if err == nil {
		db.notice.poke() // which tells the sync of this process
	}
	return err
}

// unscoped is the error of asking for scopes where there are none.
func unscoped(op string) error {
	return &tidemark.Error{Code: tidemark.CodeUsage, Op: op, Msg: "the space declares no scopes: every copy holds everything",
		Hint: "leave the scopes out, or have them declared in the server's tidemark.yaml"}
}

func without(list []Want, scopes ...string) []Want {
	return slices.DeleteFunc(list, func(w Want) bool { return slices.Contains(scopes, w.Scope) })
}

// Ready syncs until all rows of the scopes are here; none stands for all that
// the copy takes and is granted. It fails with tidemark.CodeForbidden when the
// server does not grant one of them, and as Sync does.
func (db *DB) Ready(ctx context.Context, scopes ...string) error {
	s, done, err := db.borrow()
	if err != nil {
		return err
	}
	defer done()
	w := s.listen()
	defer s.deafen(w)
	if err := s.nudge(ctx); err != nil {
		return err
	}
	return w.wait(ctx, func() (bool, error) { return w.filled(ctx, scopes) })
}

// filled reports whether the scopes are here whole.
func (w *waiter) filled(ctx context.Context, scopes []string) (bool, error) {
	settled, err := w.settled(ctx)
	if err != nil || len(scopes) == 0 {
		return settled, err
	}
	list, err := w.s.db.Scopes()
	if err != nil {
		return false, err
	}
	for _, name := range scopes {
		here := slices.ContainsFunc(list, func(s Scope) bool { return s.Ready && s.Scope == name })
		switch {
		case !here && !settled:
			return false, nil
		case !here:
			return false, &tidemark.Error{Code: tidemark.CodeForbidden, Op: "subscribe", Msg: "the scope " + name + " is not granted to this copy, or it does not take it",
				Hint: "subscribe to it, and have whoever runs the server grant it; it comes by itself then"}
		}
	}
	return true, nil
}
