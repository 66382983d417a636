package oracle_test

import (
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// shared has one parent a scope, its children with it, and guests in a scope
// of their own; "ann" may read the parent 1, everybody the guests.
func shared() *oracle.Model {
	m := family()
	m.Tables[2].Refs[0].Loose = true
	m.Scopes = []*oracle.Scope{
		{Name: "parent", Keyed: true, Tables: map[string]func(oracle.State, oracle.Row) tidemark.Value{
			"parent": func(_ oracle.State, r oracle.Row) tidemark.Value { return r[0] },
			"child":  func(_ oracle.State, r oracle.Row) tidemark.Value { return r[1] },
		}, Grant: func(_ oracle.State, who string) []tidemark.Value {
			if who == "ann" {
				return values(1)
			}
			return nil
		}},
		{Name: "guests", Tables: map[string]func(oracle.State, oracle.Row) tidemark.Value{
			"guest": func(oracle.State, oracle.Row) tidemark.Value { return tidemark.Int(1) },
		}, Grant: func(oracle.State, string) []tidemark.Value { return values(1) }},
	}
	return m
}

func TestScopes(t *testing.T) {
	m := shared()
	s := start(m)
	if got := m.Granted(s, "ann"); !slices.Equal(got, []string{"guests", "parent/1"}) {
		t.Errorf("ann may read %v", got)
	}
	if got := m.Granted(s, "bob"); !slices.Equal(got, []string{"guests"}) {
		t.Errorf("bob may read %v", got)
	}
	want := oracle.State{"guest": {}}
	m.Put(want, "parent", values(1, "a"))
	m.Put(want, "child", values(10, 1))
	if text := oracle.Diff(want, m.Cut(s, []string{"parent/1", "parent/9"}), 9); text != "" {
		t.Error(text)
	}
	if refs := m.Held().Table("guest").Refs; len(refs) > 0 || len(m.Held().Table("child").Refs) == 0 {
		t.Errorf("a replica keeps %v", refs)
	}
}

func TestHidden(t *testing.T) {
	m := shared()
	update := func(id int64) []oracle.Change {
		return []oracle.Change{{Table: "parent", Op: tidemark.Update, Key: values(id), Cols: []int{1}, New: values("z")}}
	}
	for _, c := range []struct {
		by      string
		changes []oracle.Change
		refused []tidemark.Code
	}{
		{"ann", update(1), nil},
		{"ann", update(2), []tidemark.Code{tidemark.CodeForbidden}},
		{"ann", update(7), []tidemark.Code{tidemark.CodeForbidden}},
		{"bob", update(1), []tidemark.Code{tidemark.CodeForbidden}},
		{"bob", []oracle.Change{{Table: "parent", Op: tidemark.Insert, Key: values(3), New: values(3, "c")}}, nil},
	} {
		v := m.JudgeAs(c.by, start(m), c.changes, nil, nil)
		if !slices.Equal(v.Refused, c.refused) || v.Hidden != (c.refused != nil) {
			t.Errorf("%s, %v: %v, hidden %v", c.by, c.changes, v.Refused, v.Hidden)
		}
	}
}
