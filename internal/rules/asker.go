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
		if c.Op == tidemark.Update && !k.Sets(t, s.col) {
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

// Sets reports whether the server gives a column its value whenever its row changes.
func (k *Asker) Sets(t *tidemark.Table, col int) bool {
	d := k.j.tables[t.ID]
	return d != nil && !slices.Contains(d.immutable, col) && slices.ContainsFunc(d.sets, func(s setter) bool { return s.col == col })
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
