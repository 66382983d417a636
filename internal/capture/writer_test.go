package capture

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// writer makes up statements for a table. Values come from small sets, so that
// keys and unique values collide all the time.
type writer struct {
	rng *rand.Rand
	s   *tidemark.Schema
}

// statement is SQL with its arguments.
type statement struct {
	sql  string
	args []tidemark.Value
}

func (st *statement) value(v tidemark.Value) string {
	st.args = append(st.args, v)
	return fmt.Sprintf("?%d", len(st.args))
}

var commonValues = []tidemark.Value{
	tidemark.Int(0), tidemark.Int(1), tidemark.Int(2), tidemark.Int(3), tidemark.Int(4), tidemark.Int(5),
	tidemark.Int(1), tidemark.Int(2), tidemark.Int(3), tidemark.Int(-1),
	tidemark.Text("a"), tidemark.Text("A"), tidemark.Text("a "), tidemark.Text("b"), tidemark.Text("B"), tidemark.Text("1"),
	tidemark.Null,
}

var rareValues = []tidemark.Value{
	tidemark.Int(math.MinInt64), tidemark.Int(math.MaxInt64), tidemark.Int(1 << 53), tidemark.Int(1<<53 + 1),
	tidemark.Real(-1 << 63), tidemark.Real(1 << 63), tidemark.Real(0), tidemark.Real(math.Copysign(0, -1)), tidemark.Real(1),
	tidemark.Real(1.5), tidemark.Real(math.Inf(1)), tidemark.Real(math.Inf(-1)), tidemark.Real(5e-324), tidemark.Real(1 << 53),
	tidemark.Text(""), tidemark.Text("a\x00b"), tidemark.Text("a\x00c"), tidemark.Text("😀𝄞"), tidemark.Text("\xff\xfe"), tidemark.Text("Ä"), tidemark.Text("ä"),
	tidemark.Text("0.0"), tidemark.Text("-0.0"), tidemark.Text("9223372036854775808"), tidemark.Text("1e3"),
	tidemark.BlobString(""), tidemark.BlobString("a"), tidemark.BlobString("\x00"), tidemark.BlobString(strings.Repeat("blob", 20)),
}

func (w *writer) any() tidemark.Value {
	if w.rng.IntN(4) == 0 {
		return rareValues[w.rng.IntN(len(rareValues))]
	}
	return commonValues[w.rng.IntN(len(commonValues))]
}

// forColumn prefers values that the column takes.
func (w *writer) forColumn(t *tidemark.Table, c int) tidemark.Value {
	for range 4 {
		v := w.any()
		if v.IsNull() && t.Columns[c].NotNull {
			continue
		}
		if numeric := t.RowidAlias && t.Key[0] == c || t.Strict && strings.HasPrefix(t.Columns[c].Type, "INT"); numeric && v.Kind() != tidemark.KindInt {
			continue
		}
		return v
	}
	return tidemark.Int(int64(w.rng.IntN(4)))
}

func (w *writer) table() *tidemark.Table { return w.s.Tables[w.rng.IntN(len(w.s.Tables))] }

func (w *writer) or() string {
	return []string{"", "", "", " OR REPLACE", " OR REPLACE", " OR IGNORE", " OR FAIL", " OR ABORT"}[w.rng.IntN(8)]
}

// next makes up one statement.
func (w *writer) next() []statement {
	t := w.table()
	switch w.rng.IntN(12) {
	case 0, 1, 2, 3:
		return []statement{w.insert(t, false)}
	case 4:
		return []statement{w.insert(t, true)}
	case 5, 6, 7, 8:
		return []statement{w.update(t)}
	case 9:
		return []statement{w.copy(t)}
	case 10:
		return w.swap(t)
	}
	return []statement{w.delete(t)}
}

func (w *writer) insert(t *tidemark.Table, upsert bool) statement {
	var st statement
	var names, vals []string
	for c := range t.Columns {
		if w.rng.IntN(8) == 0 && len(t.Columns) > 1 {
			continue
		}
		names = append(names, lite.Quote(t.Columns[c].Name))
		vals = append(vals, st.value(w.forColumn(t, c)))
	}
	if len(names) == 0 {
		return w.insert(t, upsert)
	}
	or := w.or()
	if upsert {
		or = ""
	}
	st.sql = "INSERT" + or + " INTO " + lite.Quote(t.Name) + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(vals, ", ") + ")"
	if upsert {
		st.sql += " ON CONFLICT DO NOTHING"
		if w.rng.IntN(3) > 0 {
			st.sql = strings.TrimSuffix(st.sql, "NOTHING") + "UPDATE SET " + w.sets(t, &st)
		}
	}
	return st
}

func (w *writer) sets(t *tidemark.Table, st *statement) string {
	var sets []string
	for _, c := range w.rng.Perm(len(t.Columns))[:1+w.rng.IntN(min(3, len(t.Columns)))] {
		q := lite.Quote(t.Columns[c].Name)
		switch w.rng.IntN(6) {
		case 0:
			sets = append(sets, q+" = "+q+" + 1")
		case 1:
			sets = append(sets, q+" = "+lite.Quote(t.Columns[w.rng.IntN(len(t.Columns))].Name))
		case 2:
			sets = append(sets, q+" = upper("+q+")")
		default:
			sets = append(sets, q+" = "+st.value(w.forColumn(t, c)))
		}
	}
	return strings.Join(sets, ", ")
}

func (w *writer) update(t *tidemark.Table) statement {
	var st statement
	st.sql = "UPDATE" + w.or() + " " + lite.Quote(t.Name) + " SET " + w.sets(t, &st)
	st.sql += w.where(t, &st)
	return st
}

func (w *writer) where(t *tidemark.Table, st *statement) string {
	if w.rng.IntN(8) == 0 {
		return ""
	}
	c := w.rng.IntN(len(t.Columns))
	if w.rng.IntN(2) == 0 {
		c = t.Key[w.rng.IntN(len(t.Key))]
	}
	op := []string{"=", "=", "<", ">=", "IS"}[w.rng.IntN(5)]
	return " WHERE " + lite.Quote(t.Columns[c].Name) + " " + op + " " + st.value(w.forColumn(t, c))
}

func (w *writer) delete(t *tidemark.Table) statement {
	var st statement
	st.sql = "DELETE FROM " + lite.Quote(t.Name) + w.where(t, &st)
	return st
}

// copy inserts rows made from rows of the same table.
func (w *writer) copy(t *tidemark.Table) statement {
	var st statement
	names, vals := make([]string, len(t.Columns)), make([]string, len(t.Columns))
	k := t.Key[w.rng.IntN(len(t.Key))]
	for c := range t.Columns {
		names[c] = lite.Quote(t.Columns[c].Name)
		vals[c] = names[c]
		if c == k {
			vals[c] += " + 1"
		} else if w.rng.IntN(3) == 0 {
			vals[c] = st.value(w.forColumn(t, c))
		}
	}
	st.sql = "INSERT" + w.or() + " INTO " + lite.Quote(t.Name) + " (" + strings.Join(names, ", ") + ") SELECT " +
		strings.Join(vals, ", ") + " FROM " + lite.Quote(t.Name) + w.where(t, &st) + " LIMIT 3"
	return st
}

// swap exchanges two values of a key column by way of a third.
func (w *writer) swap(t *tidemark.Table) []statement {
	k := t.Key[w.rng.IntN(len(t.Key))]
	a, b, between := w.forColumn(t, k), w.forColumn(t, k), tidemark.Int(99)
	var out []statement
	for _, p := range [][2]tidemark.Value{{a, between}, {b, a}, {between, b}} {
		q := lite.Quote(t.Columns[k].Name)
		out = append(out, statement{"UPDATE " + lite.Quote(t.Name) + " SET " + q + " = ?1 WHERE " + q + " = ?2", []tidemark.Value{p[1], p[0]}})
	}
	return out
}
