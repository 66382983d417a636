package guards

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/rules"
)

// thing has a column of every affinity, an immutable one and one that the server gives.
const thing = `CREATE TABLE thing (k TEXT PRIMARY KEY NOT NULL, i INTEGER, t TEXT COLLATE NOCASE, r REAL, n NUMERIC, b, fix TEXT, made TEXT, fk TEXT, given TEXT)`

// author makes up rules and writes.
type author struct{ *rand.Rand }

func (a author) of(list ...string) string { return list[a.IntN(len(list))] }

// literal is spelled so that every affinity sees values that it converts.
func (a author) literal() string {
	return a.of("0", "1", "2", "-1", "'1'", "'1.0'", "'a'", "'A'", "'ann'", "''", "1.5", "1.0", "NULL", "x'61'", "'2'", "9007199254740993")
}

func (a author) term(rows []string, depth int) string {
	switch n := a.IntN(9); {
	case n < 5:
		return a.of(rows...) + "." + a.of("k", "i", "t", "r", "n", "b", "fix", "made", "given", `"i"`, "[t]")
	case n < 6:
		return ":user"
	case n < 8 || depth > 1:
		return a.literal()
	}
	x := a.term(rows, depth+1)
	return fmt.Sprintf(a.of("length(%s)", "coalesce(%s, 1)", "typeof(%s)", "abs(%s)", "%s || ''", "-%s", "%s + 1", "CAST(%s AS TEXT)",
		"nullif(%s, 'a')", "instr(%s, 'a')", "CASE WHEN %s THEN 1 END", "%s COLLATE NOCASE", "+%s", "trim(%s)", "hex(%s)", "%s /* ' */"), x)
}

func (a author) atom(rows []string, depth int) string {
	x, y := a.term(rows, 0), a.term(rows, 0)
	switch n := a.IntN(14); {
	case n < 6:
		return x + " " + a.of("=", "<>", "<", ">=", "IS", "IS NOT", "==", "!=") + " " + y
	case n == 6:
		return x + " " + a.of("IS NULL", "NOTNULL", "IS NOT NULL")
	case n == 7:
		return x + a.of(" IN (", " NOT IN (") + y + ", " + a.literal() + ")"
	case n == 8:
		return x + " BETWEEN " + a.literal() + " AND " + y
	case n == 9:
		return x
	case depth > 2:
		return x + " = " + a.literal()
	case n == 10:
		return "NOT (" + a.atom(rows, depth+1) + ")"
	case n == 11:
		return "(" + a.atom(rows, depth+1) + " OR " + a.atom(rows, depth+1) + ")"
	case n == 12:
		return "(" + a.condition(rows, depth+1) + ")"
	}
	return "EXISTS (SELECT 1 WHERE " + a.atom(rows, depth+1) + ")"
}

func (a author) condition(rows []string, depth int) string {
	parts := make([]string, 1+a.IntN(3))
	for i := range parts {
		parts[i] = a.atom(rows, depth)
	}
	return strings.Join(parts, a.of(" AND ", "\nand ", " AND -- why\n"))
}

// trial is a copy, the same without guards, and the server.
type trial struct {
	author
	desk   *desk
	plain  *lite.DB
	server *lite.DB
	judge  *rules.Judge
	table  *tidemark.Table
	rules  tidemark.Rules
}

func newTrial(t *testing.T, r *rand.Rand) *trial {
	a := author{r}
	pick := func(rows ...string) string {
		if n := a.IntN(12); n < 2 {
			return []string{tidemark.RuleNone, tidemark.RulePublic}[n]
		}
		return a.condition(rows, 0)
	}
	w := &trial{author: a, rules: tidemark.Rules{Tables: []tidemark.TableRules{{
		Table: "thing", Insert: pick("NEW"), Update: pick("OLD", "NEW"), Delete: pick("OLD"), Immutable: []string{"fix", "made"},
		Set: []tidemark.SetRule{{Column: "made", Value: ":user"}, {Column: "given", Value: "coalesce(:user, 'nobody')"}},
	}}}}
	w.desk = newDesk(t, thing, w.rules, func(s *tidemark.Schema) { s.Tables[0].Columns[4].Policy = tidemark.Policy(a.of("", "counter", "max")) })
	w.table = w.desk.schema.Tables[0]
	w.plain, w.server = plain(t), plain(t)
	var err error
	w.judge, _, err = rules.New(w.server, w.desk.schema, &w.rules)
	must(t, err)
	return w
}

func plain(t *testing.T) *lite.DB {
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	must(t, db.Script(thing))
	return db
}

// rows puts the same row into the copies, and into the server's file as it may be by now.
func (w *trial) rows() {
	t := w.desk
	for _, db := range []*lite.DB{w.desk.db, w.plain, w.server} {
		must(t, db.SetTriggers(false))
		must(t, db.Script("DELETE FROM thing"))
	}
	for _, k := range []string{"a", "b"} {
		must(t, w.plain.Script(fmt.Sprintf("INSERT INTO thing VALUES ('%s', %s, %s, %s, %s, %s, %s, %s, NULL, %s)", k,
			w.literal(), w.literal(), w.literal(), w.literal(), w.literal(), w.literal(), w.of("'ann'", "'bob'", "NULL"), w.literal())))
	}
	must(t, row.Scan(w.plain, w.table, nil, nil, 0, func(r []tidemark.Value) error {
		must(t, row.Insert(w.desk.db, w.table, r))
		must(t, row.Insert(w.server, w.table, r))
		return nil
	}))
	if w.IntN(2) == 0 {
		must(t, w.server.Script(fmt.Sprintf("UPDATE thing SET i = %s, t = %s, r = %s, n = %s, b = %s, given = %s", w.literal(), w.literal(), w.literal(), w.literal(), w.literal(), w.literal())))
	}
	must(t, w.desk.db.SetTriggers(true))
}

func (w *trial) statement() (string, tidemark.Op) {
	key := w.of("'a'", "'b'", "'c'")
	switch w.IntN(4) {
	case 0:
		return fmt.Sprintf("INSERT INTO thing VALUES (%s, %s, %s, %s, %s, %s, %s, %s, NULL, %s)", w.of("'c'", "'d'"),
			w.literal(), w.literal(), w.literal(), w.literal(), w.literal(), w.literal(), w.literal(), w.literal()), tidemark.Insert
	case 1:
		return "DELETE FROM thing WHERE k = " + key, tidemark.Delete
	}
	var sets []string
	for range 1 + w.IntN(3) {
		if c := w.of("i", "t", "r", "n", "b", "fix", "made", "given", "i", "t", "r", "n", "k"); !strings.Contains(strings.Join(sets, ","), c+" =") {
			sets = append(sets, c+" = "+strings.Replace(w.literal(), "NULL", w.of("NULL", "'z'"), 1))
		}
	}
	return "UPDATE thing SET " + strings.Join(sets, ", ") + " WHERE k = " + key, tidemark.Update
}

// change is what a statement does to the plain copy, as it would be sent.
func (w *trial) change(sql string, op tidemark.Op) *tidemark.Change {
	t := w.desk
	read := func() map[string][]tidemark.Value {
		all := map[string][]tidemark.Value{}
		must(t, row.Scan(w.plain, w.table, nil, nil, 0, func(r []tidemark.Value) error { all[r[0].String()] = slices.Clone(r); return nil }))
		return all
	}
	var before, after map[string][]tidemark.Value
	err := w.plain.Transaction(func() error {
		before = read()
		if err := w.plain.Script(sql); err != nil {
			return err
		}
		after = read()
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		return nil
	}
	var gone, come []tidemark.Value
	for k, r := range before {
		if !slices.Equal(r, after[k]) {
			gone = r
		}
	}
	for k, r := range after {
		if !slices.Equal(r, before[k]) {
			come = r
		}
	}
	c := &tidemark.Change{Table: w.table.ID, Op: op, New: come}
	switch {
	case gone == nil && come == nil:
		return nil
	case op == tidemark.Insert:
		return c
	}
	if c.Key = w.table.KeyOf(gone); op == tidemark.Delete {
		c.Old = gone
		return c
	}
	c.New = nil
	for i := range come {
		if come[i] != gone[i] {
			c.Cols, c.New, c.Old = append(c.Cols, i), append(c.New, come[i]), append(c.Old, gone[i])
		}
	}
	return c
}

var errUndo = fmt.Errorf("undo")

// judged is what the server says of a change: that there is nothing to write,
// since it has all of it by now, or whether it refuses.
func (w *trial) judged(c *tidemark.Change, who string) (nothing, refused bool) {
	t := w.desk
	k := w.judge.Ask(context.Background(), tidemark.Author{Principal: tidemark.Principal{ID: who}, Now: 1}, 1)
	filled, err := k.Fill(w.table, c)
	must(t, err)
	err = k.Allow(w.table, filled, rules.Row{Key: c.Key})
	if err != nil && tidemark.CodeOf(err) != tidemark.CodeForbidden {
		t.Fatal(err)
	}
	return w.writesNothing(filled), err != nil
}

func (w *trial) writesNothing(c *tidemark.Change) bool {
	now, err := row.Get(w.server, w.table, c.Key)
	must(w.desk, err)
	if c.Op != tidemark.Update || now == nil {
		return now == nil && c.Op != tidemark.Insert
	}
	for i, col := range c.Cols {
		if c.New[i] != now[col] {
			return false
		}
	}
	return true
}

// TestAGuardRefusesNothingThatTheServerTakes makes up rules, rows, what the
// server has by now, people and writes.
func TestAGuardRefusesNothingThatTheServerTakes(t *testing.T) {
	r := dice.New(t)
	early, late, taken := 0, 0, 0
	for range dice.Times(150) {
		w := newTrial(t, r)
		for range 25 {
			w.rows()
			who := w.of("ann", "bob", "1", "a")
			known := who
			if w.IntN(5) == 0 {
				known = ""
			}
			must(t, w.desk.db.Run("UPDATE _tm_meta SET v = ?1", tidemark.Text(known)))
			must(t, capture.Clear(w.desk.db, capture.Main))
			sql, op := w.statement()
			c := w.change(sql, op)
			err := w.desk.db.Transaction(func() error {
				if err := w.desk.db.Script(sql); err != nil {
					return err
				}
				return errUndo
			})
			v := lite.Violation(err)
			refused := v != nil && v.Code == tidemark.CodeForbidden
			if c == nil {
				if refused {
					t.Fatalf("a write of nothing was refused: %s: %v\n%+v", sql, v, w.rules)
				}
				continue
			}
			switch nothing, denied := w.judged(c, who); {
			case nothing:
			case refused && !denied:
				t.Fatalf("%s of %s was refused, the server takes it: %v\n%+v\n%+v", sql, who, v, w.rules, w.desk.schema.Guards)
			case refused:
				early++
			case denied:
				late++
			default:
				taken++
			}
		}
		for _, db := range []*lite.DB{w.desk.db, w.plain, w.server} {
			_ = db.Close()
		}
	}
	t.Logf("%d refused at once, %d by the server alone, %d taken", early, late, taken)
	if early == 0 || late == 0 || taken == 0 {
		t.Error("this tried nothing")
	}
}
