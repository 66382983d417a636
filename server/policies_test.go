package server

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/policy"
)

// writeFile writes a file of policies.
func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// keepLonger takes of two texts the longer one.
func keepLonger(_, theirs, mine tidemark.Value) (tidemark.Value, error) {
	if len(theirs.Str()) >= len(mine.Str()) {
		return theirs, nil
	}
	return mine, nil
}

// declaredDeck is a deck whose policies are in a file of their own.
func declaredDeck(t testing.TB, text string, o Options) (*deck, string) {
	t.Helper()
	o.Policies = filepath.Join(t.TempDir(), "declared.yaml")
	writeFile(t, o.Policies, text)
	return newDeck(t, o, testTuning()), o.Policies
}

func TestFunctionsOfTheEmbeddingProgramDecide(t *testing.T) {
	d, _ := declaredDeck(t, "tables: {item: {columns: {name: {policy: custom, function: longer}}, on_unique: {function: rename}}}", Options{
		Merge: map[string]MergeFunc{"longer": keepLonger},
		Unique: map[string]UniqueFunc{"rename": func(c Clash) (Resolution, error) {
			row := append([]tidemark.Value(nil), c.Mine...)
			row[1] = tidemark.Text(row[1].Str() + " (2)")
			return Resolution{Row: row}, nil
		}},
	})
	a, b := d.newDevice(), d.newDevice()
	a.dial()
	b.dial()
	a.send(a.push(insertItem(1, "one")))
	a.reach(1)
	b.reach(1)
	push := func(v *device, name string) tidemark.Outcome {
		p := v.push(setName(1, name))
		p.Seen = 1 // neither has heard of the other
		v.send(p)
		return v.outcome()
	}
	push(a, "a long name")
	if o := push(b, "short"); o.Kind != tidemark.Merged || len(o.Lost) != 1 {
		t.Fatalf("%+v", o)
	}
	a.send(a.push(insertItem(2, "a long name")))
	if o := a.outcome(); o.Kind == tidemark.Rejected {
		t.Fatalf("%+v", o)
	}
	a.reach(d.space().State().Head)
	names := map[string]bool{}
	for _, row := range a.rows {
		names[row[1].Str()] = true
	}
	if !names["a long name"] || !names["a long name (2)"] {
		t.Errorf("%v", a.rows)
	}
}

func TestPoliciesAreReadAgain(t *testing.T) {
	var events []Event
	d, file := declaredDeck(t, "tables: {item: {keep: nothing}}", Options{OnEvent: func(e Event) { events = append(events, e) }})
	a := d.newDevice()
	a.dial()
	before := a.hello.Schema

	writeFile(t, file, "tables: {item: {columns: {name: text, note: max}}}")
	if err := d.srv.Reload(); err != nil {
		t.Fatal(err)
	}
	a.reach(1) // the move takes a seq
	if a.hello.Schema == before || d.space().State().SchemaHash != a.hello.Schema {
		t.Errorf("schema %s, then %s", before, a.hello.Schema)
	}
	if len(events) != 1 || events[0].Kind != EventPolicies || events[0].Schema != a.hello.Schema {
		t.Errorf("%+v", events)
	}
	if err := d.srv.Reload(); err != nil {
		t.Fatal(err)
	}
	a.send(a.push(insertItem(1, "one")))
	if o := a.outcome(); o.Seq != 2 {
		t.Errorf("the same policies again moved something: %+v", o)
	}

	// What cannot be used changes nothing, and says why.
	for _, text := range []string{"tables: {item: {keep: everything}}", "tables: {itm: {}}", "tables: {item: {columns: {name: {policy: custom, function: f}}}}"} {
		writeFile(t, file, text)
		err := d.srv.Reload()
		var ps policy.Problems
		if !errors.As(err, &ps) || len(ps) != 1 || !strings.Contains(err.Error(), "space shop: "+file+":1:") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := d.srv.Reload(); tidemark.CodeOf(err) != tidemark.CodeUsage {
		t.Errorf("a file that is gone: %v", err)
	}
	a.send(a.push(insertItem(2, "two")))
	if o := a.outcome(); o.Seq != 3 {
		t.Errorf("%+v", o)
	}
}

func TestPoliciesBesideTheDatabase(t *testing.T) {
	checkLeaks(t)
	dir := t.TempDir()
	for _, name := range []string{"shop", "stock"} {
		makeFile(t, filepath.Join(dir, name+".sqlite"), shopSchema)
	}
	writeFile(t, filepath.Join(dir, "tidemark.yaml"), "tables: {item: {columns: {name: text}}}")
	writeFile(t, filepath.Join(dir, "stock.tidemark.yaml"), "tables: {item: {columns: {name: first-write}}}")
	srv, err := newServer(Options{Dir: dir, Create: true, TempDir: t.TempDir()}, testTuning())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	}()
	for name, want := range map[string]tidemark.Policy{"shop": tidemark.PolicyText, "stock": tidemark.PolicyFirstWrite} {
		sp, err := srv.space(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		err = sp.store.View(context.Background(), func(v tidemark.View) error {
			if got := v.Schema().Named("item").PolicyOf(1); got != want {
				t.Errorf("%s: %s", name, got)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	// A space that is made takes them up when it gets the tables.
	if _, err := srv.space(context.Background(), "fresh"); err != nil {
		t.Errorf("a database without tables: %v", err)
	}
	list, err := srv.Spaces()
	if err != nil || len(list) != 3 || !strings.HasSuffix(list[2].Policies, "stock.tidemark.yaml") {
		t.Errorf("%+v %v", list, err)
	}
}

func TestPoliciesThatDoNotFitRefuseTheFileUntouched(t *testing.T) {
	checkLeaks(t)
	path := filepath.Join(t.TempDir(), "shop.sqlite")
	makeFile(t, path, shopSchema)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"tables: {item: {columns: {id: text}}}":                                "belongs to the primary key",
		"tables: {part: {columns: {item: counter}}}":                           "refers to another table",
		"tables: {item: {on_unique: {function: rename}}}":                      "no function rename is registered",
		"tables: {item: {policy: }}":                                           "the value is missing",
		"tables: {item: {columns: {name: {policy: custom, function: longr}}}}": "did you mean longer?",
	} {
		file := filepath.Join(filepath.Dir(path), "tidemark.yaml")
		writeFile(t, file, text)
		srv, err := Open(path, Options{TempDir: t.TempDir(), Merge: map[string]MergeFunc{"longer": keepLonger}})
		if err == nil {
			_ = srv.Close()
		}
		if tidemark.CodeOf(err) != tidemark.CodeUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was written: %d bytes, then %d, %v", len(before), len(after), err)
	}
}
