package scope

import (
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/rules"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// selects are the SELECTs of a query, taken apart as far as it matters where they
// read tables. What it does not know for sure is odd.
type selects struct {
	s    *tidemark.Schema
	sql  string
	toks []schema.Lexeme
	all  []*selection
	in   map[string]bool // names behind IN, folded: x IN TABLE
	open []*level
}

// selection is one SELECT. All places are of tokens; an end is behind the last.
type selection struct {
	arm        bool // one of the query's own, and not of a sub-query
	odd        bool // it joins in a way that says more than its FROM
	begin, end int
	from       span
	where      span
	sources    []*source
}

type span struct{ begin, end int }

// source is a table in a FROM, or what else stands there.
type source struct {
	in          *selection
	table       *tidemark.Table // nil: something else
	name        string          // of something else, folded
	first, last int             // the tokens of its name
	alias       string
	named       bool // the alias stands there
	right       bool // it is the right side of a LEFT JOIN
}

// level is what is open: parentheses, or a query.
type level struct {
	query    bool
	now      *selection
	at       string  // the word with which the part began
	expected bool    // of FROM: a source comes next
	last     *source // of FROM: it was the last, and its alias may follow
	left     bool    // of FROM: the join that comes is a LEFT one
}

// takeApart reads a query. ok is false for what it does not know.
func takeApart(s *tidemark.Schema, sql string) (q *selects, ok bool) {
	q = &selects{s: s, sql: sql, toks: schema.Lex(sql), in: map[string]bool{}, open: []*level{{query: true}}}
	cases := 0
	for i := 0; i < len(q.toks); i++ {
		switch x := q.toks[i]; {
		case isWord(x, "CASE"):
			cases++
		case isWord(x, "END"):
			cases--
		case isWord(x, "WITH"), isWord(x, "VALUES"), isWord(x, "WINDOW"):
			return q, false
		}
		if i = q.token(i); i < 0 {
			return q, false
		}
	}
	if len(q.open) != 1 || cases != 0 {
		return q, false
	}
	q.finish(len(q.toks))
	return q, true
}

func (q *selects) top() *level { return q.open[len(q.open)-1] }

// token takes one token and returns the place of the last that it took, -1 when
// it does not know what it means.
func (q *selects) token(i int) int {
	x, l := q.toks[i], q.top()
	switch {
	case x.Kind == schema.LexSign && x.Text == "(":
		return q.parenthesis(i)
	case x.Kind == schema.LexSign && x.Text == ")":
		if len(q.open) == 1 {
			return -1
		}
		q.finish(i)
		q.open = q.open[:len(q.open)-1]
		return i
	case isWord(x, "IN"):
		return q.behindIn(i)
	case isWord(x, "SELECT"):
		if !l.query || l.now != nil {
			return -1
		}
		l.now, l.at = &selection{arm: len(q.open) == 1, begin: i}, "SELECT"
		q.all = append(q.all, l.now)
		return i
	case !l.query:
		return i
	case l.now == nil:
		return -1
	case x.Kind == schema.LexWord && clauses[strings.ToUpper(x.Text)] && !(isWord(x, "FROM") && isWord(q.toks[i-1], "DISTINCT")):
		return q.clause(i)
	case l.at == "FROM":
		return q.inFrom(i)
	}
	return i
}

// clauses are the words with which a part of a SELECT begins.
var clauses = map[string]bool{
	"FROM": true, "WHERE": true, "GROUP": true, "HAVING": true, "ORDER": true, "LIMIT": true,
	"UNION": true, "EXCEPT": true, "INTERSECT": true,
}

func (q *selects) parenthesis(i int) int {
	l := q.top()
	sub := i+1 < len(q.toks) && isWord(q.toks[i+1], "SELECT")
	if l.query && l.at == "FROM" && l.expected {
		if !sub {
			return -1
		}
		q.source(&source{first: i, last: i})
	} else if l.last != nil && !sub { // the arguments of a function that is a table
		if l.last.table != nil {
			return -1
		}
	}
	q.open = append(q.open, &level{query: sub})
	return i
}

// source notes what a FROM names.
func (q *selects) source(s *source) {
	l := q.top()
	s.in, s.right = l.now, l.left
	l.now.sources = append(l.now.sources, s)
	l.expected, l.left, l.last = false, false, s
}

// behindIn notes the table whose rows IN asks.
func (q *selects) behindIn(i int) int {
	k := i + 1
	if isSign(q.toks, k+1, ".") {
		k += 2
	}
	switch {
	case k >= len(q.toks) || q.toks[k].Kind == schema.LexString:
		return -1
	case isSign(q.toks, i+1, "("):
		return i
	case q.toks[k].Name == "":
		return -1
	}
	q.in[schema.Fold(q.toks[k].Name)] = true
	return k
}

// clause begins the next part of a SELECT.
func (q *selects) clause(i int) int {
	l, word := q.top(), strings.ToUpper(q.toks[i].Text)
	if word == "FROM" && l.at != "SELECT" || word == "WHERE" && l.at != "SELECT" && l.at != "FROM" {
		return -1
	}
	q.leave(i)
	switch l.at, l.last, l.expected = word, nil, word == "FROM"; word {
	case "FROM":
		l.now.from = span{i + 1, i + 1}
	case "WHERE":
		l.now.where = span{i + 1, i + 1}
	case "UNION", "EXCEPT", "INTERSECT":
		l.now.end, l.now = i, nil
		if i+1 < len(q.toks) && isWord(q.toks[i+1], "ALL") {
			return i + 1
		}
	}
	return i
}

// leave ends the part that runs.
func (q *selects) leave(i int) {
	switch l := q.top(); l.at {
	case "FROM":
		l.now.from.end = i
	case "WHERE":
		l.now.where.end = i
	}
}

// finish ends a query.
func (q *selects) finish(i int) {
	if l := q.top(); l.query && l.now != nil {
		q.leave(i)
		l.now.end, l.now = i, nil
	}
}

// inFrom takes a token of a FROM.
func (q *selects) inFrom(i int) int {
	x, l := q.toks[i], q.top()
	before := l.last
	l.last = nil
	switch word := strings.ToUpper(x.Text); {
	case x.Kind == schema.LexSign && word == ",":
		l.expected = true
	case x.Kind == schema.LexSign:
	case x.Kind == schema.LexWord && word == "JOIN":
		l.expected = true
	case l.expected:
		return q.name(i)
	case x.Kind == schema.LexWord && joins[word]:
		l.left = l.left || word == "LEFT"
		l.now.odd = l.now.odd || word == "RIGHT" || word == "FULL" || word == "NATURAL"
	case before != nil && isWord(x, "AS"):
		l.last = before
	case before != nil && x.Kind == schema.LexString:
		return -1
	case before != nil && x.Name != "":
		before.alias, before.named = x.Name, true
	}
	return i
}

// joins are the words that may stand behind a table and are no alias.
var joins = map[string]bool{
	"INNER": true, "LEFT": true, "RIGHT": true, "FULL": true, "OUTER": true, "CROSS": true, "NATURAL": true,
	"ON": true, "USING": true, "INDEXED": true, "NOT": true,
}

// name takes the name of a source.
func (q *selects) name(i int) int {
	s := &source{first: i, last: i}
	if isSign(q.toks, i+1, ".") {
		if s.last = i + 2; s.last >= len(q.toks) || !isNamed(q.toks[i], "main") {
			return -1
		}
	}
	x := q.toks[s.last]
	if x.Name == "" {
		return -1
	}
	s.table, s.alias = q.s.Named(x.Name), x.Name
	if isSign(q.toks, s.last+1, "(") {
		s.table = nil
	}
	if s.table != nil && s.table.Out != "" {
		s.table = nil
	}
	if s.table == nil {
		s.name = schema.Fold(x.Name)
	}
	q.source(s)
	return s.last
}

// text is a piece of the query.
func (q *selects) text(begin, end int) string {
	if begin >= end {
		return ""
	}
	return q.sql[q.toks[begin].Start:q.toks[end-1].End]
}

// mentions counts how often a piece of the query has a parameter.
func (q *selects) mentions(parameter string, begin, end int) (n int) {
	for i := begin; i+1 < end; i++ {
		if isSign(q.toks, i, "?") && q.toks[i+1].Text == parameter {
			n++
		}
	}
	return n
}

// compared finds the column of a source that must equal ?1, and which of the
// conditions that must all hold says so; -1 where none does.
func (s *source) compared(q *selects) (column, conjunct int) {
	if s.in.where.begin >= s.in.where.end {
		return -1, -1
	}
	for i, part := range rules.Conjuncts(q.text(s.in.where.begin, s.in.where.end)) {
		qualifier, name := comparedTo(schema.Lex(part))
		if name == "" {
			continue
		}
		c := s.table.Place(name)
		if c >= 0 && (qualifier != "" && schema.Fold(qualifier) == schema.Fold(s.alias) || qualifier == "" && s.in.only(name)) {
			return c, i
		}
	}
	return -1, -1
}

// comparedTo reads COLUMN = ?1, either way round.
func comparedTo(toks []schema.Lexeme) (qualifier, name string) {
	if n := len(toks); n > 3 && isSign(toks, 0, "?") && toks[1].Text == "1" && isSign(toks, 2, "=") {
		toks = append(append([]schema.Lexeme{}, toks[3:]...), toks[2], toks[0], toks[1])
	}
	if len(toks) == 6 && isSign(toks, 1, ".") {
		qualifier, toks = toks[0].Name, toks[2:]
	}
	if len(toks) != 4 || !isSign(toks, 1, "=") || !isSign(toks, 2, "?") || toks[3].Text != "1" {
		return "", ""
	}
	return qualifier, toks[0].Name
}

// only reports whether a name of a column can only be one source's.
func (n *selection) only(column string) bool {
	count := 0
	for _, s := range n.sources {
		if s.table == nil || s.table.Place(column) >= 0 {
			count++
		}
	}
	return count == 1
}

// plain reports whether each source has a name of its own.
func (n *selection) plain() bool {
	seen := map[string]bool{}
	for _, s := range n.sources {
		a := schema.Fold(s.alias)
		if a != "" && seen[a] {
			return false
		}
		seen[a] = true
	}
	return !n.odd
}

func isWord(x schema.Lexeme, w string) bool {
	return x.Kind == schema.LexWord && strings.EqualFold(x.Text, w)
}

func isNamed(x schema.Lexeme, name string) bool {
	return x.Name != "" && schema.Fold(x.Name) == schema.Fold(name)
}

func isSign(toks []schema.Lexeme, i int, s string) bool {
	return i < len(toks) && toks[i].Kind == schema.LexSign && toks[i].Text == s
}
