package merge

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

var edited = []tidemark.Policy{tidemark.PolicyCounter, tidemark.PolicySet, tidemark.PolicyJSON, tidemark.PolicyText}

// What was meant, put on what was there, gives what came out: whatever the
// values and the policy.
func TestAnIntentGivesBackWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := values.Draw(t, "before"), values.Draw(t, "after")
		for _, p := range edited {
			e := Intent(p, before, after)
			checkIntent(t, p, e)
			got, err := Apply(before, after, e)
			if err != nil {
				t.Fatalf("%s: %v on %v: %v", p, e, before, err)
			}
			if got != after && !storedAlike(got, after) {
				t.Fatalf("%s: %v on %v gives %v, want %v", p, e, before, got, after)
			}
		}
		for _, p := range []tidemark.Policy{"", tidemark.PolicyLastWrite, tidemark.PolicyMax, tidemark.PolicyCustom, tidemark.PolicyReject} {
			if e := Intent(p, before, after); e != (tidemark.Edit{}) {
				t.Fatalf("%s made %v", p, e)
			}
		}
	})
}

// storedAlike: a column that takes 2.0 for 2 was added to in reals.
func storedAlike(got, want tidemark.Value) bool {
	return got.Kind() == tidemark.KindReal && want.Kind() == tidemark.KindInt && compareMixed(want.Int64(), got.Float64()) == 0
}

// checkIntent sends the edit, which must arrive as it was.
func checkIntent(t *rapid.T, p tidemark.Policy, e tidemark.Edit) {
	if e.Kind == tidemark.EditSet {
		return
	}
	if Natural(e.Kind) != p {
		t.Fatalf("%s made %v", p, e)
	}
	if err := readable(e); err != nil {
		t.Fatalf("%v: %v", e, err)
	}
	c := tidemark.Change{
		Table: 1, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(1)}, Cols: []int{0}, New: []tidemark.Value{tidemark.Null}, Edits: []tidemark.Edit{e},
	}
	got, err := wire.DecodeChanges(wire.AppendChanges(nil, []tidemark.Change{c}, false))
	if err != nil || got[0].Edits[0] != e {
		t.Fatalf("%v arrived as %v, %v", e, got, err)
	}
	for _, b := range []byte(e.Body) {
		if b == '\n' || b == '\r' {
			t.Fatalf("a line break in %q", e.Body)
		}
	}
}

// A value of a form that the policy knows is not set as a whole.
func TestWhatBecomesAnEdit(t *testing.T) {
	i, r, s := tidemark.Int, tidemark.Real, tidemark.Text
	for _, c := range []struct {
		policy        tidemark.Policy
		before, after tidemark.Value
		body          string // "": set as a whole
	}{
		{"counter", i(3), i(5), "2"},
		{"counter", i(5), i(3), "-2"},
		{"counter", i(3), i(3), "0"},
		{"counter", i(-1 << 63), i(-1), `{"i":"9223372036854775807"}`},
		{"counter", i(-1 << 63), i(0), ""},
		{"counter", i(1<<63 - 1), i(-2), ""},
		{"counter", i(1 << 62), i(-1 << 62), `{"i":"-9223372036854775808"}`},
		{"counter", r(1.5), r(2), "0.5"},
		{"counter", r(1), r(3), `{"f":2}`},
		{"counter", i(1), r(1.5), "0.5"},
		{"counter", r(1.5), i(2), "0.5"},
		{"counter", i(1<<53 + 1), r(1.5), ""},
		{"counter", r(1e20), r(0.1), ""},
		{"counter", r(1e308), r(-1e308), ""},
		{"counter", tidemark.Null, i(1), ""},
		{"counter", i(1), tidemark.Null, ""},
		{"counter", s("1"), i(1), ""},
		{"counter", i(1), tidemark.Blob(nil), ""},
		{"set", s(`["a"]`), s(`["a","b"]`), `[["b"],[]]`},
		{"set", s(`["a","b"]`), s(`["b"]`), `[[],["a"]]`},
		{"set", s(`["a"]`), s(`["b","a"]`), `[["b"],[],"[\"b\",\"a\"]"]`},
		{"set", s(`["a","b"]`), s(`["b","a"]`), `[[],[],"[\"b\",\"a\"]"]`},
		{"set", s(`[1]`), s(`[1.0, 2]`), `[[2],[],"[1.0, 2]"]`},
		{"set", s(`[1, 2]`), s(`[1, 2, 3]`), `[[3],[]]`},
		{"set", s("[\n  1\n]"), s("[\n  1,\n  {\"a\": 2}\n]"), "[[{\"a\":2}],[],\"[\\n  1,\\n  {\\\"a\\\": 2}\\n]\"]"},
		{"set", tidemark.Null, s(`["a"]`), `[["a"],[]]`},
		{"set", tidemark.Null, s(`[]`), `[[],[]]`},
		{"set", s(`[]`), tidemark.Null, ""},
		{"set", s(`{}`), s(`[]`), ""},
		{"set", s(`[]`), s(`[`), ""},
		{"set", tidemark.BlobString(`[]`), s(`[]`), ""},
		{"json", s(`{"a":1}`), s(`{"a":2}`), `[[["a"],[1],[2]]]`},
		{"json", s(`{"a":1}`), s(`{"a":1,"b":null}`), `[[["b"],[],[null]]]`},
		{"json", s(`{"a":1,"b":2}`), s(`{"a":1}`), `[[["b"],[2],[]]]`},
		{"json", s(`{"a":{"b":{"c":1,"d":2}}}`), s(`{"a":{"b":{"c":1,"d":3}}}`), `[[["a","b","d"],[2],[3]]]`},
		{"json", s(`{"a":[1]}`), s(`{"a":[1,2]}`), `[[["a"],[[1]],[[1,2]]]]`},
		{"json", s(`{"a":1}`), s(`{"a":1.0}`), `["{\"a\":1.0}"]`},
		{"json", s(`{"a":1}`), s(`{"b":2,"a":1}`), `[[["b"],[],[2]],"{\"b\":2,\"a\":1}"]`},
		{"json", s("{\n  \"a\": 1\n}"), s("{\n  \"a\": 1,\n  \"b\": 2\n}"), `[[["b"],[],[2]]]`},
		{"json", s(`{"a": 1, "b": 2}`), s(`{"a": 1, "b": 2, "c": 12345678901234567890.50}`), `[[["c"],[],[12345678901234567890.50]]]`},
		{"json", tidemark.Null, s(`{"a":1}`), `[[["a"],[],[1]]]`},
		{"json", s(`{"a":1}`), s(`[]`), ""},
		{"json", s(`{"a":1,"a":1}`), s(`{"a":1}`), ""},
		{"text", s("one two"), s("one, two"), `{"s":[[3,0,","]]}`},
		{"text", s("𝄞a"), s("𝄞b"), `{"s":[[1,1,"b"]]}`},
		{"text", s("a"), s("a"), `{"s":[]}`},
		{"text", s("a"), s("\xff"), ""},
		{"text", tidemark.Null, s("a"), ""},
		{"text", s("a"), i(1), ""},
		{"max", i(1), i(2), ""},
	} {
		e := Intent(c.policy, c.before, c.after)
		if e.Body != c.body {
			t.Errorf("%s from %v to %v: %s, want %s", c.policy, c.before, c.after, e.Body, c.body)
		}
		if (e.Kind == tidemark.EditSet) != (c.body == "") {
			t.Errorf("%s from %v to %v has kind %q", c.policy, c.before, c.after, e.Kind)
		}
	}
}

func TestErrorsOfApply(t *testing.T) {
	for _, c := range []struct {
		now  tidemark.Value
		kind tidemark.EditKind
		body string
		code tidemark.Code
	}{
		{tidemark.Int(1<<63 - 1), 'a', "1", tidemark.CodeCheck},
		{tidemark.Int(-1 << 63), 'a', "-1", tidemark.CodeCheck},
		{tidemark.Real(1.7e308), 'a', "1.7e+308", tidemark.CodeSchema}, // a whole real must be tagged
		{tidemark.Real(1.7e308), 'a', `{"f":1.7e+308}`, tidemark.CodeCheck},
		{tidemark.Int(1), 'a', `{"f":"inf"}`, tidemark.CodeSchema},
		{tidemark.Int(1), 'a', `"1"`, tidemark.CodeSchema},
		{tidemark.Int(1), 'a', ``, tidemark.CodeSchema},
		{tidemark.Text("1"), 'a', `1`, tidemark.CodeConflict},
		{tidemark.Text("1"), 'm', `[[],[]]`, tidemark.CodeConflict},
		{tidemark.Int(1), 'm', `[[],[]]`, tidemark.CodeConflict},
		{tidemark.Text("[]"), 'm', `[[]]`, tidemark.CodeSchema},
		{tidemark.Text("[]"), 'm', `{}`, tidemark.CodeSchema},
		{tidemark.Text("[]"), 'm', `[1,2]`, tidemark.CodeSchema},
		{tidemark.Text("[]"), 'k', `[]`, tidemark.CodeConflict},
		{tidemark.Text("{}"), 'k', `[[]]`, tidemark.CodeSchema},
		{tidemark.Text("{}"), 'k', `[[[],[],[]]]`, tidemark.CodeSchema},
		{tidemark.Text("{}"), 'k', `[[[1],[],[]]]`, tidemark.CodeSchema},
		{tidemark.Text("{}"), 'k', `[[["a"],1,[]]]`, tidemark.CodeSchema},
		{tidemark.Text("{}"), 'k', `[[["a"],[1,2],[]]]`, tidemark.CodeSchema},
		{tidemark.Text("{}"), 'k', `[["a",[],[]]]`, tidemark.CodeSchema},
		{tidemark.Text("{}"), 'k', `{`, tidemark.CodeSchema},
		{tidemark.Text("abc"), 't', `{"s":[[4,0,"x"]]}`, tidemark.CodeConflict},
		{tidemark.Text("abc"), 't', `{"s":[[2,2,"x"]]}`, tidemark.CodeConflict},
		{tidemark.Text("abc"), 't', `{"s":[[-1,0,"x"]]}`, tidemark.CodeSchema},
		{tidemark.Text("abc"), 't', `[]`, tidemark.CodeSchema},
		{tidemark.Blob(nil), 't', `{"s":[]}`, tidemark.CodeConflict},
		{tidemark.Int(1), 'z', `1`, tidemark.CodeSchema},
	} {
		v, err := Apply(c.now, tidemark.Null, tidemark.Edit{Kind: c.kind, Body: c.body})
		if tidemark.CodeOf(err) != c.code {
			t.Errorf("%c %s on %v: %v, %v, want code %s", c.kind, c.body, c.now, v, err, c.code)
		}
		if c.code == tidemark.CodeSchema != (readable(tidemark.Edit{Kind: c.kind, Body: c.body}) != nil) {
			t.Errorf("Check of %c %s disagrees", c.kind, c.body)
		}
	}
}
