package sim

import (
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// projectScopes is the declaration as a server takes it. The oracle has the
// same in Go, see projectKinds. By every other one diaries that are not shared
// are in their projects as well, and only leads may read what they do not visit.
func projectScopes(n int) []tidemark.Scope {
	shared, leading := "shared = 1", ""
	if n%2 == 1 {
		shared, leading = "", " AND m.role = 'lead'"
	}
	return []tidemark.Scope{
		{Name: "catalog", Grant: tidemark.GrantPublic, Members: []tidemark.Member{{Table: "label"}, {Table: "pair"}}},
		{Name: "mine", Keyed: true, Grant: "SELECT :user", Members: []tidemark.Member{{Table: "diary", Path: []string{"person"}}, {Table: "guest", Path: []string{"person"}}}},
		{Name: "org", Keyed: true, Grant: "SELECT org FROM member WHERE person = :user", Members: []tidemark.Member{
			{Table: "org", Path: []string{"id"}}, {Table: "member", Path: []string{"org"}}, {Table: "project", Path: []string{"org"}},
		}},
		{Name: "project", Keyed: true,
			Grant: "SELECT project FROM guest WHERE person = :user UNION SELECT p.id FROM project p JOIN member m USING (org) WHERE m.person = :user" + leading,
			Members: []tidemark.Member{
				{Table: "project", Path: []string{"id"}},
				{Table: "task", Path: []string{"project"}},
				{Table: "remark", Path: []string{"task", "project"}},
				{Table: "part", Path: []string{"remark", "task", "project"}},
				{Table: "diary", Path: []string{"project"}, Where: shared},
			}},
		{Name: "vault", Grant: tidemark.GrantNone, Members: []tidemark.Member{{Table: "hoard"}}},
	}
}

func projectKinds() []*oracle.Scope {
	type of = map[string]func(oracle.State, oracle.Row) tidemark.Value
	column := func(c int) func(oracle.State, oracle.Row) tidemark.Value {
		return func(_ oracle.State, r oracle.Row) tidemark.Value { return r[c] }
	}
	whole := func(oracle.State, oracle.Row) tidemark.Value { return tidemark.Int(1) }
	taskOf := func(s oracle.State, r oracle.Row) tidemark.Value { return valueOf(s, "task", r[1], 1) }
	return []*oracle.Scope{
		{Name: "catalog", Tables: of{"label": whole, "pair": whole},
			Grant: func(oracle.State, string) []tidemark.Value { return []tidemark.Value{tidemark.Int(1)} }},
		{Name: "mine", Keyed: true, Tables: of{"diary": column(1), "guest": column(1)}, Grant: myself},
		{Name: "org", Keyed: true, Tables: of{"org": column(0), "member": column(0), "project": column(1)}, Grant: orgsOf},
		{Name: "project", Keyed: true, Tables: of{
			"project": column(0), "task": column(1), "remark": taskOf,
			"part": func(s oracle.State, r oracle.Row) tidemark.Value {
				return valueOf(s, "task", valueOf(s, "remark", r[1], 1), 1)
			},
			"diary": func(s oracle.State, r oracle.Row) tidemark.Value {
				if r[3] != tidemark.Int(1) && s.Declared()%2 == 0 {
					return tidemark.Null
				}
				return r[2]
			},
		}, Grant: projectsOf},
		{Name: "vault", Tables: of{"hoard": whole}},
	}
}

// valueOf reads a column of the row whose first column is key.
func valueOf(s oracle.State, table string, key tidemark.Value, column int) tidemark.Value {
	for _, r := range s[table] {
		if r[0] == key {
			return r[column]
		}
	}
	return tidemark.Null
}

func myself(_ oracle.State, who string) []tidemark.Value {
	if who == "" {
		return nil
	}
	return []tidemark.Value{tidemark.Text(who)}
}

func orgsOf(s oracle.State, who string) (orgs []tidemark.Value) {
	for _, r := range s["member"] {
		if who != "" && r[1] == tidemark.Text(who) {
			orgs = append(orgs, r[0])
		}
	}
	return orgs
}

func projectsOf(s oracle.State, who string) (list []tidemark.Value) {
	for _, r := range s["guest"] {
		if who != "" && r[1] == tidemark.Text(who) {
			list = append(list, r[0])
		}
	}
	for _, m := range s["member"] {
		if who == "" || m[1] != tidemark.Text(who) || s.Declared()%2 == 1 && m[2] != tidemark.Text("lead") {
			continue
		}
		for _, r := range s["project"] {
			if r[1] == m[0] {
				list = append(list, r[0])
			}
		}
	}
	return list
}

// projectRules let an organisation's leads say who belongs to it and who visits
// its projects, and everybody write his own diary.
var projectRules = func() []tidemark.TableRules {
	const (
		leads = "EXISTS (SELECT 1 FROM member m WHERE m.org = OLD.org AND m.person = :user AND m.role = 'lead')"
		hosts = "EXISTS (SELECT 1 FROM project p JOIN member m ON m.org = p.org WHERE p.id = OLD.project AND m.person = :user AND m.role = 'lead')"
	)
	return []tidemark.TableRules{
		{Table: "member", Immutable: []string{"org", "person"}, Insert: asNew(leads), Update: leads, Delete: leads + " OR OLD.person = :user"},
		{Table: "guest", Immutable: []string{"person"}, Insert: asNew(hosts), Update: hosts, Delete: hosts + " OR OLD.person = :user"},
		{Table: "diary", Insert: "NEW.person = :user", Update: "OLD.person = :user", Delete: "OLD.person = :user"},
	}
}()

// asNew is a condition on the new row instead of the old one.
func asNew(condition string) string { return strings.ReplaceAll(condition, "OLD.", "NEW.") }

func projectRuled() map[string]oracle.Rule {
	leads := func(s oracle.State, org tidemark.Value, who string) bool {
		for _, r := range s["member"] {
			if r[0] == org && who != "" && r[1] == tidemark.Text(who) && r[2] == tidemark.Text("lead") {
				return true
			}
		}
		return false
	}
	hosts := func(s oracle.State, project tidemark.Value, who string) bool {
		return leads(s, valueOf(s, "project", project, 1), who)
	}
	mine := func(who string, v tidemark.Value) bool { return who != "" && v == tidemark.Text(who) }
	anybody := func(string, oracle.State, oracle.Row, oracle.Row) bool { return true }
	return map[string]oracle.Rule{
		"project": anybody, // the rules of others read it
		"member": func(by string, s oracle.State, old, row oracle.Row) bool {
			switch {
			case old == nil:
				return leads(s, row[0], by)
			case row == nil:
				return leads(s, old[0], by) || mine(by, old[1])
			}
			return leads(s, old[0], by) && old[0] == row[0] && old[1] == row[1]
		},
		"guest": func(by string, s oracle.State, old, row oracle.Row) bool {
			switch {
			case old == nil:
				return hosts(s, row[0], by)
			case row == nil:
				return hosts(s, old[0], by) || mine(by, old[1])
			}
			return hosts(s, old[0], by) && old[1] == row[1]
		},
		"diary": func(by string, _ oracle.State, old, row oracle.Row) bool {
			if old == nil {
				return mine(by, row[1])
			}
			return mine(by, old[1])
		},
	}
}
