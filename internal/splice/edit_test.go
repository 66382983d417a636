package splice

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEditsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := texts().Draw(t, "text")
		p := patches(t, text, "p")
		e := Edit{Patch: p.Bare(), After: rapid.SampledFrom([]int64{0, 1, 12, maxWhole}).Draw(t, "after")}
		if e.After != 0 && rapid.Bool().Draw(t, "hasOn") {
			e.On, e.HasOn = patches(t, text, "on").Bare(), true
		}
		body := e.Body()
		if !json.Valid([]byte(body)) {
			t.Fatalf("%s is not JSON", body)
		}
		got, err := ParseEdit(body)
		if err != nil || !same(got.Patch, e.Patch) || got.After != e.After || got.HasOn != e.HasOn || !same(got.On, e.On) {
			t.Fatalf("%s reads as %+v, %v", body, got, err)
		}
		for _, deleted := range []bool{true, false} {
			want := p
			if !deleted {
				want = p.Bare()
			}
			got, err := ParseBody(p.Body(deleted))
			if err != nil || !same(got, want) {
				t.Fatalf("%s reads as %+v, %v", p.Body(deleted), got, err)
			}
		}
	})
}

func same(a, b Patch) bool { return len(a)+len(b) == 0 || reflect.DeepEqual(a, b) }

func TestParseRefuses(t *testing.T) {
	for _, body := range []string{
		"", "{", "{}", "null", `[]`, `{"s":[]`, `{"s":[]} `, ` {"s":[]}`, `{"s":[],}`, `{"s": []}`,
		`{"s":[[0,0,"a"],]}`, `{"s":[[0,0,"a"][3,0,"b"]]}`, `{"s":[[0,0]]}`, `{"s":[[0,1,"a","b","c"]]}`,
		`{"s":[[0,0,""]]}`, `{"s":[[0,1,"a"],[1,1,""]]}`, `{"s":[[1,0,"a"],[1,0,"b"]]}`, `{"s":[[1,0,"a"],[1,1,""]]}`, `{"s":[[0,2,"a"],[1,0,"b"]]}`, `{"s":[[5,0,"a"],[1,0,"b"]]}`,
		`{"s":[[-1,0,"a"]]}`, `{"s":[[01,0,"a"]]}`, `{"s":[[1.0,0,"a"]]}`, `{"s":[[1e2,0,"a"]]}`,
		`{"s":[[2147483648,0,"a"]]}`, `{"s":[[2147483647,1,"a"]]}`, `{"s":[[0,0,"` + "\x01" + `"]]}`,
		`{"s":[[0,0,"` + "\xff" + `"]]}`, `{"s":[[0,0,"\ud800"]]}`, `{"s":[[0,0,"\udc00"]]}`, `{"s":[[0,0,"\ud800\u0041"]]}`,
		`{"s":[[0,0,"\x41"]]}`, `{"s":[[0,0,"\u12"]]}`, `{"s":[[0,0,"a]]}`, `{"s":[[0,0,"\`,
		`{"s":[],"after":0}`, `{"s":[],"after":-1}`, `{"s":[],"after":9007199254740992}`, `{"s":[],"on":[]}`,
		`{"s":[],"on":[],"after":1}`, `{"s":[],"after":1,"on":[[0,1,"a"],[1,1,""]]}`, `{"s":[],"after":1,"on":null}`,
	} {
		if e, err := ParseEdit(body); err == nil {
			t.Errorf("%s reads as %+v", body, e)
		}
	}
	if _, err := ParseEdit(`{"s":[[0,1,"a","b"]]}`); err == nil {
		t.Error("an edit that says what it deletes was read")
	}
	for _, body := range []string{`{"s":[[0,1,"a","bc"]]}`, `{"s":[[0,1,"a",""]]}`, `{"s":[[0,0,"a","b"]]}`, `{"s":[],"after":1}`} {
		if p, err := ParseBody(body); err == nil {
			t.Errorf("%s reads as %+v", body, p)
		}
	}
}

// TestParseIsBounded: what is refused late costs no more than what is read.
func TestParseIsBounded(t *testing.T) {
	if _, err := ParseEdit(`{"s":` + strings.Repeat("[", 1<<20)); err == nil {
		t.Error("nested splices were read")
	}
}

func FuzzParseEdit(f *testing.F) {
	for _, body := range []string{
		`{"s":[]}`, `{"s":[[0,0,"a"]]}`, `{"s":[[0,1,""],[5,2,"é\u0000\ud83d\ude00"]],"after":3}`,
		`{"s":[[1,0,"\"\\\n"]],"after":1,"on":[]}`, `{"s":[[0,1,"x"]],"after":9007199254740991,"on":[[2,2,""]]}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		e, err := ParseEdit(body)
		if err != nil {
			return
		}
		again, err := ParseEdit(e.Body())
		if err != nil || !reflect.DeepEqual(e, again) {
			t.Fatalf("%q reads as %+v and is written %q: %+v, %v", body, e, e.Body(), again, err)
		}
		if err := e.Patch.check(); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		_, _ = e.Patch.Apply(strings.Repeat("aé漢😀", 8)) // fits or not, but never panics
	})
}

func FuzzParseBody(f *testing.F) {
	f.Add(`{"s":[[0,1,"a","b"]]}`)
	f.Add(`{"s":[[3,0,"é"]]}`)
	f.Fuzz(func(t *testing.T, body string) {
		p, err := ParseBody(body)
		if err != nil {
			return
		}
		again, err := ParseBody(p.Body(true))
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("%q reads as %+v and is written %q: %+v, %v", body, p, p.Body(true), again, err)
		}
	})
}
