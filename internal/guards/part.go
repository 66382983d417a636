package guards

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/rules"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// longest is what a part may have, in bytes, to be checked by every write.
const longest = 4 << 10

// Parts splits a condition into parts that must all be true.
func Parts(condition string) []string {
	list := rules.Conjuncts(condition)
	if len(list) > 1 {
		var all []string
		for _, p := range list {
			all = append(all, Parts(p)...)
		}
		return all
	}
	if inner, ok := bared(condition); ok {
		return Parts(inner)
	}
	return []string{condition}
}

// bared takes parentheses off that are around everything.
func bared(sql string) (string, bool) {
	toks := schema.Lex(sql)
	depth := 0
	for i, t := range toks {
		switch {
		case t.Kind != schema.LexSign:
		case t.Text == "(":
			depth++
		case t.Text == ")":
			depth--
		}
		if depth == 0 && i < len(toks)-1 {
			return "", false
		}
	}
	if len(toks) < 3 || toks[0].Text != "(" || toks[0].Kind != schema.LexSign {
		return "", false
	}
	return sql[toks[0].End:toks[len(toks)-1].Start], true
}

// words are those that a part may have beside names of columns. What they mean
// depends on no setting of a connection, and no program gives them another meaning.
var words = split(`AND OR NOT IS NULL IN BETWEEN ISNULL NOTNULL CASE WHEN THEN ELSE END COLLATE CAST AS`)

// types follow AS, collations COLLATE.
var (
	types      = split(`INTEGER INT TEXT REAL NUMERIC BLOB`)
	collations = split(`BINARY NOCASE RTRIM`)
)

// functions are those that every SQLite has and computes alike. lower, upper and
// LIKE are not: they can be those of another library.
var functions = split(`ABS COALESCE IFNULL NULLIF LENGTH SUBSTR TRIM LTRIM RTRIM REPLACE INSTR TYPEOF HEX`)

func split(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

// reader writes a part as a guard asks it.
type reader struct {
	m    *maker
	op   tidemark.Op
	toks []schema.Lexeme
	b    strings.Builder
	pre  []string // what must hold for the part to mean the same on the server
	// lookups are those of them that read tables of the copy.
	lookups []string
	open    []bool // of each open parenthesis: commas may stand in it
}

// check makes of a part of a condition what refuses when it is not true.
func (m *maker) check(op tidemark.Op, part string) (when string, ok bool) {
	r := &reader{m: m, op: op, toks: schema.Lex(part)}
	if len(part) > longest || m.finished && op != tidemark.Delete || m.t.Policy.OnUnique != "" {
		return "", false
	}
	for i := 0; i < len(r.toks); i++ {
		if i > 0 && r.toks[i-1].End < r.toks[i].Start {
			r.b.WriteByte(' ')
		}
		n := r.next(i)
		if n == 0 {
			return "", false
		}
		i += n - 1
	}
	if op == tidemark.Update { // where nothing is written no rule is asked
		changed := m.something(op)
		if changed == "" {
			return "", false
		}
		r.require(changed)
	}
	// What has to be looked up is asked last, where a write is about to be refused.
	last := cmp.Or(strings.Join(r.lookups, " AND "), "1")
	return strings.Join(append(r.pre, "CASE WHEN "+r.b.String()+" THEN 0 ELSE "+last+" END"), " AND "), true
}

// text is what the token n behind i says, in upper case.
func (r *reader) text(i int) string {
	if i < 0 || i >= len(r.toks) {
		return ""
	}
	return strings.ToUpper(r.toks[i].Text)
}

// next writes what begins at token i and returns how many tokens that were, 0
// for what a guard does not understand.
func (r *reader) next(i int) int {
	t := r.toks[i]
	word := r.text(i)
	switch {
	case t.Kind == schema.LexString:
	case t.Kind == schema.LexNumber:
		if strings.Trim(t.Text, "0123456789.") != "" {
			return 0
		}
	case t.Kind == schema.LexSign && word == ":":
		return r.user(i)
	case t.Kind == schema.LexSign:
		if !r.sign(i, word) {
			return 0
		}
	case r.text(i+1) == ".":
		return r.column(i, word)
	case t.Kind != schema.LexWord:
		return 0
	case r.text(i-1) == "AS" && types[word], r.text(i-1) == "COLLATE" && collations[word]:
	case functions[word] && r.text(i+1) == "(":
	case !words[word]:
		return 0
	}
	r.b.WriteString(t.Text)
	return 1
}

// sign reads parentheses and operators. A comma makes lists of IN and arguments;
// other rows of values are younger than what a copy may be written with.
func (r *reader) sign(i int, sign string) bool {
	switch sign {
	case "(":
		r.open = append(r.open, r.text(i-1) == "IN" || functions[r.text(i-1)])
	case ")":
		if len(r.open) == 0 {
			return false
		}
		r.open = r.open[:len(r.open)-1]
	case ",":
		return len(r.open) > 0 && r.open[len(r.open)-1]
	case "-":
		return r.text(i+1) != ">" && r.text(i+1) != "-"
	default:
		return strings.Contains("=<>!+*/%|&~", sign)
	}
	return true
}

// user writes whose copy it is. While nobody knows, nothing is refused.
func (r *reader) user(i int) int {
	if r.text(i+1) != "USER" {
		return 0
	}
	const who = "(SELECT v FROM _tm_meta WHERE k = 'principal')"
	r.lookUp(who + " <> ''")
	r.b.WriteString("+" + who)
	return 2
}

func (r *reader) require(condition string) { r.pre = with(r.pre, condition) }

func (r *reader) lookUp(condition string) { r.lookups = with(r.lookups, condition) }

func with(list []string, condition string) []string {
	if slices.Contains(list, condition) {
		return list
	}
	return append(list, condition)
}

// column writes OLD.column or NEW.column. In a trigger they have no affinity, by
// which comparisons convert what they compare; CAST gives it back, and for a value
// that it would change nothing is refused.
func (r *reader) column(i int, row string) int {
	if row = strings.Trim(row, "\"`[]"); i+2 >= len(r.toks) || row != "OLD" && row != "NEW" {
		return 0
	}
	c := r.m.t.Place(r.toks[i+2].Name)
	if c < 0 || !r.seen(row, c) {
		return 0
	}
	ref := row + "." + lite.Quote(r.m.t.Columns[c].Name)
	form, known := forms[r.m.t.Columns[c].Affinity]
	if !known {
		return 0
	}
	r.require("typeof(" + ref + ") IN ('null', '" + form.holds + "')")
	r.b.WriteString("CAST(" + ref + " AS " + form.as + ")")
	return 3
}

var forms = map[tidemark.Affinity]struct{ as, holds string }{
	tidemark.AffinityText:    {"TEXT", "text"},
	tidemark.AffinityInteger: {"INTEGER", "integer"},
	tidemark.AffinityNumeric: {"NUMERIC", "integer"},
	tidemark.AffinityReal:    {"REAL", "real"},
}

// seen reports whether the server is going to see the same value, and requires
// what is to be required for that.
func (r *reader) seen(row string, c int) bool {
	m := r.m
	constant := slices.ContainsFunc(m.r.Immutable, func(name string) bool { return m.t.Place(name) == c })
	key := slices.Contains(m.t.Key, c) && m.t.Columns[c].Collation == "BINARY"
	switch {
	case m.reached[c] || !whole(m.t.PolicyOf(c)):
		return false
	case row == "OLD":
		r.lookUp(m.settled())
		return constant || key
	case slices.Contains(m.ids, c):
		return false
	case r.op == tidemark.Insert:
		return !m.sets[c]
	case constant || key:
		r.lookUp(m.settled())
		return true
	}
	r.require(m.changes(c))
	return !m.sets[c]
}
