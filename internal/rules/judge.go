package rules

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// What the rules of one changeset may take, in steps of SQLite's machine: a
// second or so in all, and far more than any sane rule needs for each change.
const (
	DefaultSteps   = 20_000_000
	stepsPerChange = 20_000
)

// Judge holds the rules of one schema, ready on one connection. It makes TEMP
// tables there; a transaction that is rolled back may take them along.
type Judge struct {
	// Warn is told when a rule fails or takes too long; each only once.
	Warn func(message string)
	// Steps is what the rules of one changeset may take, beside some for each
	// change; 0: DefaultSteps.
	Steps int
	// Observe, if there is one, sees every verdict.
	Observe func(Verdict)

	db     *lite.DB
	public bool
	tables map[int]*judged
	warned map[string]bool
}

// judged is a table with its rules.
type judged struct {
	t         *tidemark.Table
	rules     *tidemark.TableRules
	questions map[tidemark.Op]*ruling
	immutable []int
	sets      []setter
}

// ruling is a condition made ready.
type ruling struct {
	question
	word string // RuleNone or RulePublic; "" for SQL
	err  error  // why it cannot be used
}

type setter struct {
	col int
	question
}

// Verdict is what was found of one change.
type Verdict struct {
	Table    *tidemark.Table
	Op       tidemark.Op
	Key      []tidemark.Value
	Old, New []tidemark.Value // nil where there is none
	Rule     string           // as New was given it; "" when none was asked
	Value    tidemark.Value   // of the rule
	Err      error            // why it denies; nil when it allows
	// Ask gives the value of another expression for this change. It may be
	// called before Observe returns.
	Ask func(sql string) (tidemark.Value, error)
}

// New prepares rules on a connection. Rules that do not fit are named and deny.
func New(db *lite.DB, s *tidemark.Schema, r *tidemark.Rules) (*Judge, []Misfit, error) {
	j := &Judge{db: db, public: r.Public, tables: map[int]*judged{}, warned: map[string]bool{}}
	var misfits []Misfit
	for i := range r.Tables {
		tr := &r.Tables[i]
		t := s.Named(tr.Table)
		if t == nil || t.Out != "" {
			misfits = append(misfits, Misfit{Table: tr.Table, Err: fmt.Errorf("there is no such table, or it does not sync")})
			continue
		}
		d := &judged{t: t, rules: tr, questions: map[tidemark.Op]*ruling{}}
		if err := makeRowTables(db, t); lite.Environment(err) {
			return nil, nil, err
		} else if err != nil {
			j.tables[t.ID] = d.unusable(err)
			misfits = append(misfits, Misfit{Table: tr.Table, Err: err})
			continue
		}
		misfits = append(misfits, d.columns()...)
		misfits = append(misfits, d.setters(db, s)...)
		for _, op := range []tidemark.Op{tidemark.Insert, tidemark.Update, tidemark.Delete} {
			u := rule(db, s, t, op, tr.Condition(op))
			if d.questions[op] = u; u.err != nil {
				misfits = append(misfits, Misfit{Table: tr.Table, What: verb(op), Err: u.err})
			}
		}
		j.tables[t.ID] = d
	}
	return j, misfits, nil
}

func rule(db *lite.DB, s *tidemark.Schema, t *tidemark.Table, op tidemark.Op, sql string) *ruling {
	if sql == tidemark.RuleNone || sql == tidemark.RulePublic {
		return &ruling{word: sql}
	}
	rows := map[tidemark.Op][]string{tidemark.Insert: {"NEW"}, tidemark.Update: {"OLD", "NEW"}, tidemark.Delete: {"OLD"}}[op]
	e, err := express(sql)
	switch {
	case err != nil:
	case op == tidemark.Insert && e.old:
		err = fmt.Errorf("a row that is inserted has no OLD")
	case op == tidemark.Delete && e.new:
		err = fmt.Errorf("a row that is deleted has no NEW")
	}
	if err != nil {
		return &ruling{err: err}
	}
	found, err := vet(db, s, t, e, rows...)
	u := &ruling{question: ask(t, e, false), err: err}
	u.reads = found
	return u
}

// unusable has every rule of a table deny.
func (d *judged) unusable(err error) *judged {
	for _, op := range []tidemark.Op{tidemark.Insert, tidemark.Update, tidemark.Delete} {
		d.questions[op] = &ruling{err: err}
	}
	return d
}

// columns finds the immutable ones.
func (d *judged) columns() (misfits []Misfit) {
	for _, name := range d.rules.Immutable {
		if c := d.t.Place(name); c >= 0 {
			d.immutable = append(d.immutable, c)
		} else {
			misfits = append(misfits, Misfit{Table: d.rules.Table, What: "immutable", Column: name, Err: noColumn(d.t, name)})
		}
	}
	return misfits
}

func noColumn(t *tidemark.Table, name string) error {
	return fmt.Errorf("%s has no stored column %s", t.Name, name)
}

func (d *judged) setters(db *lite.DB, s *tidemark.Schema) (misfits []Misfit) {
	for _, set := range d.rules.Set {
		misfit := func(err error) {
			misfits = append(misfits, Misfit{Table: d.rules.Table, What: OnSet, Column: set.Column, Err: err})
		}
		c := d.t.Place(set.Column)
		if c < 0 {
			misfit(noColumn(d.t, set.Column))
			continue
		}
		if slices.Contains(d.t.Key, c) {
			misfit(fmt.Errorf("%s belongs to the primary key, which says which row it is", set.Column))
			continue
		}
		e, err := express(set.Value)
		if err == nil && (e.old || e.new) {
			err = fmt.Errorf("a value of the server's is made of :user, :claims and :now alone")
		}
		if err == nil {
			_, err = vet(db, s, d.t, e)
		}
		if err != nil {
			misfit(err)
			continue
		}
		d.sets = append(d.sets, setter{c, ask(d.t, e, true)})
	}
	return misfits
}

// Asker judges the changes of one changeset.
type Asker struct {
	j      *Judge
	params []tidemark.Value
	budget *lite.Budget
}

// Ask begins a changeset of an author with so many changes. below is the
// context of what is under way.
func (j *Judge) Ask(below context.Context, a tidemark.Author, changes int) *Asker {
	steps := j.Steps
	if steps <= 0 {
		steps = DefaultSteps
	}
	return &Asker{
		j: j, params: append(Parameters(a.Principal), tidemark.Int(a.Now)),
		budget: lite.NewBudget(below, steps+stepsPerChange*changes),
	}
}

// Effects reports whether what foreign keys do to rows of a table is judged.
func (j *Judge) Effects(t *tidemark.Table) bool {
	d := j.tables[t.ID]
	return d != nil && d.rules.Effects
}

// Fill returns the change with the values that the server gives. It does not
// change what it is given.
func (k *Asker) Fill(t *tidemark.Table, c *tidemark.Change) (*tidemark.Change, error) {
	d := k.j.tables[t.ID]
	if d == nil || len(d.sets) == 0 || c.Op == tidemark.Delete || c.Op == tidemark.Update && len(c.Cols) == 0 {
		return c, nil
	}
	if c.Op == tidemark.Update {
		if old, err := row.Get(k.j.db, t, c.Key); err != nil || old == nil || same(c, old) {
			return c, err
		}
	}
	out := *c
	out.Cols, out.New = slices.Clone(c.Cols), slices.Clone(c.New)
	for _, s := range d.sets {
		if c.Op == tidemark.Update && slices.Contains(d.immutable, s.col) {
			continue
		}
		v, err := k.j.db.Get(s.sql, k.params[:s.params]...)
		if err != nil {
			return nil, err
		}
		if i := slices.Index(out.Cols, s.col); c.Op == tidemark.Insert {
			if err := k.widen(t, &out, s.col); err != nil {
				return nil, err
			}
			out.New[s.col] = v[0]
		} else if i >= 0 {
			out.New[i] = v[0]
		} else {
			at, _ := slices.BinarySearch(out.Cols, s.col)
			out.Cols, out.New = slices.Insert(out.Cols, at, s.col), slices.Insert(out.New, at, v[0])
		}
	}
	return &out, nil
}

// widen gives an insert that was made under an older schema the defaults of the
// columns that it lacks, up to one.
func (k *Asker) widen(t *tidemark.Table, c *tidemark.Change, upto int) error {
	for i := len(c.New); i <= upto; i++ {
		v := tidemark.Null
		if sql := t.Columns[i].Default; sql != "" {
			out, err := k.j.db.Get("SELECT (" + sql + "\n)")
			if err != nil {
				return err
			}
			v = out[0]
		}
		c.New = append(c.New, v)
	}
	return nil
}

// Row says where the row of a change is, if not under its key.
type Row struct {
	Key []tidemark.Value
	// Saved is the row as it was, when what stands in the table are placeholders.
	Saved []tidemark.Value
	// Hidden says which columns of a table hold placeholders now.
	Hidden func(table, column string) bool
}

// Allow judges a change that is to be written next. A denial is an *Error with
// code forbidden; any other error is not the rules'.
func (k *Asker) Allow(t *tidemark.Table, c *tidemark.Change, at Row) error {
	if t.Name == tidemark.ConflictsTable {
		return onlyState(t, c)
	}
	d := k.j.tables[t.ID]
	if d == nil {
		if k.j.public {
			return nil
		}
		return deny(t, c, nil, "table "+t.Name+" has no rules, so nobody may write it")
	}
	var old []tidemark.Value
	if c.Op != tidemark.Insert {
		var err error
		if old = at.Saved; old == nil {
			if old, err = row.Get(k.j.db, t, at.Key); err != nil {
				return err
			}
		}
		if old == nil {
			return nil // nothing will be written
		}
	}
	if c.Op == tidemark.Update {
		if same(c, old) {
			return nil // nothing changes
		}
		for i, col := range c.Cols {
			if slices.Contains(d.immutable, col) && c.New[i] != old[col] {
				return k.tell(d, c, old, nil, deny(t, c, []int{col}, "column "+t.Columns[col].Name+" of "+t.Name+" cannot be changed"))
			}
		}
	}
	return k.hold(d, c, at, old)
}

// same reports whether an update writes what is there already.
func same(c *tidemark.Change, old []tidemark.Value) bool {
	for i, col := range c.Cols {
		if c.New[i] != old[col] {
			return false
		}
	}
	return true
}

// hold asks the rule.
func (k *Asker) hold(d *judged, c *tidemark.Change, at Row, old []tidemark.Value) error {
	u := d.questions[c.Op]
	what := fmt.Sprintf("the rules do not allow to %s this row of %s", verb(c.Op), d.t.Name)
	after := afterwards(c, old)
	switch {
	case u.err != nil:
		return k.tell(d, c, old, after, deny(d.t, c, c.Cols, fmt.Sprintf("the rule for %s of %s cannot be used on this server", verb(c.Op), d.t.Name)))
	case u.word == tidemark.RulePublic:
		return k.tell(d, c, old, after, nil)
	case u.word == tidemark.RuleNone:
		return k.tell(d, c, old, after, deny(d.t, c, c.Cols, fmt.Sprintf("the rules allow nobody to %s rows of %s", verb(c.Op), d.t.Name)))
	}
	if table, column := u.reads.hidden(at.Hidden); table != "" {
		return deny(d.t, c, []int{}, fmt.Sprintf("a rule of %s reads %s.%s, whose unique values trade places in the same changeset: write it in two transactions", d.t.Name, table, column))
	}
	if planted.Is(planted.WrongRow) && c.Op == tidemark.Update {
		after = old
	}
	if u.new || k.j.Observe != nil && after != nil {
		if err := put(k.j.db, d.t, rowTablesOf(d.t).new, after); err != nil {
			return err
		}
	}
	if at.Saved != nil || k.j.Observe != nil && old != nil {
		if err := put(k.j.db, d.t, rowTablesOf(d.t).old, old); err != nil {
			return err
		}
	}
	yes, err := k.answer(u.question, at)
	if err == nil && yes {
		return k.tell(d, c, old, after, nil)
	}
	if err != nil {
		if !k.budget.Spent() && (lite.Environment(err) || k.budget.Context.Err() != nil) {
			return err
		}
		k.j.warn(d, c.Op, err, k.budget.Spent())
	}
	return k.tell(d, c, old, after, deny(d.t, c, c.Cols, what))
}

// afterwards is the row that a change would make, nil for a delete.
func afterwards(c *tidemark.Change, old []tidemark.Value) []tidemark.Value {
	switch c.Op {
	case tidemark.Insert:
		return c.New
	case tidemark.Delete:
		return nil
	}
	after := slices.Clone(old)
	for i, col := range c.Cols {
		after[col] = c.New[i]
	}
	return after
}

// answer runs a question within the budget.
func (k *Asker) answer(q question, at Row) (yes bool, err error) {
	sql, args := q.sql, k.params[:q.params]
	switch {
	case q.old && at.Saved != nil:
		sql = q.parked
	case q.old:
		args = append(slices.Clone(k.params), at.Key...)
	}
	before := k.j.db.SetContext(k.budget)
	defer k.j.db.SetContext(before)
	err = k.j.db.Each(sql, func(s *lite.Stmt) error {
		yes = s.Int(0) == 1
		return nil
	}, args...)
	return yes && err == nil, err
}

// hidden returns a column among those read that hold placeholders.
func (r reads) hidden(is func(table, column string) bool) (table, column string) {
	if is == nil {
		return "", ""
	}
	for t, columns := range r {
		for c := range columns {
			if is(t, c) {
				return t, c
			}
		}
	}
	return "", ""
}

// onlyState judges what an author does to the records of conflicts: decide.
func onlyState(t *tidemark.Table, c *tidemark.Change) error {
	if c.Op == tidemark.Update {
		others := slices.ContainsFunc(c.Cols, func(col int) bool { return !strings.EqualFold(t.Columns[col].Name, "state") })
		if !others {
			return nil
		}
	}
	return deny(t, c, c.Cols, "records of conflicts are the server's: only their state can be changed")
}

// deny makes the refusal. It names no value beside the key that the author gave.
func deny(t *tidemark.Table, c *tidemark.Change, cols []int, msg string) *tidemark.Error {
	e := &tidemark.Error{Code: tidemark.CodeForbidden, Table: t.Name, Key: c.Key, Msg: msg}
	if c.Op == tidemark.Insert {
		e.Key = t.KeyOf(c.New)
		cols = nil
	}
	if len(cols) > 0 {
		e.Columns = t.ColumnNames(cols)
	}
	return e
}

// warn tells the operator once of each rule that cannot answer.
func (j *Judge) warn(d *judged, op tidemark.Op, err error, spent bool) {
	if err = explain(d.t, err); spent {
		err = fmt.Errorf("it takes too many steps; tidemark rules check names indexes that are missing")
	}
	msg := fmt.Sprintf("the rule for %s of %s failed, so it denied: %v", verb(op), d.t.Name, err)
	if j.Warn != nil && !j.warned[msg] && len(j.warned) < 1000 {
		j.warned[msg] = true
		j.Warn(msg)
	}
}

// tell lets the observer see a verdict.
func (k *Asker) tell(d *judged, c *tidemark.Change, old, after []tidemark.Value, denied *tidemark.Error) error {
	if k.j.Observe != nil {
		k.observe(d, c, old, after, denied)
	}
	if denied == nil {
		return nil
	}
	return denied
}

func (k *Asker) observe(d *judged, c *tidemark.Change, old, after []tidemark.Value, denied *tidemark.Error) {
	v := Verdict{Table: d.t, Op: c.Op, Key: c.Key, Old: old, New: after, Rule: d.rules.Condition(c.Op)}
	if denied != nil {
		v.Err = denied
	}
	v.Ask = func(sql string) (tidemark.Value, error) {
		e, err := express(sql)
		if err != nil {
			return tidemark.Null, err
		}
		names := rowTablesOf(d.t)
		for name, values := range map[string][]tidemark.Value{names.old: old, names.new: after} {
			if values != nil {
				if err := put(k.j.db, d.t, name, values); err != nil {
					return tidemark.Null, err
				}
			}
		}
		q := ask(d.t, e, true)
		sql = q.sql
		if e.old {
			sql = q.parked
		}
		out, err := k.j.db.Get(sql, k.params[:q.params]...)
		if err != nil || len(out) == 0 {
			return tidemark.Null, err
		}
		return out[0], nil
	}
	if u := d.questions[c.Op]; u.word == "" && u.err == nil {
		if value, err := v.Ask(v.Rule); err == nil {
			v.Value = value
		}
	}
	k.j.Observe(v)
}
