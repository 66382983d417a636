package schema

// Lexeme is one lexical element of SQL, without space and comments.
type Lexeme struct {
	Kind       LexKind
	Text       string // as it stands
	Name       string // what it names, unquoted: of LexWord and LexQuoted
	Start, End int    // byte offsets in the text
}

// LexKind says what a Lexeme is.
type LexKind uint8

// The kinds.
const (
	LexWord   = LexKind(tokenWord)   // bare identifier or keyword
	LexQuoted = LexKind(tokenQuoted) // "name", [name] or `name`
	LexString = LexKind(tokenString) // 'text', also x'00'
	LexNumber = LexKind(tokenNumber)
	LexSign   = LexKind(tokenSign) // one character of anything else
)

// Lex splits SQL. What is no SQL gives some lexemes, and never a panic.
func Lex(sql string) []Lexeme {
	toks := tokens(sql)
	out := make([]Lexeme, len(toks))
	for i, t := range toks {
		out[i] = Lexeme{Kind: LexKind(t.kind), Text: t.text(sql), Name: t.name(sql), Start: t.start, End: t.end}
	}
	return out
}
