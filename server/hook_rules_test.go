package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// judgedDeck is a deck with a file of policies and rules beside its database.
func judgedDeck(t *testing.T, declaration string, o Options, tune tuning) *deck {
	t.Helper()
	o.Policies = filepath.Join(t.TempDir(), "tidemark.yaml")
	if err := os.WriteFile(o.Policies, []byte(declaration), 0o644); err != nil {
		t.Fatal(err)
	}
	return newDeck(t, o, tune)
}

// Rules judge after the hook, also what it added.
func TestRulesJudgeWhatAHookAmends(t *testing.T) {
	withHook(t, func(t *testing.T, tune tuning) {
		var asked atomic.Int64
		d := judgedDeck(t, `rules:
  tables:
    item: { insert: NEW.note = 'by hook', update: public, delete: none }
    part: { insert: none, update: none, delete: none }
`, Options{Hook: func(_ context.Context, call *HookCall) error {
			asked.Add(1)
			switch c := call.Changes[0]; c.New["name"].Str() {
			case "with note":
				c.Set("note", text("by hook"))
			case "with part":
				c.Set("note", text("by hook"))
				call.Insert("part", HookRow{"item": c.New["id"]})
			}
			return nil
		}}, tune)
		v := d.newDevice()
		v.dial()
		for i, want := range []struct {
			name string
			code tidemark.Code
		}{{"without", tidemark.CodeForbidden}, {"with note", ""}, {"with part", tidemark.CodeForbidden}} {
			v.send(v.push(insertItem(int64(i+1), want.name)))
			if o := v.outcome(); o.Code != want.code {
				t.Fatalf("%s: %+v", want.name, o)
			}
		}
		if asked.Load() != 3 {
			t.Fatalf("asked %d times", asked.Load())
		}
	})
}

// A rejection names the row as its author does, also where the server had
// given it another key.
func TestAHookRejectsARenumberedRow(t *testing.T) {
	withHook(t, func(t *testing.T, tune tuning) {
		d := newDeck(t, Options{Hook: func(_ context.Context, call *HookCall) error {
			if c := call.Changes[0]; c.New["name"] == text("mine") {
				return c.Reject("no", fmt.Sprint(c.Key["id"]))
			}
			return nil
		}}, tune)
		v, other := d.newDevice(), d.newDevice()
		v.dial()
		other.dial()
		other.send(other.push(insertItem(1, "theirs")))
		other.outcome()
		v.send(v.push(insertItem(1, "mine")))
		if o := v.outcome(); o.Code != "app:no" || o.Message == "1" || o.Key[0] != tidemark.Int(1) {
			t.Fatalf("%+v", o)
		}
	})
}

// A unique value that is taken is answered by a function: what it made of the
// changeset is shown to the hook, too.
func TestAHookSeesWhatAFunctionMadeOfAClash(t *testing.T) {
	withHook(t, func(t *testing.T, tune tuning) {
		var mu sync.Mutex
		var seen []string
		d := judgedDeck(t, "tables: { item: { on_unique: { function: rename } } }\n", Options{
			Unique: map[string]UniqueFunc{"rename": func(c Clash) (Resolution, error) {
				row := slices.Clone(c.Mine)
				row[1] = text(row[1].Str() + "!")
				return Resolution{Row: row}, nil
			}},
			Hook: func(_ context.Context, call *HookCall) error {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, call.Changes[0].New["name"].Str())
				return nil
			},
		}, tune)
		v := d.newDevice()
		v.dial()
		v.send(v.push(insertItem(1, "one")))
		v.outcome()
		v.send(v.push(insertItem(2, "one")))
		if o := v.outcome(); o.Kind != tidemark.Merged {
			t.Fatalf("%+v", o)
		}
		mu.Lock()
		defer mu.Unlock()
		if fmt.Sprint(seen) != "[one one one!]" {
			t.Fatal(seen)
		}
	})
}

// What a table keeps of losers holds for those against the hook.
func TestATableThatKeepsNothingKeepsNothingOfAHook(t *testing.T) {
	tune := testTuning()
	d := judgedDeck(t, "tables: { item: { keep: nothing } }\n", Options{Hook: func(_ context.Context, call *HookCall) error {
		call.Changes[0].Set("name", text("other"))
		return nil
	}}, tune)
	v := d.newDevice()
	v.dial()
	v.send(v.push(insertItem(1, "one")))
	if o := v.outcome(); o.Kind != tidemark.Merged || len(o.Lost) != 1 {
		t.Fatalf("%+v", o)
	}
	v.reach(1)
	if len(v.rows) != 1 {
		t.Fatalf("%v", v.rows)
	}
}
