package scope

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/rules"
)

// DefaultSteps is what one grant may take to be answered, in steps of SQLite's
// machine: a second or so.
const DefaultSteps = 20_000_000

// Grant is a grant query made ready. It may be asked by several goroutines, each
// on a connection of its own to the same database.
type Grant struct {
	Kind *Kind
	// Reads are the columns that it reads, as rules.Query has them: when they change
	// somebody may be granted other scopes.
	Reads map[string]map[string]bool
	// SQL is the query as declared, with ?1 for :user and ?2 for :claims.
	SQL string

	names  string
	params int
}

// NewGrant makes the grant of a kind ready, within the bounds of a rule. It is
// not for grants that are words.
func NewGrant(db *lite.DB, s *tidemark.Schema, k *Kind) (*Grant, error) {
	q, err := rules.NewQuery(db, s, "a grant", k.Grant)
	if err != nil {
		return nil, err
	}
	if n, err := columns(db, q.SQL); err != nil {
		return nil, err
	} else if k.Keyed && n != 1 {
		return nil, fmt.Errorf("a grant returns one column, the key of the scope, and not %d", n)
	}
	g := &Grant{Kind: k, Reads: q.Reads, SQL: q.SQL, names: grantQuery(k, q.SQL), params: q.Params}
	return g, db.Compile(g.names)
}

func columns(db *lite.DB, sql string) (n int, err error) {
	s, err := db.Prepare(sql)
	if err != nil {
		return 0, err
	}
	return s.Columns(), s.Reset()
}

// Ask returns the names of the scopes of the kind that a principal may read,
// sorted. It is cut off after so many steps; 0 stands for DefaultSteps.
func (g *Grant) Ask(below context.Context, db *lite.DB, p tidemark.Principal, steps int) (names []string, err error) {
	if steps <= 0 {
		steps = DefaultSteps
	}
	budget := lite.NewBudget(below, steps)
	before := db.SetContext(budget)
	defer db.SetContext(before)
	err = db.Each(g.names, func(s *lite.Stmt) error {
		if name := s.Text(0); !s.Null(0) && sayable(name) { // NULL: the key is too long
			names = append(names, name)
		}
		return nil
	}, rules.Parameters(p)[:g.params]...)
	if err != nil && budget.Spent() {
		err = errors.Join(fmt.Errorf("the grant of %s takes too long", g.Kind.Name), err)
	}
	slices.Sort(names)
	return names, err
}

// sayable reports whether a name can be told to everybody. One that is not
// UTF-8, or has a zero byte, would be another one at its other end; it is
// granted to nobody, so that nobody has to be told.
func sayable(name string) bool { return utf8.ValidString(name) && !strings.ContainsRune(name, 0) }
