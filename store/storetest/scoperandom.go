package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
)

// town has paths of foreign keys of every sort: deep ones, one to a column that is not
// the key, one back to its own table, with actions that move and delete what depends.
const town = `
CREATE TABLE org (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE project (id INTEGER PRIMARY KEY, org INT REFERENCES org ON DELETE SET NULL ON UPDATE CASCADE, code TEXT UNIQUE);
CREATE TABLE member (org INT REFERENCES org ON DELETE CASCADE ON UPDATE CASCADE, person TEXT, role TEXT, PRIMARY KEY (org, person)) WITHOUT ROWID;
CREATE TABLE task (id INTEGER PRIMARY KEY, project INT REFERENCES project ON DELETE CASCADE ON UPDATE CASCADE, title TEXT, private INT);
CREATE TABLE comment (id TEXT PRIMARY KEY, task INT REFERENCES task ON DELETE CASCADE ON UPDATE CASCADE,
	parent TEXT REFERENCES comment ON DELETE SET NULL ON UPDATE CASCADE, author TEXT, body TEXT);
CREATE TABLE mark (id INTEGER PRIMARY KEY, code TEXT REFERENCES project(code) ON DELETE SET NULL ON UPDATE CASCADE, n INT);
CREATE TABLE label (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO org VALUES (1, 'one'), (2, 'two');
INSERT INTO project VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c');
INSERT INTO member VALUES (1, 'ann', 'x'), (2, 'bob', 'x');
INSERT INTO task VALUES (1, 1, 't', 0), (2, 2, 't', 1), (3, NULL, 't', 0);
INSERT INTO comment VALUES ('c1', 1, NULL, 'ann', 'b'), ('c2', 2, 'c1', 'bob', 'b');
INSERT INTO mark VALUES (1, 'a', 1); INSERT INTO label VALUES (1, 'l');`

const (
	tOrg = 1 + iota
	tTownProject
	tTownMember
	tTownTask
	tComment
	tMark
	tLabel
)

var townPeople = []string{"ann", "bob", "cid", "dan"}

// townKinds are all kinds that the town knows; a declaration takes some.
func townKinds() []tidemark.Scope {
	path := func(s string) []string { return strings.Split(s, ".") }
	return []tidemark.Scope{
		{Name: "catalog", Grant: tidemark.GrantPublic, Members: []tidemark.Member{{Table: "label"}}},
		{Name: "org", Keyed: true, Grant: "SELECT org FROM member WHERE person = :user", Members: []tidemark.Member{
			{Table: "org", Path: path("id")}, {Table: "member", Path: path("org")}, {Table: "project", Path: path("org")},
			{Table: "task", Path: path("project.org")}, {Table: "comment", Path: path("task.project.org")},
		}},
		{Name: "person", Keyed: true, Grant: "SELECT :user", Members: []tidemark.Member{
			{Table: "comment", Path: path("author")}, {Table: "member", Path: path("person")},
		}},
		{Name: "project", Keyed: true, Grant: "SELECT p.id FROM project p JOIN member m ON m.org = p.org WHERE m.person = :user", Members: []tidemark.Member{
			{Table: "project", Path: path("id")}, {Table: "task", Path: path("project"), Where: "private = 0"},
			{Table: "comment", Path: path("task.project")}, {Table: "mark", Path: path("code.id")},
		}},
		{Name: "thread", Keyed: true, Grant: tidemark.GrantNone, Members: []tidemark.Member{{Table: "comment", Path: path("parent.parent.task.project")}}},
	}
}

// townGranted is what the grants say, by a walk of the model's own.
func (m *scopeModel) townGranted(person string) []string {
	list := []string{}
	for _, k := range m.declared.List {
		switch k.Name {
		case "catalog":
			list = append(list, k.Name)
		case "person":
			list = append(list, "person/"+person)
		case "org", "project":
			for name, r := range m.rows {
				if name.table != tTownMember || r[1] != tidemark.Text(person) {
					continue
				}
				if k.Name == "org" {
					list = append(list, "org/"+r[0].String())
					continue
				}
				for other, p := range m.rows {
					if other.table == tTownProject && p[1] == r[0] {
						list = append(list, "project/"+p[0].String())
					}
				}
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// someKinds declares some of the kinds, with some of their members, and at times a narrower one.
func someKinds(random *rand.Rand) *tidemark.Scopes {
	d := &tidemark.Scopes{}
	for _, k := range townKinds() {
		if random.IntN(4) == 0 {
			continue
		}
		k.Members = slices.DeleteFunc(k.Members, func(tidemark.Member) bool { return random.IntN(6) == 0 })
		d.List = append(d.List, k)
	}
	if len(d.List) == 0 {
		d.List = townKinds()[:1]
	}
	return d
}

// townChange makes up a change.
func townChange(random *rand.Rand) tidemark.Change {
	n := func(max int) int { return random.IntN(max) }
	maybe := func(v any) any {
		if n(6) == 0 {
			return nil
		}
		return v
	}
	org := func() any { return maybe(1 + n(4)) }
	project := func() any { return maybe(1 + n(5)) }
	task := func() any { return maybe(1 + n(8)) }
	id := func() string { return fmt.Sprintf("c%d", n(9)) }
	code := func() any { return maybe(string(rune('a' + n(5)))) }
	person := func() string { return townPeople[n(len(townPeople))] }
	all := []func() tidemark.Change{
		func() tidemark.Change { return insert(tOrg, 1+n(4), "o") },
		func() tidemark.Change { return update(tOrg, row(1+n(4)), 1, fmt.Sprint("n", n(9))) },
		func() tidemark.Change { return update(tOrg, row(1+n(4)), 0, 1+n(4)) },
		func() tidemark.Change { return remove(tOrg, 1+n(4)) },
		func() tidemark.Change { return insert(tTownProject, 1+n(5), org(), code()) },
		func() tidemark.Change { return update(tTownProject, row(1+n(5)), 1, org()) },
		func() tidemark.Change { return update(tTownProject, row(1+n(5)), 2, code()) },
		func() tidemark.Change { return update(tTownProject, row(1+n(5)), 0, 1+n(5)) },
		func() tidemark.Change { return remove(tTownProject, 1+n(5)) },
		func() tidemark.Change { return pair(tTownMember, 1+n(4), person(), "r") },
		func() tidemark.Change { return update(tTownMember, row(1+n(4), person()), 2, fmt.Sprint("r", n(3))) },
		func() tidemark.Change { return update(tTownMember, row(1+n(4), person()), 1, person()) },
		func() tidemark.Change { return remove(tTownMember, 1+n(4), person()) },
		func() tidemark.Change { return insert(tTownTask, 1+n(8), project(), "t", n(2)) },
		func() tidemark.Change { return insert(tTownTask, 1+n(8), project(), "t", n(2)) },
		func() tidemark.Change { return update(tTownTask, row(1+n(8)), 1, project()) },
		func() tidemark.Change { return update(tTownTask, row(1+n(8)), 2, fmt.Sprint("t", n(99))) },
		func() tidemark.Change { return update(tTownTask, row(1+n(8)), 3, n(2), 2, "p") },
		func() tidemark.Change { return update(tTownTask, row(1+n(8)), 0, 1+n(8), 1, project()) },
		func() tidemark.Change { return remove(tTownTask, 1+n(8)) },
		func() tidemark.Change { return insert(tComment, id(), task(), maybe(id()), person(), "b") },
		func() tidemark.Change { return insert(tComment, id(), task(), nil, person(), "b") },
		func() tidemark.Change { return update(tComment, row(id()), 4, fmt.Sprint("b", n(99))) },
		func() tidemark.Change { return update(tComment, row(id()), 1, task()) },
		func() tidemark.Change { return update(tComment, row(id()), 2, maybe(id()), 3, person()) },
		func() tidemark.Change { return update(tComment, row(id()), 0, id()) },
		func() tidemark.Change { return remove(tComment, id()) },
		func() tidemark.Change { return insert(tMark, 1+n(4), code(), n(3)) },
		func() tidemark.Change { return update(tMark, row(1+n(4)), 1, code()) },
		func() tidemark.Change { return remove(tMark, 1+n(4)) },
		func() tidemark.Change { return insert(tLabel, 1+n(4), "l") },
		func() tidemark.Change { return remove(tLabel, 1+n(4)) },
	}
	return all[n(len(all))]()
}

// townConflict makes up a conflict about any row, whether it is there or not.
func townConflict(random *rand.Rand, t int) tidemark.Change {
	n := random.IntN
	number := 1 + n(12)
	id := fmt.Sprintf("%d-1", number)
	about := []struct{ table, row string }{
		{"task", fmt.Sprintf("[%d]", 1+n(8))}, {"comment", fmt.Sprintf(`["c%d"]`, n(9))}, {"label", fmt.Sprintf("[%d]", 1+n(4))},
		{"member", fmt.Sprintf(`[%d,"ann"]`, 1+n(4))}, {tidemark.ConflictsTable, fmt.Sprintf(`["%d-1"]`, n(number))}, {"nothing", "[1]"}, {"task", "broken"},
	}[n(7)]
	switch n(4) {
	case 0:
		return remove(t, id)
	case 1:
		return update(t, row(id), 1, tidemark.StateResolved)
	}
	return insert(t, id, tidemark.StateOpen, about.table, about.row, nil, nil, "manual", "theirs", nil, nil, nil, nil, "r/1", "", 1, 1, 1)
}

var errOnPurpose = errors.New("on purpose")

// randomScopes runs random groups beside the model.
func randomScopes(b *bench) {
	random := dice.New(b)
	m := newScopeModel(b, &tidemark.Scopes{List: townKinds()})
	b.view(m.mustAgree)
	conflicts := b.table(tidemark.ConflictsTable).ID
	for step := range dice.Times(randomSteps) {
		if b.Failed() {
			b.Fatalf("in step %d", step)
		}
		switch random.IntN(12) {
		case 0:
			m.redeclare(someKinds(random))
		case 1:
			b.must(b.Reopen())
		case 2: // another program; what it does may be refused
			for range 1 + random.IntN(3) {
				c := townChange(random)
				_ = b.Exec("PRAGMA foreign_keys = " + []string{"ON", "OFF"}[random.IntN(2)] + ";" + m.statement(c))
			}
		case 3: // past capture, as long as no constraint breaks
			if b.Smuggle("PRAGMA foreign_keys = ON;"+m.statement(townChange(random))) == nil {
				m.scrub()
			}
		}
		m.group(func(tx tidemark.Tx) error { return m.changesets(tx, random, conflicts) })
		b.view(func(v tidemark.View) {
			m.mustFeed(v, m.someScopes(random), 1+random.IntN(20))
			t := m.schema.Tables[random.IntN(len(m.schema.Tables))]
			var cut []tidemark.Value
			if rows, _, err := v.Rows(nil, t.ID, nil, nil, 0); err == nil && len(rows) > 0 {
				cut = t.KeyOf(rows[random.IntN(len(rows))])
			}
			var scopes []string
			for _, f := range m.someScopes(random) {
				scopes = append(scopes, f.Scope)
			}
			if len(scopes) > 0 {
				m.mustSum(v, scopes, t, cut)
			}
			for _, p := range townPeople {
				got, err := v.Granted(tidemark.Principal{ID: p})
				b.must(err)
				b.same(got, m.townGranted(p))
			}
		})
	}
}

// changesets writes some, of which some fail: by themselves, on purpose behind
// Append, and inside a savepoint that fails around them.
func (m *scopeModel) changesets(tx tidemark.Tx, random *rand.Rand, conflicts int) error {
	for range random.IntN(4) {
		doomed := random.IntN(5) == 0
		saved := *m
		saved.died, saved.feed = maps.Clone(m.died), cloneFeed(m.feed)
		err := tx.Savepoint(func() error {
			for range 1 + random.IntN(2) {
				if err := m.changeset(tx, random, conflicts); err != nil {
					return err
				}
			}
			if doomed {
				return errOnPurpose
			}
			return nil
		})
		if errors.Is(err, tidemark.ErrTransactionGone) {
			return err
		}
		if err != nil {
			*m = saved
		}
	}
	return nil
}

// changeset writes one in a savepoint of its own, and lives with its failure.
func (m *scopeModel) changeset(tx tidemark.Tx, random *rand.Rand, conflicts int) error {
	var changes []tidemark.Change
	names := map[string]bool{}
	for range 1 + random.IntN(4) {
		c := townChange(random)
		if random.IntN(8) == 0 {
			c = townConflict(random, conflicts)
		}
		if name := fmt.Sprint(c.Table, c.Key); !names[name] {
			names[name], changes = true, append(changes, c)
		}
	}
	var effects []tidemark.Change
	m.b.n++
	err := tx.Savepoint(func() (err error) {
		effects, err = m.b.write(tx, changes)
		return err
	})
	if err != nil {
		if errors.Is(err, tidemark.ErrTransactionGone) || tidemark.CodeOf(err) == tidemark.CodeInternal {
			return err
		}
		return nil
	}
	s, err := tx.State()
	if err != nil {
		return err
	}
	m.take(tx, s.Head, effects)
	return nil
}

func (m *scopeModel) redeclare(d *tidemark.Scopes) {
	m.b.Helper()
	m.b.must(m.b.Scope(d))
	m.declared = d
}

// someScopes makes up who has how much of some scopes.
func (m *scopeModel) someScopes(random *rand.Rand) (from []tidemark.ScopeFrom) {
	head := int(m.b.state().Head)
	for _, s := range m.scopes() {
		switch random.IntN(3) {
		case 0:
			from = append(from, tidemark.ScopeFrom{Scope: s, After: tidemark.Seq(random.IntN(head + 1))})
		case 1:
			from = append(from, tidemark.ScopeFrom{Scope: s, After: -1, Gone: tidemark.Seq(random.IntN(head + 1))})
		}
	}
	return from
}

// statement writes a change as SQL.
func (m *scopeModel) statement(c tidemark.Change) string {
	t := m.schema.Table(c.Table)
	where := make([]string, len(t.Key))
	for i, k := range t.Key {
		where[i] = t.Columns[k].Name + " = " + c.Key[i].String()
	}
	switch c.Op {
	case tidemark.Insert:
		values := make([]string, len(c.New))
		for i, v := range c.New {
			values[i] = v.String()
		}
		return "INSERT INTO " + t.Name + " VALUES (" + strings.Join(values, ", ") + ");"
	case tidemark.Delete:
		return "DELETE FROM " + t.Name + " WHERE " + strings.Join(where, " AND ") + ";"
	}
	sets := make([]string, len(c.Cols))
	for i, col := range c.Cols {
		sets[i] = t.Columns[col].Name + " = " + c.New[i].String()
	}
	return "UPDATE " + t.Name + " SET " + strings.Join(sets, ", ") + " WHERE " + strings.Join(where, " AND ") + ";"
}

// scrub finds what was smuggled in, all at once.
func (m *scopeModel) scrub() {
	m.b.Helper()
	m.group(func(tx tidemark.Tx) error {
		found, next, err := m.b.Store.Scrub(context.Background(), tx, "", 1_000_000)
		if err != nil || next != "" || len(found) == 0 {
			return err
		}
		if err := tx.Append(tidemark.LogEntry{Name: tidemark.Name{Replica: tidemark.FileReplica}, Effects: found}); err != nil {
			return err
		}
		s, err := tx.State()
		m.take(tx, s.Head, found)
		return err
	})
}

func cloneFeed(in map[string]map[rowRef]*stay) map[string]map[rowRef]*stay {
	out := map[string]map[rowRef]*stay{}
	for s, rows := range in {
		out[s] = map[rowRef]*stay{}
		for name, e := range rows {
			c := *e
			out[s][name] = &c
		}
	}
	return out
}
