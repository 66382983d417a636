package storetest

import (
	"errors"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// now is what the server's clock says in these tests.
const now = 1_700_000_000_000

// team has people with roles in projects, tasks in projects, and remarks on tasks.
const team = `
CREATE TABLE project (id INTEGER PRIMARY KEY, owner TEXT, name TEXT UNIQUE, open INT DEFAULT 1);
CREATE TABLE member (project INT REFERENCES project ON DELETE CASCADE, person TEXT COLLATE NOCASE, role TEXT, PRIMARY KEY (project, person)) WITHOUT ROWID;
CREATE TABLE task (id INTEGER PRIMARY KEY, project INT REFERENCES project ON DELETE CASCADE, author TEXT, title TEXT, place INT, points REAL, changed INT, UNIQUE (project, place));
CREATE TABLE remark (id INTEGER PRIMARY KEY, task INT REFERENCES task ON DELETE SET NULL, author TEXT, body TEXT);
INSERT INTO project VALUES (1, 'ann', 'garden', 1), (2, 'bob', 'house', 1);
INSERT INTO member VALUES (1, 'ann', 'owner'), (1, 'cid', 'reader'), (2, 'bob', 'owner'), (2, 'ann', 'writer');
INSERT INTO task VALUES (10, 1, 'ann', 'dig', 1, 1.0, 0), (11, 1, 'ann', 'sow', 2, 1.0, 0), (20, 2, 'bob', 'paint', 1, 2.0, 0);
INSERT INTO remark VALUES (100, 10, 'ann', 'deep'), (200, 20, 'bob', 'blue');`

// links has rows that refer to two others.
const links = `
CREATE TABLE node (id INTEGER PRIMARY KEY);
CREATE TABLE link (id INTEGER PRIMARY KEY, a INT REFERENCES node ON DELETE SET NULL, b INT REFERENCES node ON DELETE SET NULL, note TEXT);
INSERT INTO node VALUES (1), (2), (3), (4), (5), (6), (7), (8);
INSERT INTO link VALUES (10, 1, 8, ''), (11, 2, 3, ''), (12, 4, 5, ''), (13, 6, 7, ''), (14, 8, 8, '');`

const (
	tProject = 1 + iota
	tMember
	tTask
	tRemark
)

func writes(row string) string {
	return "EXISTS (SELECT 1 FROM member m WHERE m.project = " + row + ".project AND m.person = :user AND m.role IN ('owner', 'writer'))"
}

func owns(project string) string {
	return "EXISTS (SELECT 1 FROM project p WHERE p.id = " + project + " AND p.owner = :user)"
}

func teamRules() *tidemark.Rules {
	return &tidemark.Rules{Tables: []tidemark.TableRules{
		{Table: "project", Insert: "NEW.owner = :user", Update: "OLD.owner = :user", Delete: "OLD.owner = :user", Immutable: []string{"id"}},
		{Table: "member", Insert: owns("NEW.project"), Update: owns("OLD.project") + " AND OLD.project = NEW.project", Delete: owns("OLD.project") + " OR OLD.person = :user"},
		{
			Table: "task", Insert: writes("NEW") + " AND NEW.author = :user", Update: writes("OLD") + " AND " + writes("NEW"), Delete: writes("OLD"),
			Immutable: []string{"author"}, Set: []tidemark.SetRule{{Column: "changed", Value: ":now"}},
		},
		{Table: "remark", Insert: "NEW.author = :user AND EXISTS (SELECT 1 FROM task t, member m WHERE t.id = NEW.task AND m.project = t.project AND m.person = :user)", Update: "OLD.author = :user", Delete: "OLD.author = :user"},
	}}
}

// by applies a changeset on behalf of somebody.
func (b *bench) by(who string, changes ...tidemark.Change) ([]tidemark.Change, error) {
	return b.byWith(who, nil, changes...)
}

func (b *bench) byWith(who string, claims map[string]any, changes ...tidemark.Change) ([]tidemark.Change, error) {
	author := tidemark.Author{Principal: tidemark.Principal{ID: who, Claims: claims}, Now: now}
	return b.applyBy(func(tx tidemark.Tx) error { return tx.WriteAs(author, changes) }, changes)
}

func (b *bench) may(who string, changes ...tidemark.Change) {
	b.Helper()
	if _, err := b.by(who, changes...); err != nil {
		b.Errorf("%s may not: %v", who, err)
	}
}

func (b *bench) mayNot(who string, changes ...tidemark.Change) {
	b.Helper()
	before := b.state()
	if _, err := b.by(who, changes...); tidemark.CodeOf(err) != tidemark.CodeForbidden {
		b.Errorf("%s: %v, want forbidden", who, err)
	}
	if b.state() != before {
		b.Error("a denied changeset left a trace")
	}
}

func (b *bench) rule(r *tidemark.Rules) {
	b.Helper()
	b.must(b.Rule(r))
	b.sequence() // what copies check of it may make another schema
}

// one gives a table the same condition for everything, all else is public.
func one(table, condition string) *tidemark.Rules {
	return &tidemark.Rules{Public: true, Tables: []tidemark.TableRules{{Table: table, Insert: condition, Update: condition, Delete: condition}}}
}

func insertOnly(table, condition string) *tidemark.Rules {
	return &tidemark.Rules{Public: true, Tables: []tidemark.TableRules{{Table: table, Insert: condition, Update: "public", Delete: "public"}}}
}

var ruleTests = []test{
	{"without rules everything passes", team, func(b *bench) {
		b.may("", insert(tTask, 30, 1, "x", "t", 9, 1.0, 5))
		b.rule(&tidemark.Rules{})
		b.mayNot("ann", insert(tTask, 31, 1, "x", "t", 10, 1.0, 5))
		b.rule(nil)
		b.may("", insert(tTask, 31, 1, "x", "t", 10, 1.0, 5))
		if _, err := b.apply(remove(tTask, 31)); err != nil {
			b.Error("the server itself is judged:", err)
		}
	}},
	{"members write, others do not", team, func(b *bench) {
		b.rule(teamRules())
		b.may("ann", update(tTask, row(10), 3, "dig deep"))
		b.may("ann", update(tTask, row(20), 3, "paint it"))
		b.may("ANN", update(tTask, row(10), 3, "dig")) // the column is NOCASE, as in the table
		b.mayNot("cid", update(tTask, row(10), 3, "mine"))
		b.mayNot("bob", update(tTask, row(10), 3, "mine"))
		b.mayNot("", update(tTask, row(10), 3, "mine"))
		b.mayNot("bob", remove(tTask, 10))
		b.may("ann", remove(tTask, 10))
		b.mayNot("ann", insert(tTask, 30, 1, "bob", "forged", 7, 1.0, nil))
		b.may("ann", insert(tTask, 30, 1, "ann", "own", 7, 1.0, nil))
	}},
	{"a row does not move to where one may not write", team, func(b *bench) {
		b.rule(teamRules())
		b.mayNot("bob", update(tTask, row(20), 1, 1)) // OLD alone would allow it
		b.mayNot("bob", update(tTask, row(10), 1, 2)) // NEW alone would allow it
		b.may("ann", update(tTask, row(20), 1, 1, 4, 9))
	}},
	{"an insert does not authorise itself", team, func(b *bench) {
		b.rule(insertOnly("member", "EXISTS (SELECT 1 FROM member m WHERE m.project = NEW.project AND m.person = :user)"))
		b.mayNot("eve", pair(tMember, 1, "eve", "owner"))
		b.may("cid", pair(tMember, 1, "dan", "reader"))
		// Nor do two rows authorise each other.
		b.mayNot("eve", pair(tMember, 1, "eve", "owner"), pair(tMember, 2, "eve", "owner"))
		b.rule(insertOnly("project", "(SELECT count(*) FROM project WHERE project.owner = :user) > 0"))
		b.mayNot("eve", insert(tProject, 7, "eve", "x", 1), insert(tProject, 8, "eve", "y", 1))
	}},
	{"an update does not authorise itself", team, func(b *bench) {
		b.rule(one("member", "EXISTS (SELECT 1 FROM member m WHERE m.project = NEW.project AND m.person = :user AND m.role = 'owner')"))
		b.mayNot("cid", update(tMember, row(1, "cid"), 2, "owner"))
		b.may("ann", update(tMember, row(1, "cid"), 2, "owner"))
		b.may("cid", update(tMember, row(1, "cid"), 2, "reader"))
		b.mayNot("cid", update(tMember, row(1, "cid"), 2, "owner"))
	}},
	{"later changes see earlier ones", team, func(b *bench) {
		b.rule(teamRules())
		b.may("dan", insert(tTask, 30, 3, "dan", "first", 1, 1.0, nil), insert(tRemark, 300, 30, "dan", "yes"), pair(tMember, 3, "dan", "owner"), insert(tProject, 3, "dan", "boat", 1))
		b.want("task", "(10,1,'ann','dig',1,1.0,0) (11,1,'ann','sow',2,1.0,0) (20,2,'bob','paint',1,2.0,0) (30,3,'dan','first',1,1.0,1700000000000)")
		// Moves a task of hers into a project that the same changeset makes.
		b.may("ann", update(tTask, row(10), 1, 4), insert(tProject, 4, "ann", "shed", 1), pair(tMember, 4, "ann", "writer"))
		// Leaves, and says so before: inserts come first.
		b.may("cid", remove(tMember, 1, "cid"), insert(tRemark, 301, 11, "cid", "bye"))
		b.mayNot("cid", insert(tRemark, 302, 11, "cid", "still here"))
	}},
	{"one who hands over rights may do so in any order", team, func(b *bench) {
		b.rule(one("member", "EXISTS (SELECT 1 FROM member m WHERE m.project = OLD.project AND m.person = :user AND m.role = 'owner')"))
		r := teamRules()
		r.Tables[1].Update = "EXISTS (SELECT 1 FROM member m WHERE m.project = OLD.project AND m.person = :user AND m.role = 'owner')"
		b.rule(r)
		b.may("ann", update(tMember, row(1, "ann"), 2, "reader"), update(tMember, row(1, "cid"), 2, "owner"))
		b.mayNot("ann", update(tMember, row(1, "ann"), 2, "owner"))
		b.may("cid", update(tMember, row(1, "cid"), 2, "reader"), update(tMember, row(1, "ann"), 2, "owner"))
	}},
	{"two changes that only pass alone do not pass together", team, func(b *bench) {
		b.rule(insertOnly("project", "NOT EXISTS (SELECT 1 FROM project p WHERE p.owner = :user)"))
		b.mayNot("dan", insert(tProject, 7, "dan", "x", 1), insert(tProject, 8, "dan", "y", 1))
		b.may("dan", insert(tProject, 7, "dan", "x", 1))
		b.mayNot("dan", insert(tProject, 8, "dan", "y", 1))
	}},
	{"null and errors deny", team, func(b *bench) {
		for _, condition := range []string{
			"NULL", "0", "'yes'", "''", "NEW.title = NULL", "NEW.points > NULL", "(SELECT 1 WHERE 0)", "NEW.nothing = 1", "abs(-9223372036854775807 - 1) > 0",
			"json_extract('no json', '$.a') IS NULL", "no_such_function()", "", "none", ":claims ->> 'role'", ":user", "1 = 1; DROP TABLE task", ") OR (1 = 1", "1 = 1 --", "title = 'x'",
		} {
			b.rule(insertOnly("task", condition))
			if condition == "1 = 1 --" {
				b.may("ann", insert(tTask, 50, 1, "ann", "x", 50, 1.0, nil))
				continue
			}
			b.mayNot("ann", insert(tTask, 40, 1, "ann", "x", 40, 1.0, nil))
		}
		b.rule(insertOnly("task", "public"))
		b.may("", insert(tTask, 40, 1, "ann", "x", 40, 1.0, nil))
	}},
	{"a name in double quotes is never a string", team, func(b *bench) {
		b.rule(insertOnly("task", `NOT EXISTS (SELECT 1 FROM member m WHERE "role" = 'banned')`))
		b.may("ann", insert(tTask, 30, 1, "ann", "t", 30, 1.0, nil))
		b.exec("ALTER TABLE member RENAME COLUMN role TO part")
		b.sequence()
		b.mayNot("ann", insert(tTask, 31, 1, "ann", "t", 31, 1.0, nil))
		b.exec("ALTER TABLE member RENAME COLUMN part TO role")
		b.sequence()
		b.may("ann", insert(tTask, 31, 1, "ann", "t", 31, 1.0, nil))
	}},
	{"a rule reads the space and nothing else", team, func(b *bench) {
		for _, condition := range []string{
			"(SELECT count(*) FROM _tm_meta) >= 0", "(SELECT count(v) FROM _tm_meta) >= 0", "EXISTS (SELECT 1 FROM main._tm_changeset)", "(SELECT count(*) FROM sqlite_master) > 0",
			"(SELECT count(*) FROM temp._tm_log) >= 0", "(SELECT count(*) FROM pragma_table_info('task')) > 0", "random() IS NOT NULL", "length(randomblob(4)) = 4",
			"CURRENT_TIMESTAMP > ''", "datetime('now') > ''", "unixepoch() > 0", "strftime('%s', 'now') > 0", "load_extension('x') IS NULL", "sqlite_version() > ''",
			"EXISTS (SELECT 1 FROM temp._tm_new_1)", "?1 IS NULL", "@user IS NULL", "$user IS NULL", ":role IS NULL", "last_insert_rowid() >= 0", "writefile('x', 'y') IS NULL",
		} {
			b.rule(insertOnly("task", condition))
			b.mayNot("ann", insert(tTask, 40, 1, "ann", "x", 40, 1.0, nil))
		}
		for i, condition := range []string{
			"EXISTS (SELECT 1 FROM tm_conflicts) IS 0", "(SELECT count(*) FROM json_each('[1,2]')) = 2", "unixepoch(:now / 1000, 'unixepoch') > 0", "WITH_CTE IS NULL OR 1",
			"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT max(i) FROM n) = 9", "(SELECT max(i) FROM (SELECT count(*) AS i FROM task)) > 0",
		} {
			b.rule(insertOnly("task", condition))
			if strings.HasPrefix(condition, "WITH_CTE") {
				b.mayNot("ann", insert(tTask, 40, 1, "ann", "x", 40, 1.0, nil))
				continue
			}
			b.may("ann", insert(tTask, 60+i, 1, "ann", "x", 60+i, 1.0, nil))
		}
	}},
	{"a rule that never ends denies", team, func(b *bench) {
		b.rule(insertOnly("task", "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n) > 0"))
		b.mayNot("ann", insert(tTask, 40, 1, "ann", "x", 40, 1.0, nil))
		b.may("ann", update(tTask, row(10), 3, "still here"))
	}},
	{"claims", team, func(b *bench) {
		b.rule(one("task", ":claims ->> 'role' = 'admin' AND :claims ->> '$.org.name' = 'x<y'"))
		b.mayNot("ann", remove(tTask, 10))
		if _, err := b.byWith("ann", map[string]any{"role": "admin", "org": map[string]any{"name": "x<y"}}, remove(tTask, 10)); err != nil {
			b.Error(err)
		}
		if _, err := b.byWith("ann", map[string]any{"role": []any{"admin"}, "org": "x"}, remove(tTask, 11)); tidemark.CodeOf(err) != tidemark.CodeForbidden {
			b.Error(err)
		}
	}},
	{"rows are judged as they are going to be stored", team, func(b *bench) {
		b.rule(insertOnly("task", "NEW.project = 1 AND typeof(NEW.project) = 'integer' AND typeof(NEW.points) = 'real' AND typeof(NEW.title) = 'text' AND typeof(NEW.id) = 'integer'"))
		b.may("ann", insert(tTask, "30", "1", "ann", 5, 30, 2, nil)) // text for integers, an integer for a real and for a text
		b.rule(insertOnly("task", "NEW.project <> 1"))
		b.mayNot("ann", insert(tTask, 31, "1", "ann", "t", 31, 2, nil)) // would be stored as 1
		b.rule(insertOnly("member", "NEW.person <> 'EVE'"))
		b.mayNot("ann", pair(tMember, 2, "eve", "owner")) // NOCASE
		b.rule(insertOnly("project", "NEW.open = 1 AND NEW.name IS NULL"))
		b.may("ann", tidemark.Change{Table: tProject, Op: tidemark.Insert, Key: row(9), New: row(9, "ann")}) // from before there were more columns
	}},
	{"immutable columns", team, func(b *bench) {
		b.rule(teamRules())
		_, err := b.by("ann", update(tTask, row(10), 2, "bob"))
		b.refused(err, tidemark.CodeForbidden, "task", row(10), "author")
		b.mayNot("ann", update(tTask, row(10), 2, "ANN"))
		b.may("ann", update(tTask, row(10), 2, "ann", 3, "same author"))
		b.mayNot("ann", update(tProject, row(1), 0, 77))
	}},
	{"columns that the server sets", team, func(b *bench) {
		r := teamRules()
		r.Tables[3].Set = []tidemark.SetRule{{Column: "author", Value: ":user"}, {Column: "body", Value: "coalesce(:claims ->> 'name', 'nobody') || ' ' || date(:now / 1000, 'unixepoch')"}}
		r.Tables[3].Immutable = []string{"author"}
		b.rule(r)
		effects, err := b.by("ann", insert(tRemark, 300, 10, "bob", "forged"))
		b.must(err)
		b.wantEffects(effects, "insert 4 (300,10,'ann','nobody 2023-11-14')")
		effects, err = b.by("ann", update(tRemark, row(100), 3, "forged"))
		b.must(err)
		b.wantEffects(effects, "update 4 (100) [3] ('nobody 2023-11-14') was ('deep')")
		b.mayNot("ann", update(tRemark, row(100), 2, "bob"))
		effects, err = b.by("ann", update(tTask, row(10), 3, "new"))
		b.must(err)
		b.wantEffects(effects, "update 3 (10) [3 6] ('new',1700000000000) was ('dig',0)")
	}},
	{"what foreign keys do is covered by its cause", team, func(b *bench) {
		b.rule(teamRules())
		b.may("ann", remove(tProject, 1)) // with tasks, members, and other people's remarks set to NULL
		b.want("remark", "(100,NULL,'ann','deep') (200,20,'bob','blue')")
		b.want("task", "(20,2,'bob','paint',1,2.0,0)")
	}},
	{"unless the table says that its rows are judged", team, func(b *bench) {
		r := teamRules()
		r.Tables[2].Effects, r.Tables[2].Delete = true, "OLD.author = :user"
		b.rule(r)
		b.exec("UPDATE task SET author = 'cid' WHERE id = 11")
		b.sequence()
		b.mayNot("ann", remove(tProject, 1))
		b.exec("UPDATE task SET author = 'ann' WHERE id = 11")
		b.sequence()
		b.may("ann", remove(tProject, 1))
	}},
	{"a child is judged by what its author said of it", team, func(b *bench) {
		r := teamRules()
		r.Tables[3].Update = "OLD.author = :user AND NEW.task IS NOT NULL"
		b.rule(r)
		b.may("ann", remove(tTask, 10), update(tRemark, row(100), 3, "flat"))
		b.want("remark", "(100,NULL,'ann','flat') (200,20,'bob','blue')")
		b.mayNot("bob", update(tRemark, row(200), 1, nil))
	}},
	{"nor by what its copy's foreign keys did", links, func(b *bench) {
		b.rule(&tidemark.Rules{Public: true, Tables: []tidemark.TableRules{{Table: "link", Update: "OLD.note = 'free' AND NEW.note = 'free'"}}})
		// One node of both ends, and two.
		b.may("ann", remove(1, 1), update(2, row(10), 1, nil))
		b.may("ann", remove(1, 2), remove(1, 3), update(2, row(11), 1, nil, 2, nil))
		b.may("ann", update(2, row(12), 1, nil, 2, nil), remove(1, 5), remove(1, 4))
		b.want("link", "(10,NULL,8,'') (11,NULL,NULL,'') (12,NULL,NULL,'') (13,6,7,'') (14,8,8,'')")
		// What is said beside them, and where one end stays.
		b.mayNot("ann", remove(1, 6), remove(1, 7), update(2, row(13), 1, nil, 2, nil, 3, "free"))
		b.mayNot("ann", remove(1, 6), update(2, row(13), 1, nil, 2, nil))
		b.mayNot("ann", remove(1, 6), remove(1, 7), update(2, row(13), 1, 8, 2, nil))
		b.may("ann", remove(1, 6), remove(1, 7), update(2, row(13), 1, nil))
		b.may("ann", remove(1, 8), update(2, row(14), 1, nil, 2, nil))
		b.want("link", "(10,NULL,NULL,'') (11,NULL,NULL,'') (12,NULL,NULL,'') (13,NULL,NULL,'') (14,NULL,NULL,'')")
	}},
	{"nor by what the server adds to that", links, func(b *bench) {
		set := []tidemark.SetRule{{Column: "note", Value: "'by ' || :user"}}
		b.rule(&tidemark.Rules{Public: true, Tables: []tidemark.TableRules{{Table: "link", Update: "OLD.id = 14", Set: set}}})
		b.may("ann", remove(1, 1)) // its copy's foreign keys are off, or on
		b.may("ann", remove(1, 2), remove(1, 3), update(2, row(11), 1, nil, 2, nil))
		b.mayNot("ann", remove(1, 4), remove(1, 5), update(2, row(12), 1, nil, 2, nil), update(2, row(13), 2, nil))
		b.may("ann", remove(1, 4), remove(1, 5), update(2, row(12), 1, nil, 2, nil, 3, "forged"))
		b.may("ann", update(2, row(14), 1, nil))
		b.want("link", "(10,NULL,8,'') (11,NULL,NULL,'') (12,NULL,NULL,'') (13,6,7,'') (14,NULL,8,'by ann')")
	}},
	{"unique values that trade places", team, func(b *bench) {
		b.rule(teamRules())
		b.may("ann", update(tTask, row(10), 4, 2), update(tTask, row(11), 4, 1))
		b.mayNot("cid", update(tTask, row(10), 4, 1), update(tTask, row(11), 4, 2))
		b.may("ann", remove(tTask, 11), insert(tTask, 12, 1, "ann", "reap", 1, 1.0, nil))
		b.want("task", "(10,1,'ann','dig',2,1.0,1700000000000) (12,1,'ann','reap',1,1.0,1700000000000) (20,2,'bob','paint',1,2.0,0)")
	}},
	{"no rule reads a placeholder", team, func(b *bench) {
		// Names trade places, and the rule asks whether a name is taken: while a
		// row is parked, its name would seem free.
		b.rule(one("project", "NOT EXISTS (SELECT 1 FROM project p WHERE p.name = NEW.name AND p.owner <> :user)"))
		b.mayNot("ann", update(tProject, row(1), 2, "house"), update(tProject, row(2), 2, "garden"))
		b.rule(&tidemark.Rules{Public: true, Tables: []tidemark.TableRules{{Table: "remark", Insert: "NOT EXISTS (SELECT 1 FROM project p WHERE p.name = NEW.body)"}}})
		b.mayNot("ann", update(tProject, row(1), 2, "house"), update(tProject, row(2), 2, "garden"), insert(tRemark, 300, 10, "ann", "garden"))
		b.may("ann", update(tProject, row(1), 2, "house"), update(tProject, row(2), 2, "garden"), insert(tRemark, 300, 10, "ann", "free"))
	}},
	{"keys that move", team, func(b *bench) {
		b.rule(teamRules())
		b.mayNot("ann", update(tMember, row(1, "cid"), 0, 2))
		b.may("ann", update(tMember, row(1, "cid"), 1, "dan"))
		b.mayNot("bob", update(tMember, row(1, "dan"), 1, "bob"))
	}},
	{"what is there already is no change", team, func(b *bench) {
		b.rule(teamRules())
		effects, err := b.by("eve", update(tTask, row(10), 3, "dig"))
		b.must(err)
		b.wantEffects(effects)
	}},
	{"what is not there is not judged", team, func(b *bench) {
		b.rule(teamRules())
		b.may("eve", update(tTask, row(99), 3, "x"), remove(tRemark, 99))
	}},
	{"constraints hold beside rules", team, func(b *bench) {
		b.rule(teamRules())
		_, err := b.by("ann", insert(tTask, 30, 1, "ann", "x", 1, 1.0, nil))
		b.refused(err, tidemark.CodeUnique, "task", row(30), "project", "place")
		_, err = b.by("ann", insert(tTask, 30, 1, "ann", "x", 1, 1.0, nil), update(tTask, row(11), 3, "y"))
		b.refused(err, tidemark.CodeUnique, "task", row(30), "project", "place")
	}},
	{"records of conflicts", team, func(b *bench) {
		b.rule(&tidemark.Rules{Public: true})
		t := b.table(tidemark.ConflictsTable)
		record := make([]any, len(t.Columns))
		record[0] = "1-1"
		b.mayNot("ann", insert(t.ID, record...))
		for i, c := range t.Columns {
			if c.NotNull && record[i] == nil {
				record[i] = "open"
			}
		}
		if _, err := b.apply(insert(t.ID, record...)); err != nil {
			b.Fatal(err)
		}
		b.may("ann", update(t.ID, row("1-1"), t.Place("state"), "resolved"))
		b.mayNot("ann", update(t.ID, row("1-1"), t.Place("theirs"), "x"))
		b.mayNot("ann", remove(t.ID, "1-1"))
	}},
	{"a schema that moves takes its rules along", team, func(b *bench) {
		b.rule(teamRules())
		b.may("ann", update(tTask, row(10), 3, "a"))
		b.exec("ALTER TABLE task ADD COLUMN done INT DEFAULT 0")
		b.sequence()
		b.mayNot("cid", update(tTask, row(10), 7, 1))
		b.may("ann", update(tTask, row(10), 7, 1))
		b.exec("ALTER TABLE member RENAME COLUMN role TO part")
		b.sequence()
		b.mayNot("ann", update(tTask, row(10), 7, 0)) // the rule does not fit any more
		b.exec("ALTER TABLE member RENAME COLUMN part TO role")
		b.sequence()
		b.may("ann", update(tTask, row(10), 7, 0))
		b.must(b.Reopen())
	}},
	{"a group that fails leaves the rules ready", team, func(b *bench) {
		b.rule(teamRules())
		err := b.group(func(tx tidemark.Tx) error {
			if err := tx.WriteAs(tidemark.Author{Principal: tidemark.Principal{ID: "ann"}, Now: now}, []tidemark.Change{update(tTask, row(10), 3, "a")}); err != nil {
				return err
			}
			return errStop
		})
		if !errors.Is(err, errStop) {
			b.Error(err)
		}
		b.mayNot("cid", update(tTask, row(10), 3, "a"))
		b.may("ann", update(tTask, row(10), 3, "a"))
	}},
	{"odd names", `CREATE TABLE "select ""x""" ("or der" INTEGER PRIMARY KEY, "né" TEXT, old TEXT, "new" TEXT, _tm INT);
		INSERT INTO "select ""x""" VALUES (1, 'a', 'b', 'c', 1);`, func(b *bench) {
		b.rule(&tidemark.Rules{Tables: []tidemark.TableRules{{
			Table: `SELECT "X"`, Insert: `NEW."né" = :user`, Delete: `OLD.old = :user`,
			Update: `OLD."né" = :user AND NEW.[new] IS NOT OLD."new" AND EXISTS (SELECT 1 FROM "select ""x""" s WHERE s."or der" = NEW."or der")`,
		}}})
		b.may("a", update(1, row(1), 3, "d"))
		b.mayNot("a", update(1, row(1), 2, "z")) // new stays
		b.mayNot("b", insert(1, 2, "a", "x", "y", 0))
		b.may("b", insert(1, 2, "b", "x", "y", 0))
		b.may("b", remove(1, 1))
	}},
	{"defaults of all kinds", `CREATE TABLE d (id INTEGER PRIMARY KEY, a TEXT DEFAULT 'x', b DEFAULT (1 + 1), c DEFAULT CURRENT_TIMESTAMP, d TEXT DEFAULT NULL, e REAL DEFAULT -1);`, func(b *bench) {
		b.rule(&tidemark.Rules{Tables: []tidemark.TableRules{{Table: "d", Insert: "NEW.a = 'x' AND NEW.b = 2 AND NEW.c > '2020' AND NEW.d IS NULL AND typeof(NEW.e) = 'real'"}}})
		b.may("a", tidemark.Change{Table: 1, Op: tidemark.Insert, Key: row(1), New: row(1)})
		b.mayNot("a", insert(1, 2, "y", 2, "2021", nil, -1))
	}},
	{"a name without its row means none", team, func(b *bench) {
		// member has no author: without care it would be the row's, and always true.
		b.rule(insertOnly("task", "NEW.id > 0 AND EXISTS (SELECT 1 FROM member WHERE member.project = NEW.project AND author = :user)"))
		b.mayNot("ann", insert(tTask, 30, 1, "ann", "x", 30, 1.0, nil))
	}},
}

var errStop = errors.New("stop")
