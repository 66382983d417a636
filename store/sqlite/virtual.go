package sqlite

import (
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// virtual fills the virtual tables of a snapshot that follow synced tables: what
// a trigger of the app writes there comes from rows that the clone has.
func (n *snapshot) virtual() error {
	if n.schema.Scoped() {
		return nil
	}
	for _, o := range n.schema.Objects {
		if !isVirtual(o) || n.needsGone(tidemark.Object{Type: "index", Table: o.Name}) != "" || !n.followsSynced(o.Name) {
			continue
		}
		if err := n.fill(o); err != nil {
			if lite.Full(err) || lite.Interrupted(err) {
				return err
			}
			n.info.Left = append(n.info.Left, "rows of "+o.Name+": "+err.Error())
		}
	}
	return nil
}

func isVirtual(o tidemark.Object) bool {
	words := strings.Fields(o.SQL)
	return o.Type == "table" && len(words) > 2 && strings.EqualFold(words[1], "VIRTUAL")
}

// followsSynced reports whether a trigger on a synced table mentions the table,
// or its definition names a synced table as its content.
func (n *snapshot) followsSynced(name string) bool {
	for _, o := range n.schema.Objects {
		t := n.schema.Named(o.Table)
		if o.Type == "trigger" && t != nil && t.Out == "" && strings.Contains(strings.ToLower(o.SQL), strings.ToLower(name)) {
			return true
		}
		if tidemark.SameName(o.Name, name) && isVirtual(o) {
			for _, t := range n.schema.Tables {
				if t.Out == "" && strings.Contains(strings.ReplaceAll(strings.ToLower(o.SQL), " ", ""), "content="+quoteless(t.Name)) {
					return true
				}
			}
		}
	}
	return false
}

func quoteless(name string) string { return strings.ReplaceAll(strings.ToLower(name), " ", "") }

// fill copies the shadow tables, byte for byte: that works for every kind of
// index, also for those that keep no text.
func (n *snapshot) fill(o tidemark.Object) error {
	var shadows []string
	err := n.db.Each("SELECT name FROM main.sqlite_master WHERE type = 'table' AND substr(name, 1, length(?1) + 1) = ?1 || '_' AND lower(sql) NOT LIKE 'create virtual%'",
		func(s *lite.Stmt) error {
			shadows = append(shadows, s.Text(0))
			return nil
		}, tidemark.Text(o.Name))
	if err != nil {
		return err
	}
	return n.db.Savepoint("fill", func() error {
		for _, name := range shadows {
			if n.schema.Named(name) != nil {
				continue // an ordinary table that only looks like one
			}
			q := lite.Quote(name)
			if err := n.db.Run("DELETE FROM main." + q); err != nil {
				return err
			}
			if err := n.db.Run("INSERT INTO main." + q + " SELECT * FROM src." + q); err != nil {
				return err
			}
		}
		return nil
	})
}
