package sqlite

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/scope"
)

// scopes works out anew which rows are in which scopes and compares that with
// what the server kept along.
func (d *doctor) scopes() error {
	if !d.schema.Scoped() {
		return nil
	}
	declared, err := storedScopes(d.db)
	if err != nil {
		return err
	}
	plan, _ := scope.Fit(d.schema, declared)
	made, err := meta.Get(d.db, keyFeed)
	if err != nil {
		return err
	}
	switch {
	case plan == nil || scope.Hash(declared) != d.schema.Declared || made != feedName(d.schema, plan):
		d.warn("scopes", "start the server; it finds out which rows are in them", "the scopes were declared anew")
		return nil
	case d.has("log", "digest"):
		d.warn("scopes", "start the server first", "which rows are in which scopes was not looked at, because of the changes that it does not know of")
		return nil
	}
	c := &feedCheck{d: d, x: &tx{view: view{s: &Store{db: d.db, book: newBook()}, db: d.db, schema: d.schema}}, live: map[int]int64{}}
	for _, step := range []func() error{
		func() error { return c.tables(plan) }, c.conflicts, c.others, c.sums, c.seqs,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if c.wrong == 0 {
		d.ok("scopes", "%d times a row is in one of %d scopes", c.right, c.scopes)
	}
	return nil
}

// has reports whether there is a warning or an error about one of these.
func (d *doctor) has(about ...string) bool {
	return slices.ContainsFunc(d.found, func(f Finding) bool { return f.Level != "ok" && slices.Contains(about, f.About) })
}

// feedCheck goes through all that is in a scope.
type feedCheck struct {
	d      *doctor
	x      *tx
	live   map[int]int64 // by table: how often a row is rightly in a scope
	right  int64
	scopes int
	wrong  int
}

func (c *feedCheck) fail(format string, args ...any) {
	if c.wrong++; c.wrong <= 3 {
		c.d.fail("scopes", fromBackup, format, args...)
	}
}

// tables asks the declaration of every row.
func (c *feedCheck) tables(plan *scope.Plan) error {
	for _, id := range sortedKeys(plan.Tables) {
		m := plan.Tables[id]
		err := c.d.db.Each(m.All, func(s *lite.Stmt) error {
			values := s.Row(0)
			key, names := values[:len(m.Key)], values[len(m.Key):]
			if slices.ContainsFunc(key, tidemark.Value.IsNull) {
				return nil
			}
			var want []string
			for _, n := range names {
				if !n.IsNull() {
					want = append(want, n.Str())
				}
			}
			return c.row(m.Table, m.KeyID(key), want)
		})
		if err != nil {
			if lite.Environment(err) {
				return err
			}
			c.d.warn("scopes", "let the condition bear every value", "what is declared for table %s fails for some row: %v", m.Name, err)
			return nil
		}
	}
	return nil
}

// row compares the scopes of one row.
func (c *feedCheck) row(t *tidemark.Table, id string, want []string) error {
	key, err := tidemark.ParseKeyID(id)
	if err != nil {
		return err
	}
	list, err := c.x.ScopesOf(t.ID, key)
	if err != nil {
		return err
	}
	var got []string
	for _, s := range list {
		if s.Live {
			got = append(got, s.Scope)
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		c.fail("row %v of %s is taken to be in the scopes %q, and is in %q", key, t.Name, got, want)
	}
	c.live[t.ID] += int64(len(got))
	c.right += int64(len(got))
	return nil
}

// conflicts are where the rows are that they speak of.
func (c *feedCheck) conflicts() error {
	t := conflictsIn(c.d.schema)
	if t == nil {
		return nil
	}
	f := &follower{x: c.x}
	ids, err := c.x.liveKeys(t.ID)
	if err != nil {
		return err
	}
	for _, k := range ids {
		list, err := f.scopesOfSubject(k.id)
		if err != nil {
			return err
		}
		var want []string
		for _, a := range list {
			want = append(want, a.name)
		}
		if err := c.row(t, k.id, want); err != nil {
			return err
		}
		subject, err := f.subject(t, k.id)
		if err != nil {
			return err
		}
		n, err := c.d.db.Int("SELECT count(*) FROM main._tm_about WHERE id = ?1 AND t = ?2 AND key = ?3",
			tidemark.BlobString(k.id), tidemark.Int(int64(subject.table)), tidemark.BlobString(subject.key))
		if err != nil {
			return err
		}
		if n == 0 && subject.table != 0 {
			c.fail("it is not known which row conflict %x speaks of", k.id)
		}
	}
	return nil
}

// others looks for rows that are in a scope and nowhere else.
func (c *feedCheck) others() error {
	return c.d.db.Each("SELECT t, count(*) FROM main._tm_feed WHERE live = 1 GROUP BY t", func(s *lite.Stmt) error {
		if t, n := int(s.Int(0)), s.Int(1); n != c.live[t] {
			name := "a table that is gone"
			if table := c.d.schema.Table(t); table != nil {
				name = table.Name
			}
			c.fail("rows of %s are %d times in a scope, which should be %d", name, n, c.live[t])
		}
		return nil
	})
}

// sums adds up the rows of every scope.
func (c *feedCheck) sums() error {
	sums, err := c.x.sumsOfScopes()
	if err != nil {
		return err
	}
	c.scopes = len(sums)
	return c.d.db.Each("SELECT i, name, sum FROM main._tm_scope", func(s *lite.Stmt) error {
		if uint64(s.Int(2)) != sums[s.Int(0)] {
			c.fail("the sum of scope %s is not that of its rows", s.Text(1))
		}
		return nil
	})
}

func (c *feedCheck) seqs() error {
	head, _, err := readPlace(c.d.db, "main")
	if err != nil {
		return err
	}
	n, err := c.d.db.Int("SELECT count(*) FROM main._tm_feed WHERE seq > ?1 OR joined > seq", tidemark.Int(int64(head)))
	if err == nil && n > 0 {
		c.fail("%d rows came into a scope at a seq that cannot be", n)
	}
	return err
}
