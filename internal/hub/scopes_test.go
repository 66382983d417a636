package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func TestScopesReachTheirListenersOnly(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a b"), grantTo(2, "bob", "b"), grantTo(3, "cid", "c"),
		in(1, "one", "a"), in(2, "two", "a,b"), in(3, "three", "c"))
	ann, bob, cid := b.newMole("ann", nil), b.newMole("bob", nil), b.newMole("cid", nil)
	for _, m := range b.moles {
		m.catchUp()
		m.got = nil
	}
	ann.right("a", "b")
	bob.right("b")
	cid.right("c")

	if o := ann.fate(update(2, 1, tidemark.Text("zwei")), in(4, "four", "c")); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
	ann.right("a", "b")
	bob.right("b")
	cid.right("c")
	if got := bob.kinds(); got != "Batch" || cid.kinds() != "Batch" {
		t.Fatalf("bob heard %s", got)
	}
	// What leaves one scope and enters another.
	before := cid.hello.Seq
	ann.fate(move(1, "b"))
	bob.right("b")
	if cid.kinds() != "" || cid.hello.Seq != before || cid.s.Behind() {
		t.Fatal("cid heard of what is none of his")
	}
	b.foreign(move(2, "c"))
	ann.right("a", "b")
	bob.right("b")
	cid.right("c")
	if from := cid.got[0].(*wire.Batch).From; from != before {
		t.Fatalf("from %d, cid was at %d", from, before)
	}
	b.foreign(remove(2))
	cid.right("c")
}

func TestCommitConcernsFew(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a"), grantTo(2, "bob", "b"), in(1, "one", "a"))
	ann, bob := b.newMole("ann", nil), b.newMole("bob", nil)
	ann.catchUp()
	bob.catchUp()
	b.store.foreignWrite(nil, update(1, 1, tidemark.Text("uno")))
	c, err := b.hub.Group(ctx, b.now, []hub.Submission{bob.push(in(9, "lost", "z"))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, all := c.Concerns()
	if all || len(list) != 2 || !slices.Contains(list, ann.s) || !slices.Contains(list, bob.s) {
		t.Fatalf("concerns %v, all %v", list, all)
	}
	b.deliver(c)
	if o := bob.outcome(); o.Kind != tidemark.Accepted || bob.hello.Seq != o.Seq {
		t.Fatalf("%+v, bob at %d", o, bob.hello.Seq)
	}
	bob.got = nil
	c, err = b.hub.Group(ctx, b.now, []hub.Submission{bob.push(update(9, 1, tidemark.Text("mine?")))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if list, all := c.Concerns(); all || len(list) != 1 || list[0] != bob.s {
		t.Fatalf("concerns %v, all %v", list, all)
	}
	b.deliver(c)
	if o := bob.outcome(); o.Code != tidemark.CodeForbidden {
		t.Fatalf("%+v", o)
	}
}

// A batch of the same parts from the same seq is one for all.
func TestListenersShareBatches(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a b"), grantTo(2, "bob", "a"), in(1, "one", "a"), in(2, "two", "b"))
	ann, ann2, bob := b.newMole("ann", nil), b.newMole("ann", nil), b.newMole("bob", nil)
	for _, m := range b.moles {
		m.catchUp()
		m.got = nil
	}
	b.foreign(update(1, 1, tidemark.Text("uno")), update(2, 1, tidemark.Text("due")))
	if ann.got[0] != ann2.got[0] || ann.got[0] == bob.got[0] {
		t.Fatal("ann's batches are two, or bob's is ann's")
	}
	mine, his := ann.got[0].(*wire.Batch), bob.got[0].(*wire.Batch)
	if len(mine.Parts) != 2 || len(his.Parts) != 1 || &mine.Parts[0].Raw[0] != &his.Parts[0].Raw[0] {
		t.Fatalf("a was encoded twice: %v %v", mine, his)
	}
	b.foreign(update(1, 1, tidemark.Text("one")))
	if ann.got[1] != bob.got[1] {
		t.Fatal("both hear the same from the same seq on, in two batches")
	}
}

func TestGrantsAreLive(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a b"), in(1, "one", "a"), in(2, "two", "a,b"), in(3, "three", "c"))
	ann := b.newMole("ann", nil)
	ann.catchUp()
	ann.kinds()
	b.foreign(regrantTo(1, "ann", "b c"), update(1, 1, tidemark.Text("secret")), update(2, 1, tidemark.Text("open")))
	if got := ann.kinds(); got != "Scopes Batch" {
		t.Fatalf("heard %s", got)
	}
	if len(ann.rows) != 1 || ann.members["b"] == nil {
		t.Fatalf("holds %v", ann.rows)
	}
	if list, scoped := ann.s.Granted(); !scoped || !slices.Equal(list, []string{"b", "c"}) || !ann.s.GrantsMoved() || ann.s.GrantsMoved() {
		t.Fatalf("granted %v", list)
	}
	ann.catchUp()
	ann.right("b", "c")
	// Back, after rows went while it was away.
	b.foreign(remove(1), in(5, "five", "a"))
	b.foreign(regrantTo(1, "ann", "a b c"))
	ann.catchUp()
	ann.right("a", "b", "c")
	b.foreign(remove(grants + 1))
	ann.right()
	if ann.s.Behind() {
		t.Fatal("nothing is left to send")
	}
}

// A changeset is judged by the grants that those before it in the group left.
func TestGrantsChangeWithinAGroup(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a"), grantTo(2, "bob", "a"), in(1, "one", "a"), grantTo(3, "ann", "admin"), in(7, "seven", "admin"))
	b.foreign(update(grants+2, 2, tidemark.Text("admin"))) // ann may see bob's grant
	ann, bob := b.newMole("ann", nil), b.newMole("bob", nil)
	ann.catchUp()
	bob.catchUp()
	bob.got = nil
	revoke := ann.push(regrantTo(2, "bob", ""))
	edit := bob.push(update(1, 1, tidemark.Text("too late")))
	b.group(revoke, edit)
	if o := bob.outcome(); o.Code != tidemark.CodeForbidden {
		t.Fatalf("%+v", o)
	}
	if got := bob.kinds(); got != "Scopes Outcomes Batch" {
		t.Fatalf("bob heard %s", got)
	}
	bob.right()
	// And the reverse.
	grant := ann.push(regrantTo(2, "bob", "a"))
	edit = bob.push(update(1, 1, tidemark.Text("in time")))
	b.group(grant, edit)
	if o := bob.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
	bob.catchUp()
	bob.right("a")
	ann.right("a", "admin")
}

func TestForbiddenTellsNothing(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a"), in(1, "one", "a"), in(2, "hidden", "b"), in(3, "nowhere", ""), in(4, "was b", "b"), in(5, "was a", "a"), in(6, "was a, then b", "a"))
	ann := b.newMole("ann", nil)
	ann.catchUp()
	b.foreign(remove(4), move(6, "b"))
	b.foreign(remove(5), remove(6))
	ann.catchUp()
	messages := map[string]bool{}
	for _, change := range []func(int64) tidemark.Change{
		func(id int64) tidemark.Change { return update(id, 1, tidemark.Text("guess")) },
		remove,
	} {
		for _, id := range []int64{2, 3, 4, 6, 99} {
			o := ann.fate(change(id))
			if o.Kind != tidemark.Rejected || o.Code != tidemark.CodeForbidden || o.Key[0] != tidemark.Int(id) || o.Columns != nil {
				t.Fatalf("row %d: %+v", id, o)
			}
			messages[fmt.Sprint(o.Message, o.Table, len(o.Lost), len(o.Over))] = true
		}
	}
	if len(messages) != 1 {
		t.Fatalf("the messages differ: %v", messages)
	}
	// What was seen to go is a conflict like others.
	if o := ann.fate(update(5, 1, tidemark.Text("late"))); o.Kind != tidemark.Merged {
		t.Fatalf("%+v", o)
	}
	if o := ann.fate(remove(5)); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
}

// What depends on the author's own rejected insert says so, whatever is there.
func TestUnseenRowsUnderOwnRejectedInserts(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a"))
		ann := b.newMole("ann", nil)
		ann.catchUp()
		if o := ann.fate(in(5, "bad", "a")); o.Code != tidemark.CodeCheck {
			t.Fatalf("%+v", o)
		}
		if hidden {
			b.foreign(in(5, "hidden", "b"))
		}
		if o := ann.fate(update(5, 1, tidemark.Text("mine"))); o.Code != tidemark.CodeDependsOn || !strings.Contains(o.Message, "changeset 1 inserted") {
			t.Fatalf("%+v", o)
		}
		if o := ann.fate(remove(5)); o.Kind != tidemark.Accepted {
			t.Fatalf("%+v", o)
		}
		if r := b.store.now.rows[rowOf(b, 5)]; hidden && (r.values == nil || r.values[1] != tidemark.Text("hidden")) {
			t.Fatalf("the hidden row is %v", r.values)
		}
	}
}

func rowOf(b *bench, id int64) string {
	return fmt.Sprintf("1/%s", b.hub.Schema().Table(1).KeyID([]tidemark.Value{tidemark.Int(id)}))
}

func TestInsertIntoAScopeThatOneMayNotRead(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a"), in(2, "hidden", "b"))
	ann := b.newMole("ann", nil)
	ann.catchUp()
	if o := ann.fate(in(1, "drop box", "b")); o.Kind != tidemark.Accepted || ann.hello.Seq != o.Seq {
		t.Fatalf("%+v", o)
	}
	ann.right("a")
	// A key that is taken unseen: the same answer for the same and for other values.
	for _, name := range []string{"hidden", "other"} {
		if o := ann.fate(in(2, name, "b")); o.Code != tidemark.CodeUnique || strings.Contains(o.Message, "hidden") {
			t.Fatalf("%+v", o)
		}
	}
}

func TestRenewWithOtherClaims(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a"), in(1, "one", "a"), in(2, "two", "b"))
	ann := b.newMole("ann", map[string]any{"also": "b"})
	ann.catchUp()
	ann.right("a", "b")
	asked := b.store.asked
	ann.s.Renew(tidemark.Principal{ID: "ann", Claims: map[string]any{"also": "b"}})
	if ann.s.Behind() || b.store.asked != asked {
		t.Fatal("the same claims are evaluated anew")
	}
	ann.s.Renew(tidemark.Principal{ID: "ann"})
	ann.got = nil
	b.foreign(update(2, 1, tidemark.Text("secret")), update(1, 1, tidemark.Text("uno")))
	if got := ann.kinds(); got != "" {
		t.Fatalf("heard %s before it was known what it may read", got)
	}
	ann.catchUp()
	if got := ann.kinds(); !strings.HasPrefix(got, "Scopes") {
		t.Fatalf("heard %s", got)
	}
	ann.right("a")
}

func TestScopesAnew(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a b"), in(1, "one", "a"), in(2, "two", "b"))
	ann := b.newMole("ann", nil)
	ann.send(&wire.Subscribe{Only: true, Want: []wire.Want{{Scope: "a"}}})
	ann.catchUp()
	ann.right("a")
	// A replica whose server went back compares as of the head, and fills what it lacks.
	ann.s.End()
	b.foreign(update(1, 1, tidemark.Text("uno")))
	ann.members["a"], ann.rows = map[string]bool{}, map[string]memoryRow{}
	ann.hello.Term, ann.hello.Seq, ann.hello.Staged = "", 0, "of old"
	ann.got = nil
	ann.connect("ann", nil)
	if !ann.welcome.Resync || ann.hello.Seq != b.hub.State().Head {
		t.Fatalf("%+v", ann.welcome)
	}
	ann.catchUp()
	if len(ann.members) != 2 || len(ann.rows) != 1 {
		t.Fatalf("b is not filled, or a is: %v", ann.rows)
	}
	ann.send(&wire.AskRows{ID: 7, Table: 1})
	ann.got = nil
	ann.catchUp()
	rows := ann.got[0].(*wire.Rows)
	if rows.ID != 7 || rows.Seq != b.hub.State().Head || len(rows.List) != 2 || !slices.Equal(rows.Scopes[0], []string{"a"}) || !slices.Equal(rows.Scopes[1], []string{"b"}) {
		t.Fatalf("%+v", rows)
	}
}

// A question is answered as of the head, which the replica reaches first.
func TestAskWhereNothingHappened(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a"), in(1, "one", "a"), in(2, "two", "b"))
	ann := b.newMole("ann", nil)
	ann.catchUp()
	b.foreign(update(2, 1, tidemark.Text("due")))
	ann.send(&wire.AskRows{ID: 1, Table: 1})
	ann.got = nil
	ann.catchUp()
	if got := ann.kinds(); got != "Batch Rows" || ann.hello.Seq != b.hub.State().Head {
		t.Fatalf("heard %s, at %d", got, ann.hello.Seq)
	}
	ann.right("a")
}

// Scopes that are declared while replicas are connected end their sessions:
// their files are made for a space without.
func TestScopesAreDeclared(t *testing.T) {
	b := newBench(t, hub.Options{})
	p := b.join()
	s := items()
	s.Scopes, s.Declared, s.Hash = []string{"a"}, "declared", "scoped"
	b.store.waiting = &tidemark.ForeignWork{Changes: []tidemark.Change{insert(1, "secret")}, Moved: &tidemark.SchemaMove{Schema: s}}
	b.group()
	if code := p.refusal(); code != tidemark.CodeSchema {
		t.Fatalf("refused %q", code)
	}
	if len(p.rows) != 0 || p.s.Behind() {
		t.Fatalf("has %v", p.rows)
	}
	p.connect()
	if p.welcome == nil || p.hello.Schema != "scoped" {
		t.Fatal("it must hear of the other schema to know what to do")
	}
	p.catchUp()
	if len(p.rows) != 0 {
		t.Fatalf("has %v", p.rows)
	}
}

// A group that falls apart becomes several transactions: who listens to what
// they did catches up.
func TestScopesOfATornGroup(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a b"), grantTo(2, "bob", "a"), grantTo(3, "cid", "c"), in(1, "one", "a"), in(2, "two", "b"))
	ann, bob, cid := b.newMole("ann", nil), b.newMole("bob", nil), b.newMole("cid", nil)
	for _, m := range b.moles {
		m.catchUp()
	}
	at := cid.hello.Seq
	b.group(ann.push(update(1, 1, tidemark.Text("uno")), regrantTo(2, "bob", "")), bob.push(in(9, nameGone, "a")), ann.push(update(1, 1, tidemark.Text("eins")), update(2, 1, tidemark.Text("zwei"))))
	if o := bob.outcome(); o.Code != tidemark.CodeRaised {
		t.Fatalf("%+v", o)
	}
	if o := ann.outcome(); o.N != 2 || o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o) // what came first changes a grant, which is nobody's to see
	}
	b.group(ann.push(update(1, 1, tidemark.Text("un"))), bob.push(in(9, nameGone, "a")), ann.push(update(2, 1, tidemark.Text("deux"))))
	if !ann.s.Behind() || !bob.s.Behind() || cid.s.Behind() {
		t.Fatal("who listens to what two transactions did catches up, and nobody else")
	}
	for _, m := range b.moles {
		m.catchUp()
	}
	ann.right("a", "b")
	bob.right("a")
	cid.right("c")
	if cid.hello.Seq != at {
		t.Fatal("cid heard of it")
	}
}
