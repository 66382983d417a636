package schema

import (
	"sort"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
)

// entry is one row of sqlite_schema, and what PRAGMA table_list knows of it.
type entry struct {
	kind   string // table, index, view, trigger
	name   string
	table  string
	sql    string
	shape  string // tables: table, virtual, shadow
	wr     bool
	strict bool
}

// Inspect reads the database. ids gives each table that already has one its
// ID by name; new tables get the next free one. The schema holds the tables
// that can sync.
func Inspect(db *lite.DB, ids map[string]int) (*tidemark.Schema, *Report, error) {
	if db.InTransaction() {
		return inspect(db, ids)
	}
	var s *tidemark.Schema
	var r *Report
	err := db.View(func() (err error) {
		s, r, err = inspect(db, ids)
		return err
	})
	return s, r, err
}

func inspect(db *lite.DB, ids map[string]int) (*tidemark.Schema, *Report, error) {
	entries, err := readEntries(db)
	if err != nil {
		return nil, nil, err
	}
	s := &tidemark.Schema{Objects: objects(entries)}
	r := &Report{}
	known := map[string]bool{}
	for name := range ids {
		known[lower(name)] = true
	}
	for _, e := range entries {
		if e.kind != "table" {
			continue
		}
		t, v, err := inspectTable(db, e, known[lower(e.name)])
		if err != nil {
			return nil, nil, err
		}
		if v.Syncs {
			s.Tables = append(s.Tables, t)
		}
		r.Tables = append(r.Tables, v)
	}
	refuseBadReferences(db, entries, s, r)
	number(s, ids)
	noteReferences(s, r)
	if r.Triggers, err = classify(db, entries, s); err != nil {
		return nil, nil, err
	}
	s.Hash = HashOf(s)
	return s, r, nil
}

// number gives the tables their IDs and sorts by them.
func number(s *tidemark.Schema, ids map[string]int) {
	byName := make(map[string]int, len(ids))
	next := 1
	for name, id := range ids {
		byName[tidemark.FoldName(name)] = id
		next = max(next, id+1)
	}
	for _, t := range s.Tables {
		id, ok := byName[tidemark.FoldName(t.Name)]
		if !ok {
			id = next
			next++
		}
		t.ID = id
	}
	sort.Slice(s.Tables, func(i, j int) bool { return s.Tables[i].ID < s.Tables[j].ID })
}

func readEntries(db *lite.DB) ([]entry, error) {
	var out []entry
	err := db.Each("SELECT type, name, tbl_name, sql FROM main.sqlite_master ORDER BY rowid", func(s *lite.Stmt) error {
		e := entry{kind: s.Text(0), name: s.Text(1), table: s.Text(2), sql: s.Text(3)}
		if !ignored(e.name) && !ignored(e.table) && e.sql != "" {
			out = append(out, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, readShapes(db, out)
}

// ignored reports whether a name belongs to SQLite or to Tidemark.
func ignored(name string) bool {
	return meta.Own(name) || len(name) >= 7 && strings.EqualFold(name[:7], "sqlite_")
}

func readShapes(db *lite.DB, entries []entry) error {
	err := db.Each("PRAGMA main.table_list", func(s *lite.Stmt) error {
		for i := range entries {
			e := &entries[i]
			if s.Text(0) == "main" && e.kind == "table" && e.name == s.Text(1) {
				e.shape, e.wr, e.strict = s.Text(2), s.Int(4) != 0, s.Int(5) != 0
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range entries {
		if virtual(entries[i]) {
			entries[i].shape = "virtual"
			markShadows(entries, entries[i].name)
		}
	}
	return nil
}

// virtual goes by the text, since a module that is missing here is no reason
// to take its table for an ordinary one.
func virtual(e entry) bool {
	toks := tokens(e.sql)
	return e.kind == "table" && len(toks) > 1 && toks[1].is(e.sql, "VIRTUAL")
}

// shadows are the endings that the common modules give their storage tables;
// table_list knows them only while the module is loaded.
var shadows = []string{
	"content", "segments", "segdir", "docsize", "stat", // FTS3 and FTS4
	"data", "idx", "config", // FTS5
	"node", "rowid", "parent", // R-tree
}

func markShadows(entries []entry, module string) {
	for i := range entries {
		e := &entries[i]
		rest, ok := strings.CutPrefix(tidemark.FoldName(e.name), tidemark.FoldName(module)+"_")
		if !ok || e.kind != "table" || e.shape == "virtual" {
			continue
		}
		for _, ending := range shadows {
			if rest == ending {
				e.shape = "shadow"
			}
		}
	}
}

// objects lists what a clone gets, in creation order. Shadow tables come with
// their virtual table.
func objects(entries []entry) []tidemark.Object {
	hidden := map[string]bool{}
	for _, e := range entries {
		if e.shape == "shadow" {
			hidden[tidemark.FoldName(e.name)] = true
		}
	}
	var out []tidemark.Object
	for _, e := range entries {
		if !hidden[tidemark.FoldName(e.name)] && !hidden[tidemark.FoldName(e.table)] {
			out = append(out, tidemark.Object{Type: e.kind, Name: e.name, Table: e.table, SQL: e.sql})
		}
	}
	return out
}
