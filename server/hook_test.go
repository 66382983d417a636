package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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

// gate is a hook that waits until it is let go on.
type gate struct {
	came chan *HookCall
	fate chan error
}

func newGate() *gate { return &gate{came: make(chan *HookCall, 100), fate: make(chan error, 100)} }

func (g *gate) hook(ctx context.Context, call *HookCall) error {
	if !strings.HasPrefix(call.Changes[0].New["name"].Str(), "slow") {
		return nil
	}
	g.came <- call
	select {
	case err := <-g.fate:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestASlowHookDelaysItsReplicaAlone(t *testing.T) {
	g := newGate()
	tune := testTuning()
	d := newDeck(t, Options{Hook: g.hook}, tune)
	path := strings.TrimSuffix(d.path, "shop.sqlite") + "second.sqlite"
	makeFile(t, path, shopSchema)
	if err := d.srv.Add(context.Background(), "second", path); err != nil {
		t.Fatal(err)
	}
	v, other := d.newDevice(), d.newDevice()
	v.dial()
	other.dial()
	v.send(v.push(insertItem(1, "slow")))
	v.send(v.push(insertItem(2, "behind it")))
	<-g.came
	for i := range int64(10) {
		other.send(other.push(insertItem(10+i, fmt.Sprint("other ", i))))
		if o := other.outcome(); o.Kind != tidemark.Accepted {
			t.Fatalf("%+v", o)
		}
	}
	d.byHand("INSERT INTO item VALUES (50, 'by hand', NULL)")
	other.reach(11)
	g.fate <- nil
	var got []tidemark.Outcome
	for len(got) < 2 {
		got = append(got, wait[*wire.Outcomes](v).List...)
	}
	if got[0].N != 1 || got[0].Seq != 12 || got[1].N != 2 || got[1].Seq != 13 {
		t.Fatalf("%+v", got)
	}
}

func TestAHookIsAskedAgainWhenRowsMoved(t *testing.T) {
	g := newGate()
	d := newDeck(t, Options{Hook: g.hook}, testTuning())
	v, other := d.newDevice(), d.newDevice()
	v.dial()
	other.dial()
	other.send(other.push(insertItem(1, "one")))
	other.outcome()
	v.reach(1)
	push := v.push(setName(1, "slow"))
	push.Seen = v.hello.Seq
	v.send(push)
	note := func(s string) tidemark.Change {
		return tidemark.Change{Table: 1, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(1)}, Cols: []int{2}, New: []tidemark.Value{text(s)}}
	}
	// Another replica writes the row each time while the hook thinks.
	for try := 1; try <= maxShown; try++ {
		call := <-g.came
		want := tidemark.Null
		if try > 1 {
			want = text(fmt.Sprint("note ", try-1))
		}
		if call.Try != try || call.Changes[0].Old["note"] != want || call.Changes[0].New["note"] != want {
			t.Fatalf("try %d: %+v", call.Try, call.Changes[0])
		}
		other.send(other.push(note(fmt.Sprint("note ", try))))
		if o := other.outcome(); o.Kind != tidemark.Accepted {
			t.Fatalf("%+v", o)
		}
		g.fate <- nil
	}
	if o := v.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
	select {
	case call := <-g.came:
		t.Fatalf("asked once more: %+v", call)
	default:
	}
}

func TestAHookThatCannotJudgeForAWhile(t *testing.T) {
	withHook(t, func(t *testing.T, tune tuning) {
		var down atomic.Bool
		var mu sync.Mutex
		var events []EventKind
		down.Store(true)
		d := newDeck(t, Options{
			Hook: func(_ context.Context, call *HookCall) error {
				if down.Load() {
					// also an error that looks like one of the data
					return &tidemark.Error{Code: tidemark.CodeUnique, Msg: "the app's own database is down"}
				}
				return nil
			},
			OnEvent: func(e Event) {
				mu.Lock()
				defer mu.Unlock()
				events = append(events, e.Kind)
			},
		}, tune)
		v := d.newDevice()
		v.dial()
		v.send(v.push(insertItem(1, "one")))
		v.send(v.push(insertItem(2, "two")))
		for !contains(d.logs, "cannot be applied now") || strings.Count(d.logs.String(), "cannot be applied now") < 14 {
			time.Sleep(time.Millisecond)
		}
		down.Store(false)
		for n := int64(1); n <= 2; {
			for _, o := range wait[*wire.Outcomes](v).List {
				if o.Kind != tidemark.Accepted || o.N != n {
					t.Fatalf("%+v", o)
				}
				n++
			}
		}
		mu.Lock()
		defer mu.Unlock()
		failing := 0
		for _, e := range events {
			if e == EventHookFailing {
				failing++
			}
		}
		if failing != 1 || !contains(d.logs, "the hook works again") {
			t.Fatalf("%v", events)
		}
	})
}

// A round trip does not stay open while the hook is down: the replica hears why.
func TestARoundTripWhileTheHookIsDown(t *testing.T) {
	withHook(t, func(t *testing.T, tune tuning) {
		var down atomic.Bool
		down.Store(true)
		d := newDeck(t, Options{Hook: func(context.Context, *HookCall) error {
			if down.Load() {
				return errors.New("down")
			}
			return nil
		}}, tune)
		v := d.newDevice()
		v.dial() // for a name
		_ = v.conn.Close()
		a, b := v.push(insertItem(1, "one")), v.push(insertItem(2, "two"))
		got, _ := v.trip("", nil, a, b)
		r, ok := got[len(got)-1].(*wire.Refusal)
		if !ok || r.Code != tidemark.CodeBusy || r.Fatal || r.Retry <= 0 {
			t.Fatalf("%+v", got)
		}
		down.Store(false)
		got, _ = v.trip("", nil, a, b)
		n := 0
		for _, m := range got {
			if o, ok := m.(*wire.Outcomes); ok {
				n += len(o.List)
			}
		}
		if n != 2 || v.hello.Settled != 2 {
			t.Fatalf("%+v", got)
		}
	})
}

// What a connection handed in leaves with it; the verdict stays for when the
// replica comes again.
func TestAConnectionThatEndsWhileTheHookThinks(t *testing.T) {
	g := newGate()
	tune := testTuning()
	d := newDeck(t, Options{Hook: g.hook}, tune)
	v := d.newDevice()
	v.dial()
	one, two := v.push(insertItem(1, "slow")), v.push(insertItem(2, "two"))
	v.send(one)
	v.send(two)
	<-g.came
	for range 20 {
		v.dial() // again and again, with everything that has no outcome
		v.send(one)
		v.send(two)
	}
	_ = v.conn.Close()
	g.fate <- nil
	v.dial()
	v.send(one)
	v.send(two)
	for n := int64(1); n <= 2; {
		for _, o := range wait[*wire.Outcomes](v).List {
			// One may be told twice: at Hello, and when it is sent again.
			if o.Kind != tidemark.Accepted || o.N > n {
				t.Fatalf("%+v", o)
			}
			n = max(n, o.N+1)
		}
	}
	if len(g.came) != 0 {
		t.Fatal("it was asked again")
	}
	if got := d.metric(`tidemark_hook_calls_total{result="accepted"`); !strings.HasSuffix(got, " 2") {
		t.Fatal(got)
	}
}

// A server that stops forgets what waits: replicas send it to the next one.
func TestARestartWithChangesetsThatWait(t *testing.T) {
	g := newGate()
	tune := testTuning()
	d := newDeck(t, Options{Hook: g.hook}, tune)
	v := d.newDevice()
	v.dial()
	one := v.push(insertItem(1, "slow"))
	v.send(one)
	<-g.came
	if err := d.srv.Close(); err != nil {
		t.Fatal(err)
	}
	d.http.Close()
	d.again(Options{Hook: g.hook}, tune)
	v.dial()
	v.send(one)
	<-g.came
	g.fate <- Reject("late", "too late")
	if o := v.outcome(); o.Code != "app:late" || o.N != 1 {
		t.Fatalf("%+v", o)
	}
}

func TestAHookThatNeverReturns(t *testing.T) {
	release := make(chan struct{})
	came := make(chan struct{}, 1)
	tune := testTuning()
	tune.hookEnd = time.Millisecond
	d := newDeck(t, Options{HookTimeout: time.Millisecond, Hook: func(context.Context, *HookCall) error {
		came <- struct{}{}
		<-release
		return nil
	}}, tune)
	v := d.newDevice()
	v.dial()
	v.send(v.push(insertItem(1, "one")))
	<-came
	if err := d.srv.Close(); err != nil {
		t.Fatal(err)
	}
	if !contains(d.logs, "does not return") {
		t.Fatal("nobody was told")
	}
	close(release)
}

// Without a hook nothing is asked, and nothing of it is counted.
func TestWithoutAHook(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	if d.space().hooks != nil || d.space().verdicts() != nil || d.metric("tidemark_hook") != "" {
		t.Fatal("something of a hook is there")
	}
}

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

// Whoever comes, hands something in and leaves costs a bounded amount of memory.
func TestChangesetsThatNeverComeBackAreForgotten(t *testing.T) {
	g := newGate()
	d := newDeck(t, Options{Hook: g.hook}, testTuning())
	h := d.space().hooks
	waiting := func(n int) {
		for d.metric("tidemark_hook_waiting") != fmt.Sprintf(`tidemark_hook_waiting{space="shop"} %d`, n) {
			time.Sleep(time.Millisecond)
		}
	}
	for i := range hooksAtOnce + 5 {
		v := d.newDevice()
		v.dial()
		v.send(v.push(insertItem(1, "slow")))
		waiting(1)
		if i < hooksAtOnce {
			<-g.came
		}
		_ = v.conn.Close()
		waiting(0)
	}
	if err := d.srv.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(h.calls); n != hooksAtOnce {
		t.Fatalf("%d calls are remembered, %d had begun", n, hooksAtOnce)
	}
}

// Verdicts that nobody came back for are forgotten by their size, too.
func TestVerdictsAreKeptByTheirSize(t *testing.T) {
	h := &hooking{calls: map[tidemark.Name]*hookCalls{}, kept: bytesKept}
	under := &hookCalls{under: &hookRun{}}
	h.calls[tidemark.Name{N: 1}] = &hookCalls{answers: []*hookRun{{size: bytesKept}}}
	h.calls[tidemark.Name{N: 2}] = under
	h.tidy()
	if h.kept != 0 || len(h.calls) != 1 || h.calls[tidemark.Name{N: 2}] != under {
		t.Fatalf("%d bytes, %v", h.kept, h.calls)
	}
}
