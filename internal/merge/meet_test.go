package merge

import (
	"errors"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// met is a meeting of three values as people write them, and how it ends.
type met struct {
	name               string
	policy             tidemark.Policy
	base, theirs, mine tidemark.Value
	value              tidemark.Value
	flags              string // of lost, over, open
}

func TestMeetings(t *testing.T) {
	i, r, s, null := tidemark.Int, tidemark.Real, tidemark.Text, tidemark.Null
	for _, c := range []met{
		{"last-write", "last-write", i(1), i(2), i(3), i(3), "over"},
		{"equal values are no conflict", "last-write", i(1), i(2), i(2), i(2), ""},
		{"1 and 1.0 are not equal", "last-write", i(0), i(1), r(1), r(1), "over"},
		{"the default is last-write", "", i(1), i(2), i(3), i(3), "over"},
		{"text that was replaced as a whole", "text", null, s("a"), s("b"), s("b"), "over"},
		{"first-write", "first-write", i(1), i(2), i(3), i(2), "lost"},
		{"first-write, equal", "first-write", i(1), i(2), i(2), i(2), ""},
		{"manual", "manual", i(1), i(2), i(3), i(2), "lost open"},
		{"manual, equal", "manual", i(1), i(2), i(2), i(2), ""},
		{"counter", "counter", i(10), i(15), i(7), i(12), ""},
		{"counter of reals", "counter", r(1), r(1.5), r(1.25), r(1.75), ""},
		{"counter, both the same difference", "counter", i(1), i(2), i(2), i(3), ""},
		{"counter set to NULL by others", "counter", i(10), null, i(12), i(2), "over"},
		{"counter set to NULL by me", "counter", i(10), i(11), null, null, "over"},
		{"counter set by both from NULL", "counter", null, i(5), i(7), i(7), "over"},
		{"counter set to text by others", "counter", i(10), s("x"), i(12), i(12), "over"},
		{"max, mine", "max", i(1), i(2), i(3), i(3), "over"},
		{"max, theirs", "max", i(1), i(5), i(3), i(5), "lost"},
		{"min, mine", "min", i(9), i(5), i(3), i(3), "over"},
		{"max, NULL loses", "max", i(1), i(5), null, i(5), "lost"},
		{"min, NULL loses", "min", i(1), null, i(5), i(5), "over"},
		{"max, text over numbers", "max", i(1), s(""), i(5), s(""), "lost"},
		{"max, both NULL", "max", i(1), null, null, null, ""},
		{"set", "set", s(`["a","b"]`), s(`["a","b","c"]`), s(`["b","d"]`), s(`["b","c","d"]`), ""},
		{"set, both add one", "set", s(`[]`), s(`["a"]`), s(`["a"]`), s(`["a"]`), ""},
		{"set, both remove one", "set", s(`["a","b"]`), s(`["b"]`), s(`["b"]`), s(`["b"]`), ""},
		{"set, from NULL", "set", null, s(`["a"]`), s(`["b"]`), s(`["a","b"]`), ""},
		{"set, emptied by others", "set", s(`["a"]`), null, s(`["a","b"]`), s(`["b"]`), "over"},
		{"set, no array any more", "set", s(`["a"]`), s(`x`), s(`["a","b"]`), s(`["a","b"]`), "over"},
		{"set, mine no array", "set", s(`["a"]`), s(`["a","b"]`), s(`x`), s(`x`), "over"},
		{"set, reordered by me", "set", s(`["a","b"]`), s(`["a","b","c"]`), s(`["b","a"]`), s(`["a","b","c"]`), ""},
		{"json, different keys", "json", s(`{"a":1,"b":2}`), s(`{"a":5,"b":2}`), s(`{"a":1,"b":6}`), s(`{"a":5,"b":6}`), ""},
		{"json, nested", "json", s(`{"a":{"b":1,"c":2}}`), s(`{"a":{"b":5,"c":2}}`), s(`{"a":{"b":1,"c":6}}`), s(`{"a":{"b":5,"c":6}}`), ""},
		{"json, one key", "json", s(`{"a":1}`), s(`{"a":2}`), s(`{"a":3}`), s(`{"a":3}`), "over"},
		{"json, one key, the same value", "json", s(`{"a":1}`), s(`{"a":2}`), s(`{"a":2.0}`), s(`{"a":2}`), ""},
		{"json, removed and changed", "json", s(`{"a":1,"b":1}`), s(`{"b":1}`), s(`{"a":2,"b":1}`), s(`{"b":1,"a":2}`), "over"},
		{"json, changed and removed", "json", s(`{"a":1,"b":1}`), s(`{"a":2,"b":1}`), s(`{"b":1}`), s(`{"b":1}`), "over"},
		{"json, an object removed and changed in", "json", s(`{"a":{"b":1,"c":1}}`), s(`{}`), s(`{"a":{"b":2,"c":1}}`), s(`{"a":{"b":2}}`), "over"},
		{"json, an object replaced and changed in", "json", s(`{"a":{"b":1}}`), s(`{"a":7}`), s(`{"a":{"b":2}}`), s(`{"a":7}`), "lost"},
		{"json, an object replaced and removed in", "json", s(`{"a":{"b":1}}`), s(`{"a":7}`), s(`{"a":{}}`), s(`{"a":7}`), ""},
		{"json, an object changed in and replaced", "json", s(`{"a":{"b":1}}`), s(`{"a":{"b":2}}`), s(`{"a":7}`), s(`{"a":7}`), "over"},
		{"json, both make one object", "json", s(`{}`), s(`{"a":{"b":1}}`), s(`{"a":{"c":2}}`), s(`{"a":{"c":2}}`), "over"},
		{"json, lists are whole", "json", s(`{"a":[1]}`), s(`{"a":[1,2]}`), s(`{"a":[1,3]}`), s(`{"a":[1,3]}`), "over"},
		{"json, big numbers stay", "json", s(`{"a":12345678901234567890123,"b":1.10}`), s(`{"a":12345678901234567890123,"b":1.10}`), s(`{"a":12345678901234567890123,"b":1.10,"c":1e2}`), s(`{"a":12345678901234567890123,"b":1.10,"c":1e2}`), ""},
		{"json, laid out as theirs", "json", s(`{"a": 1, "b": 2}`), s("{\n\t\"a\": 1,\n\t\"b\": 3\n}"), s(`{"a": 1, "b": 2, "c": [4, 5]}`), s("{\n\t\"a\": 1,\n\t\"b\": 3,\n\t\"c\": [4,5]\n}"), ""},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t) })
	}
}

func (c *met) check(t *testing.T) {
	m := Meeting{Policy: c.policy, Base: c.base, Based: true, Theirs: c.theirs, Mine: c.mine, Edit: Intent(c.policy, c.base, c.mine)}
	if m.Edit.Kind != tidemark.EditSet {
		m.Mine = tidemark.Null
	}
	v, err := Meet(m)
	if err != nil {
		t.Fatal(err)
	}
	if v.Value != c.value || v.flags() != c.flags {
		t.Errorf("%v (%s), want %v (%s); edit %v", v.Value, v.flags(), c.value, c.flags, m.Edit)
	}
	if v.Mine != c.mine {
		t.Errorf("mine is recorded as %v, was %v", v.Mine, c.mine)
	}
}

func (v Verdict) flags() string {
	var list []string
	for name, is := range map[string]bool{"lost": v.Lost, "over": v.Over, "open": v.Open} {
		if is {
			list = append(list, name)
		}
	}
	if len(list) == 2 && list[0] != "lost" {
		list[0], list[1] = list[1], list[0]
	}
	return strings.Join(list, " ")
}

// Without the base (the log does not reach back, or both inserted) nothing is taken away.
func TestMeetingsWithoutABase(t *testing.T) {
	i, s := tidemark.Int, tidemark.Text
	for _, c := range []struct {
		name   string
		policy tidemark.Policy
		theirs tidemark.Value
		mine   tidemark.Value
		edit   tidemark.Edit
		value  tidemark.Value
		flags  string
	}{
		{"two inserts of a set", "set", s(`["a"]`), s(`["b","c"]`), tidemark.Edit{}, s(`["a","b","c"]`), ""},
		{"two inserts of an object", "json", s(`{"a":1,"b":1}`), s(`{"b":2,"c":3}`), tidemark.Edit{}, s(`{"a":1,"b":2,"c":3}`), "over"},
		{"two inserts of a counter", "counter", i(1), i(2), tidemark.Edit{}, i(2), "over"},
		{"an addition", "counter", i(1), tidemark.Null, tidemark.Edit{Kind: 'a', Body: "4"}, i(5), ""},
		{"an addition to text", "counter", s("x"), tidemark.Null, tidemark.Edit{Kind: 'a', Body: "4"}, s("x"), "lost"},
		{"members", "set", s(`["a","b"]`), tidemark.Null, tidemark.Edit{Kind: 'm', Body: `[["c"],["a"]]`}, s(`["b","c"]`), ""},
		{"members where no array is", "set", s(`7`), tidemark.Null, tidemark.Edit{Kind: 'm', Body: `[["c"],["a"]]`}, s(`7`), "lost"},
		{"keys", "json", s(`{"a":1}`), tidemark.Null, tidemark.Edit{Kind: 'k', Body: `[[["a"],[2],[3]]]`}, s(`{"a":3}`), "over"},
		{"an edit of another policy", "last-write", i(5), tidemark.Null, tidemark.Edit{Kind: 'a', Body: "1"}, i(6), "over"},
		{"a text that does not fit", "last-write", s("a"), tidemark.Null, tidemark.Edit{Kind: 't', Body: `{"s":[[5,0,"x"]]}`}, s("a"), "lost"},
	} {
		v, err := Meet(Meeting{Policy: c.policy, Base: s("never looked at"), Theirs: c.theirs, Mine: c.mine, Edit: c.edit})
		if err != nil || v.Value != c.value || v.flags() != c.flags {
			t.Errorf("%s: %v (%s), want %v (%s), %v", c.name, v.Value, v.flags(), c.value, c.flags, err)
		}
	}
}

// A member that somebody added stays, although one who had added it, too,
// takes it away again without having seen that.
func TestAddWins(t *testing.T) {
	s := tidemark.Text
	m := Meeting{
		Policy: "set", Base: s(`["z"]`), Based: true, Theirs: s(`["z","a","b"]`), Edit: tidemark.Edit{Kind: 'm', Body: `[["c"],["a","z"]]`},
		Others: []Foreign{{s(`["z"]`), s(`["z","a"]`)}, {tidemark.Null, s("no array")}},
	}
	v, err := Meet(m)
	if err != nil || v.Value != s(`["a","b","c"]`) || v.flags() != "lost" {
		t.Errorf("%+v, %v", v, err)
	}
	m.Others = []Foreign{{s(`["z"]`), s(`["z","b"]`)}} // a is my own
	if v, err = Meet(m); err != nil || v.Value != s(`["b","c"]`) || v.flags() != "" {
		t.Errorf("%+v, %v", v, err)
	}
	back := Meeting{Policy: "set", Base: s(`["a"]`), Based: true, Theirs: s(`[]`), Edit: tidemark.Edit{Kind: 'm', Body: `[["a"],[]]`}}
	if v, err = Meet(back); err != nil || v.Value != s(`["a"]`) || v.flags() != "over" {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestLatestEdit(t *testing.T) {
	for _, c := range []struct {
		mine, theirs int64
		value        int64
		flags        string
	}{{2, 1, 7, "over"}, {1, 2, 5, "lost"}, {2, 2, 7, "over"}} {
		v, err := Meet(Meeting{Policy: "latest-edit", Theirs: tidemark.Int(5), Mine: tidemark.Int(7), MineAt: c.mine, TheirsAt: c.theirs})
		if err != nil || v.Value != tidemark.Int(c.value) || v.flags() != c.flags {
			t.Errorf("%d against %d: %+v, %v", c.mine, c.theirs, v, err)
		}
	}
}

func TestRejectNamesTheColumn(t *testing.T) {
	col := &tidemark.Column{Name: "price"}
	_, err := Meet(Meeting{Policy: "reject", Column: col, Theirs: tidemark.Int(1), Mine: tidemark.Int(2)})
	var e *tidemark.Error
	if !errors.As(err, &e) || e.Code != tidemark.CodeStale || len(e.Columns) != 1 || !strings.Contains(e.Error(), "price") {
		t.Errorf("%v", err)
	}
	if _, err = Meet(Meeting{Policy: "reject", Theirs: tidemark.Int(1), Mine: tidemark.Int(1)}); tidemark.CodeOf(err) != tidemark.CodeStale {
		t.Errorf("equal values: %v", err)
	}
}

func TestCustomFunctions(t *testing.T) {
	one, two, four := tidemark.Int(1), tidemark.Int(2), tidemark.Int(4)
	m := Meeting{Policy: "custom", Column: &tidemark.Column{Name: "price", Custom: "dearer"}, Base: one, Based: true, Theirs: two, Mine: four}
	for _, c := range []struct {
		name  string
		fn    Func
		value tidemark.Value
		flags string
	}{
		{"theirs", func(_, theirs, _ tidemark.Value) (tidemark.Value, error) { return theirs, nil }, two, "lost"},
		{"mine", func(_, _, mine tidemark.Value) (tidemark.Value, error) { return mine, nil }, four, "over"},
		{"both", func(base, theirs, mine tidemark.Value) (tidemark.Value, error) {
			return tidemark.Int(theirs.Int64() + mine.Int64() - base.Int64()), nil
		}, tidemark.Int(5), ""},
	} {
		m.Func = c.fn
		v, err := Meet(m)
		flags := v.flags()
		if c.name == "both" && v.Lost && v.Over {
			flags = ""
		}
		if err != nil || v.Value != c.value || flags != c.flags || v.Mine != four {
			t.Errorf("%s: %+v, %v", c.name, v, err)
		}
	}
	for name, fn := range map[string]Func{
		"no price is right": func(_, _, _ tidemark.Value) (tidemark.Value, error) {
			return four, errors.New("no price is right")
		},
		"nil map":        func(_, _, _ tidemark.Value) (tidemark.Value, error) { panic("nil map") },
		"not registered": nil,
	} {
		m.Func = fn
		v, err := Meet(m)
		if tidemark.CodeOf(err) != tidemark.CodeConflict || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "dearer") || v != (Verdict{}) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
	m.Based = false
	m.Func = func(base, _, _ tidemark.Value) (tidemark.Value, error) { return base, nil }
	if v, err := Meet(m); err != nil || !v.Value.IsNull() {
		t.Errorf("an unknown base is %v, %v", v.Value, err)
	}
}

func TestACounterThatWouldBeTooLargeRejects(t *testing.T) {
	v, err := Meet(Meeting{Policy: "counter", Theirs: tidemark.Int(1<<63 - 2), Edit: tidemark.Edit{Kind: 'a', Body: "5"}})
	if tidemark.CodeOf(err) != tidemark.CodeCheck {
		t.Errorf("%v, %v", v, err)
	}
}

// What would be larger than a row can be is not made.
func TestLargeValuesAreSetAsAWhole(t *testing.T) {
	large := tidemark.Text(`["` + strings.Repeat("a", maxIntent) + `"]`)
	if e := Intent("set", large, tidemark.Text(`[]`)); e.Kind != tidemark.EditSet {
		t.Errorf("%d bytes of edit", len(e.Body))
	}
	v, err := Meet(Meeting{Policy: "set", Base: large, Based: true, Theirs: large, Edit: tidemark.Edit{Kind: 'm', Body: `[["b"],[]]`}})
	if err != nil || !strings.HasSuffix(v.Value.Str(), `a","b"]`) {
		t.Errorf("%v, %v", v.flags(), err)
	}
}
