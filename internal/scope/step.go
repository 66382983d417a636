package scope

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark/internal/lite"
)

// steps finds for every table on somebody's way what depends on its rows.
func (f *fitter) steps() {
	for _, m := range f.members {
		if m.route == nil {
			continue
		}
		for n := 1; n <= len(m.route.hops); n++ {
			f.step(m, n)
		}
	}
}

// step adds the rows of a member that come to a table after n hops. Several
// kinds may lead the same way, and then on by other columns.
func (f *fitter) step(m *member, n int) {
	h := m.route.hops[n-1]
	s := &Step{By: h.to, Table: m.t, SQL: m.dependants(n)}
	s.Watch = slices.Concat(h.to, m.route.leaving(n))
	id := h.parent.ID
	for _, other := range f.plan.Steps[id] {
		if other.SQL == s.SQL {
			other.Watch = set(append(other.Watch, s.Watch...))
			return
		}
	}
	s.Watch = set(s.Watch)
	f.plan.Steps[id] = append(f.plan.Steps[id], s)
}

func set(list []int) []int {
	slices.Sort(list)
	return slices.Compact(list)
}

// dependants is the query for the keys of the rows that come after n hops to a
// row with the values ?1, ?2 ...: from the parent to its children, and theirs.
func (m *member) dependants(n int) string {
	first := m.route.hops[n-1]
	values := make([]string, len(first.to))
	for i := range values {
		values[i] = "?" + strconv.Itoa(i+1)
	}
	from := []string{"main." + lite.Quote(first.child.Name) + as(m, n-1)}
	where := []string{follows(first, m.alias(n-1), values)}
	for i := n - 2; i >= 0; i-- {
		h := m.route.hops[i]
		above := make([]string, len(h.to))
		for j, c := range h.to {
			above[j] = "+" + qualified(m.alias(i+1), h.parent, c)
		}
		from = append(from, "main."+lite.Quote(h.child.Name)+as(m, i))
		where = append(where, follows(h, m.alias(i), above))
	}
	return "SELECT " + strings.Join(keyColumns(m.alias(0), m.t), ", ") + " FROM " + strings.Join(from, " CROSS JOIN ") + " WHERE " + strings.Join(where, " AND ")
}

func as(m *member, n int) string {
	if n == 0 {
		return ""
	}
	return " AS " + m.alias(n)
}
