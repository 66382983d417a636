package scope

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const bureau = `CREATE TABLE project (id INTEGER PRIMARY KEY, org INT, owner TEXT);
CREATE TABLE member (org INT, person TEXT, role TEXT, PRIMARY KEY (org, person)) WITHOUT ROWID;
CREATE TABLE guest (project INT, person TEXT, PRIMARY KEY (project, person)) WITHOUT ROWID;
CREATE TABLE nick (id INTEGER PRIMARY KEY, person TEXT COLLATE NOCASE, org INT, twice AS (org || org));
CREATE VIEW seen AS SELECT id FROM project;`

// TestConcern says for grants whom changes of their tables concern: those that
// stand in a column, those that a search finds, or everybody.
func TestConcern(t *testing.T) {
	db, s := inspected(t, bureau)
	for sql, want := range map[string]string{
		"SELECT project FROM guest WHERE person = :user":                                                                                        "guest: person",
		"SELECT project FROM main.guest g WHERE :user = g.person AND g.project > 1":                                                             "guest: person",
		"SELECT p.id FROM project p JOIN member m ON m.org = p.org WHERE m.person = :user":                                                      "project: 1 member: person",
		"SELECT p.id FROM project AS p, member WHERE member.org = p.org AND person = :user":                                                     "project: 1 member: person",
		"SELECT p.id FROM member m INNER JOIN project p USING (org) WHERE m.person = :user GROUP BY 1 LIMIT 3":                                  "project: 1 member: person",
		"SELECT project FROM guest WHERE person = :user UNION SELECT p.id FROM project p JOIN member m ON m.org = p.org WHERE m.person = :user": "project: 1 member: person guest: person",
		"SELECT g.project FROM guest g JOIN project p ON p.id = g.project JOIN member m ON m.org = p.org WHERE m.person = :user":                "project: 2 member: person guest: 2",
		"SELECT n.org FROM member m JOIN member n ON n.role = m.role WHERE m.person = :user":                                                    "member: person 1",
		"SELECT id FROM project WHERE org IN (SELECT org FROM member WHERE person = :user)":                                                     "project: all member: person",
		"SELECT p.id FROM project p JOIN member m ON m.org = p.org WHERE m.person = :user AND NOT EXISTS (SELECT 1 FROM guest)":                 "project: 1 member: person guest: all",
		"SELECT p.id FROM member m LEFT JOIN project p ON m.org = p.org WHERE m.person = :user":                                                 "project: all member: person",
		"SELECT p.id FROM project p LEFT JOIN member m ON m.org = p.org WHERE m.person = :user":                                                 "project: 1 member: person",
		"SELECT p.id FROM project p NATURAL JOIN member m WHERE m.person = :user":                                                               "project: all member: person",
		"SELECT p.id FROM project p RIGHT JOIN member m ON m.org = p.org WHERE m.person = :user":                                                "project: all member: person",
		"SELECT p.id FROM project p JOIN member m ON m.org = p.org WHERE m.person = :user AND p.owner <> :user":                                 "project: all member: person",
		"SELECT p.id FROM project p JOIN member m ON m.org = p.org WHERE m.person = :user AND :claims ->> 'a'":                                  "project: all member: person",
		"SELECT p.id FROM project p JOIN member m ON m.org = p.org WHERE m.person = :user OR p.id = 1":                                          "project: all member: all",
		"SELECT org FROM nick WHERE person = :user":                                                                                             "nick: all",
		"SELECT n.id FROM nick n JOIN member m ON m.org = n.twice WHERE m.person = :user":                                                       "member: person nick: all",
		"SELECT s.id FROM seen s JOIN member m ON m.org = s.id WHERE m.person = :user":                                                          "project: all member: person",
		"SELECT p.id FROM project p JOIN member m ON m.org = p.org WHERE m.person = :user AND p.id IN seen":                                     "project: all member: person",
		"SELECT p.id FROM project p JOIN member m ON m.org = p.org WHERE m.person = :user AND p.id IN (SELECT q.id FROM project q)":             "project: all member: person",
		"WITH x AS (SELECT 1) SELECT project FROM guest WHERE person = :user":                                                                   "guest: all",
		"SELECT p.id FROM 'project' p JOIN member m ON m.org = p.org WHERE m.person = :user":                                                    "project: all member: all",
		"SELECT p.id FROM project p INDEXED BY nothing JOIN member m ON m.org = p.org WHERE m.person = :user":                                   "error",
		"SELECT p.id FROM project p JOIN json_each(p.owner) j JOIN member m ON m.org = j.value WHERE m.person = :user":                          "project: 1 member: person",
		"SELECT p.id FROM project p JOIN (SELECT org FROM guest, nick) j JOIN member m ON m.org = j.org WHERE m.person = :user":                 "project: 1 member: person guest: all nick: all",
		"SELECT p.id FROM project p JOIN member m ON p.org = m.org -- one\nWHERE /* two */ m.person = :user AND p.id > 1 -- three":              "project: 1 member: person",
		"SELECT :user": "",
	} {
		g, err := NewGrant(db, s, &Kind{Name: "k", Keyed: true, Grant: sql})
		if err != nil {
			if want != "error" {
				t.Errorf("%s: %v", sql, err)
			}
			continue
		}
		k, err := g.Concern(db, s)
		must(t, err)
		var got []string
		for _, table := range s.Tables {
			r := k.Readings[table.ID]
			if r == nil {
				continue
			}
			says := table.Name + ":"
			for _, c := range r.Users {
				says += " " + table.Columns[c].Name
			}
			n := 0
			for _, s := range k.Searches {
				if slices.Contains(s.Tables, table.ID) {
					n++
				}
			}
			if n > 0 {
				says += fmt.Sprint(" ", n)
			}
			if r.Everybody != "" {
				says = table.Name + ": all"
			}
			got = append(got, says)
		}
		if is := strings.Join(got, " "); is != want {
			t.Errorf("%s:\n got %s\nwant %s", sql, is, want)
		}
	}
}
