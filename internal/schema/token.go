package schema

import (
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// token is one lexical element of SQL. Space and comments are not tokens.
type token struct {
	kind  tokenKind
	start int // byte offsets in the text
	end   int
}

type tokenKind uint8

const (
	tokenWord   tokenKind = iota // bare identifier or keyword
	tokenQuoted                  // "name", [name] or `name`
	tokenString                  // 'text', also x'00'
	tokenNumber
	tokenSign // one character of anything else
)

// tokens splits SQL text. It knows enough of the grammar to find commas,
// parentheses and names; text that SQLite itself accepted never confuses it,
// and other text gives some tokens rather than a panic.
func tokens(sql string) []token {
	var out []token
	for i := 0; i < len(sql); {
		n := spaceAt(sql, i)
		if n > i {
			i = n
			continue
		}
		kind, end := tokenAt(sql, i)
		out = append(out, token{kind, i, end})
		i = end
	}
	return out
}

// spaceAt returns the end of the space or comment that begins at i, or i.
func spaceAt(sql string, i int) int {
	switch c := sql[i]; {
	case c == ' ' || c >= '\t' && c <= '\r':
		return i + 1
	case strings.HasPrefix(sql[i:], "--"):
		if n := strings.IndexByte(sql[i:], '\n'); n >= 0 {
			return i + n + 1
		}
		return len(sql)
	case strings.HasPrefix(sql[i:], "/*"):
		if n := strings.Index(sql[i+2:], "*/"); n >= 0 {
			return i + 2 + n + 2
		}
		return len(sql)
	}
	return i
}

func tokenAt(sql string, i int) (tokenKind, int) {
	switch c := sql[i]; {
	case c == '\'':
		return tokenString, quotedEnd(sql, i, '\'')
	case c == '"' || c == '`':
		return tokenQuoted, quotedEnd(sql, i, c)
	case c == '[':
		if n := strings.IndexByte(sql[i:], ']'); n >= 0 {
			return tokenQuoted, i + n + 1
		}
		return tokenQuoted, len(sql)
	case (c == 'x' || c == 'X') && i+1 < len(sql) && sql[i+1] == '\'':
		return tokenString, quotedEnd(sql, i+1, '\'')
	case isDigit(c) || c == '.' && i+1 < len(sql) && isDigit(sql[i+1]):
		return tokenNumber, numberEnd(sql, i)
	case isWord(c):
		return tokenWord, wordEnd(sql, i)
	}
	return tokenSign, i + 1
}

// quotedEnd finds the end of a quoted run in which the quote is written twice.
func quotedEnd(sql string, i int, quote byte) int {
	for i++; i < len(sql); i++ {
		if sql[i] != quote {
			continue
		}
		if i+1 < len(sql) && sql[i+1] == quote {
			i++
			continue
		}
		return i + 1
	}
	return len(sql)
}

func numberEnd(sql string, i int) int {
	for i < len(sql) {
		c := sql[i]
		sign := (c == '+' || c == '-') && (sql[i-1] == 'e' || sql[i-1] == 'E')
		if !isWord(c) && c != '.' && !sign {
			break
		}
		i++
	}
	return i
}

func wordEnd(sql string, i int) int {
	for i < len(sql) && isWord(sql[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return c >= 0x80 || c == '_' || c == '$' || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// text returns the token's text as it stands.
func (t token) text(sql string) string { return sql[t.start:t.end] }

// is reports whether the token is this bare word or sign.
func (t token) is(sql, word string) bool {
	return (t.kind == tokenWord || t.kind == tokenSign) && strings.EqualFold(t.text(sql), word)
}

// name returns the identifier that the token writes, unquoted, or "".
func (t token) name(sql string) string {
	s := t.text(sql)
	switch t.kind {
	case tokenWord:
		return s
	case tokenQuoted:
		if len(s) < 2 {
			return ""
		}
		quote := s[:1]
		s = s[1 : len(s)-1]
		if quote == "[" {
			return s
		}
		return strings.ReplaceAll(s, quote+quote, quote)
	}
	return ""
}

// list is a parenthesised list: the text of its parts and where it stands.
type list struct {
	parts []string
	open  int // index of the opening token
	close int // index of the closing token
}

// listAt splits the first parenthesised list at or behind token from.
func listAt(sql string, toks []token, from int) (list, bool) {
	for from < len(toks) && !toks[from].is(sql, "(") {
		from++
	}
	depth := 0
	l := list{open: from}
	start := 0
	for i := from; i < len(toks); i++ {
		t := toks[i]
		switch {
		case t.is(sql, "("):
			depth++
			if depth == 1 {
				start = t.end
			}
		case t.is(sql, ")"):
			depth--
			if depth == 0 {
				l.close = i
				l.parts = append(l.parts, strings.TrimSpace(sql[start:t.start]))
				return l, true
			}
		case depth == 1 && t.is(sql, ","):
			l.parts = append(l.parts, strings.TrimSpace(sql[start:t.start]))
			start = t.end
		}
	}
	return l, false
}

// Names returns every name that a piece of SQL mentions, in lower case: of
// columns, tables and functions, and keywords with them.
func Names(sql string) map[string]bool {
	names := map[string]bool{}
	for _, t := range tokens(sql) {
		if name := t.name(sql); name != "" {
			names[tidemark.FoldName(name)] = true
		}
	}
	return names
}

// mentions reports whether the text uses the bare word anywhere outside
// quotes, strings and comments.
func mentions(sql string, words ...string) bool {
	toks := tokens(sql)
	for i := range toks {
		if i+len(words) > len(toks) {
			return false
		}
		all := true
		for j, w := range words {
			all = all && toks[i+j].is(sql, w)
		}
		if all {
			return true
		}
	}
	return false
}

// CheckNames returns every name that the CHECK constraints of a table's
// definition mention, as Fold writes it.
func CheckNames(sql string) map[string]bool {
	names := map[string]bool{}
	toks := tokens(sql)
	for i := range toks {
		if !toks[i].is(sql, "CHECK") || i+1 == len(toks) || !toks[i+1].is(sql, "(") {
			continue
		}
		depth := 0
		for _, t := range toks[i+1:] {
			if t.is(sql, "(") {
				depth++
			}
			if t.is(sql, ")") {
				depth--
			}
			if depth == 0 {
				break
			}
			if name := t.name(sql); name != "" {
				names[Fold(name)] = true
			}
		}
	}
	return names
}

// Fold is tidemark.FoldName, for those that read SQL.
func Fold(name string) string { return tidemark.FoldName(name) }
