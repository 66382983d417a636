// Package hub is the server's engine for one space: it judges changesets,
// orders them, answers sessions and streams what changed. It is a set of step
// functions: it reads no clock, opens no socket, starts no goroutine and takes
// its randomness as an argument. Package server drives it, and so does the
// simulator.
//
// The driver's part is small. Messages go to Session.Receive; what it returns
// goes back to the same session, and a submission into the next Group. Every
// Commit is delivered to every session, in the order of the commits; in a space
// with scopes to those that it Concerns, and the others need not be looked at. A
// session that is Behind gets Next until it is not.
//
// Where scopes are declared a session gets the parts of the scopes that are ready
// in it (reach), which listeners finds by scope. Grants are evaluated inside the
// group's transaction (groupGrants), and who may see a row is asked of the same
// state (sight.go).
//
// # Caveats
//
// A Hub and its sessions belong to one goroutine at a time. Everything that a
// session is told was durable before; so a driver may drop a session at any
// point, but it must never reorder what one session gets.
//
// Next and the answers to questions need a state without unsequenced changes of
// other programs. They fail with tidemark.CodeBusy when there are some: run a
// Group, with or without submissions, and try again.
package hub

import (
	"context"
	"io"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Defaults of Options.
const (
	DefaultChunk     = 1 << 20
	DefaultMessage   = 48 << 20
	DefaultChangeset = 32 << 20
	DefaultRow       = 16 << 20
)

// Options of Open.
type Options struct {
	Rand   io.Reader   // names, tickets, terms
	Limits wire.Limits // zero fields take the defaults
	Chunk  int         // bytes of one catch-up chunk; default 1 MiB

	Merge  map[string]merge.Func // functions of columns with PolicyCustom
	Unique map[string]UniqueFunc // functions of tables with OnUnique

	// Hook judges every changeset that has no outcome yet, after policies and
	// before rules and constraints; nil: none is asked. An *Error whose code is
	// the app's own (tidemark.AppCode) rejects; ErrWait puts the changeset off;
	// any other error is a failure, like one of the store. It may be asked
	// about one changeset several times.
	Hook func(*Proposal) (*Verdict, error)
}

func (o Options) withDefaults() Options {
	if o.Chunk <= 0 {
		o.Chunk = DefaultChunk
	}
	o.Limits = LimitsWithDefaults(o.Limits)
	return o
}

// LimitsWithDefaults fills in the limits that are zero.
func LimitsWithDefaults(l wire.Limits) wire.Limits {
	if l.Message <= 0 {
		l.Message = DefaultMessage
	}
	if l.Changeset <= 0 {
		l.Changeset = DefaultChangeset
	}
	if l.Row <= 0 {
		l.Row = DefaultRow
	}
	return l
}

// Hub drives one space.
type Hub struct {
	store tidemark.Store
	opts  Options

	// As of the last durable commit.
	state  tidemark.SpaceState
	schema *tidemark.Schema

	schemas   map[string]*tidemark.Schema // decoded ones by hash, under which changesets were made
	current   map[string]*Session         // the session that speaks for each replica
	confirmed map[string]bool             // replicas that proved their ticket, and whose previous one is not dropped durably yet
	renum     renumberState
	leases    leaseState
	failures  map[tidemark.Name]int // how often a changeset failed for no reason of its own
	bridges   bridges               // between the texts that replicas edit and the server's
	listeners listeners             // in a space with scopes

	open  openConflicts
	solo  solo
	swept []tidemark.Value // the sweep goes on behind this key of the conflicts table
}

// Open starts a new term on the store's log.
func Open(ctx context.Context, store tidemark.Store, now int64, opts Options) (*Hub, error) {
	h := &Hub{
		store: store, opts: opts.withDefaults(),
		schemas:   map[string]*tidemark.Schema{},
		current:   map[string]*Session{},
		confirmed: map[string]bool{},
		failures:  map[tidemark.Name]int{},
		listeners: newListeners(),
	}
	term, err := h.random("term")
	if err != nil {
		return nil, err
	}
	err = store.Group(ctx, func(tx tidemark.Tx) error {
		if err := tx.StartTerm(term); err != nil {
			return err
		}
		return h.learn(tx)
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// learn takes over where the space is. Its caller must not return success to
// anyone before the transaction is durable.
func (h *Hub) learn(v tidemark.View) error {
	state, err := v.State()
	if err != nil {
		return err
	}
	h.state, h.schema = state, v.Schema()
	return nil
}

// State returns where the space is.
func (h *Hub) State() tidemark.SpaceState { return h.state }

// Schema returns the schema at State. Do not change it.
func (h *Hub) Schema() *tidemark.Schema { return h.schema }

// Limits returns what the hub takes at most.
func (h *Hub) Limits() wire.Limits { return h.opts.Limits }

// schemaMessage brings a schema that the store knows.
func schemaMessage(v tidemark.View, hash string) (*wire.Schema, error) {
	body, err := v.SchemaBody(hash)
	if err != nil {
		return nil, err
	}
	if body == nil {
		body = schema.Encode(v.Schema())
	}
	return &wire.Schema{Hash: hash, Body: body}, nil
}
