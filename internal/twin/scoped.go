package twin

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// scopedTables are those of which a device holds a part. A comment is where its
// task is, a note where its project is, unless it is private, and with its
// person. What refers to a row of another scope may stand here without it.
const scopedTables = `
CREATE TABLE sguest (project INTEGER NOT NULL, person TEXT NOT NULL, PRIMARY KEY (project, person)) WITHOUT ROWID;
CREATE TABLE sproject (id INTEGER PRIMARY KEY, title TEXT, up INTEGER REFERENCES sproject (id));
CREATE TABLE stask (id INTEGER PRIMARY KEY, project INTEGER REFERENCES sproject (id) ON DELETE SET NULL ON UPDATE CASCADE,
  also INTEGER, title TEXT UNIQUE, votes INTEGER, body TEXT);
CREATE TABLE scomment (id TEXT COLLATE NOCASE NOT NULL PRIMARY KEY, task INTEGER REFERENCES stask (id) ON DELETE CASCADE,
  body, at TEXT CONSTRAINT labelled REFERENCES slabel (name) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE snote (id INTEGER PRIMARY KEY, person TEXT, project INTEGER, private INTEGER DEFAULT 0, v,
  FOREIGN KEY (project) REFERENCES sproject ON DELETE CASCADE);
CREATE TABLE slabel (name TEXT PRIMARY KEY NOT NULL, v);
INSERT INTO slabel VALUES ('a', 1), ('b', 2), ('C', NULL);
INSERT INTO sproject VALUES (1, 'one', NULL), (2, 'two', 1), (3, 'three', 2), (-7, 'seven', NULL);
INSERT INTO sguest VALUES (1, 'p1'), (1, 'p2'), (2, 'p1'), (2, 'p3'), (3, 'p2'), (-7, 'p1');
INSERT INTO stask VALUES (1, 1, 2, 'x', 0, 'alpha'), (2, 2, NULL, 'y', 1, 'beta'), (3, 3, 3, 'z', 2, ''), (4, NULL, NULL, 'nowhere', 0, NULL);
INSERT INTO scomment VALUES ('c1', 1, 'first', 'a'), ('c2', 1, 'second', NULL), ('c3', 3, 'third', 'b'), ('c4', 4, 'unseen', 'C');
INSERT INTO snote VALUES (1, 'p1', 1, 0, 'shared'), (2, 'p2', 1, 1, 'private'), (3, 'p3', NULL, 0, 'own'), (4, NULL, NULL, 0, 'nobody''s');
`

const guestsOf = "SELECT project FROM sguest WHERE person = :user"

// Ways to declare them: what is left out, and whether projects are everybody's,
// so that more can refer to them.
const (
	noAlso     = 1
	noMine     = 2
	allProject = 4
	variants   = 8
)

// scopesOf declares them in one of the ways. What is in no other scope is everybody's.
func scopesOf(sc *tidemark.Schema, variant int) (*tidemark.Scopes, error) {
	rest := tidemark.Scope{Name: "rest", Grant: tidemark.GrantPublic}
	has := map[string]bool{}
	for _, t := range sc.Tables {
		has[t.Name] = t.Out == ""
		own := slices.Contains([]string{"sguest", "sproject", "stask", "scomment", "snote", tidemark.ConflictsTable}, t.Name)
		own = own && (variant&allProject == 0 || t.Name != "sproject")
		if t.Out == "" && !own {
			rest.Members = append(rest.Members, tidemark.Member{Table: t.Name})
		}
	}
	all := &tidemark.Scopes{List: []tidemark.Scope{
		{Name: "also", Keyed: true, Grant: guestsOf + " AND project % 2", Members: []tidemark.Member{
			{Table: "stask", Path: []string{"also"}}, {Table: "scomment", Path: []string{"task", "also"}},
		}},
		{Name: "mine", Keyed: true, Grant: "SELECT :user", Members: []tidemark.Member{{Table: "snote", Path: []string{"person"}}}},
		{Name: "project", Keyed: true, Grant: guestsOf, Members: []tidemark.Member{
			{Table: "sguest", Path: []string{"project"}}, {Table: "sproject", Path: []string{"id"}}, {Table: "stask", Path: []string{"project"}},
			{Table: "scomment", Path: []string{"task", "project"}}, {Table: "snote", Path: []string{"project"}, Where: "private = 0"},
		}},
		rest,
	}}
	for i := range all.List {
		s := &all.List[i]
		s.Members = slices.DeleteFunc(s.Members, func(m tidemark.Member) bool {
			return !has[m.Table] || s.Keyed && m.Table == "sproject" && variant&allProject != 0
		})
	}
	all.List = slices.DeleteFunc(all.List, func(s tidemark.Scope) bool {
		return s.Name == "also" && variant&noAlso != 0 || s.Name == "mine" && variant&noMine != 0
	})
	return all, nil
}

// person is who owns a device. Several devices are of one.
func person(number int) string { return fmt.Sprintf("p%d", 1+number%3) }

// scoped makes statements for the tables of which a device holds a part.
type scoped struct {
	r *rand.Rand
}

func (x *scoped) write(db *lite.DB, heard func(sql string, args []tidemark.Value)) error {
	for range 1 + x.r.IntN(3) {
		sql, args := x.statement()
		heard(sql, args)
		if err := db.Run(sql, args...); err != nil {
			return err
		}
	}
	return nil
}

func (x *scoped) project() tidemark.Value {
	return []tidemark.Value{tidemark.Int(1), tidemark.Int(2), tidemark.Int(3), tidemark.Int(4), tidemark.Int(-7), tidemark.Null}[x.r.IntN(6)]
}

func (x *scoped) statement() (string, []tidemark.Value) {
	n := func(most int64) tidemark.Value { return tidemark.Int(1 + x.r.Int64N(most)) }
	pick := func(list ...string) tidemark.Value { return tidemark.Text(list[x.r.IntN(len(list))]) }
	who := func() tidemark.Value { return pick("p1", "p2", "p3", "P1") }
	list := func(args ...tidemark.Value) []tidemark.Value { return args }
	comment := func() tidemark.Value { return pick("c1", "C2", "c3", "c4", "d", "D", "é") }
	switch x.r.IntN(20) {
	case 0:
		return "INSERT OR IGNORE INTO sguest VALUES (?1, ?2)", list(n(4), who())
	case 1:
		return "DELETE FROM sguest WHERE project = ?1 AND person = ?2", list(n(4), who())
	case 2:
		return "UPDATE OR IGNORE sguest SET person = ?3 WHERE project = ?1 AND person = ?2", list(n(4), who(), who())
	case 3:
		return "INSERT INTO sproject VALUES (?1, ?2, ?3)", list(n(6), pick("a", "b"), x.project())
	case 4:
		return "UPDATE sproject SET title = ?2, up = ?3 WHERE id = ?1", list(n(4), pick("c", "d"), x.project())
	case 5:
		return "DELETE FROM sproject WHERE id = ?1", list(n(9))
	case 6:
		return "UPDATE OR IGNORE sproject SET id = ?2 WHERE id = ?1", list(n(6), n(6))
	case 7, 8:
		return "INSERT INTO stask VALUES (?1, ?2, ?3, ?4, 0, ?5)", list(n(12), x.project(), x.project(), pick("x", "y", "z", "u", "v", "w", "t"), pick("", "alpha", "gamma"))
	case 9, 10:
		return "UPDATE stask SET project = ?2 WHERE id = ?1", list(n(9), x.project())
	case 11:
		return "UPDATE stask SET also = ?2, votes = votes + 1 WHERE id >= ?1", list(n(9), x.project())
	case 12:
		return "UPDATE OR IGNORE stask SET title = ?2, body = coalesce(body, '') || ?3 WHERE id = ?1", list(n(9), pick("x", "y", "z", "u"), pick("beta ", "é", "\n"))
	case 13:
		return "DELETE FROM stask WHERE id = ?1", list(n(12))
	case 14:
		return "INSERT OR REPLACE INTO scomment VALUES (?1, ?2, ?3, ?4)", list(comment(), n(9), pick("one", "two"), pick("a", "b", "C"))
	case 15:
		return "UPDATE scomment SET task = ?2, body = body || 'x' WHERE id = ?1", list(comment(), n(9))
	case 16:
		return "DELETE FROM scomment WHERE id = ?1", list(comment())
	case 17:
		return "INSERT INTO snote (person, project, private, v) VALUES (?1, ?2, ?3, 'new')", list(who(), x.project(), tidemark.Int(x.r.Int64N(2)))
	case 18:
		return "UPDATE snote SET person = ?2, private = ?3, v = v || 'y' WHERE id = ?1", list(n(6), who(), tidemark.Int(x.r.Int64N(2)))
	}
	return "INSERT OR REPLACE INTO slabel VALUES (?1, ?2)", list(pick("a", "b", "d"), n(9))
}

// wants draws what somebody subscribes to, also what is not there.
func (x *scoped) wants() (only bool, list []Stmt) {
	names := []string{"project/1", "project/2", "project/3", "project/-7", "project/none", "also/1", "also/3", "mine/p1", "mine/p2", "mine/p3", "rest", "𝄞/1", "\ufffd"}
	x.r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names[:x.r.IntN(7)] {
		list = append(list, newStmt(name, []tidemark.Value{tidemark.Int(x.r.Int64N(4) - 2)}))
	}
	return x.r.IntN(2) == 0, list
}

// wanted reads wants as a script spells them: the scope in place of the SQL, its
// priority as its argument.
func wanted(stmts []Stmt) (list []wire.Want, err error) {
	for _, s := range stmts {
		args, err := s.values()
		if err != nil {
			return nil, err
		}
		list = append(list, wire.Want{Scope: s.SQL, Priority: args[0].Int64()})
	}
	return list, nil
}

// visible reads what of the app's tables a device should hold: the rows that the
// server has in the scopes which its owner may read and it wants.
func (s *server) visible(d *machine) (map[string][]string, error) {
	only, want, err := d.dev.wants()
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	err = s.store.View(context.Background(), func(v tidemark.View) error {
		granted, err := v.Granted(d.owner())
		if err != nil {
			return err
		}
		mine := map[string]bool{}
		for _, scope := range granted {
			named := slices.ContainsFunc(want, func(w wire.Want) bool { return w.Scope == scope })
			mine[scope] = !only || named || scope == "rest"
		}
		for _, t := range s.hub.Schema().Tables {
			if t.Out == "" {
				if out[t.Name], err = s.rowsIn(v, t, mine); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return out, err
}

// rowsIn spells the rows of a table that are in one of some scopes.
func (s *server) rowsIn(v tidemark.View, t *tidemark.Table, mine map[string]bool) (rows []string, err error) {
	var key []string
	for _, c := range t.Key {
		key = append(key, lite.Quote(t.Columns[c].Name))
	}
	sql := "SELECT " + strings.Join(key, ", ") + ", * FROM main." + lite.Quote(t.Name)
	err = s.shell.Each(sql, func(stmt *lite.Stmt) error {
		row := stmt.Row(0)
		in, err := v.ScopesOf(t.ID, row[:len(key)])
		if err != nil || !slices.ContainsFunc(in, func(x tidemark.RowScope) bool { return x.Live && mine[x.Scope] }) {
			return err
		}
		rows = append(rows, spellAll(row[len(key):]))
		return nil
	})
	slices.Sort(rows)
	return rows, err
}

// redeclare declares the scopes in another way.
func (p *planner) redeclare(*machine) (Op, bool) {
	if p.scoped.r == nil || p.w.server.due {
		return Op{}, false
	}
	return Op{Do: "declare", N: p.rand.IntN(variants)}, true
}

// declare has the server take another declaration.
func (s *server) declare(variant int) {
	w := s.w
	w.variant = variant
	err := s.store.SetScopes(w.declared())
	w.tell("declared %d: %v", variant, err)
	s.due, s.backup = true, nil
}

// declared says what is declared now; nil where there are no scopes.
func (w *world) declared() func(*tidemark.Schema) (*tidemark.Scopes, error) {
	if !w.scoped {
		return nil
	}
	return func(sc *tidemark.Schema) (*tidemark.Scopes, error) { return scopesOf(sc, w.variant) }
}

// subscribe lets a device want other scopes.
func (p *planner) subscribe(d *machine) (Op, bool) {
	if p.scoped.r == nil {
		return Op{}, false
	}
	o := Op{Do: "subscribe", Dev: d.number}
	o.Flag, o.Stmts = p.scoped.wants()
	return o, true
}
