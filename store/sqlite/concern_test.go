package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
)

// office has columns that hold the same in many forms, and compare by other rules.
const office = `CREATE TABLE project (id INTEGER PRIMARY KEY, org INT, owner TEXT, name TEXT COLLATE NOCASE);
CREATE TABLE member (org TEXT, person TEXT, role TEXT COLLATE NOCASE, PRIMARY KEY (org, person)) WITHOUT ROWID;
CREATE TABLE guest (id INTEGER PRIMARY KEY, project, person BLOB, name TEXT);
CREATE TABLE alias (id INTEGER PRIMARY KEY, person TEXT COLLATE NOCASE, org REAL, twice AS (org || org));
CREATE TABLE plain (id INTEGER PRIMARY KEY, org NUMERIC, person INT);
CREATE VIEW seen AS SELECT p.id, p.org, g.person AS who FROM project p JOIN guest g ON g.project = p.id;
INSERT INTO project VALUES (1, 1, 'ann', 'one'), (2, 2, 'bob', 'ONE'), (3, 1, 'cid', 'x');
INSERT INTO member VALUES ('1', 'ann', 'a'), ('2', 'bob', 'A'), ('1', 'dan', 'b');
INSERT INTO guest VALUES (1, 1, 'bob', 'one'), (2, '2', 'cid', 'x'), (3, 3.0, x'61', 'a');
INSERT INTO alias VALUES (1, 'ANN', 1), (2, 'bob', 2.5); INSERT INTO plain VALUES (1, 1, 5), (2, '2', 'ann');`

var officeTables = map[string][]string{
	"project": {"id", "org", "owner", "name"}, "member": {"org", "person", "role"}, "guest": {"id", "project", "person", "name"},
	"alias": {"id", "person", "org"}, "plain": {"id", "org", "person"}, "seen": {"id", "org", "who"},
}

var officePeople = []string{"ann", "ANN", "bob", "cid", "dan", "5", "05", "a"}

// asker makes up grants: calm ones are as people write them.
type asker struct {
	random *rand.Rand
	calm   bool
}

func (a *asker) one(of ...string) string { return of[a.random.IntN(len(of))] }

// often says yes so many times of a hundred; when calm only to what is usual.
func (a *asker) often(percent int) bool {
	return a.random.IntN(100) < percent && (!a.calm || percent > 20)
}

// grant makes up a query: one SELECT or several.
func (a *asker) grant() string {
	a.calm = a.random.IntN(2) == 0
	sql := a.arm()
	for a.often(35) {
		sql += a.one(" UNION ", " UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT ") + a.arm()
	}
	if a.often(4) {
		sql = "WITH " + a.one("project", "made") + " AS (" + a.arm() + ") " + sql
	}
	if a.often(4) {
		sql += a.one(" ORDER BY 1 LIMIT 2", " LIMIT 1", " ORDER BY 1")
	}
	return sql
}

// asked is a source with its columns.
type asked struct {
	alias   string
	columns []string
}

func (f asked) column(a *asker) string {
	c := a.one(f.columns...)
	if a.often(6) {
		return c
	}
	return f.alias + "." + a.one(c, c, `"`+c+`"`)
}

func (a *asker) arm() string {
	var all []asked
	sql := ""
	for i := range 1 + a.random.IntN(3) + a.random.IntN(2) {
		table := a.one("project", "project", "member", "member", "guest", "guest", "alias", "plain", "seen")
		if a.calm {
			table = a.one("project", "member", "guest")
		}
		f, text := asked{table, officeTables[table]}, a.one("", "", "", "main.")+table
		if a.often(60) || i > 0 {
			f.alias = string(rune('p' + i))
			text += a.one(" AS ", " ") + f.alias
		}
		if a.often(6) {
			text = "(SELECT * FROM " + table + a.one("", " WHERE person = :user", " LIMIT 2") + ") AS " + f.alias
		}
		all = append(all, f)
		switch {
		case i == 0:
			sql = text
		case a.often(3):
			sql += " NATURAL JOIN " + text
		default:
			join := a.one(", ", " JOIN ", " JOIN ", " INNER JOIN ", " CROSS JOIN ", " LEFT JOIN ", " LEFT OUTER JOIN ")
			if a.calm {
				join = a.one(", ", " JOIN ", " JOIN ", " LEFT JOIN ")
			}
			if a.often(4) {
				join = a.one(" RIGHT JOIN ", " FULL JOIN ")
			}
			sql += join + text
			if join != ", " {
				sql += " ON " + a.pair(all) + a.one("", "", " AND "+a.pair(all), a.one("", " AND "+a.user(all)))
			}
		}
	}
	var where []string
	for range 1 + a.random.IntN(3) {
		where = append(where, a.condition(all))
	}
	if a.often(90) {
		where[a.random.IntN(len(where))] = a.user(all)
	}
	what := all[a.random.IntN(len(all))].column(a)
	tail := ""
	switch a.random.IntN(12) {
	case a.odd(0):
		what = a.one("max", "min", "count", "group_concat") + "(" + what + ")"
	case a.odd(1):
		tail = " GROUP BY " + a.any(all) + a.one("", " HAVING count(*) > 1")
	case 2:
		what = "DISTINCT " + what
	case a.odd(3):
		what = "(" + a.sub(all) + ")"
	}
	return "SELECT " + what + " FROM " + sql + " WHERE " + strings.Join(where, a.one(" AND ", " and ", " AND /* ? */ ", a.one(" AND ", " AND ", " OR "))) + tail
}

// odd is a case that calm ones do not have.
func (a *asker) odd(n int) int {
	if a.calm {
		return -1
	}
	return n
}

func (a *asker) any(all []asked) string { return all[a.random.IntN(len(all))].column(a) }

// pair compares the last source with another.
func (a *asker) pair(all []asked) string {
	return all[len(all)-1].column(a) + " = " + a.any(all)
}

// user compares with the principal, mostly as one would write it.
func (a *asker) user(all []asked) string {
	f := all[a.random.IntN(len(all))]
	person := f.alias + "." + a.one(f.columns...)
	for _, c := range f.columns {
		if strings.Contains("person owner who", c) && a.often(90) {
			person = f.alias + "." + c
			if len(all) == 1 && a.random.IntN(3) == 0 {
				person = c
			}
		}
	}
	if a.calm {
		return a.one(person+" = :user", ":user = "+person)
	}
	switch a.random.IntN(16) {
	case 0:
		return person + " IS :user"
	case 1:
		return "lower(" + person + ") = :user"
	case 2:
		return "(" + person + " = :user)"
	case 3:
		return person + " = :claims ->> 'name'"
	case 4:
		return person + " <> :user"
	case 5, 6, 7:
		return ":user = " + person
	}
	return person + " = :user"
}

func (a *asker) condition(all []asked) string {
	c := a.any(all)
	switch a.random.IntN(12 + map[bool]int{true: 60}[a.calm]) {
	case 0:
		return "EXISTS (" + a.sub(all) + ")"
	case 1:
		return a.one("", "NOT ") + "EXISTS (" + a.sub(all) + ")"
	case 2:
		return c + a.one(" IN ", " NOT IN ") + "(" + a.sub(all) + ")"
	case 3:
		return c + " IS NULL"
	case 4:
		return c + " BETWEEN 1 AND 2"
	case 5:
		return "CASE WHEN " + c + " = 1 AND 1 THEN 1 ELSE " + a.any(all) + " = 'one' END"
	case 6:
		return c + " IS NOT DISTINCT FROM " + a.any(all)
	case 7, 8:
		return c + " = " + a.any(all)
	}
	return c + a.one(" = ", " <> ", " >= ") + a.one("1", "'1'", "'one'", "'a'", "2")
}

// sub makes up a sub-query, which may hang on what is around it.
func (a *asker) sub(all []asked) string {
	table := a.one("project", "member", "guest", "plain")
	f := asked{"s", officeTables[table]}
	c := f.column(a)
	return "SELECT " + c + " FROM " + table + " AS s WHERE " + a.one(c+" = "+a.any(all), c+" = 1", c+" = :user", "s.person = :user AND "+c+" = "+a.any(all), "1")
}

// officeChange makes up a change.
func officeChange(random *rand.Rand) tidemark.Change {
	n := random.IntN
	person := func() tidemark.Value {
		return []tidemark.Value{tidemark.Text(officePeople[n(len(officePeople))]), tidemark.Text("ann"), tidemark.Null, tidemark.Blob([]byte("a")), tidemark.Int(5)}[min(n(8), 4)]
	}
	some := func() tidemark.Value {
		if n(2) == 0 {
			return tidemark.Int(int64(1 + n(2)))
		}
		return []tidemark.Value{tidemark.Int(3), tidemark.Text("1"), tidemark.Text("2"), tidemark.Text("one"), tidemark.Real(2.5), tidemark.Real(1), tidemark.Null}[n(7)]
	}
	name := func() tidemark.Value { return tidemark.Text([]string{"one", "ONE", "a", "A", "x", "1"}[n(6)]) }
	id := tidemark.Int(int64(1 + n(4)))
	org := tidemark.Text([]string{"1", "2", "3"}[n(3)])
	who := tidemark.Text(officePeople[n(5)])
	c := []tidemark.Change{
		{Table: 1, Key: []tidemark.Value{id}, New: []tidemark.Value{id, some(), person(), name()}},
		{Table: 2, Key: []tidemark.Value{org, who}, New: []tidemark.Value{org, who, name()}},
		{Table: 3, Key: []tidemark.Value{id}, New: []tidemark.Value{id, some(), person(), name()}},
		{Table: 4, Key: []tidemark.Value{id}, New: []tidemark.Value{id, person(), some()}},
		{Table: 5, Key: []tidemark.Value{id}, New: []tidemark.Value{id, some(), person()}},
	}[n(5)]
	switch c.Op = []tidemark.Op{tidemark.Insert, tidemark.Update, tidemark.Update, tidemark.Delete}[n(4)]; c.Op {
	case tidemark.Delete:
		c.New = nil
	case tidemark.Update:
		col := n(len(c.New))
		c.Cols, c.New = []int{col}, c.New[col:col+1]
	}
	return c
}

// whoHasWhat asks everybody's grants.
func whoHasWhat(t *testing.T, v tidemark.View) map[string]string {
	t.Helper()
	has := map[string]string{}
	for _, p := range officePeople {
		list, err := v.Granted(tidemark.Principal{ID: p, Claims: map[string]any{"name": p}})
		if err != nil {
			t.Fatal(err)
		}
		has[p] = fmt.Sprintf("%q", list)
	}
	return has
}

// grantsAsWritten are grants for whose every trap there is a fault that they find.
var grantsAsWritten = []string{
	"SELECT p.id FROM project p JOIN member m ON m.org = p.org WHERE m.person = :user",
	"SELECT project FROM guest WHERE person = :user UNION SELECT p.id FROM project AS p JOIN member AS m ON m.org = p.org WHERE m.person = :user",
	"SELECT m.org FROM member m JOIN project p ON p.org = m.org JOIN guest g ON g.project = p.id WHERE :user = m.person AND g.name <> 'x'",
	"SELECT m.org FROM member m LEFT JOIN project p ON p.org = m.org WHERE m.person = :user AND p.id IS NULL",
	"SELECT m.org FROM member m, project p LEFT JOIN guest g ON g.project = p.id WHERE p.org = m.org AND m.person = :user AND g.id IS NULL",
	"SELECT p.org FROM alias a JOIN project p ON p.org = a.org WHERE a.person = :user",
	"SELECT p.id FROM plain a JOIN project p ON p.org = a.org WHERE a.person = :user",
	"SELECT p.id FROM project p, guest g WHERE p.name = g.name AND g.person = :user",
	"SELECT g.id FROM project p, guest g WHERE g.project = p.name AND p.owner = :user EXCEPT SELECT org FROM member WHERE person = :user",
	"SELECT count(*) FROM project p JOIN project o ON o.org = p.id WHERE p.owner = :user",
	"SELECT n.org FROM member m JOIN member n ON n.role = m.role WHERE m.person = :user",
	"SELECT p.id FROM project p JOIN member m ON m.org = p.org WHERE m.person = :user AND NOT EXISTS (SELECT 1 FROM guest g WHERE g.project = p.id)",
	"SELECT id FROM project WHERE org IN (SELECT org FROM member WHERE person = :user)",
	"SELECT s.id FROM seen s JOIN member m ON m.org = s.org WHERE m.person = :user",
	"SELECT a.id FROM alias a JOIN member m ON m.org = a.twice WHERE m.person = :user",
	"SELECT p.id FROM main.project p JOIN member ON member.org IS NOT DISTINCT FROM p.name WHERE person = :user OR p.id = 3",
	"SELECT p.id FROM project p JOIN member m ON m.org = p.org WHERE m.person = :user AND p.owner = :user",
	"SELECT p.id FROM project p JOIN member m ON m.org = p.org WHERE m.person = :user AND :claims ->> 'name' <> p.owner",
	"SELECT p.id FROM project p JOIN plain x JOIN member m ON m.org = p.org WHERE x.org = p.id AND m.person = :user GROUP BY p.org HAVING max(x.id) > 1",
}

// TestConcernNamesAllWhoseGrantsChange makes up grants and changes: whoever may
// read something else after a changeset is among those whom it concerns. And it must
// not be everybody each time.
func TestConcernNamesAllWhoseGrantsChange(t *testing.T) {
	random := dice.New(t)
	s := openGarden(t, makeFile(t, office), Options{Warn: func(string) {}})
	made := &asker{random: random}
	var fits, others, some, everybody int
	grants := slices.Clone(grantsAsWritten)
	const tries = 300
	for range tries {
		grants = append(grants, made.grant())
	}
	for i, grant := range grants {
		declared(t, s, grant)
		groups, changed, told, all := watchOffice(t, s, random, grant, map[bool]int{true: 120, false: 10}[i < len(grantsAsWritten)])
		if groups == 0 {
			continue // it does not compile
		}
		fits++
		others, some, everybody = others+changed, some+told, everybody+all
		if t.Failed() {
			t.Fatalf("in round %d", i)
		}
	}
	t.Logf("%d grants; of %d others' grants changed, named %d times some, %d times everybody", fits, others, some, everybody)
	if fits < tries/4 || others < tries/8 || some < tries/8 {
		t.Errorf("too little was tried: %d grants, %d changes of what is granted, %d times some were named, %d times everybody", fits, others, some, everybody)
	}
}

// declared makes a grant the one in use.
func declared(t *testing.T, s *Store, grant string) {
	t.Helper()
	err := s.SetScopes(func(*tidemark.Schema) (*tidemark.Scopes, error) {
		return &tidemark.Scopes{List: []tidemark.Scope{{Name: "k", Keyed: true, Grant: grant, Members: []tidemark.Member{{Table: "plain", Path: []string{"org"}}}}}}, nil
	})
	if err == nil {
		err = s.Group(context.Background(), func(tx tidemark.Tx) error {
			if _, err := tx.Foreign(); err != nil {
				return err
			}
			return tx.Append(tidemark.LogEntry{Name: tidemark.Name{Replica: tidemark.FileReplica}})
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func scopingOf(x tidemark.Tx) (*scoping, error) { return x.(*tx).scoping() }

// watchOffice changes rows and compares who is named with whose grants are others.
func watchOffice(t *testing.T, s *Store, random *rand.Rand, grant string, times int) (groups, changed, some, everybody int) {
	t.Helper()
	for range times {
		var changes []tidemark.Change
		err := s.Group(context.Background(), func(tx tidemark.Tx) error {
			n, err := scopingOf(tx)
			if err != nil || n.grants[0].query == nil {
				return err
			}
			before := whoHasWhat(t, tx)
			tx.Concerned()
			if err := tx.Savepoint(func() error {
				changes, err = officeGroup(tx, random)
				return err
			}); err != nil {
				return nil // a constraint refused it
			}
			groups++
			all, names := tx.Concerned()
			after := whoHasWhat(t, tx)
			switch {
			case all:
				everybody++
			case len(names) > 0:
				some++
			}
			for _, p := range officePeople {
				if before[p] != after[p] {
					changed++
					if !all && !slices.Contains(names, p) {
						t.Errorf("%s\n%v\nof %s: %s before and %s now, and only %q are named", grant, changes, p, before[p], after[p], names)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return groups, changed, some, everybody
}

// officeGroup appends one changeset of a few changes.
func officeGroup(tx tidemark.Tx, random *rand.Rand) ([]tidemark.Change, error) {
	var changes []tidemark.Change
	for range 1 + random.IntN(4) {
		changes = append(changes, officeChange(random))
		if err := tx.WriteAll(changes[len(changes)-1:]); err != nil {
			return nil, err
		}
	}
	return changes, appendEffects(tx)
}

func appended(tx tidemark.Tx, changes []tidemark.Change) error {
	if err := tx.WriteAll(changes); err != nil {
		return err
	}
	return appendEffects(tx)
}

func appendEffects(tx tidemark.Tx) error {
	effects, err := tx.Effects()
	if err != nil {
		return err
	}
	state, err := tx.State()
	if err != nil {
		return err
	}
	return tx.Append(tidemark.LogEntry{Name: tidemark.Name{Replica: "r", N: int64(state.Head) + 1}, Effects: effects})
}

// TestConcernNamesThese says of changes whom they concern.
func TestConcernNamesThese(t *testing.T) {
	const three = "SELECT m.org FROM member m JOIN project p ON p.org = m.org JOIN guest g ON g.project = p.id WHERE m.person = :user"
	gone := func(table int) tidemark.Change {
		return tidemark.Change{Table: table, Op: tidemark.Delete, Key: []tidemark.Value{tidemark.Int(2)}}
	}
	cid := []tidemark.Value{tidemark.Text("3"), tidemark.Text("cid"), tidemark.Text("a")}
	s := openGarden(t, makeFile(t, office), Options{})
	for _, c := range []struct {
		grant   string
		changes []tidemark.Change
		want    string
	}{
		{three, []tidemark.Change{gone(3)}, "bob"},
		// Neither row leads to bob where one looks at what there is without both.
		{three, []tidemark.Change{gone(1), gone(3)}, "bob"},
		{three, []tidemark.Change{gone(3), gone(1)}, "bob"},
		// Roles are compared whatever their case is.
		{"SELECT n.org FROM member m JOIN member n ON n.role = m.role WHERE m.person = :user", []tidemark.Change{{Table: 2, Op: tidemark.Insert, Key: cid[:2], New: cid}}, "ann bob cid"},
	} {
		declared(t, s, c.grant)
		err := s.Group(context.Background(), func(tx tidemark.Tx) error {
			tx.Concerned()
			return tx.Savepoint(func() error {
				before := whoHasWhat(t, tx)
				if err := appended(tx, c.changes); err != nil {
					return err
				}
				all, names := tx.Concerned()
				if got := strings.Join(names, " "); all || got != c.want {
					t.Errorf("%s\n%v concerns %v %q, want %q", c.grant, c.changes, all, got, c.want)
				}
				for _, p := range names {
					if after := whoHasWhat(t, tx); before[p] == after[p] {
						t.Errorf("%s\n%v: %s had %s and has it still", c.grant, c.changes, p, before[p])
					}
				}
				return errAgain // the next finds everything as it was
			})
		})
		if !errors.Is(err, errAgain) {
			t.Fatal(err)
		}
	}
}

var errAgain = errors.New("again")
