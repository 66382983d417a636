package guards

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

var update = flag.Bool("update", false, "write spec/vectors/guards.json anew")

const vectorFile = "../../spec/vectors/guards.json"

// vector is one case of the file: what a replica of ann is told, and what it
// refuses then. Every step is a transaction; the log is cleared behind it.
type vector struct {
	Name   string          `json:"name"`
	SQL    string          `json:"sql"`
	Schema json.RawMessage `json:"schema"`
	Steps  []step          `json:"steps"`
	rules  tidemark.Rules
}

type step struct {
	SQL     string   `json:"sql"`
	Refused string   `json:"refused,omitempty"` // the message
	Table   string   `json:"table,omitempty"`
	Columns []string `json:"columns,omitempty"`
}

func on(table, insert, update, remove string, immutable ...string) tidemark.Rules {
	return tidemark.Rules{Public: true, Tables: []tidemark.TableRules{{Table: table, Insert: insert, Update: update, Delete: remove, Immutable: immutable}}}
}

const ugly = `"a""b'c d"`

func vectors() []*vector {
	yes := func(sql string) step { return step{SQL: sql} }
	no := func(sql, message, table string, columns ...string) step { return step{sql, message, table, columns} }
	task := `CREATE TABLE task (id INTEGER PRIMARY KEY, author TEXT, state TEXT); INSERT INTO task VALUES (1, 'ann', 'open'), (2, 'bob', 'open')`
	const table = `a"b'c d`
	return []*vector{
		{Name: "nobody", SQL: task, rules: on("task", "none", "none", "none"), Steps: []step{
			no("INSERT INTO task VALUES (3, 'ann', 'open')", "the rules allow nobody to insert rows of task", "task"),
			no("UPDATE task SET state = 'done'", "the rules allow nobody to update rows of task", "task"),
			no("DELETE FROM task WHERE id = 1", "the rules allow nobody to delete rows of task", "task"),
			no("INSERT INTO task VALUES (1, 'x', 'y') ON CONFLICT (id) DO UPDATE SET state = excluded.state", "the rules allow nobody to update rows of task", "task"),
			yes("UPDATE task SET state = state"),
			yes("INSERT OR IGNORE INTO task VALUES (1, 'x', 'y')"),
		}},
		{Name: "one's own", SQL: task, rules: on("task", "NEW.author = :user", "OLD.author = :user AND NEW.state IN ('open', 'done')", "OLD.author = :user", "author"), Steps: []step{
			yes("INSERT INTO task (author) VALUES ('ann')"),
			no("INSERT INTO task (author) VALUES ('eve')", "the rules do not allow to insert this row of task", "task"),
			no("INSERT INTO task (author) VALUES (NULL)", "the rules do not allow to insert this row of task", "task"),
			yes("UPDATE task SET state = 'done' WHERE id = 1"),
			no("UPDATE task SET state = 'lost' WHERE id = 1", "the rules do not allow to update this row of task", "task"),
			no("UPDATE task SET state = 'done' WHERE id = 2", "the rules do not allow to update this row of task", "task"),
			no("UPDATE task SET author = 'eve' WHERE id = 1", "column author of task cannot be changed", "task", "author"),
			no("DELETE FROM task WHERE id = 2", "the rules do not allow to delete this row of task", "task"),
			yes("DELETE FROM task WHERE id = 1"),
		}},
		{Name: "what the server judges in all", SQL: task, rules: on("task", "public", "none", "none"), Steps: []step{
			yes("INSERT INTO task VALUES (7, 'ann', 'open'); UPDATE task SET state = 'done' WHERE id = 7; DELETE FROM task WHERE id = 7"),
			yes("REPLACE INTO task VALUES (1, 'ann', 'done')"),
			no("UPDATE task SET state = 'done' WHERE id = 2", "the rules allow nobody to update rows of task", "task"),
		}},
		{
			Name:  "ugly names",
			SQL:   "CREATE TABLE " + ugly + ` ("k 'k" TEXT PRIMARY KEY NOT NULL COLLATE NOCASE, "NEW" INTEGER) WITHOUT ROWID; INSERT INTO ` + ugly + " VALUES ('a', 1)",
			rules: on(table, `NEW."NEW" > 0`, "public", "public", "k 'k"), Steps: []step{
				yes("INSERT INTO " + ugly + " VALUES ('b', 1)"),
				no("INSERT INTO "+ugly+" VALUES ('c', 0)", "the rules do not allow to insert this row of "+table, table),
				no("UPDATE "+ugly+` SET "k 'k" = 'z' WHERE "k 'k" = 'A'`, "column k 'k of "+table+" cannot be changed", table, "k 'k"),
			},
		},
	}
}

// TestVectors holds the cases that both languages run against the file.
func TestVectors(t *testing.T) {
	list := vectors()
	for _, v := range list {
		d := newDesk(t, v.SQL, v.rules)
		d.schema.Hash = schema.HashOf(d.schema)
		v.Schema = schema.Encode(d.schema)
		for _, s := range v.Steps {
			if s.Refused == "" {
				d.takes(s.SQL)
				continue
			}
			if e := d.refuses(s.SQL, s.Refused); e.Table != s.Table || len(e.Columns) != len(s.Columns) {
				t.Errorf("%s: table %q, columns %q", s.SQL, e.Table, e.Columns)
			}
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	must(t, e.Encode(list))
	if *update {
		must(t, os.WriteFile(vectorFile, b.Bytes(), 0o644))
	}
	have, err := os.ReadFile(vectorFile)
	must(t, err)
	if !bytes.Equal(have, b.Bytes()) {
		t.Error("spec/vectors/guards.json is not what is made here: go test ./internal/guards -run Vectors -update")
	}
}
