package replica

import (
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	structure "github.com/tidemarkdb/tidemark/internal/schema"
)

// know makes sure that the engine knows the file's structure. It is the first
// step of every writing transaction. Another process of Tidemark may have
// taken a new schema over, and any program may have run DDL.
func (r *Replica) know() error {
	version, err := r.db.Int("PRAGMA main.schema_version")
	if err != nil || version == r.ddl {
		return err
	}
	if changed, err := r.extend(version); err != nil {
		return err
	} else if changed {
		if version, err = r.db.Int("PRAGMA main.schema_version"); err != nil {
			return err
		}
	}
	if err := r.load(); err != nil {
		return err
	}
	made, err := meta.Int(r.db, meta.KeyDDLVersion)
	if err != nil {
		return err
	}
	if made != version {
		if err := r.drift(); err != nil {
			return err
		}
	}
	if err := r.mirror(); err != nil {
		return err
	}
	r.ddl, err = r.db.Int("PRAGMA main.schema_version")
	return err
}

// load reads the schema and what else belongs to the file.
func (r *Replica) load() error {
	r.db.Forget()
	body, err := meta.Value(r.db, meta.KeySchemaBody)
	if err != nil {
		return err
	}
	if r.server, err = structure.Decode(body.Bytes()); err != nil {
		return &tidemark.Error{Code: tidemark.CodeCorrupt, Err: err, Msg: "the stored schema cannot be read"}
	}
	if err := r.overlay(); err != nil {
		return err
	}
	key, err := meta.Value(r.db, meta.KeyDigestKey)
	if err != nil {
		return err
	}
	var k digest.Key
	copy(k[:], key.Str())
	r.hasher = digest.New(k)
	if err := r.overwriteDeleted(); err != nil {
		return err
	}
	readOnly, err := meta.Int(r.db, keyReadOnly)
	r.readOnly = readOnly != 0
	return err
}

// overlay makes r.schema: the server's, with the tables that left syncing here.
func (r *Replica) overlay() error {
	outs := map[int]string{}
	err := r.db.Each("SELECT t, out FROM main._tm_table WHERE out IS NOT NULL AND out <> ''", func(s *lite.Stmt) error {
		outs[int(s.Int(0))] = s.Text(1)
		return nil
	})
	if err != nil {
		return err
	}
	s := *r.server
	s.Tables = make([]*tidemark.Table, len(r.server.Tables))
	for i, t := range r.server.Tables {
		s.Tables[i] = t
		if why := outs[t.ID]; why != "" && t.Out == "" {
			c := *t
			c.Out = why
			s.Tables[i] = &c
		}
	}
	r.schema = &s
	r.refs = newReferences(r.schema)
	r.merging = mergingOf(r.schema)
	return nil
}

// drift answers DDL that another program ran here. What was captured before it
// is sealed under the schema that capture knew; tables that are no longer what
// the server has leave syncing, with a reason; everything else goes on.
func (r *Replica) drift() error {
	found, _, err := structure.Inspect(r.db, tableIDs(r.server))
	if err != nil {
		return err
	}
	outs := map[int]string{}
	gone := map[int]bool{}
	for _, t := range r.schema.Tables {
		if t.Out != "" {
			continue
		}
		here := found.Named(t.Name)
		sql, err := r.definitionOf(t)
		if err != nil {
			return err
		}
		if why := difference(t, here, sql); why != "" {
			outs[t.ID] = why
			gone[t.ID] = here == nil || !holds(here, t)
		}
	}
	if err := r.sealWithout(gone); err != nil {
		return err
	}
	for _, t := range r.schema.Tables {
		if outs[t.ID] != "" {
			if err := r.leaveSync(t.ID, outs[t.ID]); err != nil {
				return err
			}
		}
	}
	before, err := captureTriggers(r.db)
	if err != nil {
		return err
	}
	if err := r.structureChanged(); err != nil {
		return err
	}
	return r.missed(before)
}

// missed marks the copy for repair when triggers of capture were gone: rows
// may have changed meanwhile.
func (r *Replica) missed(before map[string]bool) error {
	after, err := captureTriggers(r.db)
	if err != nil {
		return err
	}
	for name := range after {
		if !before[name] {
			return store(r.db, flag(keyProven, false), text(keyRepair, "the capture of changes was taken off for a while"))
		}
	}
	return nil
}

func captureTriggers(db *lite.DB) (map[string]bool, error) {
	names := map[string]bool{}
	err := db.Each("SELECT name FROM main.sqlite_master WHERE type = 'trigger'", func(s *lite.Stmt) error {
		if meta.Own(s.Text(0)) && !strings.HasPrefix(s.Text(0), capture.GuardPrefix) {
			names[s.Text(0)] = true
		}
		return nil
	})
	return names, err
}

// structureChanged makes capture fit the file and remembers the structure.
func (r *Replica) structureChanged() error {
	if err := r.overlay(); err != nil {
		return err
	}
	r.db.Forget()
	if err := capture.Install(r.db, capture.Main, r.schema, r.readOnly); err != nil {
		return err
	}
	return markStructure(r.db)
}

func tableIDs(s *tidemark.Schema) map[string]int {
	ids := map[string]int{}
	for _, t := range s.Tables {
		ids[t.Name] = t.ID
	}
	return ids
}

// difference says why a table here is no longer the server's, which is made here
// by sql; "" if it is.
func difference(t, here *tidemark.Table, sql string) string {
	const hint = "; undo that and clone again to sync it, the other tables go on"
	switch {
	case here == nil:
		return fmt.Sprintf("table %s was dropped, renamed or changed in this copy so that it cannot sync%s", t.Name, hint)
	case here.SQL != sql:
		return fmt.Sprintf("table %s was altered in this copy%s", t.Name, hint)
	}
	for _, u := range here.Uniques {
		if !hasUnique(t, u.Name) {
			return fmt.Sprintf("unique index %s was added to table %s in this copy%s", u.Name, t.Name, hint)
		}
	}
	return ""
}

func hasUnique(t *tidemark.Table, name string) bool {
	for _, u := range t.Uniques {
		if tidemark.SameName(u.Name, name) {
			return true
		}
	}
	return false
}

// holds reports whether a table still has all columns of t.
func holds(here, t *tidemark.Table) bool {
	for _, c := range t.Columns {
		if here.Place(c.Name) < 0 {
			return false
		}
	}
	return true
}

// sealWithout seals what was captured of all tables but those whose rows can
// no longer be read.
func (r *Replica) sealWithout(gone map[int]bool) error {
	known := r.schema
	readable := *known
	readable.Tables = nil
	for _, t := range known.Tables {
		if !gone[t.ID] {
			readable.Tables = append(readable.Tables, t)
		}
	}
	r.schema = &readable
	_, err := r.seal()
	r.schema = known
	return err
}

// leaveSync takes a table out of syncing. Its rows stay as they are, as long as
// the copy has a scope that they were in; what is pending of it stays pending, for
// the server to judge.
func (r *Replica) leaveSync(t int, why string) error {
	id := tidemark.Int(int64(t))
	err := r.db.Run("UPDATE main._tm_table SET out = ?1 WHERE t = ?2", tidemark.Text(why), id)
	if err != nil {
		return err
	}
	if err := r.db.Run("DELETE FROM main._tm_base WHERE t = ?1", id); err != nil {
		return err
	}
	if err := r.db.Run("DELETE FROM main._tm_pending_row WHERE t = ?1", id); err != nil {
		return err
	}
	for _, table := range []string{"_tm_text", "_tm_lost"} {
		if err := r.db.Run("DELETE FROM main."+table+" WHERE t = ?1", id); err != nil {
			return err
		}
	}
	return forgetSums(r.db, t)
}
