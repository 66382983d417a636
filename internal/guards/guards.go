// Package guards works out what of the rules a copy can check by itself: as
// triggers that refuse a write at once which the server would refuse later.
//
// Of makes them for a schema and its rules; they travel with the schema, and
// internal/capture makes and drops them with its own triggers. Checked says for
// people which parts of a rule they cover.
//
// # The promise
//
// A guard refuses nothing that the server might take for a reason which the copy
// does not see. So it looks at nothing but the row that is written and whose copy it
// is; and of the row only at what the server is going to see as well:
//
//   - OLD: columns that never change. What the copy holds of others may be stale.
//   - NEW: what the statement sets. A value that it leaves alone may be stale, one
//     that the server gives, merges or numbers anew will be another.
//   - A row that was written before in what is not sealed yet is left to the
//     server, which judges what became of it in all.
//
// # Caveats
//
// A guard judges each statement, as a CHECK does: in one transaction, a later one
// cannot make good what an earlier one must not do. It knows the rules that the
// copy heard of last, and not what somebody wrote past the rules into the
// served file. All SQL is that of SQLite 3.8, and is compiled here first.
package guards

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/ids"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/rules"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// refusal is one thing that a guard refuses.
type refusal struct {
	when string // SQL on OLD and NEW; 0 and NULL let pass
	why  string
	part string // of the rule, for people
}

// Cover says what copies check by themselves of the rule for one kind of change.
type Cover struct {
	Table string   `json:"table"`
	Rule  string   `json:"rule"` // rules.OnInsert, OnUpdate or OnDelete
	Parts []string `json:"parts"`
}

// maker makes the guards of one table.
type maker struct {
	t    *tidemark.Table
	r    *tidemark.TableRules
	ids  []int // columns with numbers that the server may give anew
	sets map[int]bool
	// reached are the columns that actions of foreign keys set, cascaded says that
	// they delete rows, and finished that triggers of the app write the table.
	reached            map[int]bool
	cascaded, finished bool
}

// Of makes the guards of a schema. Nil rules have none.
func Of(s *tidemark.Schema, r *tidemark.Rules) ([]tidemark.Guard, error) {
	list, _, err := made(s, r)
	return list, err
}

// Covered says what Of covers.
func Covered(s *tidemark.Schema, r *tidemark.Rules) ([]Cover, error) {
	_, covers, err := made(s, r)
	return covers, err
}

func made(s *tidemark.Schema, r *tidemark.Rules) (list []tidemark.Guard, covers []Cover, err error) {
	if r == nil {
		return nil, nil, nil
	}
	db, err := bench(s)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = db.Close() }()
	_, misfits, err := rules.New(db, s, r)
	if err != nil {
		return nil, nil, err
	}
	known := ids.Of(s)
	for _, t := range s.Tables {
		m := newMaker(s, r, t, known, misfits)
		if m == nil {
			continue
		}
		for _, op := range []tidemark.Op{tidemark.Insert, tidemark.Update, tidemark.Delete} {
			if slices.ContainsFunc(misfits, func(x rules.Misfit) bool { return x.Table == m.r.Table && x.What == verb(op) }) {
				continue // it is going to be mended
			}
			refusals := m.refusals(op)
			if len(refusals) == 0 {
				continue
			}
			if g := m.guard(op, refusals); compiles(db, t, g) {
				list, covers = append(list, g), append(covers, cover(t, op, refusals))
			}
		}
	}
	return list, covers, nil
}

func cover(t *tidemark.Table, op tidemark.Op, list []refusal) Cover {
	c := Cover{Table: t.Name, Rule: verb(op)}
	for _, r := range list {
		c.Parts = append(c.Parts, r.part)
	}
	return c
}

// newMaker looks at a table; nil when nothing of it is guarded.
func newMaker(s *tidemark.Schema, r *tidemark.Rules, t *tidemark.Table, known *ids.Columns, misfits []rules.Misfit) *maker {
	if t.Out != "" || t.Name == tidemark.ConflictsTable {
		return nil
	}
	tr := r.Of(t.Name)
	switch {
	case tr == nil && r.Public:
		return nil
	case tr == nil:
		tr = &tidemark.TableRules{Table: t.Name}
	}
	misfit := func(m rules.Misfit) bool {
		return m.Table == tr.Table && !slices.Contains([]string{rules.OnInsert, rules.OnUpdate, rules.OnDelete}, m.What)
	}
	if slices.ContainsFunc(misfits, misfit) {
		return nil // what the table's columns are is not clear
	}
	m := &maker{t: t, r: tr, ids: known.In(t), sets: map[int]bool{}, reached: map[int]bool{}, finished: finished(s, t)}
	for _, set := range tr.Set {
		m.sets[t.Place(set.Column)] = true
	}
	for i := range t.ForeignKeys {
		m.reach(&t.ForeignKeys[i])
	}
	return m
}

// reach notes what the actions of a foreign key do to rows of the table.
func (m *maker) reach(fk *tidemark.ForeignKey) {
	acts := func(action string) bool {
		return action != "" && !strings.EqualFold(action, "NO ACTION") && !strings.EqualFold(action, "RESTRICT")
	}
	if strings.EqualFold(fk.OnDelete, "CASCADE") {
		m.cascaded = true
	} else if !acts(fk.OnDelete) && !acts(fk.OnUpdate) && !fk.SetNull {
		return
	}
	if acts(fk.OnUpdate) || fk.SetNull || acts(fk.OnDelete) && !strings.EqualFold(fk.OnDelete, "CASCADE") {
		for _, c := range fk.Columns {
			m.reached[c] = true
		}
	}
}

// finished reports whether a trigger of the app speaks of the table in what it
// does: it may give rows of it other values when they have just been written.
func finished(s *tidemark.Schema, t *tidemark.Table) bool {
	return slices.ContainsFunc(s.Objects, func(o tidemark.Object) bool {
		if o.Type != "trigger" {
			return false
		}
		toks := schema.Lex(o.SQL)
		begin := slices.IndexFunc(toks, func(x schema.Lexeme) bool { return strings.EqualFold(x.Text, "BEGIN") })
		return slices.ContainsFunc(toks[max(begin, 0):], func(x schema.Lexeme) bool { return schema.Fold(x.Name) == schema.Fold(t.Name) })
	})
}

// guard makes the trigger for one kind of change.
func (m *maker) guard(op tidemark.Op, list []refusal) tidemark.Guard {
	var whens, steps []string
	for i, r := range list {
		if i > 0 && list[i-1].why == r.why {
			whens[len(whens)-1] += " OR (" + r.when + ")"
			continue
		}
		whens = append(whens, "("+r.when+")")
	}
	why := slices.CompactFunc(slices.Clone(list), func(a, b refusal) bool { return a.why == b.why })
	for i, when := range whens {
		message := lite.RefusedPrefix + why[i].why + lite.RefusedSuffix
		steps = append(steps, "SELECT RAISE(ABORT, "+lite.Literal(tidemark.Text(message))+") WHERE "+when+";")
	}
	name := capture.GuardPrefix + strconv.Itoa(m.t.ID) + "_" + verb(op)
	return tidemark.Guard{Table: m.t.ID, Name: name, SQL: "CREATE TRIGGER " + lite.Quote(name) +
		" AFTER " + strings.ToUpper(verb(op)) + " ON " + lite.Quote(m.t.Name) +
		" WHEN (" + strings.Join(whens, " OR ") + ") AND " + capture.Untouched(m.t, op) +
		" BEGIN " + strings.Join(steps, " ") + " END"}
}

// refusals lists what a guard refuses.
func (m *maker) refusals(op tidemark.Op) (list []refusal) {
	p := m.t.Policy
	switch {
	case op == tidemark.Insert && p.OnInsert == tidemark.InsertMerge, // it may become an update
		op == tidemark.Update && p.OnDelete == tidemark.UpdateWins, // or this an insert
		op == tidemark.Delete && m.cascaded:
		return nil
	}
	if op == tidemark.Update {
		list = m.constants()
	}
	condition := m.r.Condition(op)
	switch condition {
	case tidemark.RulePublic:
		return list
	case tidemark.RuleNone:
		if when := m.something(op); when != "" {
			list = append(list, refusal{when, "the rules allow nobody to " + verb(op) + " rows of " + m.t.Name, condition})
		}
		return list
	}
	for _, part := range Parts(condition) {
		if when, ok := m.check(op, part); ok {
			list = append(list, refusal{when, "the rules do not allow to " + verb(op) + " this row of " + m.t.Name, part})
		}
	}
	return list
}

// constants refuses changes of immutable columns.
func (m *maker) constants() (list []refusal) {
	for _, name := range m.r.Immutable {
		c := m.t.Place(name)
		if m.reached[c] || m.t.Policy.OnUnique != "" || !whole(m.t.PolicyOf(c)) {
			continue
		}
		when := m.changes(c)
		if m.sets[c] {
			when += " AND " + m.settled()
		}
		list = append(list, refusal{when, "column " + m.t.Columns[c].Name + " of " + m.t.Name + " cannot be changed", "immutable " + name})
	}
	return list
}

// something is true when a change writes anything, beside what an action of a
// foreign key may have written, and what the server is going to write itself.
func (m *maker) something(op tidemark.Op) string {
	if op != tidemark.Update {
		return "1"
	}
	var parts []string
	for c := range m.t.Columns {
		if !m.reached[c] && !m.sets[c] {
			parts = append(parts, m.changes(c))
		}
	}
	return anyOf(parts)
}

// anyOf joins conditions in a balanced way, since SQLite bounds the depth of an expression.
func anyOf(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	half := len(parts) / 2
	return "(" + anyOf(parts[:half]) + " OR " + anyOf(parts[half:]) + ")"
}

func (m *maker) changes(c int) string {
	q := lite.Quote(m.t.Columns[c].Name)
	return "OLD." + q + " IS NOT NEW." + q
}

// settled is true while nothing of the table waits for the server, so that each
// row is as the server knows it in the columns that never change.
func (m *maker) settled() string {
	return "NOT EXISTS (SELECT 1 FROM _tm_pending_row WHERE t = " + strconv.Itoa(m.t.ID) + ")"
}

// whole reports whether a policy stores values as they are written.
func whole(p tidemark.Policy) bool {
	switch p {
	case tidemark.PolicyLastWrite, tidemark.PolicyLatestEdit, tidemark.PolicyFirstWrite, tidemark.PolicyMax, tidemark.PolicyMin,
		tidemark.PolicyReject, tidemark.PolicyManual:
		return true
	}
	return false
}

func verb(op tidemark.Op) string {
	switch op {
	case tidemark.Insert:
		return rules.OnInsert
	case tidemark.Update:
		return rules.OnUpdate
	}
	return rules.OnDelete
}

// bench is a database with the tables of a schema and what guards read of a copy.
func bench(s *tidemark.Schema) (*lite.DB, error) {
	db, err := rules.Scratch(s)
	if err != nil {
		return nil, err
	}
	err = errors.Join(capture.Install(db, capture.Main, &tidemark.Schema{}, false),
		db.Script("CREATE TABLE _tm_meta (k TEXT PRIMARY KEY, v) WITHOUT ROWID; CREATE TABLE _tm_pending_row (t, key, n)"))
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// compiles reports whether writes of a table compile with a guard.
func compiles(db *lite.DB, t *tidemark.Table, g tidemark.Guard) bool {
	if db.Script(g.SQL) != nil {
		return false
	}
	for _, sql := range schema.Writes(t.Name, t.Columns) {
		if db.Compile(sql) != nil {
			_ = db.Run("DROP TRIGGER " + lite.Quote(g.Name))
			return false
		}
	}
	return true
}
