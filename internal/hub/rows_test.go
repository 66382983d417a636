package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func onDelete(p tidemark.RowPolicy) func(*tidemark.Schema) {
	return func(s *tidemark.Schema) { s.Table(thingID).Policy.OnDelete = p }
}

// object is a thing as the records show it.
func object(change map[int]tidemark.Value) string {
	b := []byte("{")
	s := rules(nil).Table(thingID)
	for col := range s.Columns {
		v, ok := change[col]
		if !ok {
			v = thing(1).New[col]
		}
		if col > 0 {
			b = append(b, ',')
		}
		b = wire.AppendValue(append(fmt.Appendf(b, "%q", s.Columns[col].Name), ':'), v)
	}
	return string(append(b, '}'))
}

func TestADeleteMeetsAnUpdate(t *testing.T) {
	for _, tc := range []struct {
		policy            tidemark.RowPolicy
		gone              bool
		state, winner, as string
	}{
		{"", true, "kept", "mine", "delete-wins"},
		{tidemark.DeleteWins, true, "kept", "mine", "delete-wins"},
		{tidemark.UpdateWins, false, "kept", "theirs", "update-wins"},
		{tidemark.RowManual, false, "open", "theirs", "manual"},
	} {
		t.Run(string(tc.policy), func(t *testing.T) {
			b, ann, bob := newRules(t, onDelete(tc.policy))
			late := ann.push(drop(1))
			b.group(bob.push(edit(1, colLast, start(colLast), text("t"))))
			b.group(bob.push(edit(1, colText, start(colText), text("hello"))))
			b.group(late)
			o := ann.outcome()
			cells := o.Lost
			if tc.gone {
				cells = o.Over
			}
			if o.Kind != tidemark.Merged || len(o.Lost)+len(o.Over) != 1 || len(cells) != 1 || cells[0].Column != "" || cells[0].Key[0] != num(1) {
				t.Fatalf("%+v", o)
			}
			if (b.row(1) == nil) != tc.gone {
				t.Fatalf("the row is %v", b.row(1))
			}
			c := b.one()
			want := conflict{
				"state": text(tc.state), "winner": text(tc.winner), "policy": text(tc.as), "col": tidemark.Null, "mine": tidemark.Null,
				"base": text(object(nil)), "theirs": text(object(map[int]tidemark.Value{colLast: text("t"), colText: text("hello")})),
				"theirs_by": text(bob.hello.Replica),
			}
			for name, v := range want {
				if c[name] != v {
					t.Errorf("record: %s is %v, should be %v", name, c[name], v)
				}
			}
		})
	}
}

func TestADeleteThatIsNoConflict(t *testing.T) {
	b, ann, bob := newRules(t, onDelete(tidemark.UpdateWins))
	chain := []hub.Submission{ann.push(edit(1, colLast, start(colLast), text("m"))), ann.push(drop(1))}
	b.group(chain...)
	for _, o := range ann.outcomes() {
		if o.Kind != tidemark.Accepted {
			t.Fatalf("after an own edit: %+v", o)
		}
	}
	if b.row(1) != nil {
		t.Fatal("it is there")
	}
	b.group(bob.push(thing(2)))
	bob.outcome()
	b.group(ann.push(drop(2)), bob.push(drop(2)))
	if o := ann.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("after it was seen: %+v", o)
	}
	if o := bob.outcome(); o.Kind != tidemark.Accepted || len(b.conflicts()) > 0 {
		t.Fatalf("two delete: %+v", o)
	}
}

// Somebody else's edit under an own one is still overwritten by a delete.
func TestADeleteBehindAnOwnEditMeetsTheirs(t *testing.T) {
	b, ann, bob := newRules(t, nil)
	first, then := ann.push(edit(1, colLast, start(colLast), text("m"))), ann.push(drop(1))
	b.group(bob.push(edit(1, colPlain, start(colPlain), text("t"))))
	b.group(first, then)
	list := ann.outcomes()
	if list[0].Kind != tidemark.Accepted || list[1].Kind != tidemark.Merged {
		t.Fatalf("%+v", list)
	}
	if c := b.one(); c["base"] != text(object(nil)) {
		t.Fatalf("%v", c)
	}
}

func TestAnUpdateMeetsADelete(t *testing.T) {
	for _, tc := range []struct {
		policy            tidemark.RowPolicy
		gone              bool
		state, winner, as string
	}{
		{"", true, "kept", "theirs", "delete-wins"},
		{tidemark.UpdateWins, false, "kept", "mine", "update-wins"},
		{tidemark.RowManual, true, "open", "theirs", "manual"},
	} {
		t.Run(string(tc.policy), func(t *testing.T) {
			b, ann, bob := newRules(t, onDelete(tc.policy))
			mine := edit(1, colCounter, num(10), num(15))
			addColumn(&mine, edit(1, colText, start(colText), text("hello world!")))
			late := []hub.Submission{ann.push(mine), ann.push(edit(1, colLast, start(colLast), text("later")))}
			b.group(bob.push(edit(1, colCounter, num(10), num(13))))
			b.group(bob.push(drop(1)))
			b.group(late...)
			list := ann.outcomes()
			o := list[0]
			if o.Kind != tidemark.Merged {
				t.Fatalf("%+v", o)
			}
			if tc.gone {
				if columns(o.Lost) != "counter text" || b.row(1) != nil || columns(list[1].Lost) != "last" {
					t.Fatalf("%+v, %v", list, b.row(1))
				}
			} else {
				row := b.row(1)
				if row == nil || row[colCounter] != num(18) || row[colText] != text("hello world!") || row[colLast] != text("later") {
					t.Fatalf("the row is %v", row)
				}
				if len(o.Over) != 1 || o.Over[0].Column != "" || list[1].Kind != tidemark.Accepted {
					t.Fatalf("%+v", list)
				}
			}
			want := conflict{
				"state": text(tc.state), "winner": text(tc.winner), "policy": text(tc.as), "col": tidemark.Null, "theirs": tidemark.Null,
				"base": text(object(map[int]tidemark.Value{colCounter: num(13)})), "mine": text(`{"counter":18,"text":"hello world!"}`),
				"theirs_by": text(bob.hello.Replica),
			}
			c := b.conflicts()[0]
			for name, v := range want {
				if c[name] != v {
					t.Errorf("record: %s is %v, should be %v", name, c[name], v)
				}
			}
		})
	}
}

// addColumn makes one update of two, in the order of columns.
func addColumn(c *tidemark.Change, more tidemark.Change) {
	edits := append(make([]tidemark.Edit, 0, 2), c.EditOf(0), more.EditOf(0))
	c.Cols, c.New = append(c.Cols, more.Cols...), append(c.New, more.New...)
	if edits[0].Kind != 0 || edits[1].Kind != 0 {
		c.Edits = edits
	}
}

func TestAnUpdateMeetsADeleteThatTheLogForgot(t *testing.T) {
	b, ann, bob := newRules(t, onDelete(tidemark.UpdateWins))
	late := ann.push(edit(1, colLast, start(colLast), text("m")))
	b.group(bob.push(drop(1)))
	b.store.now.kept.cut = b.hub.State().Head
	b.group(late)
	if o := ann.outcome(); columns(o.Lost) != "last" || b.row(1) != nil {
		t.Fatalf("%+v", o)
	}
	if c := b.one(); c["base"] != tidemark.Null || c["mine"] != text(`{"last":"m"}`) || c["winner"] != text("theirs") {
		t.Fatalf("%v", c)
	}
}

func TestAnUpdateMeetsARowMadeAnew(t *testing.T) {
	b, ann, bob := newRules(t, nil)
	late := ann.push(edit(1, colLast, start(colLast), text("m")))
	anew := thing(1)
	anew.New[colLast], anew.New[colPlain] = text("anew"), text("anew")
	b.group(bob.push(drop(1)))
	b.group(bob.push(anew))
	b.group(late)
	o := ann.outcome()
	if o.Kind != tidemark.Merged || columns(o.Over) != "last" || b.row(1)[colLast] != text("m") || b.row(1)[colPlain] != text("anew") {
		t.Fatalf("%+v, %v", o, b.row(1))
	}
	if c := b.one(); c["base"] != start(colLast) || c["theirs"] != text("anew") {
		t.Fatalf("%v", c)
	}
}

func TestRowsThatMove(t *testing.T) {
	b, ann, bob := newRules(t, nil)
	// Theirs moved the row away: what is left is its edit, recorded.
	late := ann.push(edit(1, colLast, start(colLast), text("m")))
	b.group(bob.push(edit(1, colID, num(1), num(2))))
	b.group(late)
	if o := ann.outcome(); columns(o.Lost) != "last" || b.row(1) != nil || b.row(2)[colLast] != start(colLast) {
		t.Fatalf("%+v", o)
	}
	// Mine moves a row that they edited: it goes along.
	late = ann.push(edit(2, colID, num(2), num(3)))
	b.group(bob.push(edit(2, colLast, start(colLast), text("t"))))
	b.group(late)
	if o := ann.outcome(); o.Kind != tidemark.Accepted || b.row(2) != nil || b.row(3)[colLast] != text("t") {
		t.Fatalf("%+v, %v", o, b.row(3))
	}
	// Both move it: it is where the first one put it.
	late = ann.push(edit(3, colID, num(3), num(4)))
	b.group(bob.push(edit(3, colID, num(3), num(5))))
	b.group(late)
	if o := ann.outcome(); columns(o.Lost) != "id" || b.row(4) != nil || b.row(5) == nil {
		t.Fatalf("%+v", o)
	}
}

// street and city merge as one.
func TestUnits(t *testing.T) {
	for _, tc := range []struct {
		policy     tidemark.Policy
		want       string
		lost, over bool
		open       bool
		code       tidemark.Code
	}{
		{tidemark.PolicyLastWrite, "mine/base", false, true, false, ""},
		{tidemark.PolicyFirstWrite, "base/theirs", true, false, false, ""},
		{tidemark.PolicyLatestEdit, "mine/base", false, true, false, ""},
		{tidemark.PolicyManual, "base/theirs", true, false, true, ""},
		{tidemark.PolicyReject, "base/theirs", false, false, false, tidemark.CodeStale},
	} {
		t.Run(string(tc.policy), func(t *testing.T) {
			b, ann, bob := newRules(t, func(s *tidemark.Schema) {
				s.Table(thingID).Columns[colStreet].Policy, s.Table(thingID).Columns[colCity].Policy = tc.policy, tc.policy
			})
			address := func(street, city string) tidemark.Change {
				return tidemark.Change{Table: thingID, Op: tidemark.Update, Key: key(1), Cols: []int{colStreet, colCity}, New: []tidemark.Value{text(street), text(city)}}
			}
			first, then := ann.push(address("mine", "base")), ann.push(address("mine", "own"))
			b.group(bob.push(address("base", "theirs")))
			b.group(first)
			o := ann.outcome()
			if row := b.row(1); row[colStreet].Str()+"/"+row[colCity].Str() != tc.want || o.Code != tc.code {
				t.Fatalf("%+v: %v", o, row)
			}
			if tc.code != "" {
				if strings.Join(o.Columns, " ") != "street city" {
					t.Fatalf("%+v", o)
				}
				return
			}
			both := map[bool]string{true: "street city"}
			if columns(o.Lost) != both[tc.lost] || columns(o.Over) != both[tc.over] {
				t.Fatalf("%+v", o)
			}
			list := b.conflicts()
			if len(list) != 2 {
				t.Fatalf("%v", list)
			}
			for i, c := range list {
				if c["unit"] != text("street+city") || c["base"] != text("base") || (c["state"] == text("open")) != tc.open || c["policy"] != text(string(tc.policy)) {
					t.Errorf("record %d: %v", i, c)
				}
			}
			b.group(then)
			if o := ann.outcome(); (o.Kind == tidemark.Accepted) != tc.over {
				t.Errorf("the next one of the chain: %+v", o)
			}
		})
	}
}

func TestInsertsOfOneKey(t *testing.T) {
	insertion := func(p tidemark.InsertPolicy) func(*tidemark.Schema) {
		return func(s *tidemark.Schema) { s.Table(thingID).Policy.OnInsert = p }
	}
	t.Run("reject", func(t *testing.T) {
		b, ann, bob := newRules(t, insertion(""))
		mine := thing(2)
		mine.New[colLast] = text("m")
		late, equal := ann.push(mine), ann.push(thing(3))
		b.group(bob.push(thing(2), thing(3)))
		b.group(late, equal)
		list := ann.outcomes()
		if list[0].Code != tidemark.CodeUnique || list[1].Kind != tidemark.Accepted {
			t.Fatalf("%+v", list)
		}
	})
	t.Run("merge", func(t *testing.T) {
		b, ann, bob := newRules(t, insertion(tidemark.InsertMerge))
		mine := thing(2)
		for col, v := range map[int]string{colLast: "m", colFirst: "m", colManual: "m", colCustom: "m", colText: "m", colStreet: "m"} {
			mine.New[col] = text(v)
		}
		mine.New[colMax], mine.New[colSet], mine.New[colJSON] = num(20), text(`["c"]`), text(`{"c":3}`)
		late := ann.push(mine)
		b.group(bob.push(thing(2)))
		b.group(late)
		o := ann.outcome()
		row := b.row(2)
		for col, want := range map[int]tidemark.Value{
			colLast: text("m"), colFirst: text("base"), colManual: text("base"), colCustom: text("<base|m"), colText: text("m"), colStreet: text("m"),
			colMax: num(20), colSet: text(`["a","b","c"]`), colJSON: text(`{"a":1,"b":2,"c":3}`), colPlain: text("base"),
		} {
			if row[col] != want {
				t.Errorf("column %d is %v, should be %v", col, row[col], want)
			}
		}
		if columns(o.Lost) != "first manual custom" || columns(o.Over) != "last max text custom street" {
			t.Errorf("lost %s, over %s", columns(o.Lost), columns(o.Over))
		}
		for _, c := range b.conflicts() {
			if c["base"] != tidemark.Null {
				t.Errorf("a base where there was none: %v", c)
			}
		}
	})
	t.Run("merge with reject", func(t *testing.T) {
		b, ann, bob := newRules(t, insertion(tidemark.InsertMerge))
		mine := thing(2)
		mine.New[colReject] = text("m")
		late := ann.push(mine)
		b.group(bob.push(thing(2)))
		b.group(late)
		if o := ann.outcome(); o.Code != tidemark.CodeStale {
			t.Fatalf("%+v", o)
		}
	})
}

func TestAppendOnly(t *testing.T) {
	b, ann, bob := newRules(t, func(s *tidemark.Schema) { s.Table(thingID).Policy.Columns = tidemark.PolicyAppendOnly })
	b.group(bob.push(thing(2)), bob.push(edit(1, colLast, start(colLast), text("t"))), bob.push(drop(1)), ann.push(drop(9)))
	list := bob.outcomes()
	if list[0].Kind != tidemark.Accepted || list[1].Code != tidemark.CodeForbidden || list[2].Code != tidemark.CodeForbidden {
		t.Fatalf("%+v", list)
	}
	if o := ann.outcome(); o.Code != tidemark.CodeForbidden || o.Table != "thing" {
		t.Fatalf("%+v", o)
	}
}

func TestKeepNothing(t *testing.T) {
	b, ann, bob := newRules(t, func(s *tidemark.Schema) { s.Table(thingID).Policy.Keep = tidemark.KeepNothing })
	late := []hub.Submission{ann.push(edit(1, colLast, start(colLast), text("m"))), ann.push(edit(1, colManual, start(colManual), text("m"))), ann.push(drop(1))}
	theirs := edit(1, colLast, start(colLast), text("t"))
	addColumn(&theirs, edit(1, colManual, start(colManual), text("t")))
	b.group(bob.push(theirs))
	b.group(late...)
	list := ann.outcomes()
	if columns(list[0].Over) != "last" || columns(list[1].Lost) != "manual" || len(list[2].Over) != 1 {
		t.Fatalf("%+v", list)
	}
	if c := b.one(); c["col"] != text("manual") || c["state"] != text("open") {
		t.Fatalf("%v", c) // what waits for somebody is kept in any case
	}
}

func TestWithoutATableForConflicts(t *testing.T) {
	for name, change := range map[string]func(*tidemark.Schema){
		"out":     func(s *tidemark.Schema) { s.Table(conflictsID).Out = "it was dropped" },
		"another": func(s *tidemark.Schema) { s.Table(conflictsID).Columns[3].Name = "other" },
		"gone":    func(s *tidemark.Schema) { s.Tables = append(s.Tables[:3:3], s.Tables[4:]...) },
	} {
		b, ann, bob := newRules(t, change)
		late := []hub.Submission{ann.push(edit(1, colLast, start(colLast), text("m"))), ann.push(edit(1, colManual, start(colManual), text("m")))}
		b.group(bob.push(edit(1, colLast, start(colLast), text("t"))), bob.push(edit(1, colManual, start(colManual), text("t"))))
		b.group(late...)
		if list := ann.outcomes(); columns(list[0].Over) != "last" || columns(list[1].Lost) != "manual" {
			t.Fatalf("%s: %+v", name, list)
		}
	}
}

// Ids of records that a program made up are stepped around.
func TestTakenIdsOfConflicts(t *testing.T) {
	b, ann, bob := newRules(t, nil)
	row := make([]tidemark.Value, 17)
	row[0] = text("4-1")
	fake := tidemark.Change{Table: conflictsID, Op: tidemark.Insert, Key: row[:1], New: row}
	mine := edit(1, colLast, start(colLast), text("m"))
	row2 := append([]tidemark.Value{text("4-2")}, row[1:]...)
	late := ann.push(mine, tidemark.Change{Table: conflictsID, Op: tidemark.Insert, Key: row2[:1], New: row2})
	b.group(bob.push(fake))
	b.group(bob.push(edit(1, colLast, start(colLast), text("t"))))
	b.group(late)
	if o := ann.outcome(); o.Seq != 4 || o.Kind != tidemark.Merged || len(b.conflicts()) != 3 || b.conflicts()[2]["id"] != text("4-3") {
		t.Fatalf("%+v, %v", o, b.conflicts())
	}
}

// Conflicts about conflicts are decided and not recorded.
func TestRecordsDoNotRecurse(t *testing.T) {
	b, ann, bob := newRules(t, nil)
	late := ann.push(edit(1, colLast, start(colLast), text("m")))
	b.group(bob.push(edit(1, colLast, start(colLast), text("t"))))
	b.group(late)
	ann.outcome()
	id := b.one()["id"]
	resolve := func(state string) tidemark.Change {
		return tidemark.Change{Table: conflictsID, Op: tidemark.Update, Key: []tidemark.Value{id}, Cols: []int{1}, New: []tidemark.Value{text(state)}}
	}
	late = ann.push(resolve("resolved"))
	b.group(bob.push(resolve("seen")))
	b.group(late)
	if o := ann.outcome(); columns(o.Over) != "state" || b.one()["state"] != text("resolved") {
		t.Fatalf("%+v, %v", o, b.conflicts())
	}
}

func TestSweep(t *testing.T) {
	b, ann, bob := newRules(t, func(s *tidemark.Schema) { s.Table(thingID).Policy.KeepFor = time.Hour })
	late := ann.push(edit(1, colLast, start(colLast), text("m")))
	undecided := ann.push(edit(1, colManual, start(colManual), text("m")))
	b.group(bob.push(edit(1, colLast, start(colLast), text("t"))), bob.push(edit(1, colManual, start(colManual), text("t"))))
	b.group(late, undecided)
	ann.outcomes()
	sweep := func(want int) {
		t.Helper()
		c, err := b.hub.Sweep(ctx, b.now)
		if err != nil {
			t.Fatal(err)
		}
		b.deliver(c)
		if len(b.conflicts()) != want || c.More {
			t.Fatalf("%d are left: %v", len(b.conflicts()), b.conflicts())
		}
		ann.same()
	}
	b.now += time.Hour.Milliseconds()
	sweep(2)
	b.now++
	sweep(1)
	if c := b.one(); c["state"] != text("open") {
		t.Fatal("what waits for a decision is gone")
	}
	head := b.hub.State().Head
	sweep(1)
	if b.hub.State().Head != head {
		t.Fatal("nothing took a seq")
	}
	b.group(bob.push(tidemark.Change{Table: conflictsID, Op: tidemark.Update, Key: []tidemark.Value{b.one()["id"]}, Cols: []int{1}, New: []tidemark.Value{text("resolved")}}))
	sweep(0)
}

func TestALongSweep(t *testing.T) {
	b, ann, _ := newRules(t, nil)
	var list []tidemark.Change
	for i := range 1200 {
		row := make([]tidemark.Value, 17)
		row[0], row[1], row[15] = text(fmt.Sprintf("x%05d", i)), text([]string{"kept", "open"}[i%2]), num(1)
		list = append(list, tidemark.Change{Table: conflictsID, Op: tidemark.Insert, Key: row[:1], New: row})
	}
	b.group(ann.push(list...))
	b.now += 31 * 24 * time.Hour.Milliseconds()
	for rounds := 1; ; rounds++ {
		c, err := b.hub.Sweep(ctx, b.now)
		if err != nil {
			t.Fatal(err)
		}
		b.deliver(c)
		if !c.More {
			break
		}
		if rounds > 5 {
			t.Fatal("it does not come to an end")
		}
	}
	if n := len(b.conflicts()); n != 600 {
		t.Fatalf("%d are left", n)
	}
}
