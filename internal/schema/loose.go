package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// LooseSQL is the definition of a table without its loose foreign keys, as a
// replica makes it; the definition as it stands where none is loose. Everything else
// is as it was, which SQLite itself has to confirm.
func LooseSQL(t *tidemark.Table) (string, error) {
	loose := looseKeys(t)
	if len(loose) == 0 {
		return t.SQL, nil
	}
	toks := tokens(t.SQL)
	l, ok := listAt(t.SQL, toks, 0)
	if !ok {
		return "", fmt.Errorf("schema: the definition of table %s has no list of columns", t.Name)
	}
	refs := references(t.SQL, toks, l)
	if len(refs) != len(t.ForeignKeys) {
		return "", fmt.Errorf("schema: the definition of table %s has %d foreign keys, and SQLite sees %d", t.Name, len(refs), len(t.ForeignKeys))
	}
	var cut []span
	for _, i := range loose {
		cut = append(cut, refs[i]...)
	}
	sql := without(t.SQL, append(cut, commas(t.SQL, toks, l, cut)...))
	return sql, confirm(t, sql)
}

// LooseDefs takes the loose foreign keys out of definitions of columns that were
// added to a table.
func LooseDefs(t *tidemark.Table, defs []string) []string {
	out := slices.Clone(defs)
	for i, def := range out {
		toks := tokens(def)
		if len(toks) == 0 {
			continue
		}
		refs := columnReferences(nil, def, toks, 0, len(toks))
		keys := keysOf(t, t.Place(toks[0].name(def)))
		var cut []span
		for j := range refs {
			if k := len(keys) - len(refs) + j; k >= 0 && t.ForeignKeys[keys[k]].Loose {
				cut = append(cut, refs[j]...)
			}
		}
		out[i] = without(def, cut)
	}
	return out
}

// keysOf lists the foreign keys that are one column alone.
func keysOf(t *tidemark.Table, c int) (places []int) {
	for i := range t.ForeignKeys {
		if slices.Equal(t.ForeignKeys[i].Columns, []int{c}) {
			places = append(places, i)
		}
	}
	return places
}

func looseKeys(t *tidemark.Table) (places []int) {
	for i := range t.ForeignKeys {
		if t.ForeignKeys[i].Loose {
			places = append(places, i)
		}
	}
	return places
}

// span is a piece of text, by byte offsets.
type span struct{ start, end int }

// without cuts pieces out of a text. A space stays in the place of each, so that
// what stood around it does not grow together.
func without(sql string, cut []span) string {
	slices.SortFunc(cut, func(a, b span) int { return a.start - b.start })
	var b strings.Builder
	end := 0
	for _, c := range cut {
		b.WriteString(strings.TrimRight(sql[end:c.start], " "))
		if c.end < len(sql) && !strings.ContainsRune(" ,)", rune(sql[c.end])) {
			b.WriteByte(' ')
		}
		end = c.end
	}
	return b.String() + sql[end:]
}

// references finds the text of every foreign key, in the order of
// Table.ForeignKeys, which is that of the definition: first those of the columns,
// each where it stands, then those of the table.
func references(sql string, toks []token, l list) (refs [][]span) {
	parts(sql, toks, l, func(from, to int) {
		if tableConstraint(sql, toks, from) {
			refs = tableReferences(refs, sql, toks, from, to)
		} else {
			refs = columnReferences(refs, sql, toks, from, to)
		}
	})
	return refs
}

// parts goes through what stands between the commas of a list.
func parts(sql string, toks []token, l list, each func(from, to int)) {
	for from := l.open + 1; from < l.close; {
		to := partEnd(sql, toks, from, l.close)
		each(from, to)
		from = to + 1
	}
}

// commas finds those in front of parts of which nothing is left. The first part
// is a column, of which something always is.
func commas(sql string, toks []token, l list, cut []span) (more []span) {
	parts(sql, toks, l, func(from, to int) {
		for _, t := range toks[from:to] {
			if !slices.ContainsFunc(cut, func(c span) bool { return c.start <= t.start && t.end <= c.end }) {
				return
			}
		}
		more = append(more, span{toks[from-1].start, toks[from-1].end})
	})
	return more
}

// partEnd finds the comma behind a part of a list, or its end.
func partEnd(sql string, toks []token, from, end int) int {
	for i := from; i < end; i++ {
		if toks[i].is(sql, "(") {
			i = parenEnd(sql, toks, i)
		} else if toks[i].is(sql, ",") {
			return i
		}
	}
	return end
}

// parenEnd finds the ) of the ( at i.
func parenEnd(sql string, toks []token, i int) int {
	depth := 0
	for ; i < len(toks); i++ {
		if toks[i].is(sql, "(") {
			depth++
		} else if toks[i].is(sql, ")") {
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(toks) - 1
}

// tableConstraint reports whether a part of the list is about the whole table.
// None of these words can be the name of a column without quotes.
func tableConstraint(sql string, toks []token, i int) bool {
	return slices.ContainsFunc([]string{"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"}, func(w string) bool { return toks[i].is(sql, w) })
}

// columnReferences adds the REFERENCES clauses of a column. What stands there of
// DEFERRABLE, also behind other constraints, is of the last clause before it.
func columnReferences(refs [][]span, sql string, toks []token, from, to int) [][]span {
	for i := from; i < to; i++ {
		switch n := deferrable(sql, toks, i, to); {
		case toks[i].is(sql, "("):
			i = parenEnd(sql, toks, i)
		case toks[i].is(sql, "REFERENCES"):
			end := clauseEnd(sql, toks, i, to)
			refs = append(refs, []span{{toks[named(sql, toks, i, from+1)].start, toks[end-1].end}})
			i = end - 1
		case n > i:
			if len(refs) > 0 {
				refs[len(refs)-1] = append(refs[len(refs)-1], span{toks[i].start, toks[n-1].end})
			}
			i = n - 1
		}
	}
	return refs
}

// tableReferences adds the FOREIGN KEY constraints among those that stand between
// two commas: SQLite needs no comma between constraints.
func tableReferences(refs [][]span, sql string, toks []token, from, to int) [][]span {
	for i := from; i < to; i++ {
		switch {
		case toks[i].is(sql, "("):
			i = parenEnd(sql, toks, i)
		case toks[i].is(sql, "FOREIGN"):
			first, end := named(sql, toks, i, from), i
			for end < to && !toks[end].is(sql, "REFERENCES") {
				end++
			}
			end = clauseEnd(sql, toks, end, to)
			end = max(end, deferrable(sql, toks, end, to))
			refs = append(refs, []span{{toks[first].start, toks[end-1].end}})
			i = end - 1
		}
	}
	return refs
}

// named goes back over CONSTRAINT NAME in front of a constraint.
func named(sql string, toks []token, i, least int) int {
	for i-2 >= least && toks[i-2].is(sql, "CONSTRAINT") {
		i -= 2
	}
	return i
}

// clauseEnd finds the end of REFERENCES parent (columns) ON ... MATCH ..., and
// of DEFERRABLE where it follows.
func clauseEnd(sql string, toks []token, i, to int) int {
	i += 2 // REFERENCES and the name
	if i < to && toks[i].is(sql, "(") {
		i = parenEnd(sql, toks, i) + 1
	}
	for i < to {
		switch {
		case toks[i].is(sql, "MATCH"):
			i += 2
		case toks[i].is(sql, "ON") && i+2 < to:
			i = actionEnd(sql, toks, i+2)
		default:
			return min(i, to)
		}
	}
	return to
}

// actionEnd finds the end of CASCADE, RESTRICT, SET NULL, SET DEFAULT or NO ACTION.
func actionEnd(sql string, toks []token, i int) int {
	if toks[i].is(sql, "SET") || toks[i].is(sql, "NO") {
		return i + 2
	}
	return i + 1
}

// deferrable finds the end of [NOT] DEFERRABLE [INITIALLY WHEN] at i, or i.
func deferrable(sql string, toks []token, i, to int) int {
	n := i
	if n < to && toks[n].is(sql, "NOT") {
		n++
	}
	if n >= to || !toks[n].is(sql, "DEFERRABLE") {
		return i
	}
	if n++; n+1 < to && toks[n].is(sql, "INITIALLY") {
		n += 2
	}
	return min(n, to)
}

// confirm asks SQLite whether a definition makes the same table without its
// loose foreign keys.
func confirm(t *tidemark.Table, sql string) error {
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := db.AllowQuotedStrings(); err != nil {
		return err
	}
	if err := db.Script(sql); err != nil {
		return fmt.Errorf("schema: table %s without its loose foreign keys: %w", t.Name, err)
	}
	is, _, err := readTable(db, entry{name: t.Name, sql: sql, wr: t.WithoutRowid, strict: t.Strict})
	if err != nil {
		return err
	}
	var kept []tidemark.ForeignKey
	for _, fk := range t.ForeignKeys {
		if !fk.Loose {
			kept = append(kept, fk)
		}
	}
	// Where REFERENCES names no columns they are the parent's key, which is not there.
	sameKey := func(a, b tidemark.ForeignKey) bool {
		return slices.Equal(a.Columns, b.Columns) && a.Parent == b.Parent && a.OnDelete == b.OnDelete && a.OnUpdate == b.OnUpdate &&
			(len(a.To) == 0 || slices.Equal(a.To, b.To))
	}
	if !sameShape(t, is) || !slices.EqualFunc(is.ForeignKeys, kept, sameKey) {
		return fmt.Errorf("schema: table %s cannot be made without its loose foreign keys", t.Name)
	}
	return nil
}

// Declares reports whether a definition of a table has a column of a name, be it
// stored or generated.
func Declares(sql, name string) (found bool) {
	toks := tokens(sql)
	l, ok := listAt(sql, toks, 0)
	if !ok {
		return false
	}
	parts(sql, toks, l, func(from, to int) {
		if from < to && !tableConstraint(sql, toks, from) {
			first := toks[from].name(sql)
			if toks[from].kind == tokenString {
				first = strings.ReplaceAll(strings.Trim(toks[from].text(sql), "'"), "''", "'")
			}
			found = found || Fold(first) == Fold(name)
		}
	})
	return found
}
