package scope

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/rules"
)

// searches turns a SELECT around: one search for each set of sources whose rows
// may have changed together.
func (k *Concern) searches(q *selects, n *selection) {
	key, conjunct := q.invertible(n)
	if key == nil {
		return
	}
	var turned []*source
	for _, src := range n.sources {
		if src != key && src.table != nil && k.Readings[src.table.ID] != nil && k.Readings[src.table.ID].Everybody == "" {
			turned = append(turned, src)
		}
	}
	if len(turned) > mostSources {
		for _, src := range turned {
			k.Readings[src.table.ID].unknown("too many tables are read together")
		}
		return
	}
	c, _ := key.compared(q)
	head := "SELECT DISTINCT " + lite.Quote(key.alias) + "." + lite.Quote(key.table.Columns[c].Name) + " FROM "
	for set := 1; set < 1<<len(turned); set++ {
		s := &Search{}
		chosen := map[*source]bool{}
		for i, src := range turned {
			if set&(1<<i) != 0 {
				chosen[src] = true
				s.Tables = append(s.Tables, src.table.ID)
			}
		}
		s.SQL = head + q.fromMoved(n, chosen) + q.without(n, conjunct)
		k.Searches = append(k.Searches, s)
	}
}

// fromMoved is the FROM of a SELECT, in which some sources read changed rows.
func (q *selects) fromMoved(n *selection, chosen map[*source]bool) string {
	var b strings.Builder
	at := n.from.begin
	for _, src := range n.sources {
		if !chosen[src] {
			continue
		}
		b.WriteString(q.text(at, src.first) + " temp." + movedName(src.table))
		if !src.named {
			b.WriteString(" AS " + lite.Quote(src.alias))
		}
		b.WriteString(" ")
		at = src.last + 1
	}
	return b.String() + q.text(at, n.from.end)
}

// without is the WHERE of a SELECT but one of its conditions. Each ends with a line of
// its own, so that a comment at its end ends there.
func (q *selects) without(n *selection, conjunct int) string {
	var rest []string
	for i, part := range rules.Conjuncts(q.text(n.where.begin, n.where.end)) {
		if i != conjunct {
			rest = append(rest, "("+part+"\n)")
		}
	}
	if len(rest) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(rest, " AND ")
}

// movedName is the TEMP table for changed rows of a table. A table with other
// columns has another one.
func movedName(t *tidemark.Table) string {
	sum := sha256.Sum256([]byte(rules.Definitions(t, false)))
	return "_tm_moved_" + strconv.Itoa(t.ID) + "_" + hex.EncodeToString(sum[:6])
}

// makeMoved makes it, with columns that compare as the real ones do.
func makeMoved(t *tidemark.Table) string {
	return "CREATE TEMP TABLE IF NOT EXISTS " + movedName(t) + " (_tm_one INTEGER PRIMARY KEY" + rules.Definitions(t, false) + ") WITHOUT ROWID"
}

// fillMoved puts rows there instead of those before. It makes the table, which
// is gone where the transaction that made it was undone.
func fillMoved(db *lite.DB, t *tidemark.Table, rows [][]tidemark.Value) error {
	name := movedName(t)
	if err := db.Run(makeMoved(t)); err != nil {
		return err
	}
	if err := db.Run("DELETE FROM temp." + name); err != nil {
		return err
	}
	sql := "INSERT INTO temp." + name + " VALUES (?" + strings.Repeat(", ?", len(t.Columns)) + ")"
	for i, values := range rows {
		if err := db.Run(sql, append([]tidemark.Value{tidemark.Int(int64(i))}, values...)...); err != nil {
			return err
		}
	}
	return nil
}
