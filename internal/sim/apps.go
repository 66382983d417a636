package sim

import (
	"math/rand/v2"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/merge"
)

// Apps is what the apps of a run do to their databases, without the world
// around them, for harnesses that bring their own.
type Apps struct{ w *world }

// NewApps takes the workload of this title, or one by the random source.
func NewApps(title string, r *rand.Rand) *Apps {
	w := &world{rand: r, work: chooseWorkload(title, r)}
	w.model = w.work.model()
	return &Apps{w: w}
}

// Title is the workload's name.
func (a *Apps) Title() string { return a.w.work.name() }

// Schema makes the tables with their first rows.
func (a *Apps) Schema() string { return a.w.work.schema() }

// Chunk is a size of catch-up chunks, in bytes, that makes several of them.
func (a *Apps) Chunk() int { return a.w.work.chunk() }

// Policies gives a schema the policies of the workload's tables.
func (a *Apps) Policies(sc *tidemark.Schema) (*tidemark.Schema, error) { return a.w.declared(sc) }

// Write does one to most things as who (0: somebody on the server), inside a
// transaction of the caller's, and tells each statement before it runs. With
// poison the transaction is one that the server must reject, if the workload
// has such; it wants constraints switched off.
func (a *Apps) Write(db *lite.DB, who int, poison bool, heard func(sql string, args []tidemark.Value)) error {
	a.w.heard = heard
	defer func() { a.w.heard = nil }()
	if poison {
		return a.w.work.spoil(a.w, db, who)
	}
	return a.w.work.write(a.w, db, who)
}

// Grown returns how somebody changes the schema of the served file for the
// n-th time, "" when there is no such change.
func (a *Apps) Grown(n int) string {
	if a.w.model.Table("grow") == nil || n >= len(growth) {
		return ""
	}
	return growth[n].sql
}

// MergeFunctions are those of columns whose policy is custom.
func MergeFunctions() map[string]merge.Func { return functions() }
