package capture

import (
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// REPLACE evicts rows without firing delete triggers. The probes look, before
// an INSERT or an UPDATE, for rows that hold the key or a unique value of the
// new row and record them whole. Most find nothing: the conditions are looked
// up in the WHEN clause, which leaves the log untouched. A probe that finds
// too much does no harm.
func (m maker) probes() []trigger {
	var onInsert, onUpdate []string
	var cols []int
	onInsert = append(onInsert, m.matchNew())
	all := false // watch every update
	for _, u := range m.t.Uniques {
		where := m.matchUnique(u)
		onInsert = append(onInsert, where)
		onUpdate = append(onUpdate, "("+where+") AND NOT ("+m.matchOld()+")")
		for _, term := range u.Terms {
			all = all || term.Column < 0
			cols = append(cols, term.Column)
		}
	}
	if planted.Is(planted.ForgetHints) {
		return nil
	}
	out := []trigger{m.probe("evi", "BEFORE INSERT", onInsert)}
	if len(onUpdate) == 0 {
		return out
	}
	event := "BEFORE UPDATE"
	if !all {
		event += " OF " + m.list(distinct(cols))
	}
	return append(out, m.probe("evu", event, onUpdate))
}

func (m maker) probe(kind, event string, wheres []string) trigger {
	var steps, found []string
	for _, w := range wheres {
		found = append(found, "EXISTS (SELECT 1 FROM "+m.table()+" WHERE "+w+")")
		steps = append(steps, m.imageWhere(w)...)
	}
	return m.named(kind, event, strings.Join(found, " OR "), steps...)
}

// matchUnique is the condition that a row of the table holds the unique value
// that NEW will have. Of a partial index only the row's side counts: whether
// NEW is in it, too, is left open.
func (m maker) matchUnique(u tidemark.Unique) string {
	var parts []string
	for _, term := range u.Terms {
		if term.Column >= 0 {
			parts = append(parts, fmt.Sprintf("%s%s COLLATE %s = %s", m.prefix(), m.column(term.Column), lite.Quote(term.Collation), m.newValue(term.Column)))
			continue
		}
		parts = append(parts, fmt.Sprintf("(%s) COLLATE %s = (SELECT %s FROM (SELECT %s))", term.Expr, lite.Quote(term.Collation), term.Expr, m.newRow(term.Expr)))
	}
	if u.Partial != "" {
		parts = append(parts, "("+u.Partial+")")
	}
	return strings.Join(parts, " AND ")
}

// newRow lists the columns of NEW that an indexed expression uses under their
// own names, so that the expression can be evaluated on them as it stands.
func (m maker) newRow(expr string) string {
	used := schema.Names(expr)
	stored := map[string]int{}
	for c, col := range m.t.Columns {
		stored[col.Name] = c
	}
	vals := []string{"NULL"}
	for _, name := range m.names {
		if !used[tidemark.FoldName(name)] {
			continue
		}
		v := "NEW." + lite.Quote(name)
		if c, ok := stored[name]; ok {
			v = m.newValue(c)
		}
		vals = append(vals, v+" AS "+lite.Quote(name))
	}
	return strings.Join(vals, ", ")
}

func distinct(cols []int) []int {
	seen := map[int]bool{}
	var out []int
	for _, c := range cols {
		if !seen[c] {
			seen[c] = true
			out = append(out, c)
		}
	}
	return out
}
