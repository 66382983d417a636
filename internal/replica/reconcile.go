package replica

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	structure "github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// A new schema is taken over inside the transaction of the first batch that
// names it, with all pending undone: first tables that leave syncing, then new
// columns and tables, then the rows, then indexes, views and triggers, which
// may only hold for the new rows. Then pending goes back on top.

// SaveSchema keeps a schema until the batch that needs it. After a resync the
// copy is at the server's head already, so that the schema is taken over at once.
// What a Welcome did not list leaves now that there are scopes for certain. It
// returns nil when nothing of that happened.
func (r *Replica) SaveSchema(s *wire.Schema, now int64) (*Applied, error) {
	next, err := structure.Decode(s.Body)
	if err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeProtocol, Op: "schema", Err: err, Msg: "the server sent a schema that cannot be read"}
	}
	return r.scrubbed(func() (*Applied, error) {
		var out *Applied
		err := r.transaction("schema", now, func() error {
			if next.Scoped() != r.server.Scoped() {
				return otherKind(next.Scoped())
			}
			lost, err := r.listedNothing()
			if err != nil {
				return err
			}
			err = r.db.Run("INSERT OR REPLACE INTO main._tm_schema (hash, body) VALUES (?1, ?2)", tidemark.Text(s.Hash), tidemark.Blob(s.Body))
			if err != nil {
				return err
			}
			moved, err := r.catchUpSchema(s.Hash)
			out = lost.then(moved)
			return err
		})
		return out, err
	})
}

func (r *Replica) catchUpSchema(hash string) (*Applied, error) {
	why, err := meta.Get(r.db, keyRepair)
	if err != nil || why != resyncReason || hash == r.server.Hash {
		return nil, err
	}
	seq, err := meta.Int(r.db, meta.KeySeq)
	if err != nil {
		return nil, err
	}
	a, err := r.advance(&job{schema: hash, seq: tidemark.Seq(seq)})
	if err != nil {
		return nil, err
	}
	a.out.Seq = tidemark.Seq(seq)
	return a.out, a.tally.save()
}

// schemaMoves reports whether the job brings another schema.
func (a *attempt) schemaMoves() bool {
	return a.job.schema != "" && a.move == nil && a.job.schema != a.r.server.Hash
}

// reconcileOut reads the new schema and takes out the tables that no longer sync.
func (a *attempt) reconcileOut() error {
	if !a.schemaMoves() {
		return nil
	}
	body, err := a.db.Get("SELECT body FROM main._tm_schema WHERE hash = ?1", tidemark.Text(a.job.schema))
	if err != nil {
		return err
	}
	if body == nil {
		return &tidemark.Error{Code: tidemark.CodeSchema, Msg: "changes came under schema " + a.job.schema + ", which this copy does not have"}
	}
	a.body = body[0]
	if a.next, err = structure.Decode(a.body.Bytes()); err != nil {
		return err
	}
	a.move = structure.Compare(a.r.server, a.next)
	for _, o := range a.move.Out {
		if err := a.r.leaveSync(o.Table.ID, o.Reason); err != nil {
			return err
		}
	}
	for _, t := range a.r.server.Tables {
		if n := a.next.Table(t.ID); synced(a.r.schema, t.ID) != nil && (n == nil || n.Out != "") {
			if err := a.r.leaveSync(t.ID, "the server no longer syncs table "+t.Name); err != nil {
				return err
			}
		}
	}
	return a.r.overlay()
}

// reconcileTables adds columns and tables and makes the new schema the
// replica's. The tables hold confirmed rows at this moment.
func (a *attempt) reconcileTables() error {
	if a.move == nil {
		return nil
	}
	if err := a.r.dropMirrors(); err != nil {
		return err
	}
	a.db.Forget()
	failed, err := a.grow()
	if err != nil {
		return err
	}
	from := a.r.server
	if err := a.takeSchema(failed); err != nil {
		return err
	}
	if err := a.reline(from); err != nil {
		return err
	}
	if err := a.compareTables(); err != nil {
		return err
	}
	if err := a.notePending(); err != nil {
		return err
	}
	a.dropObjects()
	if err := a.r.mirror(); err != nil {
		return err
	}
	a.out.Schema = true
	return a.recount()
}

// grow adds columns and tables, and says by table what could not be added.
func (a *attempt) grow() (failed map[int]string, err error) {
	failed = map[int]string{}
	for _, w := range a.move.Widened {
		if synced(a.r.schema, w.From.ID) != nil {
			note(failed, w.To, a.addColumns(w))
		}
	}
	for _, t := range a.move.Added {
		if err := a.addTable(t, failed); err != nil {
			return nil, err
		}
	}
	return failed, nil
}

// takeSchema makes the new schema the replica's, without the tables that failed.
func (a *attempt) takeSchema(failed map[int]string) error {
	err := store(a.db, text(meta.KeySchema, a.next.Hash), fact{meta.KeySchemaBody, a.body})
	if err != nil {
		return err
	}
	if err := a.db.Run("DELETE FROM main._tm_schema WHERE hash = ?1", tidemark.Text(a.job.schema)); err != nil {
		return err
	}
	a.r.server = a.next
	for _, t := range a.next.Tables {
		if why := failed[t.ID]; why != "" {
			if err := a.r.leaveSync(t.ID, why); err != nil {
				return err
			}
		}
	}
	return a.r.overlay()
}

func note(failed map[int]string, t *tidemark.Table, err error) {
	if err != nil {
		failed[t.ID] = fmt.Sprintf("table %s could not be made like the server's: %v", t.Name, err)
	}
}

func (a *attempt) addColumns(w structure.Widened) error {
	return a.db.Savepoint("widen", func() error { return a.db.Script(addedColumns(w)) })
}

func (a *attempt) addTable(t *tidemark.Table, failed map[int]string) error {
	err := a.db.Run("INSERT OR REPLACE INTO main._tm_table (t, name) VALUES (?1, ?2)", tidemark.Int(int64(t.ID)), tidemark.Text(t.Name))
	if err != nil {
		return err
	}
	sql, err := a.r.definitionOf(t)
	if err == nil {
		err = a.db.Savepoint("add", func() error { return a.db.Script(sql) })
	}
	note(failed, t, err)
	return nil
}

// compareTables takes tables out of syncing that did not become what the
// server has.
func (a *attempt) compareTables() error {
	changed := false
	for _, t := range a.r.schema.Tables {
		if t.Out != "" {
			continue
		}
		sql, err := a.db.Text("SELECT sql FROM main.sqlite_master WHERE type = 'table' AND name = ?1 COLLATE NOCASE", tidemark.Text(t.Name))
		if err != nil {
			return err
		}
		if want, err := a.r.definitionOf(t); err != nil {
			return err
		} else if sql == want {
			continue
		}
		changed = true
		if err := a.r.leaveSync(t.ID, "table "+t.Name+" is not made like the server's; clone again to sync it"); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	return a.r.overlay()
}

// notePending notes, where tables merge by other rules from now on, which texts
// pending changesets wrote before. What they meant stays what it was.
func (a *attempt) notePending() error {
	if !slices.ContainsFunc(a.move.Policies, func(t *tidemark.Table) bool {
		m := a.r.merging[t.ID]
		return m != nil && len(m.text) > 0
	}) {
		return nil
	}
	ns, err := a.allPending()
	if err != nil {
		return err
	}
	for _, n := range ns {
		p, err := a.r.unfolded(n)
		if err != nil {
			return err
		}
		if err := a.r.noteTexts(n, p.changes); err != nil {
			return err
		}
	}
	// Whether the texts moved since is not known: the next edits say what they were made on.
	for _, t := range a.move.Policies {
		if err := a.db.Run("UPDATE main._tm_text SET moved = 1 WHERE t = ?1", tidemark.Int(int64(t.ID))); err != nil {
			return err
		}
	}
	return nil
}

// recount counts tables anew that got columns or are new: a default gives
// every row a new cell.
func (a *attempt) recount() error {
	a.tally.schema = a.r.schema
	if err := a.tally.save(); err != nil {
		return err
	}
	for _, w := range a.move.Widened {
		if err := forgetSums(a.db, w.To.ID); err != nil {
			return err
		}
	}
	a.tally.bare = true
	err := a.tally.load()
	if a.tally.scopes != nil {
		err = a.tally.countScopes()
	}
	a.tally.bare = false
	return err
}

// object runs DDL of an object beside the synced tables. What cannot be made
// here (a module or function that this build does not have) is left out.
func (a *attempt) object(o tidemark.Object, sql string) {
	err := a.db.Savepoint("object", func() error { return a.db.Script(sql) })
	if err != nil {
		a.out.Skipped = append(a.out.Skipped, fmt.Sprintf("%s %s: %v", o.Type, o.Name, err))
	}
}

// fill builds a full-text index anew from the rows that are here: no trigger
// told it of them. Other modules have no such command, and say so.
func (a *attempt) fill(o tidemark.Object) {
	words := strings.Fields(o.SQL)
	if o.Type != "table" || len(words) < 2 || !strings.EqualFold(words[1], "VIRTUAL") {
		return
	}
	name := lite.Quote(o.Name)
	err := a.db.Savepoint("fill", func() error {
		return a.db.Run("INSERT INTO main." + name + " (" + name + ") VALUES ('rebuild')")
	})
	if err != nil {
		a.out.Skipped = append(a.out.Skipped, fmt.Sprintf("rows of %s: %v; clone again to have them", o.Name, err))
	}
}

// dropObjects takes away what the server has no more: the new rows need not
// please an index that is gone.
func (a *attempt) dropObjects() {
	for _, o := range slices.Concat(a.move.Dropped, a.move.Changed) {
		a.object(o, "DROP "+o.Type+" IF EXISTS main."+lite.Quote(o.Name))
	}
	a.db.Forget()
}

// reconcileObjects makes what the new rows must be there for, and capture.
func (a *attempt) reconcileObjects() error {
	if a.move == nil {
		return nil
	}
	if err := a.r.dropMirrors(); err != nil {
		return err
	}
	a.db.Forget()
	for _, o := range slices.Concat(a.move.Changed, a.move.Objects) {
		if o.SQL != "" {
			a.object(o, o.SQL)
			a.fill(o)
		}
	}
	if err := a.r.structureChanged(); err != nil {
		return err
	}
	if err := a.r.mirror(); err != nil {
		return err
	}
	version, err := a.db.Int("PRAGMA main.schema_version")
	a.r.ddl = version
	return err
}
