package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// history has one line per version of the protocol: the hash of its
// description, spec/messages.json, and what it brought. A description that was
// released is never changed: it gets a new version and a new line.
var history = []struct {
	version int
	hash    string
	brought string
}{
	{1, "f3f1514bc830ef0b", "the first: sessions, changesets, batches, verification, tokens, presence, scopes"},
}

// description is spec/messages.json.
type description struct {
	Protocol        int
	Up, Down, Parts []layout
	Changes, Values map[string]string
}

// layout is the order of a message's fields. A field is its name and type.
type layout struct {
	Kind, Name string
	Fields     []string
}

func readDescription(t *testing.T) ([]byte, description) {
	text, err := os.ReadFile("../../spec/messages.json")
	if err != nil {
		t.Fatal(err)
	}
	var d description
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return text, d
}

func TestDescriptionIsPinnedToTheVersion(t *testing.T) {
	text, d := readDescription(t)
	var whole any
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	canonical, err := json.Marshal(whole) // without the spaces, keys in order
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(canonical)
	got := hex.EncodeToString(sum[:8])
	last := history[len(history)-1]
	if d.Protocol != Protocol || last.version != Protocol || len(history) != Protocol {
		t.Errorf("version %d, its description is of %d, its history ends at %d", Protocol, d.Protocol, last.version)
	}
	if got != last.hash {
		t.Errorf("the description of version %d has the hash %s, pinned is %s: a change of the protocol needs a new version", Protocol, got, last.hash)
	}
}

// The encoders write what the description says, where it says.
func TestMessagesAreLaidOutAsDescribed(t *testing.T) {
	_, d := readDescription(t)
	if len(d.Up) != len(allUp) || len(d.Down) != len(allDown) {
		t.Errorf("%d and %d messages are described, %d and %d are there", len(d.Up), len(d.Down), len(allUp), len(allDown))
	}
	for _, l := range d.Up {
		checkLayout(t, l, func() any { return newUp(l.Kind) })
	}
	for _, l := range d.Down {
		checkLayout(t, l, func() any { return newDown(l.Kind) })
	}
	checkParts(t, d.Parts)
}

// checkLayout sets one field after the other and looks where the array changes.
func checkLayout(t *testing.T, l layout, fresh func() any) {
	t.Helper()
	m := fresh()
	v := reflect.ValueOf(m).Elem()
	if v.Type().Name() != l.Name {
		t.Errorf("%s is %s", l.Name, v.Type().Name())
	}
	zero := elements(t, m)
	if len(zero) != len(l.Fields)+1 || string(zero[0]) != `"`+l.Kind+`"` {
		t.Fatalf("%s: %d fields are described, %d are written: %s", l.Name, len(l.Fields), len(zero)-1, zero)
	}
	for i, f := range l.Fields {
		name, _, _ := strings.Cut(f, " ")
		m := fresh()
		field := reflect.ValueOf(m).Elem().FieldByName(goName(name))
		if !field.IsValid() {
			t.Errorf("%s has no field %s", l.Name, goName(name))
			continue
		}
		setSomething(field)
		if got := moved(zero, elements(t, m)); !slices.Contains(got, i+1) || len(got) > 1 && l.Name+name != "Batchto" {
			t.Errorf("%s: %s stands at %v, described is %d", l.Name, name, got, i+1)
		}
	}
}

// elements encodes a message with nothing left out.
func elements(t *testing.T, m any) []json.RawMessage {
	t.Helper()
	w := &writer{}
	switch m := m.(type) {
	case Up:
		m.write(w)
	case Down:
		m.write(w)
	case *tidemark.Outcome:
		writeOutcome(w, m)
	}
	var out []json.RawMessage
	if err := json.Unmarshal(append(w.b, ']'), &out); err != nil {
		t.Fatalf("%v: %s", err, w.b)
	}
	return out
}

func moved(a, b []json.RawMessage) []int {
	var at []int
	for i := range a {
		if string(a[i]) != string(b[i]) {
			at = append(at, i)
		}
	}
	return at
}

func goName(name string) string {
	if name == "id" {
		return "ID"
	}
	var out string
	for _, word := range strings.Split(name, "_") {
		out += strings.ToUpper(word[:1]) + word[1:]
	}
	return out
}

// setSomething gives a field a value other than zero.
func setSomething(v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *[]byte:
		*p = []byte(`[[1,"d",1]]`)
		return
	case *tidemark.OutcomeKind:
		*p = tidemark.Rejected
		return
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int64:
		v.SetInt(5)
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("some")
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Struct:
		setSomething(v.Field(0))
	case reflect.Array:
		setSomething(v.Index(0))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	}
}

// checkParts does the same for an outcome, the one part with many fields, and
// counts those of the parts that stand in one.
func checkParts(t *testing.T, parts []layout) {
	zero := elements(t, &tidemark.Outcome{})
	full := elements(t, &tidemark.Outcome{
		Lost:       []tidemark.Cell{{Table: "t", Key: []tidemark.Value{tidemark.Int(1)}, Column: "c"}},
		Renumbered: []tidemark.Renumbered{{Table: "t", From: 1, To: 2, Before: 3}},
	})
	place := map[string]int{}
	for _, l := range parts {
		if l.Name != "outcome" {
			continue
		}
		for i, f := range l.Fields {
			name, _, _ := strings.Cut(f, " ")
			place[name] = i
			o := &tidemark.Outcome{}
			setSomething(reflect.ValueOf(o).Elem().FieldByName(goName(name)))
			if got := moved(zero, elements(t, o)); !slices.Equal(got, []int{i}) {
				t.Errorf("outcome: %s stands at %v, described is %d", name, got, i)
			}
		}
	}
	for _, l := range parts {
		switch l.Name {
		case "cell":
			checkLength(t, l, full[place["lost"]])
		case "renumbered":
			checkLength(t, l, full[place["renumbered"]])
		case "lease":
			checkLength(t, l, elements(t, &Leases{List: []tidemark.Lease{{Table: 1, First: 2, Last: 3}}})[1])
		}
	}
}

// checkLength counts the elements of the one part in a list.
func checkLength(t *testing.T, l layout, list json.RawMessage) {
	t.Helper()
	var got [][]json.RawMessage
	if err := json.Unmarshal(list, &got); err != nil || len(got) != 1 || len(got[0]) != len(l.Fields) {
		t.Errorf("%s is written as %s, described are %d fields", l.Name, list, len(l.Fields))
	}
}
