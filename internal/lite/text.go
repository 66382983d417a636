package lite

import "strings"

// textOf returns result column i as text. A database in UTF-16 can hold half a
// surrogate pair. Nothing can write that in UTF-8: whoever tries it there gets
// U+FFFD. So it is read as that to begin with, and is the same in every copy.
func (s *Stmt) textOf(i int) string {
	text := s.s.ColumnText(i)
	if at := halfPair(text); at >= 0 && s.db.inUTF16() {
		return whole(text, at)
	}
	return text
}

// halfPair finds half a surrogate pair, encoded as if it were a character; -1: there is none.
func halfPair(text string) int {
	for at := 0; ; {
		i := strings.IndexByte(text[at:], 0xED)
		if at += i; i < 0 || at+2 >= len(text) {
			return -1
		}
		if text[at+1] >= 0xA0 {
			return at
		}
		at++
	}
}

func whole(text string, at int) string {
	var b strings.Builder
	for ; at >= 0; at = halfPair(text) {
		b.WriteString(text[:at])
		b.WriteRune('\uFFFD')
		text = text[at+3:]
	}
	return b.String() + text
}

// inUTF16 reports whether the database holds its texts in UTF-16.
func (db *DB) inUTF16() bool {
	if db.encoding == "" {
		db.encoding, _ = db.Text("PRAGMA main.encoding") // unknown: asked again
	}
	return strings.HasPrefix(db.encoding, "UTF-16")
}
