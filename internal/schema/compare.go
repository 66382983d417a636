package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// Compare finds what changed from one schema to the next. A table that changed
// in a way that cannot travel yet comes out in Out.
func Compare(from, to *tidemark.Schema) *Move {
	m := &Move{}
	for _, f := range from.Tables {
		if f.Out == "" {
			compareTable(m, f, to)
		}
	}
	for _, t := range to.Tables {
		if t.Out == "" && from.Table(t.ID) == nil {
			m.Added = append(m.Added, t)
		}
	}
	compareObjects(m, from, to)
	return m
}

func compareTable(m *Move, f *tidemark.Table, to *tidemark.Schema) {
	t := to.Table(f.ID)
	switch {
	case t == nil:
		m.out(f, missing(f, to))
	case t.Out != "":
		m.out(f, t.Out)
	case t.SQL == f.SQL && sameShape(f, t):
	default:
		defs, reason := widening(f, t)
		if reason != "" {
			m.out(f, reason)
			return
		}
		m.Widened = append(m.Widened, Widened{From: f, To: t, Defs: defs})
	}
	if t != nil && t.Out == "" && !samePolicies(f, t) {
		m.Policies = append(m.Policies, t)
	}
}

// samePolicies compares by what rules the columns that both tables have merge.
func samePolicies(f, t *tidemark.Table) bool {
	if f.Policy != t.Policy {
		return false
	}
	for i := range min(len(f.Columns), len(t.Columns)) {
		a, b := &f.Columns[i], &t.Columns[i]
		if a.Policy != b.Policy || a.Custom != b.Custom || a.Group != b.Group {
			return false
		}
	}
	return slices.EqualFunc(f.ForeignKeys, t.ForeignKeys, func(a, b tidemark.ForeignKey) bool { return a.SetNull == b.SetNull })
}

// bare is a column without the rules by which it merges: these may change at
// any time, the column stays the same.
func bare(c tidemark.Column) tidemark.Column {
	c.Policy, c.Custom, c.Group = "", "", ""
	return c
}

func (m *Move) out(t *tidemark.Table, reason string) {
	m.Out = append(m.Out, Out{Table: t, Reason: reason})
}

// again says how a table that left comes back.
const again = "To sync it again, detach the served file, serve it anew and clone again."

func missing(f *tidemark.Table, to *tidemark.Schema) string {
	for _, o := range to.Objects {
		if o.Type == "table" && tidemark.SameName(o.Name, f.Name) {
			return "table " + f.Name + " was recreated in a form that cannot sync. Run tidemark check to see why. " + again
		}
	}
	return "table " + f.Name + " was dropped or renamed. " + again
}

// widening derives the column definitions that turn one table into the other,
// or says why none do.
func widening(f, t *tidemark.Table) (defs []string, reason string) {
	other := func(what string) string {
		return fmt.Sprintf("table %s changed: %s. Only columns added with ALTER TABLE ADD COLUMN can travel. %s", f.Name, what, again)
	}
	if len(t.Columns) < len(f.Columns) {
		return nil, other("it has fewer columns")
	}
	for i, c := range f.Columns {
		if bare(c) != bare(t.Columns[i]) {
			return nil, other("column " + c.Name + " is not what it was")
		}
	}
	if !slices.Equal(f.Key, t.Key) || f.WithoutRowid != t.WithoutRowid || f.Strict != t.Strict || f.RowidAlias != t.RowidAlias {
		return nil, other("it has another primary key or another kind of storage")
	}
	for _, c := range t.Columns[len(f.Columns):] {
		if c.NotNull && (c.Default == "" || strings.EqualFold(c.Default, "NULL")) {
			return nil, other("the new column " + c.Name + " is NOT NULL and has no default")
		}
	}
	defs, ok := added(f.SQL, t.SQL)
	if !ok || !alters(f, t, defs) {
		return nil, other("its definition was rewritten")
	}
	return defs, ""
}

// added finds the definitions that stand in to and not in from, all together
// in one place, with everything around them untouched.
func added(from, to string) (defs []string, ok bool) {
	ft, tt := tokens(from), tokens(to)
	fl, ok1 := listAt(from, ft, 0)
	tl, ok2 := listAt(to, tt, 0)
	if !ok1 || !ok2 || len(tl.parts) < len(fl.parts) ||
		from[:ft[fl.open].start] != to[:tt[tl.open].start] || from[ft[fl.close].end:] != to[tt[tl.close].end:] {
		return nil, false
	}
	i := 0
	for i < len(fl.parts) && fl.parts[i] == tl.parts[i] {
		i++
	}
	k := len(tl.parts) - len(fl.parts)
	if !slices.Equal(fl.parts[i:], tl.parts[i+k:]) {
		return nil, false
	}
	return tl.parts[i : i+k], true
}

// alters asks SQLite itself whether these definitions, added one after the
// other, turn the old text into the new one, also where the table has rows.
func alters(f, t *tidemark.Table, defs []string) bool {
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	if err != nil {
		return false
	}
	defer func() { _ = db.Close() }()
	if db.AllowQuotedStrings() != nil || db.Script(f.SQL) != nil {
		return false
	}
	for _, def := range defs {
		if err := db.Script("ALTER TABLE " + lite.Quote(f.Name) + " ADD COLUMN " + def); err != nil {
			return false
		}
	}
	sql, err := db.Text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?1", tidemark.Text(f.Name))
	return err == nil && sql == t.SQL && constant(db, t.Columns[len(f.Columns):])
}

// constant tries the defaults on a table that has a row: there SQLite wants a
// value, not something to compute.
func constant(db *lite.DB, columns []tidemark.Column) bool {
	if err := db.Script("CREATE TEMP TABLE _tm_probe(a); INSERT INTO _tm_probe VALUES(1)"); err != nil {
		return false
	}
	for i, c := range columns {
		if c.Default == "" {
			continue
		}
		def := fmt.Sprintf("ALTER TABLE _tm_probe ADD COLUMN c%d DEFAULT (%s)", i, c.Default)
		if err := db.Script(def); err != nil {
			return false
		}
	}
	return true
}

// sameShape compares what the engine goes by, for a table whose text is the same.
func sameShape(f, t *tidemark.Table) bool {
	same := func(a, b tidemark.Column) bool { return bare(a) == bare(b) }
	return slices.EqualFunc(f.Columns, t.Columns, same) && slices.Equal(f.Key, t.Key)
}

// compareObjects finds what is new beside the tables that sync.
func compareObjects(m *Move, from, to *tidemark.Schema) {
	was := map[[2]string]string{}
	for _, o := range from.Objects {
		was[objectName(o)] = o.SQL
	}
	is := map[[2]string]bool{}
	for _, o := range to.Objects {
		is[objectName(o)] = true
		if o.Type == "table" && to.Named(o.Name) != nil {
			continue
		}
		sql, known := was[objectName(o)]
		switch {
		case !known:
			m.Objects = append(m.Objects, o)
		case sql != o.SQL && o.Type != "table":
			m.Changed = append(m.Changed, o)
		}
	}
	for _, o := range from.Objects {
		if !is[objectName(o)] && o.Type != "table" {
			m.Dropped = append(m.Dropped, o)
		}
	}
}

func objectName(o tidemark.Object) [2]string { return [2]string{o.Type, lower(o.Name)} }
