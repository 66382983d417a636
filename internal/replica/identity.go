package replica

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Hello makes the message that opens a session.
func (r *Replica) Hello() (*wire.Hello, error) {
	var h *wire.Hello
	err := r.db.View(func() error {
		facts, err := allFacts(r.db)
		if err != nil {
			return err
		}
		h = &wire.Hello{
			Protocol: wire.Protocol, Space: facts[meta.KeySpace].Str(),
			Incarnation: facts[meta.KeyIncarnation].Str(), Term: facts[meta.KeyTerm].Str(),
			Replica: facts[keyReplica].Str(), Ticket: facts[keyTicket].Str(), Schema: facts[meta.KeySchema].Str(),
			Seq: tidemark.Seq(facts[meta.KeySeq].Int64()), Sum: uint64(facts[meta.KeySum].Int64()),
			ReadOnly: facts[keyReadOnly].Int64() != 0, Agent: r.opts.Agent, Ask: facts[keyWants].Int64(),
		}
		if h.Staged, err = stagedCursor(r.db, h.Seq); err != nil {
			return err
		}
		if h.Settled, err = settledThrough(r.db); err != nil {
			return err
		}
		if h.Held, err = heldScopes(r.db); err != nil {
			return err
		}
		h.Only, h.Want, err = r.wants()
		return err
	})
	if err != nil {
		return nil, failure("hello", err)
	}
	return h, nil
}

// settledThrough is the number up to which every changeset has its outcome here.
func settledThrough(db *lite.DB) (int64, error) {
	next, err := meta.Int(db, keyNext)
	if err != nil {
		return 0, err
	}
	first, err := db.Get("SELECT min(n) FROM main._tm_pending")
	if err != nil {
		return 0, err
	}
	if !first[0].IsNull() {
		next = first[0].Int64()
	}
	return next - 1, nil
}

// resyncReason marks a copy whose checkpoint was set to the server's head
// without its rows.
const resyncReason = "the server does not know the state of this copy"

// Welcome stores what the server said of itself and of this replica, durably.
// After a resync the checkpoint is the server's head: what differs from it is
// found by comparing, and until then the copy is marked for repair. What it
// held of scopes that are not listed leaves; it returns nil when no scope came
// or went.
func (r *Replica) Welcome(w *wire.Welcome, now int64) (*Applied, error) {
	return r.scrubbed(func() (*Applied, error) { return r.welcome(w, now) })
}

func (r *Replica) welcome(w *wire.Welcome, now int64) (out *Applied, err error) {
	err = r.transaction("welcome", now, func() error {
		facts, err := allFacts(r.db)
		if err != nil {
			return err
		}
		if err := recogniseServer(facts, w); err != nil {
			return err
		}
		news := []fact{
			text(keyReplica, w.Replica), text(keyTicket, w.Ticket), text(meta.KeySpace, w.Space),
			text(meta.KeyIncarnation, w.Incarnation), number(keyHead, int64(w.Head)),
			number(keyContact, now), text(keyStopped, ""), text(keyPrincipal, w.Principal),
		}
		if w.Resync {
			news = append(news, text(meta.KeyTerm, w.Term), number(meta.KeySeq, int64(w.Head)),
				flag(keyProven, false), text(keyRepair, resyncReason))
			if err := r.voidStage(); err != nil {
				return err
			}
		}
		if err := store(r.db, news...); err != nil {
			return err
		}
		out, err = r.welcomeList(w)
		return err
	})
	return out, err
}

func recogniseServer(facts map[string]tidemark.Value, w *wire.Welcome) error {
	if space := facts[meta.KeySpace].Str(); space != "" && space != w.Space {
		return &tidemark.Error{Code: tidemark.CodeWrongSpace,
			Msg:  fmt.Sprintf("this is a copy of space %q, the server speaks of %q", space, w.Space),
			Hint: "sync it with the address that it was cloned from"}
	}
	if known := facts[meta.KeyIncarnation].Str(); known != "" && known != w.Incarnation {
		return &tidemark.Error{Code: tidemark.CodeIncarnation,
			Msg:  "the space was made anew on the server since this copy was cloned",
			Hint: "clone again beside the old copy; what is pending there stays there"}
	}
	if known := facts[meta.KeyDigestKey].Str(); known != "" && known != string(w.DigestKey[:]) {
		return &tidemark.Error{Code: tidemark.CodeIncarnation,
			Msg: "the server has another digest key than when this copy was cloned", Hint: "clone again beside the old copy"}
	}
	if owner := facts[keyPrincipal].Str(); owner != "" && owner != w.Principal && !planted.Is(planted.AnyHands) {
		return Stranger(owner, w.Principal)
	}
	return nil
}

// Principal returns whose copy it is, "" while it is nobody's.
func (r *Replica) Principal() (who string, err error) {
	err = r.db.View(func() error { who, err = meta.Get(r.db, keyPrincipal); return err })
	if err != nil {
		return "", failure("status", err)
	}
	return who, nil
}

// Stranger is why a copy whose principal is owner takes no part in what
// somebody else does. What is pending in it stays for owner.
func Stranger(owner, other string) *tidemark.Error {
	e := &tidemark.Error{Code: tidemark.CodeForbidden,
		Msg:  fmt.Sprintf("this copy belongs to %q, the token is of %q", owner, other),
		Hint: fmt.Sprintf("bring a token of %q, or make a copy for %q with `tidemark clone`", owner, other)}
	if other == "" {
		e.Msg = fmt.Sprintf("this copy belongs to %q, and the server asks nobody who they are", owner)
		e.Hint = "serve with the keys that its tokens were signed with"
	}
	return e
}

// Reidentify gives a copied file a name of its own: pending changesets keep
// their first names in Was and get new numbers.
func (r *Replica) Reidentify() error {
	return r.transaction("reidentify", 0, func() error {
		name, err := meta.Get(r.db, keyReplica)
		if err != nil {
			return err
		}
		if name != "" {
			// The first name stays: the server records a fate under that one too,
			// whichever copy brings the changeset first.
			err := r.db.Run("UPDATE main._tm_pending SET was_replica = ?1, was_n = n, was_hash = hash WHERE was_replica IS NULL", tidemark.Text(name))
			if err != nil {
				return err
			}
		}
		last, err := renumber(r.db)
		if err != nil {
			return err
		}
		if err := r.voidStage(); err != nil {
			return err
		}
		return store(r.db, text(keyReplica, ""), text(keyTicket, ""), number(keyNext, last+1))
	})
}

// renumber numbers pending changesets from 1 on. Numbers only get smaller, so
// in ascending order none meets another.
func renumber(db *lite.DB) (last int64, err error) {
	var old []int64
	err = db.Each("SELECT n FROM main._tm_pending ORDER BY n", func(s *lite.Stmt) error {
		old = append(old, s.Int(0))
		return nil
	})
	if err != nil {
		return 0, err
	}
	for i, n := range old {
		to := tidemark.Int(int64(i + 1))
		if err := db.Run("UPDATE main._tm_pending_row SET n = ?1 WHERE n = ?2", to, tidemark.Int(n)); err != nil {
			return 0, err
		}
		if err := db.Run("UPDATE main._tm_taken SET n = ?1 WHERE n = ?2", to, tidemark.Int(n)); err != nil {
			return 0, err
		}
		if err := db.Run("UPDATE main._tm_text SET n = ?1 WHERE n = ?2", to, tidemark.Int(n)); err != nil {
			return 0, err
		}
		if err := db.Run("UPDATE main._tm_pending SET n = ?1 WHERE n = ?2", to, tidemark.Int(n)); err != nil {
			return 0, err
		}
		from, cause := causeOn(n), causeOn(int64(i+1))
		if err := db.Run("UPDATE main._tm_pending SET cause = ?1 WHERE cause = ?2", tidemark.Text(cause), tidemark.Text(from)); err != nil {
			return 0, err
		}
	}
	// What was renumbered before concerns all that is pending.
	if err := db.Run("UPDATE main._tm_renumbered SET n = 0"); err != nil {
		return 0, err
	}
	return int64(len(old)), db.Run(`UPDATE main._tm_history SET n = coalesce((SELECT p.n FROM main._tm_pending p
		WHERE p.hash = _tm_history.hash), n)`)
}

// causeOn is the cause of a suspension that another suspended changeset brought about.
func causeOn(n int64) string { return fmt.Sprintf("%s %d", tidemark.CodeDependsOn, n) }

// TakeFence is called by the taker of the sync lease. From then on whoever
// held it before cannot apply any more.
func (r *Replica) TakeFence() (int64, error) {
	var n int64
	err := r.transaction("lease", 0, func() (err error) {
		if n, err = meta.Int(r.db, keyFence); err != nil {
			return err
		}
		n++
		return meta.SetInt(r.db, keyFence, n)
	})
	if err == nil {
		r.fence = n
	}
	return n, err
}

// checkFence must be the first step of a transaction that applies.
func (r *Replica) checkFence() error {
	if r.fence == 0 {
		return nil
	}
	n, err := meta.Int(r.db, keyFence)
	if err != nil {
		return err
	}
	if n != r.fence {
		return fmt.Errorf("%w: somebody else took the sync lease", ErrMoved)
	}
	return nil
}

// Stop remembers the refusal that ended syncing, until the next Welcome.
func (r *Replica) Stop(code tidemark.Code) error {
	return r.transaction("stop", 0, func() error { return store(r.db, text(keyStopped, string(code))) })
}
