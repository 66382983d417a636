package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// withHook runs a test twice: where the step that judges waits for the hook,
// and where every changeset is put off until its verdict comes.
func withHook(t *testing.T, test func(t *testing.T, tune tuning)) {
	for name, wait := range map[string]time.Duration{"in place": patience, "put off": 0} {
		t.Run(name, func(t *testing.T) {
			tune := testTuning()
			tune.hookWait, tune.retry = wait, time.Millisecond
			test(t, tune)
		})
	}
}

// again serves the file with another server.
func (d *deck) again(o Options, tune tuning) {
	d.t.Helper()
	o.TempDir, o.Logger = d.t.TempDir(), slog.New(slog.NewTextHandler(d.logs, nil))
	var err error
	if d.srv, err = newServer(o, tune); err != nil {
		d.t.Fatal(err)
	}
	if err := d.srv.Add(context.Background(), "shop", d.path); err != nil {
		d.t.Fatal(err)
	}
	d.http = httptest.NewServer(d.srv)
}

func text(s string) tidemark.Value { return tidemark.Text(s) }

func TestAHookRejectsWithTheAppsOwnCode(t *testing.T) {
	withHook(t, func(t *testing.T, tune tuning) {
		var calls atomic.Int64
		d := newDeck(t, Options{Hook: func(_ context.Context, call *HookCall) error {
			calls.Add(1)
			for _, c := range call.Changes {
				if c.Table == "item" && c.New["name"] == text("bad") {
					return c.Reject("bad_name", "that is no name", "name")
				}
				if c.New["name"] == text("worse") {
					return Reject("app:worse", strings.Repeat("ä", 2000))
				}
			}
			return nil
		}}, tune)
		v := d.newDevice()
		v.dial()
		bad := v.push(insertItem(1, "bad"))
		v.send(bad)
		o := v.outcome()
		if o.Kind != tidemark.Rejected || o.Code != "app:bad_name" || o.Message != "that is no name" ||
			o.Table != "item" || len(o.Key) != 1 || o.Key[0] != tidemark.Int(1) || len(o.Columns) != 1 || o.Columns[0] != "name" {
			t.Fatalf("%+v", o)
		}
		v.send(v.push(insertItem(1, "worse")))
		if o := v.outcome(); o.Code != "app:worse" || len(o.Message) > maxReason || !strings.HasPrefix(o.Message, "ää") {
			t.Fatalf("%+v", o)
		}
		v.send(v.push(insertItem(1, "good")))
		if o := v.outcome(); o.Kind != tidemark.Accepted {
			t.Fatalf("%+v", o)
		}
		v.send(v.push(setName(1, "bad")))
		if o := v.outcome(); o.Code != "app:bad_name" {
			t.Fatalf("%+v", o)
		}
		asked := calls.Load()
		v.dial()
		v.send(bad) // a replay: the recorded outcome, without the hook
		if o := v.outcome(); o.Code != "app:bad_name" || calls.Load() != asked {
			t.Fatalf("%+v, and %d calls more", o, calls.Load()-asked)
		}
	})
}

func TestAHookSeesOldAndNewRows(t *testing.T) {
	withHook(t, func(t *testing.T, tune tuning) {
		var seen []string
		d := newDeck(t, Options{Hook: func(_ context.Context, call *HookCall) error {
			for _, c := range call.Changes {
				seen = append(seen, fmt.Sprint(call.Space, " ", call.N, " ", c.Table, " ", c.Op, " ", c.Key, " ", c.Old, " ", c.New, " ", c.Columns))
			}
			if call.Try != 1 || call.Replica == "" || call.MadeAt.UnixMilli() != 1 || call.Principal.ID != "" {
				return Reject("odd", fmt.Sprintf("%+v", call))
			}
			return nil
		}}, tune)
		v := d.newDevice()
		v.dial()
		for _, c := range []tidemark.Change{insertItem(1, "one"), setName(1, "uno"), {Table: 1, Op: tidemark.Delete, Key: []tidemark.Value{tidemark.Int(1)}}} {
			v.send(v.push(c))
			if o := v.outcome(); o.Kind != tidemark.Accepted {
				t.Fatalf("%+v", o)
			}
		}
		want := []string{
			"shop 1 item insert map[id:1] map[] map[id:1 name:'one' note:NULL] []",
			"shop 2 item update map[id:1] map[id:1 name:'one' note:NULL] map[id:1 name:'uno' note:NULL] [name]",
			"shop 3 item delete map[id:1] map[id:1 name:'uno' note:NULL] map[] []",
		}
		if strings.Join(seen, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%s", strings.Join(seen, "\n"))
		}
	})
}

func TestAHookAmends(t *testing.T) {
	withHook(t, func(t *testing.T, tune tuning) {
		d := newDeck(t, Options{Hook: func(_ context.Context, call *HookCall) error {
			for _, c := range call.Changes {
				switch name := c.New["name"].Str(); {
				case c.Op == tidemark.Insert && name == "drop":
					c.Drop()
				case c.Op == tidemark.Insert:
					c.Set("Note", text("by hook"))
					c.Set("name", text(strings.ToLower(name)))
					call.Insert("part", HookRow{"item": c.New["id"]})
					call.Insert("part", HookRow{"item": c.New["id"]})
				case name == "cascade":
					call.Update("part", HookRow{"id": tidemark.Int(1)}, HookRow{"item": tidemark.Int(2)})
					call.Delete("part", HookRow{"id": tidemark.Int(2)})
					call.Update("part", HookRow{"id": tidemark.Int(99)}, HookRow{"item": tidemark.Int(2)}) // is not there
				}
			}
			return nil
		}}, tune)
		v, other := d.newDevice(), d.newDevice()
		v.dial()
		other.dial()
		v.send(v.push(insertItem(1, "ONE")))
		o := v.outcome()
		if o.Kind != tidemark.Merged || len(o.Lost) != 1 || o.Lost[0].Column != "name" || len(o.Over) != 0 {
			t.Fatalf("%+v", o) // note was left open by the author: nothing of it is lost
		}
		v.send(v.push(insertItem(2, "two"), insertItem(3, "drop")))
		if o := v.outcome(); o.Kind != tidemark.Merged || len(o.Lost) != 1 || o.Lost[0].Column != "" || o.Lost[0].Key[0] != tidemark.Int(3) {
			t.Fatalf("%+v", o)
		}
		v.send(v.push(setName(3, "x"))) // built on what was dropped
		if o := v.outcome(); o.Code != tidemark.CodeDependsOn {
			t.Fatalf("%+v", o)
		}
		v.send(v.push(setName(1, "cascade")))
		if o := v.outcome(); o.Kind != tidemark.Accepted {
			t.Fatalf("%+v", o)
		}
		v.send(v.push(insertItem(4, "drop")))
		if o := v.outcome(); o.Kind != tidemark.Merged {
			t.Fatalf("amended to nothing: %+v", o)
		}
		head := d.space().State().Head
		v.reach(head)
		other.reach(head)
		want := map[string]string{
			"1 [1]": "[1 'cascade' 'by hook']", "1 [2]": "[2 'two' 'by hook']",
			"2 [1]": "[1 2]", "2 [3]": "[3 2]", "2 [4]": "[4 2]",
		}
		for _, device := range []*device{v, other} {
			rows := 0
			for id, row := range device.rows {
				if want[id] != "" {
					rows++
					if fmt.Sprint(row) != want[id] {
						t.Errorf("row %s is %v", id, row)
					}
				} else if strings.HasPrefix(id, "1 ") || strings.HasPrefix(id, "2 ") {
					t.Errorf("row %s is there: %v", id, row)
				}
			}
			if rows != len(want) || device.sum != v.sum {
				t.Errorf("%d rows, sum %d against %d", rows, device.sum, v.sum)
			}
		}
	})
}

// What a hook does wrong never gets into the file, and delays nobody else.
func TestAHookThatIsWrong(t *testing.T) {
	wrongs := map[string]func(*HookCall) error{
		"panic":          func(*HookCall) error { panic("oops") },
		"nil row":        func(c *HookCall) error { c.Changes[0].Old["x"] = tidemark.Null; return nil },
		"key":            func(c *HookCall) error { c.Changes[0].Set("id", tidemark.Int(7)); return nil },
		"no such column": func(c *HookCall) error { c.Changes[0].Set("colour", tidemark.Null); return nil },
		"no such table":  func(c *HookCall) error { c.Insert("colour", nil); return nil },
		"half a key":     func(c *HookCall) error { c.Delete("part", HookRow{}); return nil },
		"NULL key":       func(c *HookCall) error { c.Delete("part", HookRow{"id": tidemark.Null}); return nil },
		"sets a key": func(c *HookCall) error {
			c.Update("part", HookRow{"id": tidemark.Int(1)}, HookRow{"id": tidemark.Int(2)})
			return nil
		},
		"same row twice": func(c *HookCall) error { c.Delete("item", HookRow{"id": tidemark.Int(1)}); return nil },
		"two alike": func(c *HookCall) error {
			c.Delete("part", HookRow{"id": tidemark.Int(1)})
			c.Delete("part", HookRow{"id": tidemark.Int(1)})
			return nil
		},
		"no code":  func(*HookCall) error { return Reject("Not A Code", "x") },
		"no codes": func(c *HookCall) error { return c.Changes[0].Reject("", "x") },
	}
	for name, wrong := range wrongs {
		t.Run(name, func(t *testing.T) {
			tune := testTuning()
			tune.retry = time.Millisecond
			d := newDeck(t, Options{Hook: func(_ context.Context, call *HookCall) error {
				if call.Changes[0].New["name"] == text("wrong") {
					return wrong(call)
				}
				return nil
			}}, tune)
			v, other := d.newDevice(), d.newDevice()
			v.dial()
			other.dial()
			v.send(v.push(insertItem(1, "wrong")))
			v.send(v.push(insertItem(2, "behind it")))
			other.send(other.push(insertItem(3, "other")))
			if o := other.outcome(); o.Kind != tidemark.Accepted {
				t.Fatalf("%+v", o)
			}
			var got []tidemark.Outcome
			for len(got) < 2 {
				got = append(got, wait[*wire.Outcomes](v).List...)
			}
			if got[0].Kind != tidemark.Rejected || got[0].Code != tidemark.CodeInternal || got[1].Kind != tidemark.Accepted {
				t.Fatalf("%+v", got)
			}
			if !contains(d.logs, "the hook") {
				t.Fatal("nobody was told")
			}
		})
	}
}

// A rejection by a constraint comes also for what the hook made of a changeset.
func TestConstraintsJudgeWhatAHookAmends(t *testing.T) {
	withHook(t, func(t *testing.T, tune tuning) {
		d := newDeck(t, Options{Hook: func(_ context.Context, call *HookCall) error {
			call.Insert("part", HookRow{"item": tidemark.Int(77)})
			return nil
		}}, tune)
		v := d.newDevice()
		v.dial()
		v.send(v.push(insertItem(1, "one")))
		if o := v.outcome(); o.Code != tidemark.CodeForeignKey {
			t.Fatalf("%+v", o)
		}
	})
}

// Without a hook nothing is asked, and nothing of it is counted.
func TestWithoutAHook(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	if d.space().hooks != nil || d.space().verdicts() != nil || d.metric("tidemark_hook") != "" {
		t.Fatal("something of a hook is there")
	}
}
