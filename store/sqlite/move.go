package sqlite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// moved is what a look at the schema found.
type moved struct {
	report  *tidemark.SchemaMove
	compare []*tidemark.Table // tables whose rows may have changed without capture
}

// moveSchema notices DDL that another program ran, and follows it: new tables
// get numbers, widened ones the cells of the new columns, tables that changed in
// any other way leave. Capture is made anew.
func (x *tx) moveSchema() (moved, error) {
	var m moved
	all, err := meta.Int(x.db, keyScrub)
	if err != nil {
		return m, err
	}
	same, err := sameDDL(x.db)
	if err != nil {
		return m, err
	}
	if !same {
		if m, err = x.follow(); err != nil {
			return m, err
		}
	} else if x.s.relook.Load() {
		if m.report, err = x.movePolicies(); err != nil {
			return m, err
		}
	}
	if all == 0 {
		return m, nil
	}
	m.compare = m.compare[:0]
	for _, t := range x.schema.Tables {
		if t.Out == "" {
			m.compare = append(m.compare, t)
		}
	}
	return m, meta.SetInt(x.db, keyScrub, 0)
}

func (x *tx) follow() (moved, error) {
	var m moved
	from := x.schema
	// TEMP triggers made for the tables as they were would stand in the way.
	if err := x.s.strip(); err != nil {
		return m, err
	}
	to, left, err := x.inspect(from)
	if err != nil {
		return m, err
	}
	diff := schema.Compare(from, to)
	to.Hash = schema.HashOf(to)
	if m.compare, err = x.reinstall(to); err != nil {
		return m, err
	}
	if to.Hash == from.Hash && len(left) == 0 {
		m.compare = sameTables(from, m.compare)
		return m, nil
	}
	m.report = &tidemark.SchemaMove{Schema: to, Out: left}
	for _, t := range diff.Added {
		m.report.Added = append(m.report.Added, t.Name)
	}
	for i := range diff.Widened {
		w := &diff.Widened[i]
		m.report.Widened = append(m.report.Widened, w.To.Name)
		if err := x.widen(w); err != nil {
			return m, err
		}
	}
	if err := x.moveScopes(from, to); err != nil {
		return m, err
	}
	x.schema = to
	x.s.forgetJudge()
	return m, nil
}

// reinstall makes capture for a schema and returns the tables that were without
// it, or had another: new ones, and those where a program took a trigger off,
// or dropped the table and made the same one again. Their rows are compared.
func (x *tx) reinstall(to *tidemark.Schema) ([]*tidemark.Table, error) {
	before, err := x.captureOf()
	if err != nil {
		return nil, err
	}
	if err := install(x.db, to); err != nil {
		return nil, err
	}
	after, err := x.captureOf()
	if err != nil {
		return nil, err
	}
	var changed []*tidemark.Table
	for _, t := range to.Tables {
		if t.Out == "" && before[tidemark.FoldName(t.Name)] != after[tidemark.FoldName(t.Name)] {
			changed = append(changed, t)
		}
	}
	return changed, nil
}

// captureOf reads the text of the capture triggers by table.
func (x *tx) captureOf() (map[string]string, error) {
	all := map[string]string{}
	err := x.db.Each("SELECT lower(tbl_name), sql FROM main.sqlite_master WHERE type = 'trigger' AND substr(name, 1, 4) = '_tm_' ORDER BY name",
		func(s *lite.Stmt) error {
			all[s.Text(0)] += s.Text(1) + ";"
			return nil
		})
	return all, err
}

// sameTables finds tables in a schema that is still the one in use.
func sameTables(s *tidemark.Schema, tables []*tidemark.Table) []*tidemark.Table {
	for i, t := range tables {
		tables[i] = s.Table(t.ID)
	}
	return tables
}

// inspect reads the schema and settles which tables are out: those that were,
// and those that changed in a way that cannot travel. They keep the shape in
// which they left. left names the ones that leave now, and new tables that
// cannot come in.
func (x *tx) inspect(from *tidemark.Schema) (*tidemark.Schema, map[string]string, error) {
	ids, err := capture.IDs(x.db)
	if err != nil {
		return nil, nil, err
	}
	to, _, err := schema.Inspect(x.db, ids)
	if err != nil {
		return nil, nil, err
	}
	left := map[string]string{}
	for _, out := range schema.Compare(from, to).Out {
		if from.Table(out.Table.ID).Out == "" {
			left[out.Table.Name] = out.Reason
		}
	}
	for _, t := range from.Tables {
		reason := t.Out
		if reason == "" {
			reason = left[t.Name]
		}
		if reason != "" {
			gone := *t
			gone.Out = reason
			to.Tables = append(slices.DeleteFunc(to.Tables, func(u *tidemark.Table) bool { return u.ID == t.ID }), &gone)
		}
	}
	if err := x.barViolators(from, to, left); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(to.Tables, func(a, b *tidemark.Table) int { return a.ID - b.ID })
	if x.s == nil {
		return keepPolicies(from, to), left, nil
	}
	return x.s.declaredLater(to), left, nil
}

// barViolators keeps new tables out whose rows break their own constraints.
// They have no number yet, so they come in when the schema moves again.
func (x *tx) barViolators(from, to *tidemark.Schema, left map[string]string) error {
	fresh := &tidemark.Schema{Objects: to.Objects}
	for _, t := range to.Tables {
		if from.Table(t.ID) == nil {
			fresh.Tables = append(fresh.Tables, t)
		}
	}
	if len(fresh.Tables) == 0 {
		return nil
	}
	bad, err := schema.Violations(x.db, fresh, 100)
	if err != nil {
		return err
	}
	for _, v := range bad {
		if left[v.Table] != "" {
			continue
		}
		left[v.Table] = fmt.Sprintf("row %s breaks %s: %s. Repair the rows and change the schema once more.", v.KeyText, v.Constraint, v.Detail)
		to.Tables = slices.DeleteFunc(to.Tables, func(u *tidemark.Table) bool { return tidemark.SameName(u.Name, v.Table) })
	}
	return nil
}

// widen books the cells that ADD COLUMN gave every row of a table: the default.
// Rows that hold another value by now differ from that, and are found by comparing.
func (x *tx) widen(w *schema.Widened) error {
	first := len(w.From.Columns)
	cols := make([]int, 0, len(w.To.Columns)-first)
	for c := first; c < len(w.To.Columns); c++ {
		cols = append(cols, c)
	}
	if len(cols) == 0 {
		return nil // a generated column
	}
	values, err := x.defaultsAsStored(w.To, cols)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(values, func(v tidemark.Value) bool { return !v.IsNull() }) {
		return nil // NULL counts nothing
	}
	ids, err := x.liveKeys(w.To.ID)
	if err != nil {
		return err
	}
	for _, k := range ids {
		added := x.s.ledger.cells(w.To, k.id, cols, values, 1)
		hash := k.hash + added
		if err := x.widenInScopes(w.To, k.id, added); err != nil {
			return err
		}
		err := x.db.Run("UPDATE main._tm_row SET hash = ?3 WHERE t = ?1 AND key = ?2",
			tidemark.Int(int64(w.To.ID)), tidemark.BlobString(k.id), tidemark.Int(int64(hash)))
		if err != nil {
			return err
		}
	}
	return nil
}

// defaultsAsStored evaluates defaults with the columns' affinity, in a table made for it.
func (x *tx) defaultsAsStored(t *tidemark.Table, cols []int) ([]tidemark.Value, error) {
	parts := make([]string, len(cols))
	for i, c := range cols {
		parts[i] = fmt.Sprintf("c%d %s", i, t.Columns[c].Type)
		if d := t.Columns[c].Default; d != "" {
			parts[i] += " DEFAULT " + parenthesised(d)
		}
	}
	const name = "temp.tidemark_defaults"
	if err := x.db.Run("CREATE TABLE " + name + " (" + strings.Join(parts, ", ") + ")"); err != nil {
		return nil, err
	}
	if err := x.db.Run("INSERT INTO " + name + " DEFAULT VALUES"); err != nil {
		return nil, err
	}
	values, err := x.db.Get("SELECT * FROM " + name)
	if err != nil {
		return nil, err
	}
	return values, x.db.Run("DROP TABLE " + name)
}

func parenthesised(sql string) string {
	if strings.HasPrefix(sql, "(") {
		return sql
	}
	return "(" + sql + ")"
}

// install makes capture and the record of a schema, inside the transaction.
func install(db *lite.DB, to *tidemark.Schema) error {
	if err := capture.Install(db, capture.Main, unguarded(to), false); err != nil {
		return err
	}
	err := db.Run("INSERT OR REPLACE INTO main._tm_schema (hash, body) VALUES (?1, ?2)",
		tidemark.Text(to.Hash), tidemark.Text(string(schema.Encode(to))))
	if err != nil {
		return err
	}
	if err := meta.Set(db, meta.KeySchema, to.Hash); err != nil {
		return err
	}
	return rememberDDL(db)
}
