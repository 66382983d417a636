package storetest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// zoo has a table of every kind that makes changes stand in each other's way.
const zoo = `
CREATE TABLE country (code TEXT COLLATE NOCASE PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE city (id INTEGER PRIMARY KEY, country TEXT REFERENCES country ON DELETE CASCADE ON UPDATE CASCADE,
	rank INT UNIQUE, twin INT REFERENCES city ON DELETE SET NULL ON UPDATE CASCADE, CHECK (rank IS NULL OR rank > -1000));
CREATE TABLE visit (city INT REFERENCES city ON DELETE CASCADE ON UPDATE CASCADE, day INT, who TEXT NOT NULL DEFAULT 'x',
	PRIMARY KEY (city, day)) WITHOUT ROWID;
CREATE UNIQUE INDEX one_a_day ON visit (lower(who)) WHERE day > 5;
CREATE TABLE fact (id TEXT PRIMARY KEY, n INT, r REAL, b BLOB, UNIQUE (n, r)) STRICT;
CREATE TABLE held (id INTEGER PRIMARY KEY, city INT DEFAULT 1 REFERENCES city ON DELETE SET DEFAULT ON UPDATE SET NULL);`

var zooTables = []string{"country", "city", "visit", "fact", "held"}

// randomSteps is how many transactions each random test runs.
var randomSteps = stepsFrom("TIDEMARK_STEPS", 150)

func stepsFrom(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

var randomTests = []test{
	{"changesets of a copy", zoo, func(b *bench) {
		random := dice.New(b)
		copied, past := newCopy(b), newModel(b)
		for range dice.Times(randomSteps) {
			sql, changes := copied.transaction(random)
			if len(changes) == 0 {
				continue
			}
			if _, err := b.apply(changes...); err != nil {
				b.Fatalf("%s\n%s\n%v", sql, describeAll(changes), err)
			}
			copied.mustEqual(sql, changes)
			past.note()
		}
		past.mustReach()
	}},
	{"another program beside", zoo, func(b *bench) {
		random := dice.New(b)
		copied, past := newCopy(b), newModel(b)
		for range dice.Times(randomSteps / 3) {
			sql, changes := copied.transaction(random)
			if len(changes) == 0 {
				continue
			}
			// The file is written by the very statements, or by the changeset.
			if random.IntN(2) == 0 {
				if err := b.Exec("BEGIN; PRAGMA defer_foreign_keys = ON; " + sql + "; COMMIT"); err != nil {
					b.Fatalf("%s: %v", sql, err)
				}
				if w := b.sequence(); w.Refused != nil {
					b.Fatalf("%s\n%v", sql, w.Refused)
				}
			} else if _, err := b.apply(changes...); err != nil {
				b.Fatalf("%s\n%s\n%v", sql, describeAll(changes), err)
			}
			copied.mustEqual(sql, changes)
			past.note()
		}
		past.mustReach()
	}},
	{"a program that minds no constraints", zoo, func(b *bench) {
		random := dice.New(b)
		refused := 0
		for range dice.Times(randomSteps / 3) {
			before := b.dump()
			sql := statements(random)
			if b.Exec("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; BEGIN; "+sql+"; COMMIT") != nil {
				continue
			}
			if w := b.sequence(); w.Refused != nil {
				refused++
				if after := b.dump(); after != before {
					b.Fatalf("%s\nwas refused (%v) and left\n%s\nwhere there was\n%s", sql, w.Refused, after, before)
				}
			}
		}
		b.Logf("%d transactions were refused", refused)
	}},
}

func (b *bench) dump() string {
	var all []string
	for _, name := range zooTables {
		all = append(all, name+": "+b.rows(name))
	}
	return strings.Join(all, "\n")
}

func describeAll(changes []tidemark.Change) string {
	lines := make([]string, len(changes))
	for i, c := range changes {
		lines[i] = describe(c)
	}
	return strings.Join(lines, "\n")
}

// dbCopy is an ordinary SQLite file with capture, on which transactions happen
// before the store gets to know of them.
type dbCopy struct {
	b      *bench
	db     *lite.DB
	schema *tidemark.Schema
}

func newCopy(b *bench) *dbCopy {
	db, err := lite.Open(filepath.Join(b.TempDir(), "copy.sqlite"), lite.Options{Create: true})
	b.must(err)
	b.Cleanup(func() { _ = db.Close() })
	b.must(db.Script("PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;" + zoo))
	s, _, err := schema.Inspect(db, nil)
	b.must(err)
	b.must(capture.Install(db, capture.Main, s, false))
	return &dbCopy{b, db, s}
}

// transaction runs random statements and returns them with what they did,
// nothing when the commit failed.
func (c *dbCopy) transaction(random *rand.Rand) (string, []tidemark.Change) {
	after, err := c.db.Int("SELECT max(n) FROM _tm_log")
	c.b.must(err)
	var done []string
	err = c.db.Transaction(func() error {
		if err := c.db.Run("PRAGMA defer_foreign_keys = ON"); err != nil {
			return err
		}
		for range 1 + random.IntN(6) {
			sql := statement(random)
			if err := c.db.Script(sql); err == nil {
				done = append(done, sql)
			}
			if !c.db.InTransaction() {
				return fmt.Errorf("the transaction is gone")
			}
		}
		return nil
	})
	if err != nil {
		return "", nil
	}
	rows, err := capture.Net(c.db, capture.Main, c.schema, after)
	c.b.must(err)
	return strings.Join(done, "; "), capture.Changes(rows)
}

func (c *dbCopy) rows(name string) string {
	t := c.schema.Named(name)
	var lines []string
	c.b.must(c.db.Each("SELECT * FROM "+name+" ORDER BY "+t.Columns[t.Key[0]].Name+", "+t.Columns[t.Key[len(t.Key)-1]].Name, func(s *lite.Stmt) error {
		lines = append(lines, show(s.Row(0)))
		return nil
	}))
	return strings.Join(lines, " ")
}

// mustEqual compares the store's tables with the copy's, after sql.
func (c *dbCopy) mustEqual(sql string, changes []tidemark.Change) {
	c.b.Helper()
	for _, name := range zooTables {
		if got, want := c.b.rows(name), c.rows(name); got != want {
			c.b.Fatalf("%s\n%s\n%s holds\n\t%s\nwant\n\t%s", sql, describeAll(changes), name, got, want)
		}
	}
}

func statements(random *rand.Rand) string {
	var all []string
	for range 1 + random.IntN(4) {
		all = append(all, strings.Replace(statement(random), "INSERT INTO", "INSERT OR IGNORE INTO", 1))
	}
	return strings.Join(all, "; ")
}

func statement(random *rand.Rand) string {
	n := func(max int) int { return random.IntN(max) }
	or := []string{"", "", " OR REPLACE", " OR IGNORE"}[n(4)]
	code := func() string {
		return []string{"NULL", "'de'", "'DE'", "'fr'", "'it'", "'Fr'", "'es'", "'pt'"}[1+n(7)]
	}
	city := func() string { return []string{"NULL", strconv.Itoa(1 + n(12))}[min(1, n(6))] }
	id := func() int { return 1 + n(12) }
	all := []func() string{
		func() string { return fmt.Sprintf("INSERT%s INTO country VALUES (%s, 'n%d')", or, code(), n(6)) },
		func() string {
			return fmt.Sprintf("UPDATE%s country SET code = %s WHERE code = %s", or, code(), code())
		},
		func() string {
			return fmt.Sprintf("UPDATE%s country SET name = 'n%d' WHERE code = %s", or, n(6), code())
		},
		func() string { return fmt.Sprintf("DELETE FROM country WHERE code = %s", code()) },
		func() string {
			return fmt.Sprintf("INSERT%s INTO city VALUES (%d, %s, %d, %s)", or, id(), code(), n(9), city())
		},
		func() string {
			return fmt.Sprintf("INSERT%s INTO city VALUES (%d, %s, %d, %s)", or, id(), code(), n(9), city())
		},
		func() string { return fmt.Sprintf("UPDATE%s city SET id = %d WHERE id = %d", or, id(), id()) },
		func() string { return fmt.Sprintf("UPDATE%s city SET rank = %d WHERE id = %d", or, n(9), id()) },
		func() string { return "UPDATE city SET rank = -rank - 1; UPDATE city SET rank = (-rank - 1 + 1) % 9" },
		func() string {
			return fmt.Sprintf("UPDATE city SET id = -id - 1; UPDATE city SET id = (-id - 1 + %d) %% 12 + 1", n(12))
		},
		func() string {
			return fmt.Sprintf("UPDATE%s city SET country = %s, twin = %s WHERE id = %d", or, code(), city(), id())
		},
		func() string { return fmt.Sprintf("DELETE FROM city WHERE id = %d", id()) },
		func() string { return fmt.Sprintf("INSERT%s INTO visit VALUES (%d, %d, 'w%d')", or, id(), n(9), n(5)) },
		func() string {
			return fmt.Sprintf("UPDATE%s visit SET city = %d, day = %d WHERE city = %d", or, id(), n(9), id())
		},
		func() string { return fmt.Sprintf("UPDATE%s visit SET who = 'W%d' WHERE day = %d", or, n(5), n(9)) },
		func() string { return fmt.Sprintf("DELETE FROM visit WHERE day = %d", n(9)) },
		func() string {
			return fmt.Sprintf("INSERT%s INTO fact VALUES ('f%d', %d, %d.5, x'0%d')", or, n(6), n(3), n(3), n(9))
		},
		func() string {
			return fmt.Sprintf("UPDATE%s fact SET n = %d, r = %d.5 WHERE id = 'f%d'", or, n(3), n(3), n(6))
		},
		func() string { return fmt.Sprintf("UPDATE%s fact SET id = 'f%d' WHERE id = 'f%d'", or, n(6), n(6)) },
		func() string { return "UPDATE fact SET n = n + 100; UPDATE fact SET n = (n - 99) % 3" },
		func() string { return fmt.Sprintf("DELETE FROM fact WHERE n = %d", n(3)) },
		func() string { return fmt.Sprintf("INSERT%s INTO held VALUES (%d, %s)", or, n(6), city()) },
		func() string { return fmt.Sprintf("UPDATE%s held SET city = %s WHERE id = %d", or, city(), n(6)) },
	}
	return all[n(len(all))]()
}
