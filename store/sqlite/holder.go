package sqlite

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// holder finds the row that has what a refused one wants to have, by its key. It
// helps the caller to decide; where it cannot tell, nil is good enough.
func (x *tx) holder(t *tidemark.Table, columns []string, i *item) []tidemark.Value {
	if !x.db.InTransaction() {
		return nil
	}
	wanted := x.wanted(i)
	if wanted == nil {
		return nil
	}
	if slices.Equal(columns, t.ColumnNames(t.Key)) {
		there, err := row.Get(x.db, t, t.KeyOf(wanted))
		if err == nil && there != nil {
			return t.KeyOf(there)
		}
	}
	for j := range t.Uniques {
		if !slices.Equal(termNames(t, &t.Uniques[j]), columns) {
			continue
		}
		if key := x.holderOf(t, &t.Uniques[j], wanted, i); key != nil {
			return key
		}
	}
	return nil
}

// wanted is the row as the item would have left it, nil when that is not known.
func (x *tx) wanted(i *item) []tidemark.Value {
	if i.c.Op == tidemark.Insert {
		if len(i.c.New) < len(i.table.Columns) {
			return nil // defaults fill it up
		}
		return i.c.New
	}
	r, err := row.Get(x.db, i.table, i.key)
	if err != nil || r == nil {
		return nil
	}
	for j, c := range i.c.Cols {
		r[c] = i.c.New[j]
	}
	return r
}

// holderOf asks an index. Its expressions are evaluated over the wanted row,
// which stands there as a row of parameters with the names of the columns.
func (x *tx) holderOf(t *tidemark.Table, u *tidemark.Unique, wanted []tidemark.Value, i *item) []tidemark.Value {
	var where, marks []string
	for c := range t.Columns {
		marks = append(marks, "?"+strconv.Itoa(c+1)+" AS "+lite.Quote(t.Columns[c].Name))
	}
	used := 0 // SQLite wants no more parameters than it is asked for
	for _, term := range u.Terms {
		collate := ""
		if term.Collation != "" {
			collate = " COLLATE " + lite.Quote(term.Collation)
		}
		if term.Column >= 0 {
			where = append(where, lite.Quote(t.Columns[term.Column].Name)+collate+" = ?"+strconv.Itoa(term.Column+1))
			used = max(used, term.Column+1)
			continue
		}
		used = len(wanted)
		where = append(where, "("+term.Expr+")"+collate+" = (SELECT "+term.Expr+" FROM (SELECT "+strings.Join(marks, ", ")+"))")
	}
	if u.Partial != "" {
		where = append(where, "("+u.Partial+")")
	}
	args := slices.Clone(wanted[:used])
	if i.c.Op == tidemark.Update {
		where = append(where, "NOT ("+row.WhereKey(t, len(args)+1)+")")
		args = append(args, i.key...)
	}
	r, err := x.db.Get("SELECT "+row.OrderByKey(t)+" FROM main."+lite.Quote(t.Name)+" WHERE "+strings.Join(where, " AND ")+" LIMIT 1", args...)
	if err != nil {
		return nil
	}
	return r
}

// taken says which row has a unique value already.
func taken(v *tidemark.Error) string {
	columns := strings.Join(v.Columns, ", ")
	if v.Other == nil {
		return fmt.Sprintf("another row of %s has the same %s", v.Table, columns)
	}
	key := make([]string, len(v.Other))
	for i, k := range v.Other {
		key[i] = k.String()
	}
	return fmt.Sprintf("row %s of %s has the same %s", strings.Join(key, ", "), v.Table, columns)
}
