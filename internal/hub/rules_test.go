package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Tables of the rules tests, beside item.
const (
	thingID     = 3
	conflictsID = 4
	partID      = 5
)

// Columns of thing, by policy.
const (
	colID = iota
	colLast
	colLatest
	colFirst
	colCounter
	colMax
	colMin
	colSet
	colJSON
	colText
	colReject
	colManual
	colCustom
	colStreet
	colCity
	colPlain
	things
)

func column(name string, p tidemark.Policy) tidemark.Column {
	return tidemark.Column{Name: name, Collation: "BINARY", Policy: p}
}

// rules is a schema with a column for every policy.
func rules(change func(s *tidemark.Schema)) *tidemark.Schema {
	s := items()
	thing := &tidemark.Table{ID: thingID, Name: "thing", Key: []int{0}, RowidAlias: true, Columns: []tidemark.Column{
		column("id", ""), column("last", ""), column("latest", tidemark.PolicyLatestEdit), column("first", tidemark.PolicyFirstWrite),
		column("counter", tidemark.PolicyCounter), column("max", tidemark.PolicyMax), column("min", tidemark.PolicyMin),
		column("set", tidemark.PolicySet), column("json", tidemark.PolicyJSON), column("text", tidemark.PolicyText),
		column("reject", tidemark.PolicyReject), column("manual", tidemark.PolicyManual), column("custom", tidemark.PolicyCustom),
		column("street", ""), column("city", ""), column("plain", ""),
	}}
	thing.Columns[colCustom].Custom = "join"
	thing.Columns[colStreet].Group, thing.Columns[colCity].Group = "street+city", "street+city"
	thing.Policy.OnInsert = tidemark.InsertMerge
	conflicts := &tidemark.Table{ID: conflictsID, Name: tidemark.ConflictsTable, Key: []int{0}}
	for _, name := range strings.Fields("id state tbl row col unit policy winner base theirs mine theirs_by mine_by author made_at at seq") {
		conflicts.Columns = append(conflicts.Columns, column(name, ""))
	}
	part := &tidemark.Table{ID: partID, Name: "part", Key: []int{0}, Columns: []tidemark.Column{column("id", ""), column("thing", ""), column("owner", "")}}
	part.ForeignKeys = []tidemark.ForeignKey{
		{Columns: []int{1}, Parent: "thing", To: []string{"id"}, SetNull: true},
		{Columns: []int{2}, Parent: "thing", To: []string{"id"}},
	}
	s.Tables = append(s.Tables, thing, conflicts, part)
	s.Hash = "rules"
	if change != nil {
		change(s)
	}
	return s
}

// join is the custom function of the tests.
func join(base, theirs, mine tidemark.Value) (tidemark.Value, error) {
	if mine == text("fail") {
		return tidemark.Null, fmt.Errorf("no way")
	}
	if mine == text("panic") {
		panic("boo")
	}
	return text(base.Str() + "<" + theirs.Str() + "|" + mine.Str()), nil
}

func text(s string) tidemark.Value { return tidemark.Text(s) }
func num(n int64) tidemark.Value   { return tidemark.Int(n) }
func key(n int64) []tidemark.Value { return []tidemark.Value{num(n)} }

// newRules makes a hub with that schema, thing 1 in it, and two replicas.
func newRules(t *testing.T, change func(s *tidemark.Schema)) (b *bench, ann, bob *peer) {
	b = &bench{t: t, store: newMemoryStore(), now: 1_000_000}
	b.store.now.setSchema(rules(change))
	b.restart(hub.Options{
		Merge: map[string]merge.Func{"join": join},
		Unique: map[string]hub.UniqueFunc{
			"rename": rename,
		},
	})
	ann, bob = b.join(), b.join()
	b.group(ann.push(thing(1)))
	if o := ann.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
	t.Cleanup(func() {
		ann.catchUp()
		bob.catchUp()
		ann.same()
		bob.same()
	})
	return b, ann, bob
}

// start is what thing 1 holds at first.
func start(col int) tidemark.Value {
	switch col {
	case colCounter, colMax, colMin:
		return num(10)
	case colSet:
		return text(`["a","b"]`)
	case colJSON:
		return text(`{"a":1,"b":2}`)
	case colText:
		return text("hello world")
	}
	return text("base")
}

func thing(id int64) tidemark.Change {
	c := tidemark.Change{Table: thingID, Op: tidemark.Insert, Key: key(id), New: make([]tidemark.Value, things)}
	c.New[0] = num(id)
	for col := 1; col < things; col++ {
		c.New[col] = start(col)
	}
	return c
}

// edit is what a replica seals when it changes one column of a thing.
func edit(id int64, col int, before, after tidemark.Value) tidemark.Change {
	t := rules(nil).Table(thingID)
	c := tidemark.Change{Table: thingID, Op: tidemark.Update, Key: key(id), Cols: []int{col}, New: []tidemark.Value{after}}
	if e := merge.Intent(t.PolicyOf(col), before, after); e.Kind != tidemark.EditSet {
		c.New[0], c.Edits = tidemark.Null, []tidemark.Edit{e}
	}
	return c
}

func drop(id int64) tidemark.Change {
	return tidemark.Change{Table: thingID, Op: tidemark.Delete, Key: key(id)}
}

// row returns what the server has of a thing.
func (b *bench) row(id int64) []tidemark.Value { return b.rowOf(thingID, key(id)) }

func (b *bench) rowOf(table int, key []tidemark.Value) []tidemark.Value {
	return b.store.now.rows[fmt.Sprintf("%d/%s", table, b.hub.Schema().Table(table).KeyID(key))].values
}

// conflict is a row of tm_conflicts by column name.
type conflict map[string]tidemark.Value

func (b *bench) conflicts() []conflict {
	t := b.hub.Schema().Table(conflictsID)
	var out []conflict
	for _, r := range b.store.now.rows {
		if r.table != conflictsID || r.values == nil {
			continue
		}
		c := conflict{}
		for col, v := range r.values {
			c[t.Columns[col].Name] = v
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b conflict) int { return strings.Compare(a["id"].Str(), b["id"].Str()) })
	return out
}

// one returns the only conflict.
func (b *bench) one() conflict {
	b.t.Helper()
	list := b.conflicts()
	if len(list) != 1 {
		b.t.Fatalf("%d conflicts: %v", len(list), list)
	}
	return list[0]
}

// columns names the cells of an outcome.
func columns(cells []tidemark.Cell) string {
	var out []string
	for _, c := range cells {
		out = append(out, c.Column)
	}
	return strings.Join(out, " ")
}

// meeting is what two edits of one cell come to: theirs is bob's and comes
// first, mine is ann's.
type meetingCase struct {
	policy       tidemark.Policy
	col          int
	theirs, mine tidemark.Value
	want         tidemark.Value
	lost, over   bool
	open         bool
	code         tidemark.Code
	mineInRecord tidemark.Value // NULL: mine
}

var meetings = []meetingCase{
	{policy: tidemark.PolicyLastWrite, col: colLast, theirs: text("t"), mine: text("m"), want: text("m"), over: true},
	{policy: tidemark.PolicyLastWrite, col: colLast, theirs: text("same"), mine: text("same"), want: text("same")},
	{policy: tidemark.PolicyLastWrite, col: colLast, theirs: text("t"), mine: tidemark.Null, want: tidemark.Null, over: true},
	{policy: tidemark.PolicyFirstWrite, col: colFirst, theirs: text("t"), mine: text("m"), want: text("t"), lost: true},
	{policy: tidemark.PolicyFirstWrite, col: colFirst, theirs: text("same"), mine: text("same"), want: text("same")},
	{policy: tidemark.PolicyCounter, col: colCounter, theirs: num(13), mine: num(15), want: num(18)},
	{policy: tidemark.PolicyCounter, col: colCounter, theirs: tidemark.Null, mine: num(15), want: num(5), over: true, mineInRecord: num(15)},
	{policy: tidemark.PolicyCounter, col: colCounter, theirs: num(13), mine: text("none"), want: text("none"), over: true},
	{policy: tidemark.PolicyMax, col: colMax, theirs: num(20), mine: num(15), want: num(20), lost: true},
	{policy: tidemark.PolicyMax, col: colMax, theirs: num(15), mine: num(20), want: num(20), over: true},
	{policy: tidemark.PolicyMin, col: colMin, theirs: num(5), mine: num(7), want: num(5), lost: true},
	{policy: tidemark.PolicySet, col: colSet, theirs: text(`["a","b","t"]`), mine: text(`["b","m"]`), want: text(`["b","t","m"]`)},
	{policy: tidemark.PolicyJSON, col: colJSON, theirs: text(`{"a":1,"b":3}`), mine: text(`{"a":5,"b":2}`), want: text(`{"a":5,"b":3}`)},
	{policy: tidemark.PolicyJSON, col: colJSON, theirs: text(`{"a":7,"b":2}`), mine: text(`{"a":5,"b":2}`), want: text(`{"a":5,"b":2}`), over: true},
	{policy: tidemark.PolicyText, col: colText, theirs: text("hello big world"), mine: text("hello world!"), want: text("hello big world!")},
	{policy: tidemark.PolicyText, col: colText, theirs: tidemark.Null, mine: text("hello world!"), want: text("hello world!"), over: true},
	{policy: tidemark.PolicyReject, col: colReject, theirs: text("t"), mine: text("m"), want: text("t"), code: tidemark.CodeStale},
	{policy: tidemark.PolicyReject, col: colReject, theirs: text("same"), mine: text("same"), want: text("same"), code: tidemark.CodeStale},
	{policy: tidemark.PolicyManual, col: colManual, theirs: text("t"), mine: text("m"), want: text("t"), lost: true, open: true},
	{policy: tidemark.PolicyManual, col: colManual, theirs: text("same"), mine: text("same"), want: text("same")},
	{policy: tidemark.PolicyCustom, col: colCustom, theirs: text("t"), mine: text("m"), want: text("base<t|m"), lost: true, over: true},
	{policy: tidemark.PolicyCustom, col: colCustom, theirs: text("t"), mine: text("fail"), want: text("t"), code: tidemark.CodeConflict},
	{policy: tidemark.PolicyCustom, col: colCustom, theirs: text("t"), mine: text("panic"), want: text("t"), code: tidemark.CodeConflict},
}

func TestTwoEditsOfOneCell(t *testing.T) {
	for _, m := range meetings {
		t.Run(fmt.Sprintf("%s/%v,%v", m.policy, m.theirs, m.mine), func(t *testing.T) {
			b, ann, bob := newRules(t, nil)
			late := ann.push(edit(1, m.col, start(m.col), m.mine))
			b.group(bob.push(edit(1, m.col, start(m.col), m.theirs)))
			if o := bob.outcome(); o.Kind != tidemark.Accepted {
				t.Fatalf("bob: %+v", o)
			}
			b.group(late)
			m.check(b, ann)
		})
	}
}

func (m *meetingCase) check(b *bench, ann *peer) {
	b.t.Helper()
	o := ann.outcome()
	kind := tidemark.Accepted
	switch {
	case m.code != "":
		kind = tidemark.Rejected
	case m.lost || m.over || m.open:
		kind = tidemark.Merged
	}
	if o.Kind != kind || o.Code != m.code {
		b.t.Fatalf("%+v", o)
	}
	if got := b.row(1)[m.col]; got != m.want {
		b.t.Errorf("the cell is %v, should be %v", got, m.want)
	}
	name := b.hub.Schema().Table(thingID).Columns[m.col].Name
	if kind == tidemark.Rejected && (!slices.Equal(o.Columns, []string{name}) || !slices.Equal(o.Key, key(1)) || o.Table != "thing" || o.Message == "") {
		b.t.Errorf("rejected without saying what: %+v", o)
	}
	if m.mine == text("fail") && !strings.Contains(o.Message, "no way") {
		b.t.Errorf("what the function says is missing: %s", o.Message)
	}
	if (columns(o.Lost) == name) != m.lost || (columns(o.Over) == name) != m.over {
		b.t.Errorf("lost %v, over %v", o.Lost, o.Over)
	}
	if kind != tidemark.Merged {
		if list := b.conflicts(); len(list) > 0 {
			b.t.Errorf("recorded: %v", list)
		}
		return
	}
	m.record(b, o)
}

func (m *meetingCase) record(b *bench, o tidemark.Outcome) {
	b.t.Helper()
	c := b.one()
	state, winner := tidemark.StateKept, tidemark.WinnerMine
	if m.open {
		state = tidemark.StateOpen
	}
	if m.lost {
		winner = tidemark.WinnerTheirs
	}
	if m.lost && m.over {
		winner = tidemark.WinnerBoth
	}
	mine := m.mine
	if !m.mineInRecord.IsNull() {
		mine = m.mineInRecord
	}
	want := conflict{
		"id": text(fmt.Sprintf("%d-1", o.Seq)), "state": text(state), "tbl": text("thing"), "row": text("[1]"),
		"col": text(b.hub.Schema().Table(thingID).Columns[m.col].Name), "unit": tidemark.Null, "policy": text(string(m.policy)),
		"winner": text(winner), "base": start(m.col), "theirs": m.theirs, "mine": mine,
		"theirs_by": text(b.peers[1].hello.Replica), "mine_by": text(o.Replica + "/" + fmt.Sprint(o.N)), "author": text(""),
		"seq": num(int64(o.Seq)), "at": num(b.now),
	}
	for name, v := range want {
		if c[name] != v {
			b.t.Errorf("record: %s is %v, should be %v", name, c[name], v)
		}
	}
	if c["made_at"].Int64() == 0 {
		b.t.Error("record: made_at is missing")
	}
}

func TestAnEditThatHadSeenTheirsIsNoConflict(t *testing.T) {
	for _, m := range meetings {
		b, ann, bob := newRules(t, nil)
		b.group(bob.push(edit(1, m.col, start(m.col), m.theirs)))
		b.group(ann.push(edit(1, m.col, m.theirs, m.mine)))
		if o := ann.outcome(); o.Kind != tidemark.Accepted || len(b.conflicts()) > 0 {
			t.Fatalf("%s: %+v", m.policy, o)
		}
		if got := b.row(1)[m.col]; got != m.mine {
			t.Errorf("%s: %v, should be %v", m.policy, got, m.mine)
		}
	}
}

func TestTwoOwnOfflineEditsAreNoConflict(t *testing.T) {
	for _, m := range meetings {
		b, ann, _ := newRules(t, nil)
		first, second := ann.push(edit(1, m.col, start(m.col), m.theirs)), edit(1, m.col, m.theirs, m.mine)
		if m.col == colText && len(second.Edits) > 0 {
			second.Edits[0].Body = strings.TrimSuffix(second.Edits[0].Body, "}") + `,"after":2}`
		}
		b.group(first, ann.push(second))
		for _, o := range ann.outcomes() {
			if o.Kind != tidemark.Accepted {
				t.Fatalf("%s: %+v", m.policy, o)
			}
		}
		if got := b.row(1)[m.col]; got != m.mine || len(b.conflicts()) > 0 {
			t.Errorf("%s: %v, should be %v", m.policy, got, m.mine)
		}
	}
}

// The author's second edit of a cell builds on the first, which was merged: it
// meets what somebody else wrote only where that still stands.
func TestAChainWhoseFirstEditWasMerged(t *testing.T) {
	for _, tc := range []struct {
		policy       tidemark.Policy
		col          int
		theirs       tidemark.Value
		first, then  tidemark.Value
		want         tidemark.Value
		kinds, state string
	}{
		{tidemark.PolicyLastWrite, colLast, text("t"), text("m"), text("n"), text("n"), "merged accepted", "kept"},
		{tidemark.PolicyFirstWrite, colFirst, text("t"), text("m"), text("n"), text("t"), "merged merged", "kept kept"},
		{tidemark.PolicyManual, colManual, text("t"), text("m"), text("n"), text("t"), "merged merged", "open"},
		{tidemark.PolicyCounter, colCounter, num(13), num(15), num(16), num(19), "accepted accepted", ""},
		{tidemark.PolicyMax, colMax, num(20), num(15), num(30), num(30), "merged merged", "kept kept"},
		{tidemark.PolicyMax, colMax, num(20), num(25), num(15), num(15), "merged accepted", "kept"},
		{tidemark.PolicyReject, colReject, text("t"), text("m"), text("n"), text("t"), "rejected rejected", ""},
		{tidemark.PolicyCustom, colCustom, text("t"), text("m"), text("n"), text("n"), "merged accepted", "kept"},
		{tidemark.PolicySet, colSet, text(`["a","b","t"]`), text(`["a","b","m"]`), text(`["b","m"]`), text(`["b","t","m"]`), "accepted accepted", ""},
		{tidemark.PolicyJSON, colJSON, text(`{"a":1,"b":3}`), text(`{"a":5,"b":2}`), text(`{"a":5,"b":7}`), text(`{"a":5,"b":7}`), "accepted merged", "kept"},
	} {
		t.Run(string(tc.policy), func(t *testing.T) {
			b, ann, bob := newRules(t, nil)
			first, then := ann.push(edit(1, tc.col, start(tc.col), tc.first)), ann.push(edit(1, tc.col, tc.first, tc.then))
			b.group(bob.push(edit(1, tc.col, start(tc.col), tc.theirs)))
			b.group(first)
			b.group(then)
			var kinds, states []string
			for _, o := range ann.outcomes() {
				kinds = append(kinds, string(o.Kind))
			}
			for _, c := range b.conflicts() {
				states = append(states, c["state"].Str())
			}
			if got := b.row(1)[tc.col]; got != tc.want {
				t.Errorf("the cell is %v, should be %v", got, tc.want)
			}
			if strings.Join(kinds, " ") != tc.kinds || strings.Join(states, " ") != tc.state {
				t.Errorf("%v and %v", kinds, states)
			}
		})
	}
}

// The one record of an undecided cell says what its author wants by now.
func TestAnEditOfAnUndecidedCellUpdatesItsRecord(t *testing.T) {
	b, ann, bob := newRules(t, nil)
	for restart := range 2 {
		var subs []hub.Submission
		before := start(colManual)
		for i := range 3 {
			after := text(fmt.Sprint("mine ", i))
			subs = append(subs, ann.push(edit(1, colManual, before, after)))
			before = after
		}
		b.group(bob.push(edit(1, colManual, start(colManual), text(fmt.Sprint("theirs", restart)))))
		for _, sub := range subs {
			b.group(sub)
		}
		list := b.conflicts()
		if len(list) != restart+1 {
			t.Fatalf("%v", list)
		}
		c := list[restart]
		if c["mine"] != text("mine 2") || c["mine_by"] != text(fmt.Sprintf("%s/%d", ann.hello.Replica, ann.n)) || c["theirs"].Str() != fmt.Sprint("theirs", restart) {
			t.Errorf("%v", c)
		}
		ann.outcomes()
	}
}

func TestALogThatDoesNotReachBack(t *testing.T) {
	for _, m := range meetings {
		if m.col == colText {
			continue // has a history of its own
		}
		b, ann, bob := newRules(t, nil)
		late := ann.push(edit(1, m.col, start(m.col), m.mine))
		b.group(bob.push(edit(1, colPlain, start(colPlain), text("elsewhere"))))
		b.store.now.kept.cut = b.hub.State().Head
		b.group(late)
		o := ann.outcome()
		switch m.policy {
		case tidemark.PolicyCounter, tidemark.PolicySet, tidemark.PolicyJSON, tidemark.PolicyMax, tidemark.PolicyMin:
			continue // what they come to is theirs to say
		case tidemark.PolicyReject:
			if o.Code != tidemark.CodeStale {
				t.Errorf("%s: %+v", m.policy, o)
			}
			continue
		}
		if m.code != "" {
			continue
		}
		if o.Kind != tidemark.Merged {
			t.Errorf("%s: what may have been concurrent is not: %+v", m.policy, o)
		}
		if c := b.one(); c["base"] != tidemark.Null {
			t.Errorf("%s: the base is made up: %v", m.policy, c)
		}
	}
}

// rename decides about items whose name is taken.
func rename(c hub.Clash) (hub.Resolution, error) {
	row := slices.Clone(c.Mine)
	switch c.Mine[2].Str() {
	case "merge":
		return hub.Resolution{Merge: true}, nil
	case "reject":
		return hub.Resolution{}, nil
	case "fail":
		return hub.Resolution{}, fmt.Errorf("no free name")
	case "same": // what is taken, too
		return hub.Resolution{Row: row}, nil
	case "move":
		row[0] = num(99)
	case "panic":
		panic("boo")
	}
	row[1] = text(row[1].Str() + "'")
	if row[2] == text("once") {
		row[2] = text("renamed")
	}
	return hub.Resolution{Row: row}, nil
}

var _ = wire.Protocol
