package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// Query is a query on the space's tables alone, not on a row that is judged:
// what says which scopes somebody may read. It has the bounds of a rule.
type Query struct {
	SQL    string // with ?1 for :user and ?2 for :claims
	Params int    // how many of the two it takes
	// Reads are the columns that it reads, by the names of tables and views, all
	// as schema.Fold writes them. A table of which it only counts rows has none.
	Reads map[string]map[string]bool
}

// NewQuery makes a query ready. who names it in errors.
func NewQuery(db *lite.DB, s *tidemark.Schema, who, sql string) (*Query, error) {
	e, err := express(sql)
	if err != nil {
		return nil, errors.New(strings.NewReplacer(
			"there is no condition: write none, public or an SQL expression", "there is no query",
			"a condition is one expression, without ;", who+" is one query, without ;",
			"there are :user, :claims and :now", "there are :user and :claims",
		).Replace(err.Error()))
	}
	if e.params > 2 {
		return nil, fmt.Errorf("%s must not ask what time it is: nothing would tell when its answer changes", who)
	}
	found, err := within(db, s, e.sql, who, rowTables{})
	if err != nil {
		return nil, explain(nil, err)
	}
	readByName(s, e.sql, found)
	for name := range found {
		if err := followed(s, who, name); err != nil {
			return nil, err
		}
	}
	return &Query{SQL: e.sql, Params: e.params, Reads: found}, nil
}

// readByName adds what SQLite's authorizer does not hear of, see
// schema.JoinedNames: every column of a table that is named counts then.
func readByName(s *tidemark.Schema, sql string, found reads) {
	names := schema.JoinedNames(sql, func(name string) string {
		for _, o := range s.Objects {
			if o.Type == "view" && schema.Fold(o.Name) == name {
				return o.SQL
			}
		}
		return ""
	})
	for _, o := range s.Objects {
		if name := schema.Fold(o.Name); o.Type == "table" && names[name] && found[name] == nil {
			found[name] = map[string]bool{}
		}
	}
	for _, t := range s.Tables {
		name := schema.Fold(t.Name)
		if t.Out != "" || !names[name] {
			continue
		}
		if found[name] == nil {
			found[name] = map[string]bool{}
		}
		for i := range t.Columns {
			found[name][schema.Fold(t.Columns[i].Name)] = true
		}
	}
}

// followed makes sure that changes of a table that a query reads are noticed.
func followed(s *tidemark.Schema, who, name string) error {
	if t := s.Named(name); t != nil && t.Out == "" {
		return nil
	}
	for _, o := range s.Objects {
		if o.Type == "table" && schema.Fold(o.Name) == name {
			return fmt.Errorf("%s must not read %s, which does not sync: nobody would notice what changes there", who, o.Name)
		}
	}
	return nil
}

// Parameters are what queries are asked on behalf of a principal: :user and :claims.
func Parameters(p tidemark.Principal) []tidemark.Value {
	user := tidemark.Null
	if p.ID != "" {
		user = tidemark.Text(p.ID)
	}
	claims := "{}"
	if len(p.Claims) > 0 {
		if b, err := json.Marshal(p.Claims); err == nil {
			claims = string(b)
		}
	}
	return []tidemark.Value{user, tidemark.Text(claims)}
}
