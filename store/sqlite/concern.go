package sqlite

import (
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/rules"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/scope"
)

// reading is what a grant reads of a table.
type reading struct {
	columns map[int]bool
	// user is a column that must equal :user for a row to count, so that a change
	// of the row concerns the principals named there alone; -1: anybody.
	user int
}

// concern collects whose grants may be others. It follows savepoints.
type concern struct {
	all   bool
	names []string
	told  []string // by Concerned, in this group
	toldAll,
	tells int // how often Concerned told of all, and at all
}

// mark remembers where the collection is; back returns there. Who was told of
// since is named again: what was found then was undone.
func (k *concern) mark() concern { return *k }

func (k *concern) back(m concern) {
	told := k.told[len(m.told):]
	k.all = m.all || k.toldAll > m.toldAll
	k.names = append(slices.Clone(m.names), told...)
}

// Concerned tells whose grants may be others, see tidemark.Tx.
func (x *tx) Concerned() (all bool, principals []string) {
	k := &x.concern
	all, principals = k.all, slices.Compact(slices.Sorted(slices.Values(k.names)))
	k.told = append(slices.Clip(k.told), principals...)
	if all {
		k.toldAll++
		principals = nil
	}
	k.all, k.names = false, nil
	return all, principals
}

// concernOf finds out whom a changeset concerns.
func (x *tx) concernOf(n *scoping, rows []stamped) error {
	for _, g := range n.grants {
		for i := range rows {
			if x.concern.all {
				return nil
			}
			if r := g.reads[rows[i].t.ID]; r != nil {
				if err := x.concernOfRow(r, &rows[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (x *tx) concernOfRow(r *reading, s *stamped) error {
	c := s.c
	if c.Op == tidemark.Update && !slices.ContainsFunc(c.Cols, func(col int) bool { return r.columns[col] }) {
		return nil
	}
	whole := len(c.Old) == len(s.t.Columns)
	switch {
	case r.user < 0, c.Op != tidemark.Update && s.was.live && !whole:
		x.concern.all = true
		return nil
	case c.Op == tidemark.Insert:
		x.concern.name(valueAt(c.New, r.user))
	case c.Op == tidemark.Update:
		return x.concernOfUpdate(r, s)
	}
	if whole && c.Op != tidemark.Update {
		x.concern.name(c.Old[r.user])
	}
	return nil
}

func (x *tx) concernOfUpdate(r *reading, s *stamped) error {
	if i := slices.Index(s.c.Cols, r.user); i >= 0 {
		x.concern.name(s.c.New[i])
		x.concern.name(valueAt(s.c.Old, i))
		return nil
	}
	now, err := row.Get(x.db, s.t, s.c.Key)
	if err == nil && now != nil {
		x.concern.name(now[r.user])
	}
	return err
}

// name adds a principal. Only a text can equal one.
func (k *concern) name(v tidemark.Value) {
	if v.Kind() == tidemark.KindText {
		k.names = append(k.names, v.Str())
	}
}

// readingsOf says what a grant reads, by table.
func readingsOf(sc *tidemark.Schema, g *scope.Grant) map[int]*reading {
	all := map[int]*reading{}
	for _, t := range sc.Tables {
		names, ok := g.Reads[schema.Fold(t.Name)]
		if !ok || t.Out != "" {
			continue
		}
		r := &reading{columns: map[int]bool{}, user: userColumn(sc, g.SQL, t)}
		for name := range names {
			r.columns[t.Place(name)] = true
		}
		if r.columns[-1] { // a generated column, or the rowid
			for c := range t.Columns {
				r.columns[c] = true
			}
		}
		all[t.ID] = r
	}
	return all
}

// userColumn finds the column of a table that a query compares with :user, which
// stands in it as ?1, wherever it reads the table. It knows SELECTs from tables, at any
// depth, where this is one of the conditions that must all hold. In anything else it
// finds none, -1.
func userColumn(sc *tidemark.Schema, sql string, t *tidemark.Table) int {
	toks := schema.Lex(sql)
	mentions, user := 0, -1
	for i, x := range toks {
		if named(x, t.Name) && !sign(toks, i+1, ".") {
			mentions++
		}
		if word(x, "WITH") || word(x, "VALUES") {
			return -1
		}
		if !word(x, "SELECT") {
			continue
		}
		from, where := parts(sql, toks, i)
		sources, ok := sourcesOf(sc, from)
		if !ok {
			return -1
		}
		for _, src := range sources {
			if src.table != t {
				continue
			}
			mentions--
			c := src.compared(sources, where)
			if c < 0 || user >= 0 && c != user {
				return -1
			}
			user = c
		}
	}
	if mentions != 0 || user >= 0 && !comparesExactly(&t.Columns[user]) {
		return -1
	}
	return user
}

// comparesExactly reports whether a text equals what is in a column only when it
// is the same.
func comparesExactly(c *tidemark.Column) bool {
	return c.Collation == "BINARY" && (c.Affinity == tidemark.AffinityText || c.Affinity == tidemark.AffinityBlob)
}

// parts finds what belongs to the SELECT at token i: the list behind FROM, and the
// condition behind WHERE.
func parts(sql string, toks []schema.Lexeme, i int) (from []schema.Lexeme, where string) {
	depth, begin, in := 0, 0, ""
	end := func(k int) {
		switch {
		case in == "FROM":
			from = toks[begin:k]
		case in == "WHERE" && begin < k:
			where = sql[toks[begin].Start:toks[k-1].End]
		}
	}
	k := i + 1
	for ; k < len(toks) && depth >= 0; k++ {
		switch x := toks[k]; {
		case x.Kind == schema.LexSign && x.Text == "(":
			depth++
		case x.Kind == schema.LexSign && x.Text == ")":
			if depth--; depth < 0 {
				end(k)
				return from, where
			}
		case depth == 0 && x.Kind == schema.LexWord && ends[strings.ToUpper(x.Text)]:
			end(k)
			in, begin = strings.ToUpper(x.Text), k+1
			if in == "UNION" || in == "EXCEPT" || in == "INTERSECT" {
				return from, where
			}
		}
	}
	end(k)
	return from, where
}

// ends are the words with which a part of a SELECT begins.
var ends = map[string]bool{
	"FROM": true, "WHERE": true, "GROUP": true, "HAVING": true, "WINDOW": true, "ORDER": true, "LIMIT": true,
	"UNION": true, "EXCEPT": true, "INTERSECT": true,
}

// source is a table in a FROM.
type source struct {
	table *tidemark.Table // nil: what is in :claims
	alias string
}

// sourcesOf reads a list of tables. ok is false where something else is in it.
func sourcesOf(sc *tidemark.Schema, toks []schema.Lexeme) (list []source, ok bool) {
	depth, expected := 0, true
	for i := 0; i < len(toks); i++ {
		x := toks[i]
		switch {
		case x.Kind == schema.LexSign && x.Text == "(":
			if expected {
				return nil, false
			}
			depth++
		case x.Kind == schema.LexSign && x.Text == ")":
			depth--
		case depth > 0:
		case x.Kind == schema.LexSign && x.Text == ",", word(x, "JOIN"):
			expected = true
		case expected:
			if sign(toks, i+1, ".") && named(x, "main") {
				i += 2
			}
			if i >= len(toks) {
				return nil, false
			}
			src := source{table: sc.Named(toks[i].Name), alias: toks[i].Name}
			lists := sign(toks, i+1, "(") && (named(toks[i], "json_each") || named(toks[i], "json_tree"))
			if src.table == nil && !lists || src.table != nil && src.table.Out != "" {
				return nil, false
			}
			if !lists {
				i, src.alias = aliasAt(toks, i, src.alias)
			}
			list, expected = append(list, src), false
		}
	}
	return list, true
}

// aliasAt reads the alias behind the name of a table at i, and returns the place
// of the last token of both.
func aliasAt(toks []schema.Lexeme, i int, name string) (last int, alias string) {
	k := i + 1
	if k < len(toks) && word(toks[k], "AS") {
		k++
	}
	if k >= len(toks) || toks[k].Name == "" || toks[k].Kind == schema.LexWord && joins[strings.ToUpper(toks[k].Text)] {
		return i, name
	}
	return k, toks[k].Name
}

// joins are the words that may stand behind a table and are no alias.
var joins = map[string]bool{
	"JOIN": true, "INNER": true, "LEFT": true, "RIGHT": true, "FULL": true, "OUTER": true, "CROSS": true, "NATURAL": true,
	"ON": true, "USING": true, "INDEXED": true, "NOT": true,
}

// compared finds the column of a source that must equal ?1, or -1.
func (src source) compared(all []source, where string) int {
	if where == "" {
		return -1
	}
	for _, part := range rules.Conjuncts(where) {
		toks := schema.Lex(part)
		if n := len(toks); n > 3 && sign(toks, 0, "?") && toks[1].Text == "1" && sign(toks, 2, "=") {
			toks = append(slices.Clone(toks[3:]), toks[2], toks[0], toks[1])
		}
		qualifier := ""
		if len(toks) == 6 && sign(toks, 1, ".") {
			qualifier, toks = toks[0].Name, toks[2:]
		}
		if len(toks) != 4 || toks[0].Name == "" || !sign(toks, 1, "=") || !sign(toks, 2, "?") || toks[3].Text != "1" {
			continue
		}
		c := src.table.Place(toks[0].Name)
		if c >= 0 && (qualifier != "" && schema.Fold(qualifier) == schema.Fold(src.alias) || qualifier == "" && only(all, toks[0].Name)) {
			return c
		}
	}
	return -1
}

// only reports whether a name of a column can only be one source's.
func only(all []source, column string) bool {
	n := 0
	for _, src := range all {
		if src.table == nil || src.table.Place(column) >= 0 {
			n++
		}
	}
	return n == 1
}

func word(x schema.Lexeme, w string) bool {
	return x.Kind == schema.LexWord && strings.EqualFold(x.Text, w)
}

func named(x schema.Lexeme, name string) bool {
	return x.Name != "" && schema.Fold(x.Name) == schema.Fold(name)
}

func sign(toks []schema.Lexeme, i int, s string) bool {
	return i < len(toks) && toks[i].Kind == schema.LexSign && toks[i].Text == s
}
