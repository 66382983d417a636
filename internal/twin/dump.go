package twin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

func (d *goDevice) dump() (map[string][]string, error) {
	tables, err := dumpAll(d.db)
	if err != nil {
		return nil, err
	}
	st, err := d.r.Status()
	if err != nil {
		return nil, err
	}
	scopes, err := d.r.Scopes()
	if err != nil {
		return nil, err
	}
	for _, s := range scopes {
		tables["scopes"] = append(tables["scopes"], fmt.Sprintf("%s listed %v wanted %v ready %v priority %d rows %d", s.Scope, s.Listed, s.Wanted, s.Ready, s.Priority, s.Rows))
	}
	tables["status"] = []string{fmt.Sprintf("replica %s seq %d head %d pending %d suspended %d rejected %d unsealed %v staged %d proven %v repair %q contact %d readonly %v out %d stopped %q scoped %v only %v filling %d unasked %v",
		st.Replica, st.Seq, st.Head, st.Pending, st.Suspended, st.Rejected, st.Unsealed, st.Staged, st.Proven, st.Repair, st.Contact, st.ReadOnly, len(st.Out), st.Stopped, st.Scoped, st.Only, st.Filling, st.Unasked)}
	return tables, nil
}

// dumpAll reads every table of a copy, each row as one line, in the order of
// the lines; "structure" is how they were made.
func dumpAll(db *lite.DB) (map[string][]string, error) {
	tables, hidden := map[string][]string{}, map[string]bool{}
	// How a module keeps its rows is its own.
	err := db.Each("SELECT name FROM pragma_table_list WHERE type = 'shadow'", func(s *lite.Stmt) error {
		hidden[s.Text(0)] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = db.Each("SELECT type, name, tbl_name, sql FROM main.sqlite_master", func(s *lite.Stmt) error {
		if !kept(s.Text(2)) || hidden[s.Text(2)] || s.Null(3) {
			return nil
		}
		tables["structure"] = append(tables["structure"], strings.Join([]string{s.Text(0), s.Text(1), s.Text(3)}, " "))
		if s.Text(0) == "table" {
			tables[s.Text(1)] = nil
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(tables["structure"])
	for name := range tables {
		if name == "structure" {
			continue
		}
		rows, err := dumpTable(db, name)
		if err != nil {
			return nil, err
		}
		tables[name] = rows
	}
	return tables, nil
}

func dumpTable(db *lite.DB, name string) (rows []string, err error) {
	sql := "SELECT * FROM main." + lite.Quote(name)
	if name == "xdoc_text" {
		sql = "SELECT rowid FROM xdoc_text('alpha')" // what the index finds, not the rows that it is of
	}
	err = db.Each(sql, func(s *lite.Stmt) error {
		if name == "_tm_meta" && !keptFact(s.Text(0)) {
			return nil
		}
		rows = append(rows, spellAll(s.Row(0)))
		return nil
	})
	slices.Sort(rows)
	return rows, err
}

// spellAll spells a row.
func spellAll(row []tidemark.Value) string {
	var b strings.Builder
	for i, v := range row {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(spell(v))
	}
	return b.String()
}
