package wire

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
)

var (
	allUp   = []string{kindHello, kindPush, kindAck, kindAskRanges, kindAskRows, kindToken, kindPresence, kindCast, kindSubscribe}
	allDown = []string{kindWelcome, kindSchema, kindOutcomes, kindBatch, kindRanges, kindRows, kindLeases, kindRefusal, kindRenewed, kindPeers, kindHeard, kindDeclined, kindScopes}
)

// fill sets every field that r hits to something.
func fill(r *rand.Rand, v reflect.Value) {
	if r.IntN(4) == 0 {
		return
	}
	switch p := v.Addr().Interface().(type) {
	case *tidemark.Value:
		*p = randomValue(r)
		return
	case *[]tidemark.Value:
		*p = randomValues(r, r.IntN(3))
		return
	case *[]tidemark.Change:
		*p = randomChanges(r, false)
		return
	case *tidemark.OutcomeKind:
		*p = []tidemark.OutcomeKind{tidemark.Accepted, tidemark.Merged, tidemark.Rejected}[r.IntN(3)]
		return
	case *[]byte:
		*p = AppendChanges(nil, randomChanges(r, false), false)
		return
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(r.Uint32() >> 1))
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(r.Uint64() & (1<<v.Type().Bits() - 1))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(randomText(r))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Slice:
		if n := r.IntN(3); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	}
}

// normal puts a message into the form that decoding gives.
func normal(m any) {
	switch m := m.(type) {
	case *Outcomes:
		for i := range m.List {
			if m.List[i].Kind == "" {
				m.List[i].Kind = tidemark.Accepted
			}
		}
	case *Batch:
		m.Raw = nil
		if len(m.Changes) == 0 {
			m.Changes = nil
		}
		for i := range m.Parts {
			m.Parts[i].Raw = nil
		}
	}
}

func TestMessagesToTheServerRoundTrip(t *testing.T) {
	r := dice.New(t)
	for range 3000 {
		for _, kind := range allUp {
			want := newUp(kind)
			fill(r, reflect.ValueOf(want).Elem())
			b := AppendUp([]byte("in front"), want)[len("in front"):]
			got, err := DecodeUp(b)
			if err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("message moved\n got %+v\nwant %+v\n  as %s", got, want, b)
			}
		}
	}
}

func TestMessagesToAReplicaRoundTrip(t *testing.T) {
	r := dice.New(t)
	for range 3000 {
		for _, kind := range allDown {
			want := newDown(kind)
			fill(r, reflect.ValueOf(want).Elem())
			normal(want)
			b := AppendDown(nil, want)
			got, err := DecodeDown(b)
			if err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			normal(got)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("message moved\n got %+v\nwant %+v\n  as %s", got, want, b)
			}
		}
	}
}

// A later version appends elements; this one must not mind.
func TestUnknownElementsAreSkipped(t *testing.T) {
	r := dice.New(t)
	extra := `,{"new":[1,{"a":null}],"b":-1.5e3},[[]],"x",true]`
	for _, kind := range allDown {
		for range 200 {
			want := newDown(kind)
			fill(r, reflect.ValueOf(want).Elem())
			b := fullDown(want)
			got, err := DecodeDown(append(b[:len(b)-1:len(b)-1], extra...))
			if err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			plain, err := DecodeDown(b)
			if err != nil || !reflect.DeepEqual(got, plain) {
				t.Fatalf("got %+v, want %+v, %v", got, plain, err)
			}
		}
	}
}

// fullDown encodes a message with nothing left out at the end.
func fullDown(m Down) []byte {
	w := writer{}
	m.write(&w)
	return append(w.b, ']')
}

func TestBadMessages(t *testing.T) {
	for _, in := range []string{
		``, `null`, `[]`, `[1]`, `["?"]`, `["h",]`, `["h"`, `["h",1`, `["h","1"]`, `["h",-1]`, `["h",1.5]`, `["h",1]]`,
		`["p",1,"short"]`, `["p",1,"",0,[1,]]`, `["p",1,"",0,{"a"}]`, `["p",1,"",0,[],0,"",[1]]`, `["a",9007199254740993]`, `["g",1,-1]`,
		`["h",1,"","","","","","",0,"",0,0,false,"",1.5]`,
	} {
		if m, err := DecodeUp([]byte(in)); err == nil {
			t.Errorf("%s came back as %+v", in, m)
		}
	}
	for _, in := range []string{
		``, `["h"]`, `["o",[1]]`, `["o",[[1,"",1,"perhaps"]]]`, `["w",1,"a","b","c","d","e",1,"f","QQ"]`, `["b",1,"AAAAAAAAAAAA"]`, `["b",1,"",[[1,"i",[0]]]]`,
		`["o",[[1,"",1,"","","","","",null,[],[],1]]]`, `["o",[[1,"",1,"","","","","",null,[],[],[],[["t",[1]]]]]]`, `["l",[1]]`, `["l",[[1,[1,2,3]]]]`, `["l",[[1,[1,"2"]]]]`, `["l",[[-1,[1,2]]]]`,
	} {
		if m, err := DecodeDown([]byte(in)); err == nil {
			t.Errorf("%s came back as %+v", in, m)
		}
	}
}

func TestDepthIsBounded(t *testing.T) {
	b := []byte(`["a",1,"",`)
	for range 1 << 20 {
		b = append(b, '[')
	}
	if _, err := DecodeUp(b); err == nil {
		t.Error("a million brackets passed")
	}
}

// What a person sees most: one changed field.
func TestOneEditIsSmall(t *testing.T) {
	edit := []tidemark.Change{{Table: 12, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(1234)}, Cols: []int{3}, New: []tidemark.Value{tidemark.Text("abc")}}}
	salt := tidemark.Salt{1, 2, 3, 4, 5, 6, 7, 8}
	body := AppendChanges(nil, edit, false)
	hash := HashOf(salt, body)
	const schema, term, replica = "0123456789abcdef", "q7Yt0aPz", "Zk3vW9x1"
	var said Shorthand
	said.Up(&Hello{Schema: schema})
	said.Down(&Welcome{Term: term, Schema: schema, Replica: replica})
	up := AppendUp(nil, said.Up(&Push{N: 1234, Salt: salt, Seen: 123456, Body: body, MadeAt: 1763712000000, Schema: schema}))
	down := AppendDown(nil, said.Down(&Batch{From: 123456, To: 123457, Sum: 1 << 63, Changes: edit, Term: term, Schema: schema}))
	fate := AppendDown(nil, said.Down(&Outcomes{List: []tidemark.Outcome{{
		Name: tidemark.Name{Replica: replica, N: 1234, Hash: hash}, Kind: tidemark.Accepted, Seq: 123457,
	}}}))
	t.Logf("push %d bytes, batch %d, outcome %d\n%s\n%s\n%s", len(up), len(down), len(fate), up, down, fate)
	if len(up) > 72 || len(down) > 60 || len(fate) > 50 {
		t.Error("too long")
	}
}

// A keystroke in a text, however long, and a vote.
func TestOneIntentIsSmall(t *testing.T) {
	for _, e := range []tidemark.Edit{
		{Kind: tidemark.EditText, Body: `{"s":[[523456,0,"a"]]}`},
		{Kind: tidemark.EditAdd, Body: `1`},
		{Kind: tidemark.EditMembers, Body: `[["label"],[]]`},
	} {
		edit := []tidemark.Change{{
			Table: 12, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(1234)}, Cols: []int{3},
			New: []tidemark.Value{tidemark.Text("what it comes to")}, Edits: []tidemark.Edit{e},
		}}
		up := AppendUp(nil, &Push{N: 1234, Salt: tidemark.Salt{1}, Seen: 123456, Body: AppendChanges(nil, edit, false), MadeAt: 1763712000000})
		down := AppendDown(nil, &Batch{From: 123456, To: 123457, Sum: 1 << 63, Changes: edit})
		t.Logf("push %d bytes, batch %d\n%s\n%s", len(up), len(down), up, down)
		if len(up) > 95 || len(down) > 76 {
			t.Error("too long")
		}
	}
}
