package rules

import "testing"

// TestQueryReads: a query's answer may change with every column that it
// compares, also where SQLite's authorizer does not hear of it.
func TestQueryReads(t *testing.T) {
	db, s := open(t, team+`CREATE VIEW joined AS SELECT t.id FROM task t NATURAL JOIN member m;`)
	for sql, want := range map[string][2]string{
		"SELECT t.id FROM task t JOIN member m ON m.project = t.project WHERE m.person = :user": {"task project", "member project"},
		"SELECT t.id FROM task t JOIN member m USING (project) WHERE m.person = :user":          {"task project", "member project"},
		"SELECT t.id FROM task t natural join member m":                                         {"task project", "member project"},
		"SELECT id FROM joined": {"task project", "member project"},
		"SELECT 1 FROM task WHERE id IN (SELECT project FROM member)": {"task id", "member project"},
	} {
		q, err := NewQuery(db, s, "a grant", sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		reads := map[string]bool{}
		for table, columns := range q.Reads {
			for c := range columns {
				reads[table+" "+c] = true
			}
		}
		if !reads[want[0]] || !reads[want[1]] {
			t.Errorf("%s: reads %v, not %v", sql, q.Reads, want)
		}
	}
	q, err := NewQuery(db, s, "a grant", "SELECT project FROM member WHERE person = :user AND role <> 'using'")
	if err != nil || q.Reads["member"]["id"] {
		t.Errorf("a plain query reads %v (%v)", q, err)
	}
}
