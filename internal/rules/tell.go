package rules

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
)

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
