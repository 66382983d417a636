package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// scopeOf declares one kind with the members given as "table path", and a grant.
func scopeOf(name, grant string, members ...string) tidemark.Scope {
	k := tidemark.Scope{Name: name, Grant: grant}
	for _, m := range members {
		table, path, keyed := strings.Cut(m, " ")
		member := tidemark.Member{Table: table}
		if keyed {
			k.Keyed, member.Path = true, strings.Split(path, ".")
		}
		k.Members = append(k.Members, member)
	}
	return k
}

func scopesOf(kinds ...tidemark.Scope) *tidemark.Scopes { return &tidemark.Scopes{List: kinds} }

// scope declares scopes and lets the next group take them over.
func (b *bench) scope(d *tidemark.Scopes) {
	b.Helper()
	b.must(b.Scope(d))
	b.sequence()
}

// wantIn compares where a row is: scopes that it is in, and with - those that it left.
func (b *bench) wantIn(table int, key []tidemark.Value, want ...string) {
	b.Helper()
	var got []string
	b.view(func(v tidemark.View) {
		list, err := v.ScopesOf(table, key)
		b.must(err)
		for _, s := range list {
			if s.Live {
				got = append(got, s.Scope)
			} else {
				got = append(got, "-"+s.Scope)
			}
		}
	})
	if !slices.Equal(got, want) {
		b.Errorf("row %s of table %d is in %v, want %v", show(key), table, got, want)
	}
}

func (b *bench) wantGranted(p tidemark.Principal, want ...string) {
	b.Helper()
	b.view(func(v tidemark.View) {
		got, err := v.Granted(p)
		b.must(err)
		if !slices.Equal(got, want) {
			b.Errorf("%s is granted %v, want %v", p.ID, got, want)
		}
	})
}

var scopeTests = []test{
	{"without scopes nothing is told", town, func(b *bench) {
		b.must(b.group(func(tx tidemark.Tx) error {
			if err := tx.WriteAll([]tidemark.Change{insert(tLabel, 5, "x")}); err != nil {
				return err
			}
			effects, err := tx.Effects()
			if err != nil {
				return err
			}
			if err := tx.Append(tidemark.LogEntry{Effects: effects}); err != nil {
				return err
			}
			parts, err := tx.Parts(0)
			if all, names := tx.Concerned(); all || len(names)+len(parts) > 0 {
				b.Errorf("%v %v %v", parts, all, names)
			}
			return err
		}))
		b.wantIn(tLabel, row(5))
		b.wantGranted(tidemark.Principal{ID: "ann"})
	}},
	{"rows that were there first, at seq 0 or when it was declared", town, func(b *bench) {
		b.scope(scopesOf(scopeOf("project", "SELECT 1", "project id", "task project", "comment task.project")))
		b.wantIn(tComment, row("c1"), "project/1")
		b.wantIn(tTownTask, row(3))
		b.scope(nil)
		_, err := b.apply(update(tTownTask, row(1), 1, 3), remove(tComment, "c2"), insert(tTownTask, 9, 3, "t", 0))
		b.must(err)
		b.scope(scopesOf(scopeOf("project", "SELECT 1", "project id", "task project", "comment task.project")))
		b.wantIn(tComment, row("c1"), "-project/1", "project/3")
		b.wantIn(tComment, row("c2"), "-project/2")
		b.wantIn(tTownTask, row(9), "project/3")
	}},
	{"keys of every sort make names", `CREATE TABLE thing (id INTEGER PRIMARY KEY, k);
		INSERT INTO thing VALUES (1, 42), (2, '42'), (3, 4.5), (4, x'00ff'), (5, ''), (6, 'a/b ''"' || char(10) || 'ü'), (7, NULL), (8, x''), (9, 9e999), (10, 42.0);`, func(b *bench) {
		b.scope(scopesOf(scopeOf("k", "SELECT value FROM json_each(:claims, '$.keys')", "thing k")))
		for id, want := range map[int][]string{
			1: {"k/42"}, 2: {"k/42"}, 3: {"k/4.5"}, 4: {"k/x00FF"}, 5: {"k/"}, 6: {"k/a/b '\"\nü"}, 7: nil, 8: {"k/x"}, 9: {"k/Inf"}, 10: {"k/42.0"},
		} {
			b.wantIn(1, row(id), want...)
		}
		b.wantGranted(tidemark.Principal{ID: "ann", Claims: map[string]any{"keys": []any{42, "42", "a/b '\"\nü", nil, 4.5}}}, "k/4.5", "k/42", "k/a/b '\"\nü")
	}},
	{"who is granted what", town, func(b *bench) {
		b.scope(scopesOf(
			scopeOf("all-labels", tidemark.GrantPublic, "label"), scopeOf("secret", tidemark.GrantNone, "mark"),
			scopeOf("staff", "SELECT 1 WHERE :claims ->> '$.staff'", "org"),
			scopeOf("org", "SELECT org FROM member WHERE person = :user", "project org"),
			scopeOf("costly", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT max(i) FROM n", "task id"),
			scopeOf("failing", "SELECT json_extract(name, '$') FROM label", "label id"),
		))
		b.wantGranted(tidemark.Principal{ID: "ann", Claims: map[string]any{"staff": true}}, "all-labels", "org/1", "staff")
		b.wantGranted(tidemark.Principal{}, "all-labels")
		b.wantGranted(tidemark.Principal{ID: "ann' OR 1 --"}, "all-labels")
	}},
	{"whom a change concerns", town + "CREATE TABLE boss (id INTEGER PRIMARY KEY, person TEXT COLLATE NOCASE, org INT)", concernedPeople},
	{"a row is in several scopes, and moves with what depends on it", town, func(b *bench) {
		b.scope(&tidemark.Scopes{List: townKinds()})
		b.wantIn(tComment, row("c1"), "org/1", "person/ann", "project/1")
		_, err := b.apply(update(tTownTask, row(1), 1, 3))
		b.must(err)
		b.wantIn(tComment, row("c1"), "-org/1", "org/2", "person/ann", "-project/1", "project/3")
		_, err = b.apply(update(tTownProject, row(3), 0, 8)) // the row moves, and what refers to it follows
		b.must(err)
		b.wantIn(tTownProject, row(3), "-org/2", "-project/3")
		b.wantIn(tTownProject, row(8), "org/2", "project/8")
		b.wantIn(tComment, row("c1"), "-org/1", "org/2", "person/ann", "-project/1", "-project/3", "project/8")
		_, err = b.apply(remove(tTownProject, 8)) // with all that depends on it
		b.must(err)
		b.wantIn(tComment, row("c1"), "-org/1", "-org/2", "-person/ann", "-project/1", "-project/3", "-project/8")
	}},
	{"a row changes in the changeset that takes it along", town, func(b *bench) {
		b.scope(&tidemark.Scopes{List: townKinds()})
		_, err := b.apply(update(tTownTask, row(1), 1, 3), update(tComment, row("c1"), 4, "more"))
		b.must(err)
		b.wantIn(tComment, row("c1"), "-org/1", "org/2", "person/ann", "-project/1", "project/3")
	}},
	{"a column that comes later", town, func(b *bench) {
		b.scope(&tidemark.Scopes{List: townKinds()})
		b.exec("ALTER TABLE task ADD COLUMN points INT DEFAULT 7; UPDATE task SET points = 8 WHERE id = 1")
		b.sequence()
		newScopeModel(b, &tidemark.Scopes{List: townKinds()}).mustAgreeNow()
	}},
	{"a table that leaves takes its rows along", town, func(b *bench) {
		m := newScopeModel(b, &tidemark.Scopes{List: townKinds()})
		b.exec("DROP TABLE mark")
		m.group(func(tidemark.Tx) error { return nil })
		b.view(func(v tidemark.View) { m.mustFeed(v, []tidemark.ScopeFrom{{Scope: "project/1", After: 0}}, 5) })
	}},
	{"a path that breaks keeps rows on the server", town, func(b *bench) {
		b.scope(scopesOf(scopeOf("org", "SELECT 1", "org id", "comment task.project.org")))
		b.wantIn(tComment, row("c1"), "org/1")
		b.exec("PRAGMA foreign_keys = OFF; DROP TABLE project; CREATE TABLE project (id INTEGER PRIMARY KEY, org TEXT, code TEXT UNIQUE); INSERT INTO project VALUES (1, '1', 'a'), (2, '1', 'b')")
		b.sequence()
		b.wantIn(tComment, row("c1"), "-org/1")
		b.wantIn(tOrg, row(1), "org/1")
	}},
	{"a snapshot gives nothing away", town + `CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT, project INT REFERENCES project); INSERT INTO auto VALUES (77, 1);
		CREATE INDEX ia ON auto (project); CREATE VIEW names AS SELECT name FROM org; CREATE VIRTUAL TABLE ft USING fts5(name, content=org, content_rowid=id);
		CREATE TRIGGER fti AFTER INSERT ON org BEGIN INSERT INTO ft(rowid, name) VALUES (NEW.id, NEW.name); END;`, func(b *bench) {
		b.scope(scopesOf(scopeOf("project", "SELECT 1", "project id", "task project", "auto id")))
		db, info := b.snapshot()
		if info.State.Sum != 0 || info.Rows != 0 || len(info.Left) > 0 || info.State.Head != b.state().Head {
			b.Errorf("%+v", info)
		}
		for _, table := range []string{"org", "project", "task", "comment", "member", "auto", "label", "sqlite_sequence", tidemark.ConflictsTable, "ft"} {
			if n := b.text(db, "SELECT count(*) || '' FROM "+table); n != "0" {
				b.Errorf("%s has %s rows", table, n)
			}
		}
		if n := b.text(db, "SELECT group_concat(name) FROM (SELECT name FROM sqlite_master WHERE name IN ('ia', 'names', 'fti') ORDER BY name)"); n != "fti,ia,names" {
			b.Errorf("objects %s", n)
		}
		for table, want := range map[string]string{"task": "project", "auto": "", "project": ""} {
			if got := b.text(db, fmt.Sprintf("SELECT coalesce(group_concat(\"table\"), '') FROM pragma_foreign_key_list('%s')", table)); got != want {
				b.Errorf("%s refers to %q, want %q", table, got, want)
			}
		}
	}},
	{"a declaration that cannot be had is not taken for none", town, func(b *bench) {
		b.scope(&tidemark.Scopes{List: townKinds()})
		b.must(b.Reopen())
		b.sequence()
		b.wantIn(tComment, row("c1"), "org/1", "person/ann", "project/1")
		if err := b.Scope(scopesOf(scopeOf("x", "SELECT 1", "nowhere id"))); tidemark.CodeOf(err) != tidemark.CodeUsage {
			b.Errorf("a table that is not there: %v", err)
		}
		if err := b.Scope(scopesOf(scopeOf("x", "SELECT 1", "task title.name"))); tidemark.CodeOf(err) != tidemark.CodeUsage {
			b.Errorf("a path that leads nowhere: %v", err)
		}
		b.wantIn(tComment, row("c1"), "org/1", "person/ann", "project/1")
		b.wantGranted(tidemark.Principal{ID: "bob"}, "catalog", "org/2", "person/bob", "project/3")
	}},
	{"many rows in a scope are counted like few", `CREATE TABLE n (id INTEGER PRIMARY KEY, k INT); CREATE TABLE two (a TEXT COLLATE NOCASE, b REAL, k INT, PRIMARY KEY (a, b)) WITHOUT ROWID;
		WITH RECURSIVE i(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM i WHERE v < 9000) INSERT INTO n SELECT v, v % 10 = 0 FROM i;
		INSERT INTO two SELECT char(97 + id % 26) || CASE id % 2 WHEN 0 THEN 'X' ELSE 'x' END, id / 7.0, k FROM n WHERE id < 300;`, func(b *bench) {
		m := newScopeModel(b, scopesOf(scopeOf("k", "SELECT 1", "n k", "two k")))
		b.view(func(v tidemark.View) {
			for _, scopes := range [][]string{{"k/1"}, {"k/0"}, {"k/0", "k/1"}, {"k/7"}} {
				m.mustSum(v, scopes, m.schema.Named("n"), row(4500))
				m.mustSum(v, scopes, m.schema.Named("two"), row("Mx", 17.5))
			}
			m.mustFeed(v, []tidemark.ScopeFrom{{Scope: "k/0", After: -1}, {Scope: "k/1", After: -1}, {Scope: "k/2", After: -1}}, 777)
		})
	}},
	{"random groups beside a model", town, randomScopes},
}

func (m *scopeModel) mustAgreeNow() {
	m.b.Helper()
	m.b.view(m.mustAgree)
}

// concernedPeople asks after each change whose grants may be others.
func concernedPeople(b *bench) {
	boss := b.table("boss").ID
	b.scope(scopesOf(
		scopeOf("org", "SELECT org FROM member WHERE person = :user", "org id"),
		scopeOf("project", "SELECT id FROM project WHERE org IN (SELECT m.org FROM member AS m WHERE m.role = 'x' AND :user = m.person)", "project id"),
		scopeOf("boss", "SELECT org FROM boss WHERE person = :user", "label id"),
	))
	for _, c := range []struct {
		change tidemark.Change
		all    bool
		names  string
	}{
		{insert(tLabel, 9, "x"), false, ""},
		{pair(tTownMember, 2, "cid", "x"), false, "cid"},
		{update(tTownMember, row(2, "cid"), 2, "y"), false, "cid"},
		{update(tTownMember, row(2, "cid"), 1, "dan"), false, "cid dan"},
		{remove(tTownMember, 2, "dan"), false, "dan"},
		{update(tTownProject, row(1), 2, "z"), false, ""},
		{update(tTownProject, row(1), 1, 2), true, ""},
		{insert(boss, 1, "ann", 1), true, ""}, // ANN may be meant as well
		{remove(tOrg, 1), true, ""},           // with the members, and the projects that were its own
	} {
		b.n++
		b.must(b.group(func(tx tidemark.Tx) error {
			if all, names := tx.Concerned(); all || len(names) > 0 {
				b.Errorf("concerned before anything happened: %v %v", all, names)
			}
			failed := tx.Savepoint(func() error {
				if _, err := b.write(tx, []tidemark.Change{c.change}); err != nil {
					return err
				}
				return errOnPurpose
			})
			if all, names := tx.Concerned(); !errors.Is(failed, errOnPurpose) || all || len(names) > 0 {
				b.Errorf("concerned by what was undone: %v %v, %v", all, names, failed)
			}
			if _, err := b.write(tx, []tidemark.Change{c.change}); err != nil {
				return err
			}
			if all, names := tx.Concerned(); all != c.all || strings.Join(names, " ") != c.names {
				b.Errorf("%s concerns %v %v, want %v %s", describe(c.change), all, names, c.all, c.names)
			}
			return nil
		}))
	}
}
