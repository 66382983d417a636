package scope

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// world is a random database with a random declaration.
type world struct {
	t   *testing.T
	r   *rand.Rand
	sql []string // everything that made it
	db  *lite.DB
	s   *tidemark.Schema
	d   *tidemark.Scopes
	p   *Plan
}

var (
	uglyNames = []string{"plain", "select", "a b", `x"y`, "it's", "Ünï", "a.b", "1st", "[z]", "ROW", "main", "_tm", "k", "--", "/*"}
	types     = []string{"", "INTEGER", "TEXT", "REAL", "NUMERIC", "TEXT COLLATE NOCASE", "TEXT COLLATE RTRIM", "BLOB", "INT COLLATE NOCASE"}
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func (w *world) run(sql string) error {
	err := w.db.Script(sql)
	if err == nil {
		w.sql = append(w.sql, sql)
	}
	return err
}

func newWorld(t *testing.T, r *rand.Rand) *world {
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	w := &world{t: t, r: r, db: db}
	must(t, db.SetForeignKeys(false))
	names := slices.Clone(uglyNames)
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var targets [][]target
	for i := range 2 + r.IntN(3) {
		targets = append(targets, w.table(names[i], targets))
	}
	w.s, _, err = schema.Inspect(db, nil)
	must(t, err)
	for range 12 * len(w.s.Tables) {
		w.insert()
	}
	w.declare()
	return w
}

// target is what a foreign key can point at.
type target struct {
	table   string
	columns []string
}

// table makes a table with foreign keys to those before it and to itself.
func (w *world) table(name string, others [][]target) []target {
	r := w.r
	q := lite.Quote
	parts, own := []string{}, []target{}
	tail := ""
	switch r.IntN(4) {
	case 0:
		parts, own = append(parts, "id INTEGER PRIMARY KEY"), append(own, target{name, []string{"id"}})
	case 1:
		parts, own = append(parts, `"the key" `+pick(r, types)+" NOT NULL PRIMARY KEY"), append(own, target{name, []string{"the key"}})
	case 2:
		parts = append(parts, "k1 "+pick(r, types)+" NOT NULL", "k2 "+pick(r, types)+" NOT NULL")
		own = append(own, target{name, []string{"k1", "k2"}}, target{name, []string{"k2", "k1"}})
		tail = ", PRIMARY KEY (k1, k2)"
	default:
		parts = append(parts, `"the key" `+pick(r, types)+" NOT NULL")
		own, tail = append(own, target{name, []string{"the key"}}), `, PRIMARY KEY ("the key")`
	}
	parts = append(parts, "u "+pick(r, types)+" UNIQUE", "c "+pick(r, types), "flag INTEGER", "g AS (flag + 1)")
	own = append(own, target{name, []string{"u"}})
	others = append(slices.Clone(others), own)
	for i := range 1 + r.IntN(2) {
		to := pick(r, pick(r, others))
		var from []string
		for j := range to.columns {
			column := fmt.Sprintf("f%d %d", i, j)
			parts, from = append(parts, q(column)+" "+pick(r, types)), append(from, q(column))
		}
		var columns []string
		for _, c := range to.columns {
			columns = append(columns, q(c))
		}
		tail += fmt.Sprintf(", FOREIGN KEY (%s) REFERENCES %s (%s)", strings.Join(from, ", "), q(to.table), strings.Join(columns, ", "))
	}
	end := ")"
	if r.IntN(3) == 0 {
		end = ") WITHOUT ROWID"
	}
	must(w.t, w.run("CREATE TABLE "+q(name)+" ("+strings.Join(parts, ", ")+tail+end))
	for _, c := range []string{"f0 0", "f1 0"} {
		if r.IntN(2) == 0 {
			_ = w.run("CREATE INDEX " + q("i "+name+c) + " ON " + q(name) + " (" + q(c) + ")") // where there is such a column
		}
	}
	return own
}

var values = []tidemark.Value{
	tidemark.Null, tidemark.Int(1), tidemark.Int(2), tidemark.Int(3), tidemark.Real(1), tidemark.Real(2.5), tidemark.Text("1"), tidemark.Text("01"), tidemark.Text("1.0"),
	tidemark.Text("a"), tidemark.Text("A"), tidemark.Text("a "), tidemark.Text(""), tidemark.Text("2"), tidemark.Blob([]byte("1")), tidemark.Blob([]byte("a")),
}

// insert tries to insert a row; constraints may be in the way. Most of its
// references lead to rows that are there.
func (w *world) insert() {
	t := pick(w.r, w.s.Tables)
	literals := make([]string, len(t.Columns))
	for i := range literals {
		literals[i] = lite.Literal(pick(w.r, values))
	}
	for _, fk := range t.ForeignKeys {
		if parent := w.some(w.s.Named(fk.Parent)); parent != nil && w.r.IntN(5) > 0 {
			for i, c := range fk.Columns {
				literals[c] = lite.Literal(w.likely(parent[w.s.Named(fk.Parent).Place(fk.To[i])]))
			}
		}
	}
	_ = w.run("INSERT INTO " + lite.Quote(t.Name) + " (" + row.Columns(t) + ") VALUES (" + strings.Join(literals, ", ") + ")")
}

// likely is what a child may hold that refers to a value: mostly that value,
// sometimes in another form.
func (w *world) likely(v tidemark.Value) tidemark.Value {
	switch {
	case w.r.IntN(4) > 0 || v.IsNull() || v.Kind() == tidemark.KindBlob:
		return v
	case v.Kind() == tidemark.KindText:
		return tidemark.Text(strings.ToUpper(v.Str()))
	}
	return tidemark.Text("0" + text(v))
}

// some returns a row of a table, or nil.
func (w *world) some(t *tidemark.Table) []tidemark.Value {
	r, err := w.db.Get("SELECT " + row.Columns(t) + " FROM " + lite.Quote(t.Name) + " ORDER BY " + row.OrderByKey(t) + fmt.Sprintf(" LIMIT 1 OFFSET %d", w.r.IntN(5)))
	must(w.t, err)
	return r
}

// declare makes up kinds of scopes.
func (w *world) declare() {
	w.d = &tidemark.Scopes{}
	for i := range 1 + w.r.IntN(3) {
		k := tidemark.Scope{Name: fmt.Sprintf("kind-%d", i), Keyed: w.r.IntN(5) > 0, Grant: tidemark.GrantNone}
		if !k.Keyed && w.r.IntN(2) == 0 {
			k.Grant = tidemark.GrantPublic
		}
		for _, t := range w.s.Tables {
			if w.r.IntN(5) == 0 {
				continue
			}
			m := tidemark.Member{Table: t.Name}
			if w.r.IntN(4) == 0 {
				m.Where = "flag <> 1"
			}
			for at := t; k.Keyed; {
				if len(m.Path) == 3 || len(at.ForeignKeys) == 0 || w.r.IntN(2) == 0 {
					m.Path = append(m.Path, pick(w.r, at.Columns).Name)
					break
				}
				fk := pick(w.r, at.ForeignKeys)
				m.Path = append(m.Path, at.Columns[pick(w.r, fk.Columns)].Name)
				at = w.s.Named(fk.Parent)
			}
			k.Members = append(k.Members, m)
		}
		w.d.List = append(w.d.List, k)
	}
	var misfits []Misfit
	w.p, misfits = Fit(w.s, w.d)
	if len(misfits) > 0 {
		w.t.Fatalf("%v\n%s", misfits, strings.Join(w.sql, ";\n"))
	}
}

// place names a row: its table and its key.
type place struct {
	table int
	key   string
}

// walk finds the scopes of every row in Go alone: it goes from row to row.
func (w *world) walk() map[place][]string {
	rows := map[int][][]tidemark.Value{}
	for _, t := range w.s.Tables {
		must(w.t, w.db.Each("SELECT "+row.Columns(t)+" FROM "+lite.Quote(t.Name), func(s *lite.Stmt) error {
			rows[t.ID] = append(rows[t.ID], s.Row(0))
			return nil
		}))
	}
	out := map[place][]string{}
	for _, t := range w.s.Tables {
		for _, r := range rows[t.ID] {
			at := place{t.ID, t.KeyID(t.KeyOf(r))}
			out[at] = nil
			for _, k := range w.d.List {
				if s := w.scopeOf(rows, &k, t, r); s != "" {
					out[at] = append(out[at], s)
				}
			}
		}
	}
	return out
}

func (w *world) scopeOf(rows map[int][][]tidemark.Value, k *tidemark.Scope, t *tidemark.Table, r []tidemark.Value) string {
	i := slices.IndexFunc(k.Members, func(m tidemark.Member) bool { return m.Table == t.Name })
	if i < 0 {
		return ""
	}
	m := k.Members[i]
	if flag := r[t.Place("flag")]; m.Where != "" && (flag.IsNull() || compare(flag, tidemark.Int(1), "BINARY")) {
		return ""
	}
	if !k.Keyed {
		return k.Name
	}
	for _, name := range m.Path[:len(m.Path)-1] {
		fk := t.ForeignKeys[slices.IndexFunc(t.ForeignKeys, func(f tidemark.ForeignKey) bool { return slices.Contains(f.Columns, t.Place(name)) })]
		parent := w.s.Named(fk.Parent)
		found := slices.IndexFunc(rows[parent.ID], func(p []tidemark.Value) bool {
			for j, c := range fk.Columns {
				to := &parent.Columns[parent.Place(fk.To[j])]
				if !compare(p[parent.Place(fk.To[j])], lend(r[c], to.Affinity), to.Collation) {
					return false
				}
			}
			return true
		})
		if found < 0 {
			return ""
		}
		t, r = parent, rows[parent.ID][found]
	}
	v := r[t.Place(m.Path[len(m.Path)-1])]
	if v.IsNull() {
		return ""
	}
	return k.Name + "/" + text(v)
}

func text(v tidemark.Value) string {
	switch v.Kind() {
	case tidemark.KindInt:
		return strconv.FormatInt(v.Int64(), 10)
	case tidemark.KindReal:
		s := strconv.FormatFloat(v.Float64(), 'g', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	case tidemark.KindBlob:
		return fmt.Sprintf("x%X", v.Str())
	}
	return v.Str()
}

// lend gives a value the affinity of a column, https://www.sqlite.org/datatype3.html section 3.
func lend(v tidemark.Value, a tidemark.Affinity) tidemark.Value {
	switch {
	case a == tidemark.AffinityBlob || v.IsNull() || v.Kind() == tidemark.KindBlob:
		return v
	case a == tidemark.AffinityText:
		return tidemark.Text(text(v))
	case v.Kind() == tidemark.KindText:
		if f, err := strconv.ParseFloat(strings.TrimSpace(v.Str()), 64); err == nil {
			return tidemark.Real(f)
		}
	}
	return v
}

// compare reports whether two values are equal under a collation.
func compare(a, b tidemark.Value, collation string) bool {
	number := func(v tidemark.Value) (float64, bool) {
		switch v.Kind() {
		case tidemark.KindInt:
			return float64(v.Int64()), true
		case tidemark.KindReal:
			return v.Float64(), true
		}
		return 0, false
	}
	x, isX := number(a)
	y, isY := number(b)
	switch {
	case isX && isY:
		return x == y
	case a.Kind() != b.Kind() || a.IsNull():
		return false
	case a.Kind() == tidemark.KindBlob:
		return bytes.Equal([]byte(a.Str()), []byte(b.Str()))
	case collation == "NOCASE":
		return strings.EqualFold(a.Str(), b.Str())
	case collation == "RTRIM":
		return strings.TrimRight(a.Str(), " ") == strings.TrimRight(b.Str(), " ")
	}
	return a == b
}

// all asks the plan's queries, each row twice: among all, and alone.
func (w *world) all() map[place][]string {
	out := map[place][]string{}
	for _, t := range w.s.Tables {
		must(w.t, w.db.Each("SELECT "+row.Columns(t)+" FROM "+lite.Quote(t.Name), func(s *lite.Stmt) error {
			out[place{t.ID, t.KeyID(t.KeyOf(s.Row(0)))}] = nil
			return nil
		}))
		pt := w.p.Tables[t.ID]
		if pt == nil {
			continue
		}
		must(w.t, w.db.Each(pt.All, func(s *lite.Stmt) error {
			r := s.Row(0)
			key := slices.Clone(r[:len(t.Key)])
			at := place{t.ID, t.KeyID(key)}
			out[at] = texts(r[len(t.Key):])
			one, err := w.db.Get(pt.One, key...)
			if got := texts(one); err != nil || !slices.Equal(got, out[at]) {
				w.fail("%s %v alone is in %v, among all in %v: %v", t.Name, key, got, out[at], err)
			}
			return nil
		}))
	}
	return out
}

func texts(row []tidemark.Value) (out []string) {
	for _, v := range row {
		if !v.IsNull() {
			out = append(out, v.Str())
		}
	}
	return out
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\n%s\n%+v", fmt.Sprintf(format, args...), strings.Join(w.sql, ";\n"), w.d)
}

func (w *world) same(got, want map[place][]string) {
	w.t.Helper()
	for at, scopes := range want {
		if !slices.Equal(got[at], scopes) {
			w.fail("table %s, row %q: the queries say %q, the walk %q", w.s.Table(at.table).Name, at.key, got[at], scopes)
		}
	}
	if len(got) != len(want) {
		w.fail("the queries say %d rows, the walk %d", len(got), len(want))
	}
}

// change does something to one row; constraints may be in the way.
func (w *world) change() {
	t := pick(w.r, w.s.Tables)
	if len(w.p.Steps[t.ID]) == 0 {
		t = pick(w.r, w.s.Tables) // rather one that others depend on
	}
	name, is := lite.Quote(t.Name), w.some(t)
	if is == nil || w.r.IntN(6) == 0 {
		w.insert()
		return
	}
	where := make([]string, len(t.Key))
	for i, c := range t.Key {
		where[i] = lite.Quote(t.Columns[c].Name) + " = " + lite.Literal(is[c])
	}
	if w.r.IntN(4) == 0 {
		must(w.t, w.run("DELETE FROM "+name+" WHERE "+strings.Join(where, " AND ")))
		return
	}
	c := w.r.IntN(len(t.Columns))
	if steps := w.p.Steps[t.ID]; len(steps) > 0 && w.r.IntN(4) > 0 {
		c = pick(w.r, pick(w.r, steps).Watch)
	}
	v := pick(w.r, values)
	for _, fk := range t.ForeignKeys {
		if i := slices.Index(fk.Columns, c); i >= 0 && w.r.IntN(4) > 0 {
			if parent := w.some(w.s.Named(fk.Parent)); parent != nil {
				v = w.likely(parent[w.s.Named(fk.Parent).Place(fk.To[i])])
			}
		}
	}
	_ = w.run("UPDATE " + name + " SET " + lite.Quote(t.Columns[c].Name) + " = " + lite.Literal(v) + " WHERE " + strings.Join(where, " AND "))
}

// rows reads all of them.
func (w *world) rows() map[place][]tidemark.Value {
	out := map[place][]tidemark.Value{}
	for _, t := range w.s.Tables {
		must(w.t, w.db.Each("SELECT "+row.Columns(t)+" FROM "+lite.Quote(t.Name), func(s *lite.Stmt) error {
			r := s.Row(0)
			out[place{t.ID, t.KeyID(t.KeyOf(r))}] = r
			return nil
		}))
	}
	return out
}

// dependants asks the steps of all rows that changed, and returns these as well.
func (w *world) dependants(before, after map[place][]tidemark.Value) (changed, found map[place]bool) {
	changed, found = map[place]bool{}, map[place]bool{}
	for _, rows := range []map[place][]tidemark.Value{before, after} {
		for at := range rows {
			if was, is := before[at], after[at]; !changed[at] && !slices.Equal(was, is) {
				changed[at] = true
				w.follow(at.table, was, is, found)
			}
		}
	}
	return changed, found
}

func (w *world) follow(table int, before, after []tidemark.Value, found map[place]bool) {
	for _, s := range w.p.Steps[table] {
		if before != nil && after != nil && !slices.ContainsFunc(s.Watch, func(c int) bool { return before[c] != after[c] }) {
			continue
		}
		for _, r := range [][]tidemark.Value{before, after} {
			var by []tidemark.Value
			for _, c := range s.By {
				if r != nil && !r[c].IsNull() {
					by = append(by, r[c])
				}
			}
			if len(by) < len(s.By) {
				continue
			}
			must(w.t, w.db.Each(s.SQL, func(st *lite.Stmt) error {
				found[place{s.Table.ID, s.Table.KeyID(st.Row(0))}] = true
				return nil
			}, by...))
		}
	}
}

// honoured makes sure that a row which a replica holds has the row that it
// refers to there, by every foreign key that is not loose.
func (w *world) honoured(scopes map[place][]string) (checked int) {
	for _, t := range w.s.Tables {
		for i, fk := range t.ForeignKeys {
			if slices.ContainsFunc(w.p.Loose, func(l Loose) bool { return l.Table == t && l.Key == i }) {
				continue
			}
			parent := w.s.Named(fk.Parent)
			h := hop{child: t, parent: parent, fk: i, from: fk.Columns}
			for _, name := range fk.To {
				h.to = append(h.to, parent.Place(name))
			}
			sql := "SELECT " + strings.Join(append(keyColumns("c", t), keyColumns("p", parent)...), ", ") + " FROM " + lite.Quote(t.Name) + " AS c JOIN " + lite.Quote(parent.Name) + " AS p ON " + refers(h, "p", "c")
			must(w.t, w.db.Each(sql, func(s *lite.Stmt) error {
				r := s.Row(0)
				child, up := place{t.ID, t.KeyID(r[:len(t.Key)])}, place{parent.ID, parent.KeyID(r[len(t.Key):])}
				for _, name := range scopes[child] {
					checked++
					if !slices.Contains(scopes[up], name) && !w.public(scopes[up]) {
						w.fail("%s %q is in %s, and the row of %s that it refers to is in %v", t.Name, child.key, name, parent.Name, scopes[up])
					}
				}
				return nil
			}))
		}
	}
	return checked
}

func (w *world) public(scopes []string) bool {
	return slices.ContainsFunc(scopes, func(name string) bool {
		k := w.p.Kind(name)
		return k != nil && k.Grant == tidemark.GrantPublic
	})
}

// TestQueriesAgreeWithAWalk compares membership, what depends on changes, and which
// foreign keys hold, with rows that are followed one by one.
func TestQueriesAgreeWithAWalk(t *testing.T) {
	r := dice.New(t)
	moved, kept := 0, 0
	for range dice.Times(150) {
		w := newWorld(t, r)
		scopes, rows := w.walk(), w.rows()
		w.same(w.all(), scopes)
		for range 10 {
			for range 1 + r.IntN(3) {
				w.change()
			}
			now, after := w.walk(), w.rows()
			w.same(w.all(), now)
			changed, found := w.dependants(rows, after)
			for at, is := range now {
				if was := scopes[at]; !changed[at] && !slices.Equal(was, is) {
					if moved++; !found[at] {
						w.fail("row %q of %s went from %v to %v, and no step found it", at.key, w.s.Table(at.table).Name, was, is)
					}
				}
			}
			scopes, rows = now, after
			kept += w.honoured(scopes)
		}
	}
	if least := dice.Times(50); moved < least || kept < least {
		t.Errorf("only %d rows followed another one, and %d references were honoured", moved, kept)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
