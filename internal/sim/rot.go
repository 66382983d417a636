package sim

import (
	"context"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// uncaptured runs a transaction of the workload on a connection whose triggers
// are off, as a bug or a bad disk would change rows, and reports whether
// anything changed.
func (w *world) uncaptured(vfs, file string, who int) bool {
	db, err := lite.Open(file, lite.Options{VFS: vfs, Busy: -1})
	w.must(err, "opening a connection that captures nothing")
	defer func() { _ = db.Close() }()
	w.must(db.SetTriggers(false), "switching triggers off")
	w.must(db.Run("PRAGMA foreign_keys = ON"), "switching foreign keys on")
	before, err := dump(db, w.model)
	w.must(err, "dumping "+file)
	if err := db.Transaction(func() error { return w.work.write(w, db, who) }); err != nil {
		return false
	}
	after, err := dump(db, w.model)
	w.must(err, "dumping "+file)
	return !equal(before, after)
}

// rot changes a device's rows behind capture's back.
func (d *device) rot() {
	if d.w.uncaptured(d.app.Name(), replicaFile, d.number) {
		d.w.trace("%s: rows changed behind capture's back", d.name)
		d.rotten, d.soiled = true, true
	}
}

// rotServer changes the server's rows behind capture's back. The scrub must
// find every one of them and sequence it.
func (w *world) rotServer() {
	s := w.server
	if !w.uncaptured(s.tool.Name(), spaceFile, 0) {
		return
	}
	w.trace("rows of the server changed behind capture's back")
	w.rotted = true // a scrub goes in slices: what belongs together may come apart
	for cursor, first := "", true; first || cursor != ""; first = false {
		next, c, err := s.hub.Scrub(context.Background(), w.now, cursor, 1+w.rand.IntN(20))
		w.must(err, "scrubbing the server's file")
		w.trace("scrub: %d to %d, %d missed", c.From, c.To, c.Missed)
		w.ledger.trust(s)
		s.tell(c)
		cursor = next
	}
	w.ledger.compareServer(s)
	w.quieten()
}

// trust folds what a scrub sequenced as the server says it.
func (l *ledger) trust(s *server) {
	entries, _ := l.recorded(s)
	for _, e := range entries {
		if e.Name.Replica != tidemark.FileReplica {
			l.w.fail("I3", "a scrub sequenced a changeset of replica %s", e.Name.Replica)
		}
		l.now.append(l.w.put(l.now.at(l.now.head()), l.effected(s.hub.Schema(), e.Effects)), tidemark.Hash{}, tidemark.FileReplica)
	}
}

// put makes the rows what effects say: an insert is a row's state, whether it
// was there or not.
func (w *world) put(s oracle.State, effects []oracle.Change) oracle.State {
	for i := range effects {
		if c := &effects[i]; c.Op == tidemark.Insert {
			s, _ = w.model.Apply(s, []oracle.Change{{Table: c.Table, Op: tidemark.Delete, Key: c.Key}})
		}
	}
	next, fits := w.model.Apply(s, effects)
	if !fits {
		w.fail("I14", "effects do not fit: %v", effects)
	}
	return next
}
