package spec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// testMessages: "wire" is how the message is written. Fields that are not
// given have their zero value. Bytes and sums are in hexadecimal.
func testMessages(t *testing.T, text []byte) {
	type vector struct {
		Name    string
		To      string // server or replica
		Message string
		Fields  json.RawMessage
		Wire    string
		Also    []string
		Refused []string
	}
	kinds := map[string]bool{}
	cases(t, text, func(c *vector) string { return c.Name }, func(t *testing.T, c *vector) {
		read := func(in string) (any, error) { return wire.DecodeUp([]byte(in)) }
		if c.To == "replica" {
			read = func(in string) (any, error) { return wire.DecodeDown([]byte(in)) }
		}
		for _, in := range c.Refused {
			if got, err := read(in); tidemark.CodeOf(err) != tidemark.CodeProtocol {
				t.Errorf("%s read as %+v, %v", in, got, err)
			}
		}
		if c.Message == "" {
			return
		}
		kinds[c.Message] = true
		want := build(t, c.Message, c.Fields)
		if got := write(want); got != c.Wire {
			t.Errorf("written %s, want %s", got, c.Wire)
		}
		for _, in := range append(c.Also, c.Wire) {
			got, err := read(in)
			if b, ok := got.(*wire.Batch); ok {
				b.Raw = nil
				for i := range b.Parts {
					b.Parts[i].Raw = nil
				}
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s read as %+v, %v, want %+v", in, got, err, want)
			}
		}
	})
	for name := range messages {
		if !kinds[name] {
			t.Errorf("there is no vector of %s", name)
		}
	}
}

var messages = map[string]any{
	"Hello": wire.Hello{}, "Push": wire.Push{}, "Ack": wire.Ack{}, "AskRanges": wire.AskRanges{}, "AskRows": wire.AskRows{}, "Token": wire.Token{},
	"Presence": wire.Presence{}, "Cast": wire.Cast{}, "Peers": wire.Peers{}, "Heard": wire.Heard{}, "Declined": wire.Declined{},
	"Welcome": wire.Welcome{}, "Schema": wire.Schema{}, "Outcomes": wire.Outcomes{}, "Batch": wire.Batch{},
	"Ranges": wire.Ranges{}, "Rows": wire.Rows{}, "Leases": wire.Leases{}, "Refusal": wire.Refusal{}, "Renewed": wire.Renewed{},
	"Subscribe": wire.Subscribe{}, "Scopes": wire.Scopes{},
}

func write(m any) string {
	if up, ok := m.(wire.Up); ok {
		return string(wire.AppendUp(nil, up))
	}
	return string(wire.AppendDown(nil, m.(wire.Down)))
}

// build makes a message from the fields of a vector.
func build(t *testing.T, message string, fields []byte) any {
	d := json.NewDecoder(bytes.NewReader(fields))
	d.UseNumber()
	var x any
	if err := d.Decode(&x); err != nil {
		t.Fatal(err)
	}
	zero, ok := messages[message]
	if !ok {
		t.Fatalf("no such message: %s", message)
	}
	m := reflect.New(reflect.TypeOf(zero))
	assign(t, m.Elem(), x)
	return m.Interface()
}

// assign fills v from what JSON had.
func assign(t *testing.T, v reflect.Value, x any) {
	switch p := v.Addr().Interface().(type) {
	case *tidemark.Value:
		var val value
		if err := val.UnmarshalText([]byte(x.(string))); err != nil {
			t.Fatalf("%v: %v", x, err)
		}
		*p = val.Value
		return
	case *[]byte: // encoded already
		*p = []byte(x.(string))
		return
	case *[]tidemark.Change:
		text, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		var list []change
		if err := json.Unmarshal(text, &list); err != nil {
			t.Fatal(err)
		}
		*p = plainChanges(list)
		return
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int64:
		n, err := x.(json.Number).Int64()
		if err != nil {
			t.Fatal(err)
		}
		v.SetInt(n)
	case reflect.Uint64:
		n, err := strconv.ParseUint(x.(string), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		v.SetUint(n)
	case reflect.Bool:
		v.SetBool(x.(bool))
	case reflect.String:
		v.SetString(x.(string))
	case reflect.Array:
		unhex(t, x.(string), v.Slice(0, v.Len()).Bytes())
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		assign(t, v.Elem(), x)
	case reflect.Slice:
		list := x.([]any)
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i := range list {
			assign(t, v.Index(i), list[i])
		}
	case reflect.Struct:
		for name, field := range x.(map[string]any) {
			assign(t, fieldNamed(t, v, name), field)
		}
	}
}

// fieldNamed finds read_only as ReadOnly and id as ID.
func fieldNamed(t *testing.T, v reflect.Value, name string) reflect.Value {
	want := strings.ReplaceAll(name, "_", "")
	f := v.FieldByNameFunc(func(s string) bool { return strings.EqualFold(s, want) })
	if !f.IsValid() {
		t.Fatalf("%s has no field %s", v.Type(), name)
	}
	return f
}

func unhex(t *testing.T, text string, p []byte) {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(p) {
		t.Fatalf("%q is not %d bytes in hexadecimal", text, len(p))
	}
	copy(p, b)
}
