package replica

import (
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	structure "github.com/tidemarkdb/tidemark/internal/schema"
)

// definitionOf is how a table is made here: without the foreign keys that lead
// to rows that a copy need not have.
func (r *Replica) definitionOf(t *tidemark.Table) (string, error) {
	if sql, known := r.loose[t]; known {
		return sql, nil
	}
	sql, err := structure.LooseSQL(t)
	if err != nil {
		return "", err
	}
	if r.loose == nil || len(r.loose) > 4*len(r.server.Tables) {
		r.loose = map[*tidemark.Table]string{}
	}
	r.loose[t] = sql
	return sql, nil
}

// reline gives the tables the foreign keys that the new schema has them with:
// another declaration of scopes can make a key loose, or honour one that was
// loose. It writes the definitions themselves, which SQLite allows where what is
// stored of rows does not depend on what changes.
func (a *attempt) reline(from *tidemark.Schema) error {
	changed := false
	for _, f := range from.Tables {
		t := synced(a.r.schema, f.ID)
		if t == nil || sameLoose(f, t) {
			continue
		}
		old, err := a.made(f, t)
		if err != nil {
			return err
		}
		sql, err := a.r.definitionOf(t)
		if err != nil {
			return err
		}
		if err := a.rewrite(t, old, sql); err != nil {
			return err
		}
		changed = true
	}
	if !changed {
		return nil
	}
	a.db.Forget()
	return nil
}

// sameLoose reports whether the foreign keys that both tables have are loose in both or in none.
func sameLoose(f, t *tidemark.Table) bool {
	for i := range min(len(f.ForeignKeys), len(t.ForeignKeys)) {
		if f.ForeignKeys[i].Loose != t.ForeignKeys[i].Loose {
			return false
		}
	}
	return true
}

// made is what a table's definition is now: as the earlier schema has it, with
// the columns that were just added.
func (a *attempt) made(f, t *tidemark.Table) (string, error) {
	was := *t
	was.ForeignKeys = append([]tidemark.ForeignKey(nil), t.ForeignKeys...)
	for i := range min(len(f.ForeignKeys), len(was.ForeignKeys)) {
		was.ForeignKeys[i].Loose = f.ForeignKeys[i].Loose
	}
	return structure.LooseSQL(&was)
}

// rewrite puts one definition in the place of another. A table that is not made
// as expected stays as it is: it is going to leave syncing.
func (a *attempt) rewrite(t *tidemark.Table, from, to string) error {
	version, err := a.db.Int("PRAGMA main.schema_version")
	if err != nil {
		return err
	}
	if err := a.db.Run("PRAGMA writable_schema = ON"); err != nil {
		return err
	}
	err = a.db.Run("UPDATE main.sqlite_master SET sql = ?1 WHERE type = 'table' AND name = ?2 COLLATE NOCASE AND sql = ?3",
		tidemark.Text(to), tidemark.Text(t.Name), tidemark.Text(from))
	if err == nil {
		err = a.db.Run(fmt.Sprintf("PRAGMA main.schema_version = %d", version+1))
	}
	if off := a.db.Run("PRAGMA writable_schema = RESET"); err == nil {
		err = off
	}
	return err
}

// addedColumns are the statements that add columns, without loose foreign keys.
func addedColumns(w structure.Widened) string {
	var b strings.Builder
	for _, def := range structure.LooseDefs(w.To, w.Defs) {
		b.WriteString("ALTER TABLE main." + lite.Quote(w.From.Name) + " ADD COLUMN " + def + ";\n")
	}
	return b.String()
}
