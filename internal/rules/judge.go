package rules

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
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

// Effects reports whether what foreign keys do to rows of a table is judged.
func (j *Judge) Effects(t *tidemark.Table) bool {
	d := j.tables[t.ID]
	return d != nil && d.rules.Effects
}
