package merge

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/tidemarkdb/tidemark"
)

var kinds = []tidemark.EditKind{tidemark.EditSet, tidemark.EditAdd, tidemark.EditText, tidemark.EditMembers, tidemark.EditKeys, 'z'}

// FuzzEdits: whatever a replica sends as an edit, and whatever it meets, there
// is a value or an error of the data, and what can be read can be put on something.
func FuzzEdits(f *testing.F) {
	for k, bodies := range map[byte][]string{
		1: {`1`, `-0.5`, `{"i":"9223372036854775807"}`, `{"f":"inf"}`},
		2: {`{"s":[[0,1,"b"]]}`, `{"s":[[1,0,"x"]],"after":7,"on":[[0,0,"y"]]}`, `{"s":[[0,1,"b","a"]]}`},
		3: {`[["a"],["b"]]`, `[[],[],"[1]"]`, `[[{"a":1}],[[]]]`},
		4: {`[[["a"],[1],[2]]]`, `[[["a","b"],[],[{}]],"{}"]`, `[[["a"],[],[{"b":1}]],[["a","b"],[1],[]]]`},
	} {
		for _, body := range bodies {
			f.Add(k, body, `{"a":{"b":1}}`, `["a","b"]`)
			f.Add(k, body, `ab`, ``)
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, body, theirs, base string) {
		e := tidemark.Edit{Kind: kinds[int(kind)%len(kinds)], Body: body}
		bad := readable(e)
		for _, now := range []tidemark.Value{tidemark.Text(theirs), tidemark.Text(base), tidemark.Null, tidemark.Int(int64(len(theirs))), tidemark.BlobString(theirs)} {
			v, err := Apply(now, tidemark.Null, e)
			checkCode(t, bad, err)
			if err == nil && v.Kind() == tidemark.KindText && e.Kind != tidemark.EditText && !(utf8.ValidString(v.Str()) && json.Valid([]byte(v.Str()))) {
				t.Fatalf("%q on %v gives %v", body, now, v)
			}
			for _, p := range policies {
				if p == tidemark.PolicyCustom {
					continue
				}
				m := Meeting{Policy: p, Theirs: now, Base: tidemark.Text(base), Based: len(base)%2 == 0, Mine: tidemark.Text(body), Edit: e}
				_, err := Meet(m)
				checkCode(t, bad, err)
			}
		}
	})
}

// readable returns an error with code schema when the body of an edit cannot be
// read, whatever it would be put on.
func readable(e tidemark.Edit) error {
	var err error
	switch e.Kind {
	case tidemark.EditSet:
	case tidemark.EditAdd:
		_, err = differenceOf(e.Body)
	case tidemark.EditMembers:
		_, err = parseMembers(e.Body)
	case tidemark.EditKeys:
		_, err = parseKeys(e.Body)
	case tidemark.EditText:
		_, err = patchOf(e.Body)
	default:
		err = unreadable("there is no such kind of edit")
	}
	return err
}

func checkCode(t *testing.T, bad, err error) {
	switch code := tidemark.CodeOf(err); {
	case err == nil && bad != nil:
		t.Fatalf("an edit that cannot be read (%v) was put on something", bad)
	case err == nil:
	case bad == nil && code != tidemark.CodeConflict && code != tidemark.CodeCheck, bad != nil && code != tidemark.CodeSchema && code != tidemark.CodeConflict:
		t.Fatalf("%v (%v)", err, bad)
	}
}

// FuzzIntents: an intent gives the value after to the byte.
func FuzzIntents(f *testing.F) {
	for _, c := range [][2]string{
		{`["a"]`, `["b", "a"]`}, {`{"a":1}`, `{"a":{"b":2}, "c":[]}`}, {`one`, `two`}, {`[1]`, `[1.0]`}, {`{"a":{"b":1}}`, "{ \"a\" : {\n} }"}, {``, `[]`},
	} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, p := range edited {
			for _, was := range []tidemark.Value{tidemark.Text(before), tidemark.Null} {
				e := Intent(p, was, tidemark.Text(after))
				got, err := Apply(was, tidemark.Text(after), e)
				if err != nil || got != tidemark.Text(after) {
					t.Fatalf("%s from %v: %v gives %v, %v", p, was, e, got, err)
				}
				if err := readable(e); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// FuzzTrees: what is read as JSON is JSON for the standard library, too, and is written back as it was.
func FuzzTrees(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.50,{"b":"\u00fc\ud834\udd1e"}]}`, `[ ]`, ` -0.5e+7 `, `"`, `{"a":1,"a":2}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parse(s, maxIntent)
		if err != nil {
			return
		}
		if !json.Valid([]byte(s)) {
			t.Fatalf("%q is not JSON", s)
		}
		again, err := parse(n.text(), maxIntent)
		if err != nil || !same(n, again) {
			t.Fatalf("%q became %q", s, n.text())
		}
	})
}
