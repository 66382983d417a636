package client

import (
	"context"

	"github.com/ncruces/go-sqlite3"

	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// dependencies is what a query reads.
type dependencies struct {
	tables map[string]bool // folded names of synced tables
	other  bool            // also something of which commits do not tell: an unsynced table, the structure
}

// concern reports whether a commit can have changed the result.
func (d dependencies) concern(n news) bool {
	if d.other {
		return true
	}
	for t := range n.tables {
		if d.tables[t] {
			return true
		}
	}
	return false
}

// dependencies asks SQLite itself: while it compiles a query it wants leave to
// read each table, those behind views included.
func (db *DB) dependencies(ctx context.Context, sql string) (d dependencies, err error) {
	err = db.read(ctx, func(c *lite.DB) error {
		reads, err := readsOf(c, sql)
		if err != nil {
			return err
		}
		d, err = sortReads(c, reads)
		return err
	})
	return d, err
}

func readsOf(c *lite.DB, sql string) (map[string]bool, error) {
	reads := map[string]bool{}
	note := func(action sqlite3.AuthorizerActionCode, table, _, _, _ string) sqlite3.AuthorizerReturnCode {
		if action == sqlite3.AUTH_READ {
			reads[fold(table)] = true
		}
		return sqlite3.AUTH_OK
	}
	if err := c.Conn().SetAuthorizer(note); err != nil {
		return nil, err
	}
	s, _, err := c.Conn().Prepare(sql)
	if err == nil {
		err = s.Close()
	}
	if err = firstError(err, c.Conn().SetAuthorizer(nil)); err != nil {
		return nil, err
	}
	return reads, readJoined(c, sql, reads)
}

// readJoined adds the tables of which only the columns are read that USING or
// NATURAL join by: SQLite does not ask for these.
func readJoined(c *lite.DB, sql string, reads map[string]bool) error {
	views := map[string]string{}
	err := c.Each("SELECT name, sql FROM main.sqlite_master WHERE type = 'view'", func(s *lite.Stmt) error {
		views[fold(s.Text(0))] = s.Text(1)
		return nil
	})
	for name := range schema.JoinedNames(sql, func(name string) string { return views[name] }) {
		reads[name] = true
	}
	return err
}

// sortReads tells synced tables from others. A name that is not in the
// structure belongs to a table-valued function, which holds nothing.
func sortReads(c *lite.DB, reads map[string]bool) (dependencies, error) {
	d := dependencies{tables: map[string]bool{}, other: reads["sqlite_master"]}
	names, err := tableNames(c)
	if err != nil {
		return d, err
	}
	synced := map[string]bool{}
	for _, name := range names {
		synced[name] = true
	}
	err = c.Each("SELECT name FROM main.sqlite_master WHERE type = 'table'", func(s *lite.Stmt) error {
		name := fold(s.Text(0))
		switch {
		case !reads[name]:
		case synced[name]:
			d.tables[name] = true
		default:
			d.other = true
		}
		return nil
	})
	return d, err
}
