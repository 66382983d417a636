package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/rules"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/scope"
)

// Reader says who may read which rows of a database, and why. It asks the
// scopes and grants that the server goes by.
type Reader struct {
	db     *lite.DB
	plan   *scope.Plan
	schema *tidemark.Schema
	grants map[string]*scope.Grant // by kind
	broken map[string]error        // grants that cannot be used
}

// NewReader opens a database, which may be in use, with scopes that fit its schema.
func NewReader(database string, s *tidemark.Schema, d *tidemark.Scopes) (*Reader, error) {
	plan, _ := scope.Fit(s, d)
	if plan == nil {
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Msg: "no scopes are declared: everybody who may come holds everything", Hint: "docs/guide/scopes.md says how to declare some"}
	}
	db, err := lite.Open(database, lite.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	r := &Reader{db: db, plan: plan, schema: s, grants: map[string]*scope.Grant{}, broken: map[string]error{}}
	if err := db.AllowQuotedStrings(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	for _, k := range plan.Kinds {
		if k.Grant == tidemark.GrantNone || k.Grant == tidemark.GrantPublic {
			continue
		}
		if r.grants[k.Name], err = scope.NewGrant(db, s, k); err != nil {
			r.broken[k.Name] = err
		}
	}
	return r, nil
}

// Close closes the database.
func (r *Reader) Close() error { return r.db.Close() }

// Granted is what one grant gives a principal.
type Granted struct {
	Kind   string
	Scopes []string // sorted
	Err    error    // why it gives nothing
}

// Granted asks all grants on behalf of a principal.
func (r *Reader) Granted(p tidemark.Principal) []Granted {
	var all []Granted
	for _, k := range r.plan.Kinds {
		g := Granted{Kind: k.Name}
		switch {
		case k.Grant == tidemark.GrantPublic:
			g.Scopes = []string{k.Name}
		case k.Grant == tidemark.GrantNone:
		case r.broken[k.Name] != nil:
			g.Err = r.broken[k.Name]
		default:
			g.Scopes, g.Err = r.grants[k.Name].Ask(context.Background(), r.db, p, 0)
		}
		all = append(all, g)
	}
	return all
}

// Seen is a row, and whether a principal may read it.
type Seen struct {
	Key    []tidemark.Value
	May    bool
	Places []Place
}

// Place is where a row is by one kind of scope.
type Place struct {
	Kind    string
	Scope   string // "" when it is in none of the kind
	Left    bool   // the condition under where leaves it out
	Granted bool
}

// See looks at the rows of a table that a condition holds for, "" for all, at most
// limit of them (0: all), with the eyes of a principal.
func (r *Reader) See(p tidemark.Principal, table, where string, limit int) (rows []Seen, more bool, err error) {
	t, err := r.table(table)
	if err != nil {
		return nil, false, err
	}
	granted := map[string]bool{}
	for _, g := range r.Granted(p) {
		for _, s := range g.Scopes {
			granted[s] = true
		}
	}
	sql, err := r.query(t, withUser(where, p.ID), limit)
	if err != nil {
		return nil, false, err
	}
	err = r.db.Each(sql, func(s *lite.Stmt) error {
		if more = limit > 0 && len(rows) == limit; !more {
			rows = append(rows, seen(t, s.Row(0), granted))
		}
		return nil
	})
	if err != nil && !lite.Environment(err) {
		err = fmt.Errorf("%s", strings.TrimPrefix(strings.TrimPrefix(err.Error(), "sqlite3: "), "SQL logic error: "))
	}
	return rows, more, err
}

// table finds a table, also one that is in no scope.
func (r *Reader) table(name string) (*scope.Table, error) {
	t := r.schema.Named(name)
	switch {
	case schema.Fold(name) == tidemark.ConflictsTable:
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Msg: name + " has no scopes of its own", Hint: "ask for the row that the record speaks of: whoever may read that may read the record"}
	case t == nil || t.Out != "":
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Msg: "no table " + name + " syncs", Hint: "tidemark check FILE lists the tables"}
	case r.plan.Tables[t.ID] == nil:
		return &scope.Table{Table: t}, nil
	}
	return r.plan.Tables[t.ID], nil
}

// query returns the key, the names of scopes, and whether the conditions hold.
func (r *Reader) query(t *scope.Table, where string, limit int) (string, error) {
	sql := t.All
	if sql == "" {
		keys := make([]string, len(t.Key))
		for i, c := range t.Key {
			keys[i] = lite.Quote(t.Columns[c].Name)
		}
		sql = "SELECT " + strings.Join(keys, ", ") + " FROM main." + lite.Quote(t.Name)
	}
	if where != "" {
		if err := rules.Closed(where); err != nil {
			return "", err
		}
		sql += " WHERE (" + where + "\n)"
	}
	if limit > 0 {
		sql += fmt.Sprintf(" LIMIT %d", limit+1)
	}
	return sql, nil
}

func seen(t *scope.Table, row []tidemark.Value, granted map[string]bool) Seen {
	n := len(t.Key)
	s := Seen{Key: slices.Clone(row[:n])}
	for i, kind := range t.Kinds {
		p := Place{Kind: kind}
		if v := row[n+i]; !v.IsNull() {
			p.Scope = v.Str()
			p.Granted = granted[p.Scope]
		} else {
			p.Left = t.Where[i] != ""
		}
		s.May = s.May || p.Granted
		s.Places = append(s.Places, p)
	}
	return s
}

// SplitRead takes TABLE WHERE CONDITION apart; the condition may be missing.
func SplitRead(text string) (table, where string, err error) {
	toks := schema.Lex(text)
	if len(toks) == 0 || toks[0].Name == "" || len(toks) == 2 || len(toks) > 1 && !strings.EqualFold(toks[1].Text, "WHERE") {
		return "", "", fmt.Errorf("write TABLE, or TABLE WHERE CONDITION")
	}
	if len(toks) > 2 {
		where = text[toks[2].Start:]
	}
	return toks[0].Name, where, nil
}
