package hub_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func TestHostileEdits(t *testing.T) {
	one := func(col int, kind tidemark.EditKind, body string) tidemark.Change {
		return tidemark.Change{
			Table: thingID, Op: tidemark.Update, Key: key(1), Cols: []int{col}, New: []tidemark.Value{tidemark.Null},
			Edits: []tidemark.Edit{{Kind: kind, Body: body}},
		}
	}
	with := func(c tidemark.Change, change func(*tidemark.Change)) tidemark.Change { change(&c); return c }
	good := one(colCounter, 'a', "1")
	for name, c := range map[string]tidemark.Change{
		"a sum of texts":             one(colCounter, 'a', `"x"`),
		"a sum of nothing":           one(colCounter, 'a', ``),
		"half a number":              one(colCounter, 'a', `{"i":"1`),
		"an infinite sum":            one(colCounter, 'a', `{"f":"inf"}`),
		"members of what is no set":  one(colCounter, 'm', `[["a"],[]]`),
		"an unknown kind":            one(colCounter, 'z', `1`),
		"a sum of a text":            one(colText, 'a', `1`),
		"a sum of a key":             one(colID, 'a', `1`),
		"a sum in a group":           one(colStreet, 'a', `1`),
		"a sum of a plain column":    one(colPlain, 'a', `1`),
		"splices that overlap":       one(colText, 't', `{"s":[[0,5,"x"],[3,1,"y"]]}`),
		"splices before the text":    one(colText, 't', `{"s":[[-1,0,"x"]]}`),
		"splices of nonsense":        one(colText, 't', `{"s":`),
		"a splice of a huge length":  one(colText, 't', `{"s":[[0,9223372036854775807,""]]}`),
		"members that are no JSON":   one(colSet, 'm', `[[x],[]]`),
		"one list of members":        one(colSet, 'm', `[["a"]]`),
		"keys without a path":        one(colJSON, 'k', `[[[],[1],[2]]]`),
		"keys that are deep":         one(colJSON, 'k', strings.Repeat("[", 100000)),
		"members that are deep":      one(colSet, 'm', "[["+strings.Repeat("[", 100000)),
		"more edits than columns":    with(good, func(c *tidemark.Change) { c.Edits = append(c.Edits, c.Edits[0]) }),
		"an insert with edits":       with(thing(7), func(c *tidemark.Change) { c.Edits = []tidemark.Edit{{Kind: 'a', Body: "1"}} }),
		"a delete with edits":        with(drop(1), func(c *tidemark.Change) { c.Edits = []tidemark.Edit{{Kind: 'a', Body: "1"}} }),
		"an edit that is too large":  one(colText, 't', `{"s":[[0,0,"`+strings.Repeat("x", 20000)+`"]]}`),
		"a sum that does not fit":    one(colCounter, 'a', `{"i":"9223372036854775807"}`),
		"a text after a later one":   one(colText, 't', `{"s":[[0,0,"x"]],"after":999}`),
		"a text after no such thing": one(colText, 't', `{"s":[[0,0,"x"]],"after":-1}`),
	} {
		t.Run(name, func(t *testing.T) {
			b, ann, _ := newRules(t, nil)
			b.restart(hub.Options{Limits: wire.Limits{Row: 10000}})
			ann.s, b.peers = b.hub.NewSession(tidemark.Principal{}), []*peer{ann}
			ann.send(&ann.hello)
			ann.outcomes()
			before := fmt.Sprint(b.row(1))
			b.group(ann.push(c))
			o := ann.outcome()
			if o.Kind != tidemark.Rejected || o.Message == "" || fmt.Sprint(b.row(1)) != before {
				t.Fatalf("%+v: %v", o, b.row(1))
			}
			switch o.Code {
			case tidemark.CodeSchema, tidemark.CodeTooLarge, tidemark.CodeCheck, tidemark.CodeStale, tidemark.CodeDependsOn:
			default:
				t.Errorf("%+v", o)
			}
		})
	}
}

// An edit means what it meant when it was made, whatever the column merges by now.
func TestEditsMadeUnderOtherPolicies(t *testing.T) {
	b, ann, bob := newRules(t, nil)
	var subs []hub.Submission
	for _, e := range []struct {
		col   int
		after tidemark.Value
	}{
		{colCounter, num(15)}, {colSet, text(`["b","m"]`)}, {colJSON, text(`{"a":5,"b":2}`)}, {colPlain, text("m")}, {colLast, num(3)},
	} {
		subs = append(subs, ann.push(edit(1, e.col, start(e.col), e.after)))
	}
	b.group(bob.push(edit(1, colCounter, num(10), num(13))), bob.push(edit(1, colPlain, start(colPlain), num(4))))
	moved := rules(func(s *tidemark.Schema) {
		c := s.Table(thingID).Columns
		c[colCounter].Policy, c[colSet].Policy, c[colJSON].Policy = "", tidemark.PolicyReject, tidemark.PolicyManual
		c[colPlain].Policy, c[colLast].Policy = tidemark.PolicyCounter, tidemark.PolicyText
		s.Hash = "other rules"
	})
	b.store.waiting = &tidemark.ForeignWork{Moved: &tidemark.SchemaMove{Schema: moved}}
	b.group(subs...)
	for i, o := range ann.outcomes() {
		if want := []tidemark.OutcomeKind{tidemark.Accepted, tidemark.Accepted, tidemark.Accepted, tidemark.Merged, tidemark.Accepted}[i]; o.Kind != want {
			t.Errorf("%d: %+v", i, o)
		}
	}
	row := b.row(1)
	if row[colCounter] != num(18) || row[colSet] != text(`["b","m"]`) || row[colJSON] != text(`{"a":5,"b":2}`) || row[colPlain] != text("m") || row[colLast] != num(3) {
		t.Errorf("%v", row)
	}
}

// A copied file brings under its new name what the original had brought
// already; edits on top of that are no conflict with it.
func TestACopyHasOneChainWithItsOriginal(t *testing.T) {
	b, ann, _ := newRules(t, nil)
	copied := b.join()
	first := edit(1, colReject, start(colReject), text("one"))
	sub := ann.push(first)
	twin := sub.Changeset
	push := pushOf(1, ann.hello.Schema, first)
	push.Salt, push.Seen, push.MadeAt, push.Was = twin.Salt, twin.Seen, twin.MadeAt, &twin.Name
	inherited := copied.send(push)
	copied.n++
	then := copied.push(edit(1, colReject, text("one"), text("two")))
	b.group(sub)
	ann.outcome()
	b.group(*inherited, then)
	for i, o := range copied.outcomes() {
		if o.Kind != tidemark.Accepted {
			t.Fatalf("%d: %+v", i, o)
		}
	}
	// What the original did afterwards is not the copy's own.
	late := copied.push(edit(1, colReject, text("two"), text("three")))
	b.group(ann.push(edit(1, colReject, text("two"), text("ann"))))
	b.group(late)
	if o := copied.outcome(); o.Code != tidemark.CodeStale {
		t.Fatalf("%+v", o)
	}
}

// A long chain of own edits is not looked at again with each of them.
func TestALongOwnChainIsRead(t *testing.T) {
	for _, col := range []int{colLast, colJSON, colFirst} {
		b, ann, bob := newRules(t, nil)
		const n = 300
		var subs []hub.Submission
		before := start(col)
		for i := range n {
			after := text(fmt.Sprintf(`{"a":%d,"b":2}`, i+10))
			subs = append(subs, ann.push(edit(1, col, before, after)))
			before = after
		}
		b.group(bob.push(edit(1, colPlain, start(colPlain), text("t"))))
		*b.store.now.kept.histories = 0
		for _, sub := range subs {
			b.group(sub)
		}
		for _, o := range ann.outcomes() {
			if o.Kind != tidemark.Accepted {
				t.Fatalf("%+v", o)
			}
		}
		if b.row(1)[col] != before {
			t.Fatalf("%v", b.row(1))
		}
		if read := *b.store.now.kept.histories; read > 3*n {
			t.Errorf("column %d: %d effects were read for %d edits", col, read, n)
		}
	}
}

// Random bodies never end the server.
func TestRandomEdits(t *testing.T) {
	rng := dice.New(t)
	b, ann, _ := newRules(t, nil)
	alphabet := []string{"[", "]", "{", "}", `"`, ",", ":", "1", "-", "e9", `"s"`, `"a"`, `"after"`, "null", "[[", "]]", `{"i":"`, `\u0000`, "é", "\xff"}
	for range dice.Times(400) {
		var body strings.Builder
		for range rng.IntN(12) {
			body.WriteString(alphabet[rng.IntN(len(alphabet))])
		}
		col := []int{colCounter, colSet, colJSON, colText}[rng.IntN(4)]
		kind := []tidemark.EditKind{'a', 'm', 'k', 't'}[rng.IntN(4)]
		b.group(ann.push(tidemark.Change{
			Table: thingID, Op: tidemark.Update, Key: key(1), Cols: []int{col}, New: []tidemark.Value{tidemark.Null},
			Edits: []tidemark.Edit{{Kind: kind, Body: body.String()}},
		}))
		if o := ann.outcome(); o.Kind == tidemark.Rejected && o.Code == tidemark.CodeInternal {
			t.Fatalf("%s %q: %+v", string(kind), body.String(), o)
		}
	}
}
