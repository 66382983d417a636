package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// Scratch makes a database in memory with the tables, views and indexes of a
// schema, empty. What cannot be made there is left out.
func Scratch(s *tidemark.Schema) (*lite.DB, error) {
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	if err != nil {
		return nil, err
	}
	if err := db.AllowQuotedStrings(); err != nil {
		_ = db.Close()
		return nil, err
	}
	made := map[string]bool{}
	for _, kind := range []string{"table", "index", "view"} {
		for _, o := range s.Objects {
			if o.Type == kind && o.SQL != "" && !Own(o.Name) {
				made[schema.Fold(o.Name)] = db.Script(o.SQL) == nil
			}
		}
	}
	for _, t := range s.Tables {
		if !made[schema.Fold(t.Name)] && t.SQL != "" {
			_ = db.Script(t.SQL)
		}
	}
	if err := db.RefuseQuotedStrings(); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// Check says which rules do not fit a schema.
func Check(s *tidemark.Schema, r *tidemark.Rules) ([]Misfit, error) {
	db, err := Scratch(s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	_, misfits, err := New(db, s, r)
	return misfits, err
}

// Advice is an index that a rule lacks: without it the rule reads a whole table
// for each change.
type Advice struct {
	Table  string `json:"table"` // with the rule
	What   string `json:"rule"`
	Reads  string `json:"reads"`  // the table that is read as a whole
	Create string `json:"create"` // the statement that makes the index
}

// Advise looks for sub-queries that read whole tables.
func Advise(s *tidemark.Schema, r *tidemark.Rules) ([]Advice, error) {
	db, err := Scratch(s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	j, _, err := New(db, s, r)
	if err != nil {
		return nil, err
	}
	var all []Advice
	for i := range r.Tables {
		t := s.Named(r.Tables[i].Table)
		if t == nil || j.tables[t.ID] == nil {
			continue
		}
		for _, op := range []tidemark.Op{tidemark.Insert, tidemark.Update, tidemark.Delete} {
			u := j.tables[t.ID].questions[op]
			if u.word != "" || u.err != nil {
				continue
			}
			list, err := Scans(db, s, u.sql)
			if err != nil {
				return nil, err
			}
			for _, a := range list {
				a.Table, a.What = t.Name, verb(op)
				if !slices.ContainsFunc(all, func(b Advice) bool { return b.Create == a.Create }) {
					all = append(all, a)
				}
			}
		}
	}
	return all, nil
}

// Scans asks SQLite how a query would find its rows, and for each table that it
// would read from one end to the other looks for columns that are compared in it.
func Scans(db *lite.DB, s *tidemark.Schema, sql string) ([]Advice, error) {
	var found []Advice
	err := db.Each("EXPLAIN QUERY PLAN "+sql, func(st *lite.Stmt) error {
		words := strings.Fields(st.Text(3))
		auto := strings.Contains(st.Text(3), "AUTOMATIC")
		if len(words) < 2 || words[0] != "SCAN" && !auto {
			return nil
		}
		alias := words[1]
		table := aliased(s, sql, alias)
		if table == nil || strings.EqualFold(alias, "OLD") || strings.EqualFold(alias, "NEW") {
			return nil
		}
		columns := compared(sql, table, alias)
		if len(columns) == 0 {
			return nil
		}
		names := make([]string, len(columns))
		quoted := make([]string, len(columns))
		for i, c := range columns {
			names[i], quoted[i] = table.Columns[c].Name, Bare(table.Columns[c].Name)
		}
		found = append(found, Advice{
			Reads:  table.Name,
			Create: fmt.Sprintf("CREATE INDEX %s ON %s (%s);", Bare(table.Name+"_"+strings.Join(names, "_")), Bare(table.Name), strings.Join(quoted, ", ")),
		})
		return nil
	})
	return found, err
}

// aliased finds the table that a name stands for in a query.
func aliased(s *tidemark.Schema, sql, alias string) *tidemark.Table {
	if t := s.Named(alias); t != nil {
		return t
	}
	toks := schema.Lex(sql)
	for i, x := range toks {
		if x.Name == "" || !tidemark.SameName(x.Name, alias) || i == 0 {
			continue
		}
		at := i - 1
		if strings.EqualFold(toks[at].Text, "AS") && at > 0 {
			at--
		}
		if t := s.Named(toks[at].Name); t != nil {
			return t
		}
	}
	return nil
}

// compared lists the columns of a table that a query compares for equality.
func compared(sql string, t *tidemark.Table, alias string) []int {
	toks := schema.Lex(sql)
	var columns []int
	add := func(i int) {
		if i < 0 || i >= len(toks) {
			return
		}
		c := t.Place(toks[i].Name)
		dotted := i > 1 && toks[i-1].Text == "."
		if c >= 0 && (!dotted || tidemark.SameName(toks[i-2].Name, alias)) && !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	for i, x := range toks {
		if x.Text != "=" && !strings.EqualFold(x.Text, "IN") && !strings.EqualFold(x.Text, "IS") {
			continue
		}
		add(i - 1)
		if x.Text == "=" {
			k := i + 1
			if k+2 < len(toks) && toks[k+1].Text == "." {
				k += 2
			}
			add(k)
		}
	}
	return columns
}

// Bare writes a name for people: it quotes it only where SQL needs it.
func Bare(name string) string {
	toks := schema.Lex(name)
	word := len(toks) == 1 && toks[0].Kind == schema.LexWord && toks[0].End == len(name) && !strings.Contains(name, "$") && name[0] > '9'
	if word && !slices.Contains(reservedWords, strings.ToUpper(name)) {
		return name
	}
	return lite.Quote(name)
}

// reservedWords cannot be names without quotes, https://www.sqlite.org/lang_keywords.html;
// those that SQLite lets pass are left out.
var reservedWords = strings.Fields(`ADD ALL ALTER AND AS AUTOINCREMENT BETWEEN CASE CAST CHECK COLLATE COMMIT CONSTRAINT CREATE
	CROSS CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DEFAULT DEFERRABLE DELETE DISTINCT DROP ELSE ESCAPE EXISTS
	EXCEPT FILTER FOREIGN FROM FULL GROUP HAVING IN INDEX INNER INSERT INTERSECT INTO IS ISNULL JOIN LEFT LIMIT NATURAL
	NOT NOTHING NOTNULL NULL ON OR ORDER OUTER OVER PRIMARY RAISE REFERENCES RETURNING RIGHT SELECT SET TABLE THEN TO
	TRANSACTION UNION UNIQUE UPDATE USING VALUES WHEN WHERE WINDOW WITH`)
