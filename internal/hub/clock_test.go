package hub_test

import (
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// at gives an edit the time of its replica's clock.
func at(c tidemark.Change, ms int64) tidemark.Change {
	c.MadeAt = ms
	return c
}

func TestLatestEdit(t *testing.T) {
	const base = 2_000_000 // the server's clock, about
	for _, tc := range []struct {
		name           string
		theirs, mine   int64 // when, by each one's clock
		offBob, offAnn int64 // what the clocks are ahead
		want           string
	}{
		{"mine is younger", base - 200, base - 100, 0, 0, "m"},
		{"theirs is younger", base - 100, base - 200, 0, 0, "t"},
		{"the later arrival of two of one time", base - 100, base - 100, 0, 0, "m"},
		{"a clock that is ahead", base - 100, base + 4_800, 0, 5_000, "t"},
		{"a clock that is behind", base - 5_100, base - 200, -5_000, 0, "t"},
		{"a clock of another year", base - 100, 5, 0, 3_000_000_000, "m"},
		{"an edit of tomorrow", base - 100, base + 86_400_000, 0, 0, "m"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, ann, bob := newRules(t, nil)
			b.now = base
			ann.outcomes()
			for p, off := range map[*peer]int64{ann: tc.offAnn, bob: tc.offBob} {
				p.hello.Clock = b.now + off
				p.connect()
				p.catchUp()
			}
			ann.outcomes()
			late := ann.push(at(edit(1, colLatest, start(colLatest), text("m")), tc.mine))
			b.group(bob.push(at(edit(1, colLatest, start(colLatest), text("t")), tc.theirs)))
			b.group(late)
			o := ann.outcome()
			if got := b.row(1)[colLatest]; got != text(tc.want) {
				t.Fatalf("%v, should be %s: %+v", got, tc.want, o)
			}
			if (columns(o.Lost) == "latest") != (tc.want == "t") || (columns(o.Over) == "latest") != (tc.want == "m") {
				t.Errorf("%+v", o)
			}
		})
	}
}

// A slow clock must not let an edit lose against one that its author had
// overwritten knowingly.
func TestLatestEditNeverGoesBack(t *testing.T) {
	b, ann, bob := newRules(t, nil)
	b.now += 10_000
	b.group(bob.push(at(edit(1, colLatest, start(colLatest), text("t")), b.now-100)))
	seen := bob.push(at(edit(1, colLatest, text("t"), text("old")), b.now-60))
	b.group(ann.push(at(edit(1, colLatest, text("t"), text("m")), b.now-5_000)))
	if o := ann.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
	b.group(seen)
	if got := b.row(1)[colLatest]; got != text("old") {
		t.Fatalf("%v: it is as old as the one it overwrote, and 1 ms", got)
	}
}

// What other programs write is as young as when the server found it.
func TestLatestEditByHand(t *testing.T) {
	b, ann, _ := newRules(t, nil)
	late := ann.push(at(edit(1, colLatest, start(colLatest), text("m")), b.now-100))
	b.store.foreignWrite(nil, tidemark.Change{
		Table: thingID, Op: tidemark.Update, Key: key(1), Cols: []int{colLatest}, New: []tidemark.Value{text("hand")}, Old: []tidemark.Value{start(colLatest)},
	})
	b.group(late)
	if o := ann.outcome(); columns(o.Lost) != "latest" || b.row(1)[colLatest] != text("hand") {
		t.Fatalf("%+v", o)
	}
	if c := b.one(); c["theirs_by"] != text(tidemark.FileReplica) {
		t.Fatalf("%v", c)
	}
}

func TestLatestInsert(t *testing.T) {
	for _, younger := range []int64{-50, 50} {
		b, ann, bob := newRules(t, nil)
		mine, theirs := thing(2), thing(2)
		mine.New[colLatest], theirs.New[colLatest] = text("m"), text("t")
		mine.MadeAt, theirs.MadeAt = b.now-100+younger, b.now-100
		late := ann.push(mine)
		b.group(bob.push(theirs))
		b.group(late)
		want := map[bool]string{true: "m", false: "t"}[younger > 0]
		if got := b.row(2)[colLatest]; got != text(want) {
			t.Errorf("%v, should be %s: %+v", got, want, ann.outcome())
		}
	}
}
