package schema

import (
	"sort"
	"strings"

	"github.com/ncruces/go-sqlite3"

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
		if e.kind == "view" && strings.EqualFold(e.name, name) {
			return true
		}
	}
	return false
}

// triggerWrites compiles an INSERT, an UPDATE and a DELETE on a table or view.
func triggerWrites(db *lite.DB, table string) (writes map[string]map[string]bool, err error) {
	columns, err := tableColumns(db, table)
	if err != nil {
		return map[string]map[string]bool{}, nil // a view that cannot be opened
	}
	on, err := db.Conn().Config(sqlite3.DBCONFIG_ENABLE_TRIGGER)
	if err != nil {
		return nil, err
	}
	if err := db.SetTriggers(true); err != nil {
		return nil, err
	}
	writes = map[string]map[string]bool{}
	err = listen(db, writes, func() {
		for _, sql := range writesOf(table, columns) {
			_ = compile(db, sql) // a view refuses the kinds that it has no trigger for
		}
	})
	if rerr := db.SetTriggers(on); err == nil {
		err = rerr
	}
	return writes, err
}

func writesOf(table string, columns []tidemark.Column) []string {
	if len(columns) == 0 {
		return nil
	}
	return writes(table, columns)
}

func tableColumns(db *lite.DB, table string) ([]tidemark.Column, error) {
	var columns []tidemark.Column
	err := db.Each("SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE hidden = 0", func(s *lite.Stmt) error {
		columns = append(columns, tidemark.Column{Name: s.Text(0)})
		return nil
	}, tidemark.Text(table))
	return columns, err
}

// listen runs fn with an authorizer that notes which trigger writes what.
func listen(db *lite.DB, writes map[string]map[string]bool, fn func()) error {
	note := func(action sqlite3.AuthorizerActionCode, name3rd, name4th, _, inner string) sqlite3.AuthorizerReturnCode {
		if inner == "" || ignored(inner) {
			return sqlite3.AUTH_OK
		}
		if writes[lower(inner)] == nil {
			writes[lower(inner)] = map[string]bool{}
		}
		switch action {
		case sqlite3.AUTH_INSERT, sqlite3.AUTH_UPDATE, sqlite3.AUTH_DELETE:
			writes[lower(inner)][name3rd] = true
		}
		return sqlite3.AUTH_OK
	}
	if err := db.Conn().SetAuthorizer(note); err != nil {
		return err
	}
	fn()
	return db.Conn().SetAuthorizer(nil)
}
