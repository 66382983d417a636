package schema

import (
	"sort"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// places maps the position of a column in the table to its place among the
// stored columns, -1 for a generated one.
type places []int

func (p places) of(cid int) int {
	if cid < 0 || cid >= len(p) {
		return -1
	}
	return p[cid]
}

// readTable reads what SQLite knows of an ordinary table.
func readTable(db *lite.DB, e entry) (*tidemark.Table, places, error) {
	t := &tidemark.Table{Name: e.name, SQL: e.sql, WithoutRowid: e.wr, Strict: e.strict}
	at, err := readColumns(db, t)
	if err != nil {
		return nil, nil, err
	}
	hasKeyIndex, err := readIndexes(db, t, at)
	if err != nil {
		return nil, nil, err
	}
	t.RowidAlias = !t.WithoutRowid && len(t.Key) == 1 && t.Key[0] >= 0 && !hasKeyIndex
	t.Autoinc = t.RowidAlias && mentions(e.sql, "AUTOINCREMENT")
	return t, at, readForeignKeys(db, t)
}

func readColumns(db *lite.DB, t *tidemark.Table) (places, error) {
	type keyPart struct{ rank, place int }
	var at places
	var key []keyPart
	const sql = `SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid`
	err := db.Each(sql, func(s *lite.Stmt) error {
		place := -1
		if s.Int(5) == 0 {
			place = len(t.Columns)
			t.Columns = append(t.Columns, tidemark.Column{
				Name: s.Text(0), Type: s.Text(1), Affinity: affinity(s.Text(1), t.Strict),
				NotNull: s.Int(2) != 0, Default: defaultText(s.Text(3)),
			})
		}
		at = append(at, place)
		if rank := int(s.Int(4)); rank > 0 {
			key = append(key, keyPart{rank, place})
		}
		return nil
	}, tidemark.Text(t.Name))
	if err != nil {
		return nil, err
	}
	sort.Slice(key, func(i, j int) bool { return key[i].rank < key[j].rank })
	for _, k := range key {
		t.Key = append(t.Key, k.place)
	}
	return at, readCollations(db, t)
}

// defaultText makes a default that is written as a name into the string that
// SQLite takes it for, so that it means the same in any expression.
func defaultText(sql string) string {
	toks := tokens(sql)
	if len(toks) != 1 || toks[0].name(sql) == "" {
		return sql
	}
	switch strings.ToUpper(sql) {
	case "NULL", "TRUE", "FALSE", "CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP":
		return sql
	}
	return tidemark.Text(toks[0].name(sql)).String()
}

func readCollations(db *lite.DB, t *tidemark.Table) error {
	for i := range t.Columns {
		_, coll, _, _, _, err := db.Conn().TableColumnMetadata("main", t.Name, t.Columns[i].Name)
		if err != nil {
			return err
		}
		t.Columns[i].Collation = collation(coll)
	}
	return nil
}

func collation(name string) string {
	if name == "" {
		return "BINARY"
	}
	return strings.ToUpper(name)
}

// affinity follows https://www.sqlite.org/datatype3.html section 3.1. In a
// STRICT table ANY converts nothing.
func affinity(declared string, strict bool) tidemark.Affinity {
	d := strings.ToUpper(declared)
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(d, p) {
				return true
			}
		}
		return false
	}
	switch {
	case strict && d == "ANY":
		return tidemark.AffinityBlob
	case has("INT"):
		return tidemark.AffinityInteger
	case has("CHAR", "CLOB", "TEXT"):
		return tidemark.AffinityText
	case d == "" || has("BLOB"):
		return tidemark.AffinityBlob
	case has("REAL", "FLOA", "DOUB"):
		return tidemark.AffinityReal
	}
	return tidemark.AffinityNumeric
}

func readForeignKeys(db *lite.DB, t *tidemark.Table) error {
	type row struct {
		id     int64
		parent string
		from   string
		to     string
		update string
		del    string
	}
	var rows []row
	const sql = `SELECT id, "table", "from", coalesce("to", ''), on_update, on_delete
		FROM pragma_foreign_key_list(?1, 'main') ORDER BY id DESC, seq`
	err := db.Each(sql, func(s *lite.Stmt) error {
		rows = append(rows, row{s.Int(0), s.Text(1), s.Text(2), s.Text(3), s.Text(4), s.Text(5)})
		return nil
	}, tidemark.Text(t.Name))
	if err != nil {
		return err
	}
	last := int64(-1)
	for _, r := range rows {
		if len(t.ForeignKeys) == 0 || r.id != last {
			t.ForeignKeys = append(t.ForeignKeys, tidemark.ForeignKey{Parent: r.parent, OnUpdate: r.update, OnDelete: r.del})
			last = r.id
		}
		fk := &t.ForeignKeys[len(t.ForeignKeys)-1]
		fk.Columns = append(fk.Columns, t.Place(r.from))
		if r.to != "" {
			fk.To = append(fk.To, r.to)
		}
	}
	return resolveParents(db, t)
}

// resolveParents fills in the parent's primary key where REFERENCES names no columns.
func resolveParents(db *lite.DB, t *tidemark.Table) error {
	for i := range t.ForeignKeys {
		fk := &t.ForeignKeys[i]
		if len(fk.To) > 0 {
			continue
		}
		const sql = "SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE pk > 0 ORDER BY pk"
		err := db.Each(sql, func(s *lite.Stmt) error {
			fk.To = append(fk.To, s.Text(0))
			return nil
		}, tidemark.Text(fk.Parent))
		if err != nil {
			return err
		}
	}
	return nil
}
