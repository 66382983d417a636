package spec

import (
	"errors"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
)

// policyVector is what README.md says of policies.json.
type policyVector struct {
	Name   string
	Do     string
	Policy tidemark.Policy
	Edit   edit

	Before, After value // intent

	Now   *value // apply
	Value *value // apply and meet
	Error tidemark.Code

	Base             *value // meet
	Theirs, Mine     value
	Others           [][2]value
	Collation        string
	MineAt           int64 `json:"mine_at"`
	TheirsAt         int64 `json:"theirs_at"`
	Function         string
	Recorded         *value // mine, as the record of a conflict has it, where that is not Mine
	Lost, Over, Open bool
}

func testPolicies(t *testing.T, text []byte) {
	seen := map[string]bool{}
	cases(t, text, func(c *policyVector) string { return c.Name }, func(t *testing.T, c *policyVector) {
		seen[c.Do+" "+string(c.Policy)] = true
		switch c.Do {
		case "intent":
			c.intent(t)
		case "apply":
			c.apply(t)
		case "meet":
			c.meet(t)
		default:
			t.Errorf("nothing is done: %q", c.Do)
		}
	})
	for _, p := range []string{
		"last-write", "latest-edit", "first-write", "counter", "max", "min", "set", "json", "text", "reject", "manual", "custom",
	} {
		if !seen["meet "+p] {
			t.Errorf("there is no vector of %s", p)
		}
	}
}

func (c *policyVector) intent(t *testing.T) {
	if got := merge.Intent(c.Policy, c.Before.Value, c.After.Value); got != c.Edit.plain() {
		t.Errorf("made %c %s, want %s %s", got.Kind, got.Body, c.Edit.Kind, c.Edit.Body)
	}
	got, err := merge.Apply(c.Before.Value, c.After.Value, c.Edit.plain())
	if err != nil || got != c.After.Value {
		t.Errorf("the edit gives %v, %v, want %v", got, err, c.After)
	}
}

func (c *policyVector) apply(t *testing.T) {
	got, err := merge.Apply(c.Now.Value, tidemark.Null, c.Edit.plain())
	c.ends(t, got, err)
}

// ends compares a value or the code of an error.
func (c *policyVector) ends(t *testing.T, got tidemark.Value, err error) {
	switch {
	case c.Error != "" || err != nil:
		if tidemark.CodeOf(err) != c.Error {
			t.Errorf("%v, %v, want the error %q", got, err, c.Error)
		}
	case got != c.Value.Value:
		t.Errorf("got %v, want %v", got, c.Value)
	}
}

func (c *policyVector) meet(t *testing.T) {
	m := merge.Meeting{
		Column: &tidemark.Column{Name: "c", Collation: c.Collation, Custom: c.Function}, Policy: c.Policy,
		Theirs: c.Theirs.Value, Mine: c.Mine.Value, Edit: c.Edit.plain(),
		MineAt: c.MineAt, TheirsAt: c.TheirsAt, Func: functions[c.Function],
	}
	if c.Base != nil {
		m.Base, m.Based = c.Base.Value, true
	}
	for _, f := range c.Others {
		m.Others = append(m.Others, merge.Foreign{Old: f[0].Value, New: f[1].Value})
	}
	recorded := c.Mine.Value
	if c.Recorded != nil {
		recorded = c.Recorded.Value
	}
	v, err := merge.Meet(m)
	c.ends(t, v.Value, err)
	if err != nil {
		return
	}
	if v.Lost != c.Lost || v.Over != c.Over || v.Open != c.Open {
		t.Errorf("lost %v, over %v, open %v", v.Lost, v.Over, v.Open)
	}
	if v.Mine != recorded {
		t.Errorf("recorded %v, want %v", v.Mine, recorded)
	}
}

var functions = map[string]merge.Func{
	"sum": func(base, theirs, mine tidemark.Value) (tidemark.Value, error) {
		return tidemark.Int(theirs.Int64() + mine.Int64() - base.Int64()), nil
	},
	"theirs": func(_, theirs, _ tidemark.Value) (tidemark.Value, error) { return theirs, nil },
	"fails":  func(_, _, _ tidemark.Value) (tidemark.Value, error) { return tidemark.Null, errors.New("no") },
}
