package rules

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// The parameters of every query, in this order; a row's key follows.
var parameters = []string{"user", "claims", "now"}

// expression is a piece of SQL made ready to stand in a query.
type expression struct {
	sql      string
	old, new bool // which rows it mentions
	params   int  // the highest parameter that it has
}

// express replaces parameters and finds out what an expression mentions.
func express(sql string) (expression, error) {
	var e expression
	if err := Closed(sql); err != nil {
		return e, err
	}
	toks := schema.Lex(sql)
	var b strings.Builder
	end := 0
	for i, t := range toks {
		next := func(n int) string {
			if i+n < len(toks) {
				return toks[i+n].Text
			}
			return ""
		}
		switch {
		case t.Kind == schema.LexWord && strings.HasPrefix(t.Text, "$"), t.Text == "?" && t.Kind == schema.LexSign, t.Text == "@" && t.Kind == schema.LexSign:
			return e, fmt.Errorf("%s%s is no parameter here: there are :user, :claims and :now", t.Text, map[bool]string{true: next(1)}[t.Text == "@"])
		case t.Kind == schema.LexSign && t.Text == ":":
			n := parameter(next(1))
			if n == 0 {
				return e, fmt.Errorf(":%s is no parameter here: there are :user, :claims and :now", next(1))
			}
			b.WriteString(sql[end:t.Start] + "?" + strconv.Itoa(n))
			e.params = max(e.params, n)
			end = toks[i+1].End
		case t.Kind == schema.LexWord && next(1) == "." && (i == 0 || toks[i-1].Text != "."):
			e.old = e.old || strings.EqualFold(t.Text, "old")
			e.new = e.new || strings.EqualFold(t.Text, "new")
		case t.Kind == schema.LexWord && dates[strings.ToLower(t.Text)] && next(1) == "(":
			if args, last := arguments(sql, toks, i+1); last > i && asksTheTime(args) {
				return e, fmt.Errorf("%s asks the machine for the time: use :now, which is in milliseconds: %s(:now / 1000, 'unixepoch')", t.Text, t.Text)
			}
		}
	}
	e.sql = b.String() + sql[end:]
	return e, nil
}

func parameter(name string) int {
	for i, p := range parameters {
		if tidemark.SameName(p, name) {
			return i + 1
		}
	}
	return 0
}

// dates are the functions that read the clock when they are asked to.
var dates = map[string]bool{"date": true, "time": true, "datetime": true, "julianday": true, "unixepoch": true, "strftime": true, "timediff": true}

func asksTheTime(args []string) bool {
	if len(args) == 0 || len(args) == 1 && args[0] == "" {
		return true
	}
	for _, a := range args {
		if strings.EqualFold(a, "'now'") {
			return true
		}
	}
	return len(args) == 1 && strings.HasPrefix(args[0], "'%") // strftime of nothing but a format
}

// forbidden are functions that say another thing each time, or of the connection.
var forbidden = map[string]bool{
	"random": true, "randomblob": true, "load_extension": true, "current_time": true, "current_date": true, "current_timestamp": true,
	"changes": true, "total_changes": true, "last_insert_rowid": true,
}

// rowTables are the TEMP tables of one table's rows.
type rowTables struct{ old, new string }

func rowTablesOf(t *tidemark.Table) rowTables {
	n := strconv.Itoa(t.ID)
	return rowTables{"_tm_old_" + n, "_tm_new_" + n}
}

// makeRowTables makes them anew. A default that cannot stand there is left out.
func makeRowTables(db *lite.DB, t *tidemark.Table) error {
	err := makeRows(db, t, true)
	if err != nil && !lite.Environment(err) {
		err = makeRows(db, t, false)
	}
	return err
}

func makeRows(db *lite.DB, t *tidemark.Table, defaults bool) error {
	names := rowTablesOf(t)
	for _, name := range []string{names.old, names.new} {
		if err := db.Run("DROP TABLE IF EXISTS temp." + name); err != nil {
			return err
		}
		if err := db.Run("CREATE TEMP TABLE " + name + " (_tm_one INTEGER PRIMARY KEY" + Definitions(t, defaults) + ") WITHOUT ROWID"); err != nil {
			return err
		}
	}
	return nil
}

// Definitions defines columns that hold and compare values as those of a table do,
// each behind a comma.
func Definitions(t *tidemark.Table, defaults bool) string {
	var b strings.Builder
	for i := range t.Columns {
		c := &t.Columns[i]
		b.WriteString(", " + lite.Quote(c.Name) + " " + affinities[c.Affinity])
		if c.Collation != "" {
			b.WriteString(" COLLATE " + c.Collation)
		}
		if c.Default != "" && defaults {
			b.WriteString(" DEFAULT (" + c.Default + "\n)")
		}
	}
	return b.String()
}

var affinities = map[tidemark.Affinity]string{
	tidemark.AffinityBlob: "BLOB", tidemark.AffinityText: "TEXT", tidemark.AffinityNumeric: "NUMERIC",
	tidemark.AffinityInteger: "INTEGER", tidemark.AffinityReal: "REAL",
}

// put fills a TEMP table with a row. What the row lacks takes its default.
func put(db *lite.DB, t *tidemark.Table, name string, values []tidemark.Value) error {
	var b strings.Builder
	b.WriteString("REPLACE INTO temp." + name + " (_tm_one")
	for i := range values {
		b.WriteString(", " + lite.Quote(t.Columns[i].Name))
	}
	b.WriteString(") VALUES (1")
	for i := range values {
		b.WriteString(", ?" + strconv.Itoa(i+1))
	}
	return db.Run(b.String()+")", values...)
}

// question is what is asked of one expression and one change.
type question struct {
	sql      string // with OLD as it stands in its table
	parked   string // with OLD in its TEMP table
	old, new bool
	params   int   // how many of the parameters it takes, when it is not asked for a key
	reads    reads // beside OLD and NEW
}

// reads are the columns that a query reads, by folded names of tables.
type reads map[string]map[string]bool

// ask makes the question whether an expression is true of a change, or with
// value what it is.
func ask(t *tidemark.Table, e expression, value bool) question {
	q := question{old: e.old, new: e.new, params: e.params}
	head := "SELECT ((" + e.sql + "\n) IS TRUE)"
	if value {
		head = "SELECT (" + e.sql + "\n)"
	}
	names := rowTablesOf(t)
	from, where := []string{}, ""
	if e.new {
		from = append(from, "temp."+names.new+" AS NEW")
	}
	if e.old {
		q.parked = head + " FROM " + strings.Join(append(from, "temp."+names.old+" AS OLD"), ", ")
		from = append(from, "main."+lite.Quote(t.Name)+" AS OLD")
		where = " WHERE " + qualified(t, len(parameters)+1)
	}
	q.sql = head
	if len(from) > 0 {
		q.sql += " FROM " + strings.Join(from, ", ") + where
	}
	return q
}

// qualified is row.WhereKey for OLD.
func qualified(t *tidemark.Table, first int) string {
	parts := make([]string, len(t.Key))
	for i, c := range t.Key {
		parts[i] = "OLD." + lite.Quote(t.Columns[c].Name) + " = ?" + strconv.Itoa(first+i)
	}
	return strings.Join(parts, " AND ")
}

// vet compiles an expression within the bounds of a rule, and returns what it
// reads. Each row stands in it twice, so that a column that is named without its
// row is ambiguous, also where a sub-query meant one of its own tables'.
func vet(db *lite.DB, s *tidemark.Schema, t *tidemark.Table, e expression, rows ...string) (reads, error) {
	names := rowTablesOf(t)
	var from []string
	for _, r := range rows {
		name := names.new
		if r == "OLD" {
			name = names.old
		}
		from = append(from, "temp."+name+" AS "+r, "temp."+name+" AS _tm_twin_"+r)
	}
	sql := "SELECT ((" + e.sql + "\n) IS TRUE)"
	if len(from) > 0 {
		sql += " FROM " + strings.Join(from, ", ")
	}
	found, err := within(db, s, sql, "a rule", names)
	if err != nil {
		err = explain(t, err)
	}
	return found, err
}

// refusal says what a query must not do.
type refusal string

func (r refusal) Error() string { return string(r) }

// within compiles a query that may read the space's tables and those of rows,
// and returns what it reads beside these. who names it for people.
func within(db *lite.DB, s *tidemark.Schema, sql, who string, rows rowTables) (reads, error) {
	found := reads{}
	var refused string
	err := db.CompileWithin(sql, func(w lite.Want) bool {
		switch w.Kind {
		case lite.WantSelect, lite.WantRecursion:
			return true
		case lite.WantFunction:
			if !forbidden[strings.ToLower(w.Function)] && !Own(w.Function) {
				return true
			}
			refused = fmt.Sprintf("%s must not call %s: it would not say the same each time", who, w.Function)
			return false
		case lite.WantRead:
			if rows.old != "" && (w.Table == rows.old || w.Table == rows.new) {
				return true
			}
			if readable(s, w) {
				found.add(w.Table, w.Column)
				return true
			}
			refused = fmt.Sprintf("%s must not read %s: there are the tables and views of this database", who, w.Table)
			return false
		}
		refused = who + " only reads"
		return false
	})
	if err != nil && refused != "" {
		err = refusal(refused)
	}
	return found, err
}

func (r reads) add(table, column string) {
	table = schema.Fold(table)
	if r[table] == nil {
		r[table] = map[string]bool{}
	}
	if column != "" {
		r[table][schema.Fold(column)] = true
	}
}

// readable reports whether a rule may read a table. A table of which no column
// is read may also be the name of a common table expression.
func readable(s *tidemark.Schema, w lite.Want) bool {
	name := schema.Fold(w.Table)
	switch {
	case Own(name) || strings.HasPrefix(name, "pragma_") || name == "dbstat" || w.Schema == "temp":
		return false
	case name == "json_each" || name == "json_tree" || w.Column == "":
		return true
	}
	for _, o := range s.Objects {
		if (o.Type == "table" || o.Type == "view") && schema.Fold(o.Name) == name {
			return true
		}
	}
	return s.Named(w.Table) != nil
}

// explain says for a person why an expression does not compile.
func explain(t *tidemark.Table, err error) error {
	var refused refusal
	if errors.As(err, &refused) {
		return err
	}
	msg := plain(err)
	if i := strings.Index(msg, "\n"); i > 0 {
		msg = msg[:i]
	}
	if rest, ok := strings.CutPrefix(msg, "ambiguous column name: "); ok && t != nil && t.Place(rest) >= 0 {
		return fmt.Errorf("%s may be a column of the row that is judged or of another: write NEW.%s, OLD.%s or TABLE.%s", rest, rest, rest, rest)
	}
	return fmt.Errorf("%s", msg)
}
