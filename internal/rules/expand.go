package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark/internal/schema"
)

// Bounds of what named conditions may come to.
const (
	deepest = 16
	longest = 64 << 10
)

// Condition is one that has a name, by which rules and other conditions use it.
type Condition struct {
	Name   string
	Params []string // $param stands for what the user of the condition gives
	SQL    string
}

// Conditions are named ones.
type Conditions []Condition

// named finds a condition.
func (cs Conditions) named(name string) *Condition {
	i := slices.IndexFunc(cs, func(c Condition) bool { return schema.Fold(c.Name) == schema.Fold(name) })
	if i < 0 {
		return nil
	}
	return &cs[i]
}

// ParseName reads NAME or NAME(PARAM, PARAM).
func ParseName(text string) (name string, params []string, ok bool) {
	toks := schema.Lex(text)
	if len(toks) == 0 || toks[0].Kind != schema.LexWord {
		return "", nil, false
	}
	name = toks[0].Text
	if len(toks) == 1 {
		return name, nil, true
	}
	for i, t := range toks[1:] {
		switch want := i % 2; {
		case i == 0 && t.Text == "(", i > 0 && want == 0 && t.Text == "," && i < len(toks)-2:
		case i > 0 && want == 0 && t.Text == ")" && i == len(toks)-2:
			return name, params, true
		case want == 1 && t.Kind == schema.LexWord && !slices.Contains(params, t.Text):
			params = append(params, t.Text)
		default:
			return "", nil, false
		}
	}
	return "", nil, false
}

// Expand writes out the named conditions that a piece of SQL uses.
func (cs Conditions) Expand(sql string) (string, error) {
	if err := Closed(sql); err != nil {
		return "", err
	}
	return cs.expand(sql, nil, 0)
}

func (cs Conditions) expand(sql string, args map[string]string, depth int) (string, error) {
	if depth > deepest {
		return "", fmt.Errorf("its named conditions use each other without end")
	}
	toks := schema.Lex(sql)
	var b strings.Builder
	end := 0
	for i := 0; i < len(toks); i++ {
		text, last, err := cs.inPlaceOf(sql, toks, i, args, depth)
		if err != nil {
			return "", err
		}
		if last < i {
			continue
		}
		b.WriteString(sql[end:toks[i].Start] + text)
		if i, end = last, toks[last].End; b.Len() > longest {
			return "", fmt.Errorf("with its named conditions written out it has more than %d bytes", longest)
		}
	}
	b.WriteString(sql[end:])
	return b.String(), nil
}

// inPlaceOf writes out what begins at token i: a parameter, or a named condition
// with its arguments. last is where that ends, i-1 where the token stays as it is.
func (cs Conditions) inPlaceOf(sql string, toks []schema.Lexeme, i int, args map[string]string, depth int) (text string, last int, err error) {
	t := toks[i]
	if t.Kind != schema.LexWord {
		return "", i - 1, nil
	}
	if strings.HasPrefix(t.Text, "$") {
		arg, ok := args[t.Text[1:]]
		if !ok {
			return "", 0, fmt.Errorf("there is no parameter %s", t.Text)
		}
		return arg, i, nil
	}
	c := cs.named(t.Text)
	if c == nil || i > 0 && (toks[i-1].Text == "." || toks[i-1].Text == ":" && toks[i-1].End == t.Start) || i+1 < len(toks) && toks[i+1].Text == "." {
		return "", i - 1, nil
	}
	given, last := arguments(sql, toks, i+1)
	switch {
	case len(c.Params) > 0 && last == i:
		return "", i - 1, nil // something else of that name, which SQLite will judge
	case len(c.Params) == 0:
		last = i
	case len(given) != len(c.Params):
		return "", 0, fmt.Errorf("the condition %s takes %d arguments, not %d", c.Name, len(c.Params), len(given))
	}
	text, err = cs.used(c, given, args, depth)
	return text, last, err
}

// used is a named condition with its arguments in place, which may use others.
func (cs Conditions) used(c *Condition, given []string, args map[string]string, depth int) (string, error) {
	inner := map[string]string{}
	for k, p := range c.Params {
		arg, err := cs.expand(given[k], args, depth+1)
		if err != nil {
			return "", err
		}
		inner[p] = wrapped(arg)
	}
	body, err := cs.expand(c.SQL, inner, depth+1)
	return "(" + body + "\n)", err
}

// wrapped puts an argument in parentheses, unless it is a list in parentheses
// already, which is something else in two.
func wrapped(arg string) string {
	if toks := schema.Lex(arg); len(toks) > 0 && toks[0].Text == "(" {
		if _, last := arguments(arg, toks, 0); last == len(toks)-1 {
			return arg
		}
	}
	return "(" + arg + ")"
}

// arguments splits a parenthesised list that begins at token i. last is the
// place of its end, i-1 when there is no list.
func arguments(sql string, toks []schema.Lexeme, i int) (args []string, last int) {
	if i >= len(toks) || toks[i].Text != "(" {
		return nil, i - 1
	}
	depth, start := 0, toks[i].End
	for k := i; k < len(toks); k++ {
		if toks[k].Kind != schema.LexSign {
			continue
		}
		switch toks[k].Text {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				return append(args, strings.TrimSpace(sql[start:toks[k].Start])), k
			}
		case ",":
			if depth == 1 {
				args, start = append(args, strings.TrimSpace(sql[start:toks[k].Start])), toks[k].End
			}
		}
	}
	return nil, i - 1
}

// Closed makes sure that a piece of SQL is one expression by its punctuation:
// nothing that is put around it can be taken for a part of it.
func Closed(sql string) error {
	toks := schema.Lex(sql)
	if len(toks) == 0 {
		return fmt.Errorf("there is no condition: write none, public or an SQL expression")
	}
	depth := 0
	for _, t := range toks {
		switch {
		case (t.Kind == schema.LexString || t.Kind == schema.LexQuoted) && !shut(t.Text):
			return fmt.Errorf("a quote is not closed")
		case t.Kind != schema.LexSign:
		case t.Text == ";":
			return fmt.Errorf("a condition is one expression, without ;")
		case t.Text == "\x00":
			return fmt.Errorf("it has a zero byte")
		case t.Text == "(":
			depth++
		case t.Text == ")":
			if depth--; depth < 0 {
				return fmt.Errorf("a ) is too many")
			}
		}
	}
	if depth > 0 {
		return fmt.Errorf("a ) is missing")
	}
	if i := strings.LastIndex(sql, "/*"); i >= 0 && toks[len(toks)-1].End <= i && !strings.Contains(sql[i+2:], "*/") {
		return fmt.Errorf("a comment is not closed")
	}
	return nil
}

// shut reports whether a quoted text ends with its quote. One that stands there
// twice is a part of the text.
func shut(text string) bool {
	text = strings.TrimLeft(text, "xX")
	quote, rest := text[:1], text[1:]
	if quote == "[" {
		return strings.HasSuffix(rest, "]")
	}
	return strings.HasSuffix(strings.ReplaceAll(rest, quote+quote, ""), quote)
}

// Conjuncts splits a condition at the ANDs that stand outside of everything
// else: all of them must be true.
func Conjuncts(sql string) []string {
	toks := schema.Lex(sql)
	var parts []string
	depth, start, between := 0, 0, false
	for _, t := range toks {
		switch word := strings.ToUpper(t.Text); {
		case t.Kind == schema.LexSign && word == "(" || t.Kind == schema.LexWord && word == "CASE":
			depth++
		case t.Kind == schema.LexSign && word == ")" || t.Kind == schema.LexWord && word == "END":
			depth--
		case t.Kind != schema.LexWord || depth > 0:
		case word == "OR":
			return []string{sql}
		case word == "BETWEEN":
			between = true
		case word == "AND" && between:
			between = false
		case word == "AND":
			parts, start = append(parts, strings.TrimSpace(sql[start:t.Start])), t.End
		}
	}
	return append(parts, strings.TrimSpace(sql[start:]))
}
