package schema

import (
	"sort"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// classify says of each of the app's triggers where it fires. What a trigger
// writes is learnt from SQLite: while a statement on its table is compiled,
// the authorizer hears of every write together with the trigger that does it.
func classify(db *lite.DB, entries []entry, s *tidemark.Schema) ([]Trigger, error) {
	var out []Trigger
	seen := map[string]map[string]map[string]bool{} // table → trigger → tables written
	for _, e := range entries {
		if e.kind != "trigger" {
			continue
		}
		if seen[lower(e.table)] == nil {
			w, err := triggerWrites(db, e.table)
			if err != nil {
				return nil, err
			}
			seen[lower(e.table)] = w
		}
		out = append(out, describe(e, seen[lower(e.table)], entries, s))
	}
	return out, nil
}

func describe(e entry, seen map[string]map[string]bool, entries []entry, s *tidemark.Schema) Trigger {
	t := Trigger{Name: e.name, Table: e.table, Class: TriggerGuard, SQL: e.sql}
	tables, known := seen[lower(e.name)]
	for name := range tables {
		t.Writes = append(t.Writes, name)
	}
	sort.Strings(t.Writes)
	switch {
	case onView(entries, e.table), !known:
		// A view holds no rows of its own, and a trigger that does not even
		// compile here is left to the program that knows it.
		t.Class = TriggerOrigin
	case len(t.Writes) > 0:
		t.Class = TriggerEverywhere
		for _, name := range t.Writes {
			if s.Named(name) != nil || onView(entries, name) {
				t.Class = TriggerOrigin
			}
		}
	}
	return t
}

func onView(entries []entry, name string) bool {
	for _, e := range entries {
		if e.kind == "view" && tidemark.SameName(e.name, name) {
			return true
		}
	}
	return false
}

// triggerWrites compiles an INSERT, an UPDATE and a DELETE on a table or view
// and notes which trigger writes what. A view refuses the kinds that it has no
// trigger for, which is no error here.
func triggerWrites(db *lite.DB, table string) (map[string]map[string]bool, error) {
	writes := map[string]map[string]bool{}
	columns, err := tableColumns(db, table)
	if err != nil || len(columns) == 0 {
		return writes, nil // a view that cannot be opened
	}
	note := func(a lite.Access) {
		if a.Inside == "" || ignored(a.Inside) {
			return
		}
		if writes[lower(a.Inside)] == nil {
			writes[lower(a.Inside)] = map[string]bool{}
		}
		if a.Writes {
			writes[lower(a.Inside)][a.Table] = true
		}
	}
	err = db.WithTriggers(true, func() error {
		return db.Overhear(note, func() {
			for _, sql := range Writes(table, columns) {
				_ = db.Compile(sql)
			}
		})
	})
	return writes, err
}

func tableColumns(db *lite.DB, table string) ([]tidemark.Column, error) {
	var columns []tidemark.Column
	err := db.Each("SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE hidden = 0", func(s *lite.Stmt) error {
		columns = append(columns, tidemark.Column{Name: s.Text(0)})
		return nil
	}, tidemark.Text(table))
	return columns, err
}
