package schema

import (
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// index is one row of PRAGMA index_list.
type index struct {
	name    string
	origin  string // c: CREATE INDEX, u: UNIQUE, pk: PRIMARY KEY
	unique  bool
	partial bool
}

// readIndexes collects the unique constraints and indexes, and reports
// whether the primary key has an index of its own: only a rowid alias has none.
func readIndexes(db *lite.DB, t *tidemark.Table, at places) (hasKeyIndex bool, err error) {
	var all []index
	const sql = `SELECT name, origin, "unique", partial FROM pragma_index_list(?1, 'main') ORDER BY seq DESC`
	err = db.Each(sql, func(s *lite.Stmt) error {
		all = append(all, index{s.Text(0), s.Text(1), s.Int(2) != 0, s.Int(3) != 0})
		return nil
	}, tidemark.Text(t.Name))
	if err != nil {
		return false, err
	}
	for _, x := range all {
		switch {
		case x.origin == "pk":
			hasKeyIndex = true
		case x.unique:
			u, err := readUnique(db, x, at)
			if err != nil {
				return false, err
			}
			t.Uniques = append(t.Uniques, u)
		}
	}
	return hasKeyIndex, nil
}

func readUnique(db *lite.DB, x index, at places) (tidemark.Unique, error) {
	u := tidemark.Unique{Name: x.name}
	sql, err := db.Text("SELECT sql FROM main.sqlite_master WHERE type = 'index' AND name = ?1", tidemark.Text(x.name))
	if err != nil {
		return u, err
	}
	exprs, where := indexText(sql)
	u.Partial = where
	const info = "SELECT cid, name, coll FROM pragma_index_xinfo(?1, 'main') WHERE key = 1 ORDER BY seqno"
	err = db.Each(info, func(s *lite.Stmt) error {
		cid := int(s.Int(0))
		term := tidemark.Term{Column: at.of(cid), Collation: collation(s.Text(2))}
		switch {
		case term.Column < 0 && cid >= 0:
			term.Expr = lite.Quote(s.Text(1)) // a generated column
		case term.Column < 0 && len(u.Terms) < len(exprs):
			term.Expr = exprs[len(u.Terms)]
		}
		u.Terms = append(u.Terms, term)
		return nil
	}, tidemark.Text(x.name))
	return u, err
}

// indexText takes the terms and the WHERE condition out of a CREATE INDEX.
func indexText(sql string) (terms []string, where string) {
	toks := tokens(sql)
	from := 0
	for from < len(toks) && !toks[from].is(sql, "ON") {
		from++
	}
	l, ok := listAt(sql, toks, from)
	if !ok {
		return nil, ""
	}
	for _, part := range l.parts {
		terms = append(terms, withoutOrder(part))
	}
	if l.close+1 < len(toks) && toks[l.close+1].is(sql, "WHERE") {
		where = withoutComment(sql, toks[l.close+2:])
	}
	return terms, where
}

// withoutOrder cuts ASC, DESC and COLLATE name off an indexed expression; the
// collation is known from index_xinfo.
func withoutOrder(term string) string {
	toks := tokens(term)
	if n := len(toks); n > 1 && (toks[n-1].is(term, "ASC") || toks[n-1].is(term, "DESC")) {
		toks = toks[:n-1]
	}
	if n := len(toks); n > 2 && toks[n-2].is(term, "COLLATE") {
		toks = toks[:n-2]
	}
	return withoutComment(term, toks)
}

// withoutComment returns the text from the first token to the last, so that a
// line comment at its end cannot swallow what is appended.
func withoutComment(sql string, toks []token) string {
	if len(toks) == 0 {
		return ""
	}
	return strings.TrimSpace(sql[toks[0].start:toks[len(toks)-1].end])
}
