package typescript

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// Relation is a table or view as a query sees it.
type Relation struct {
	Name    string
	View    bool
	Local   bool // a table that does not sync: every device has its own rows
	Columns []Column
}

// Column is a column as a query sees it, generated ones too.
type Column struct {
	Name      string
	Type      string // declared type
	NotNull   bool   // no row can have NULL
	Optional  bool   // an insert may leave it out
	Generated bool   // cannot be written
	Strict    bool   // only values of the declared type
}

// Relations lists tables and views of a schema by name. It builds them without
// rows in memory, since only SQLite knows the columns of a view. What this build
// cannot make (a collation or a module that it lacks) is left out.
func Relations(s *tidemark.Schema) ([]Relation, error) {
	db, err := lite.Open(":memory:", lite.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	var all []Relation
	for _, t := range s.Tables {
		if db.Script(t.SQL) == nil {
			all = append(all, Relation{Name: t.Name, Local: t.Out != ""})
		}
	}
	for _, kind := range []string{"table", "view"} {
		for _, o := range s.Objects {
			if o.Type != kind || shadow(db, o.Name) || db.Script(o.SQL) != nil {
				continue
			}
			all = append(all, Relation{Name: o.Name, View: kind == "view", Local: kind == "table"})
		}
	}
	kept := all[:0]
	for _, r := range all {
		// A view of what could not be made is made and cannot be read.
		if r.Columns, err = columns(db, r); err == nil {
			kept = append(kept, r)
		}
	}
	slices.SortFunc(kept, func(a, b Relation) int { return cmp.Compare(a.Name, b.Name) })
	return kept, nil
}

// shadow reports whether a virtual table made this table for itself.
func shadow(db *lite.DB, name string) bool {
	n, err := db.Int("SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)", tidemark.Text(name))
	return err != nil || n > 0
}

func columns(db *lite.DB, r Relation) ([]Column, error) {
	strict, err := db.Int("SELECT max(strict) FROM pragma_table_list WHERE schema = 'main' AND name = ?", tidemark.Text(r.Name))
	if err != nil {
		return nil, err
	}
	var cols []Column
	keys, alias := 0, -1
	err = db.Each("SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?)", func(s *lite.Stmt) error {
		if s.Int(5) == 1 {
			return nil // of a virtual table, for its own use
		}
		c := Column{
			Name: s.Text(0), Type: s.Text(1), NotNull: s.Int(2) != 0 || s.Int(4) != 0,
			Generated: s.Int(5) > 1, Strict: strict != 0,
		}
		c.Optional = !c.NotNull || s.Int(3) != 0
		if s.Int(4) != 0 {
			keys++
			if strings.EqualFold(c.Type, "INTEGER") {
				alias = len(cols)
			}
		}
		cols = append(cols, c)
		return nil
	}, tidemark.Text(r.Name))
	if err != nil {
		return nil, err
	}
	if keys == 1 && alias >= 0 && rowid(db, r.Name) {
		cols[alias].Optional = true // SQLite gives the next number
	}
	return cols, nil
}

// rowid reports whether a table has rowids.
func rowid(db *lite.DB, name string) bool {
	n, err := db.Int("SELECT max(wr) FROM pragma_table_list WHERE schema = 'main' AND name = ?", tidemark.Text(name))
	return err == nil && n == 0
}
