package hub_test

import (
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

func insertText(at int, text string) splice.Patch { return splice.Patch{{At: at, Insert: text}} }

// setBody sets the whole text, as a replica does with what is no text.
func setBody(v tidemark.Value) tidemark.Change {
	return tidemark.Change{Table: 1, Op: tidemark.Update, Key: docKey, Cols: []int{bodyCol}, New: []tidemark.Value{v}}
}

func (d *desk) wants(text string) {
	d.t.Helper()
	d.drain()
	if d.text() != text {
		d.t.Fatalf("the text is %q, want %q", d.text(), text)
	}
}

func (a *author) accepted(numbers ...int64) {
	a.desk.t.Helper()
	for _, n := range numbers {
		if o := a.outcome(n); o.Kind != tidemark.Accepted {
			a.desk.t.Fatalf("changeset %d ended %+v", n, o)
		}
	}
}

func (a *author) rejected(n int64, code tidemark.Code) tidemark.Outcome {
	a.desk.t.Helper()
	o := a.outcome(n)
	if o.Kind != tidemark.Rejected || o.Code != code {
		a.desk.t.Fatalf("changeset %d ended %+v, want rejected %s", n, o, code)
	}
	return o
}

func TestTextsOfTwoCombine(t *testing.T) {
	d := newDesk(t, "one two three", 2)
	a, b := d.authors[0], d.authors[1]
	a.write("one 2 three")
	b.write("one two three four")
	a.push(1)
	b.push(1)
	d.wants("one 2 three four")
	a.accepted(1)
	b.accepted(1)
}

// TestLaterTextStandsFirst: what two type at one place at the same time stays
// in words, however it arrives.
func TestLaterTextStandsFirst(t *testing.T) {
	d := newDesk(t, "><", 2)
	a, b := d.authors[0], d.authors[1]
	for i, c := range []string{"a", "b", "c"} {
		a.edit(insertText(1+i, c))
		b.edit(insertText(1+i, strings.ToUpper(c)))
	}
	for range 3 {
		a.push(1)
		b.push(1)
	}
	d.wants(">ABCabc<")
}

// TestAChainOfOwnEdits: each edit builds on the one before it, which has no
// answer yet; others' edits come between.
func TestAChainOfOwnEdits(t *testing.T) {
	for _, forget := range []bool{false, true} {
		d := newDesk(t, "base", 2)
		d.forget = forget
		a, b := d.authors[0], d.authors[1]
		a.edit(insertText(4, " x"))
		a.edit(insertText(6, "y"))
		b.edit(insertText(0, "the "))
		b.push(1)
		a.push(1)
		b.edit(splice.Patch{{At: 4, Delete: 1, Insert: "B"}})
		b.push(1)
		a.edit(insertText(7, "z"))
		a.push(2)
		d.wants("the Base xyz")
		a.accepted(1, 2, 3)
	}
}

// TestAChainThatWasMoved: the author sees others' edits under its own pending
// ones, and edits what it then sees.
func TestAChainThatWasMoved(t *testing.T) {
	for _, forget := range []bool{false, true} {
		d := newDesk(t, "base", 2)
		d.forget = forget
		a, b := d.authors[0], d.authors[1]
		a.edit(insertText(4, "!"))
		b.edit(insertText(0, "the "))
		b.push(1)
		a.read(1)
		if a.shown() != "the base!" || !a.moved {
			t.Fatalf("%q, moved %v", a.shown(), a.moved)
		}
		a.edit(insertText(9, "?"))
		b.edit(insertText(0, "> "))
		b.push(1)
		a.push(1)
		a.edit(splice.Patch{{At: 4, Delete: 1, Insert: "B"}})
		a.push(2)
		d.wants("> the Base!?")
		a.accepted(1, 2, 3)
	}
}

// TestAMovedTextThatWasPredictedOtherwise: what the author saw is not what the
// server would have shown; its word counts.
func TestAMovedTextThatWasPredictedOtherwise(t *testing.T) {
	d := newDesk(t, "base", 2)
	a, b := d.authors[0], d.authors[1]
	a.edit(insertText(4, "!"))
	b.edit(insertText(0, "the "))
	b.push(1)
	a.read(1)
	a.pending[0].patch = insertText(4, "!") // the prediction is off: "the !base"
	a.edit(insertText(5, "?"))
	a.push(2)
	d.drain()
	if got := d.text(); strings.Count(got, "!") != 1 || strings.Count(got, "?") != 1 || !strings.Contains(got, "base") {
		t.Fatalf("the text is %q", got)
	}
}

func TestALinkThatWasRejected(t *testing.T) {
	for _, forget := range []bool{false, true} {
		d := newDesk(t, "base", 1)
		d.forget = forget
		a := d.authors[0]
		a.edit(insertText(4, "!"))
		a.send(tidemark.Change{
			Table: 1, Op: tidemark.Update, Key: docKey, Cols: []int{bodyCol}, New: []tidemark.Value{tidemark.Null},
			Edits: []tidemark.Edit{{Kind: tidemark.EditText, Body: `{"s":[[99,0,"x"]],"after":1}`}},
		})
		a.pending = append(a.pending, pendingEdit{n: 2})
		a.edit(insertText(0, "on it: "))
		a.push(1)
		a.push(1)
		a.push(1)
		a.accepted(1)
		a.rejected(2, tidemark.CodeStale)
		if o := a.rejected(3, tidemark.CodeDependsOn); !strings.Contains(o.Message, "changeset 2") || o.Columns[0] != "body" {
			t.Fatalf("%+v", o)
		}
		d.wants("base!")
	}
}

// TestWhatWasTypedOnARejectedEdit: it stands without it, also when the bridge
// has to be made again.
func TestWhatWasTypedOnARejectedEdit(t *testing.T) {
	for _, forget := range []bool{false, true} {
		d := newDesk(t, "base", 2)
		d.forget = forget
		a, b := d.authors[0], d.authors[1]
		text := func(body string) tidemark.Change {
			return tidemark.Change{
				Table: 1, Op: tidemark.Update, Key: docKey, Cols: []int{bodyCol}, New: []tidemark.Value{tidemark.Null},
				Edits: []tidemark.Edit{{Kind: tidemark.EditText, Body: body}},
			}
		}
		nowhere := tidemark.Change{Table: 1, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(99)}, Cols: []int{bodyCol}, New: []tidemark.Value{tidemark.Text("x")}}
		a.send(text(`{"s":[[2,0,"rejected"]]}`), nowhere) // barejectedse
		a.send(text(`{"s":[[12,0,"!"]],"after":1}`))      // barejectedse!
		a.send(text(`{"s":[[0,0,">"],[4,3,"on"]],"after":2}`), nowhere)
		a.send(text(`{"s":[[1,1,"B"],[13,0,"?"]],"after":3}`))
		b.edit(insertText(4, " of b"))
		b.push(1)
		for range 4 {
			a.pending = append(a.pending, pendingEdit{n: int64(len(a.pending) + 1)})
		}
		a.push(4)
		a.rejected(1, tidemark.CodeDependsOn)
		a.accepted(2)
		a.rejected(3, tidemark.CodeDependsOn)
		a.accepted(4)
		d.wants("Base!? of b")
	}
}

func TestEditsThatCannotBeRead(t *testing.T) {
	for _, body := range []string{`{"s":[[0,0,""]]}`, `{"s":[[0,1,"a"],[1,1,""]]}`, `{"s":[],"after":1}`, `{"s":[],"after":7}`, `{}`} {
		d := newDesk(t, "base", 1)
		a := d.authors[0]
		a.send(tidemark.Change{
			Table: 1, Op: tidemark.Update, Key: docKey, Cols: []int{bodyCol}, New: []tidemark.Value{tidemark.Null},
			Edits: []tidemark.Edit{{Kind: tidemark.EditText, Body: body}},
		})
		a.push(1)
		a.rejected(1, tidemark.CodeSchema)
		d.wants("base")
	}
}

// TestATextThatWasReplaced: somebody made it something else, or another text
// by way of something else. The edit takes the cell's place.
func TestATextThatWasReplaced(t *testing.T) {
	for _, forget := range []bool{false, true} {
		d := newDesk(t, "base", 2)
		d.forget = forget
		a, b := d.authors[0], d.authors[1]
		a.edit(insertText(4, "!"))
		a.edit(insertText(5, "?"))
		a.edit(insertText(6, "."))
		b.edit(insertText(0, "the "))
		b.push(1)
		a.push(1)
		b.read(9)
		b.send(setBody(tidemark.Null))
		b.push(1)
		b.read(9)
		b.send(setBody(tidemark.Text("other")))
		b.push(1)
		a.push(1)
		o := a.outcome(2)
		if o.Kind != tidemark.Merged || len(o.Over) != 1 || o.Over[0].Column != "body" {
			t.Fatalf("%+v", o)
		}
		if d.text() != "base!?" {
			t.Fatalf("%q", d.text())
		}
		a.push(1)
		a.accepted(3)
		d.wants("base!?.")
	}
}

func TestHistoryThatDoesNotSuffice(t *testing.T) {
	d := newDesk(t, "base", 2)
	a, b := d.authors[0], d.authors[1]
	a.edit(insertText(4, "!"))
	b.edit(insertText(0, "the "))
	b.push(1)
	d.store.pruned = d.store.head
	a.push(1)
	a.rejected(1, tidemark.CodeStale)
	d.wants("the base")
	a.edit(insertText(8, "?"))
	a.push(1)
	a.accepted(2)
	d.wants("the base?")
}

func TestAnEditWithoutEffectIsALink(t *testing.T) {
	for _, forget := range []bool{false, true} {
		d := newDesk(t, "base", 2)
		d.forget = forget
		a, b := d.authors[0], d.authors[1]
		a.write("bas")
		b.write("bas")
		a.edit(insertText(0, ">"))
		b.push(1)
		a.push(1)
		a.push(1)
		a.accepted(1, 2)
		d.wants(">bas")
	}
}

// TestARowOfOnesOwn: the row is inserted and its text edited before anybody answered.
func TestARowOfOnesOwn(t *testing.T) {
	for _, forget := range []bool{false, true} {
		d := newDesk(t, "", 1)
		d.forget = forget
		a := d.authors[0]
		key := []tidemark.Value{tidemark.Int(2)}
		edit := func(body string) {
			a.send(tidemark.Change{
				Table: 1, Op: tidemark.Update, Key: key, Cols: []int{bodyCol}, New: []tidemark.Value{tidemark.Null},
				Edits: []tidemark.Edit{{Kind: tidemark.EditText, Body: body}},
			})
		}
		a.send(tidemark.Change{Table: 1, Op: tidemark.Insert, Key: key, New: []tidemark.Value{key[0], tidemark.Text("new"), tidemark.Null}})
		edit(`{"s":[[3,0," text"]],"after":1}`)
		edit(`{"s":[[8,0,"!"]],"after":2}`)
		a.push(1)
		a.push(2)
		a.accepted(1, 2, 3)
		if got := d.store.rows[d.store.id(key)].Values[bodyCol].Str(); got != "new text!" {
			t.Fatalf("%q", got)
		}
	}
}

// TestARowThatMoves: the key changes with the text, and the chain goes on there.
func TestARowThatMoves(t *testing.T) {
	d := newDesk(t, "base", 1)
	a := d.authors[0]
	to := []tidemark.Value{tidemark.Int(7)}
	a.send(tidemark.Change{
		Table: 1, Op: tidemark.Update, Key: docKey, Cols: []int{0, bodyCol}, New: []tidemark.Value{to[0], tidemark.Null},
		Edits: []tidemark.Edit{{}, {Kind: tidemark.EditText, Body: `{"s":[[4,0,"!"]]}`}},
	})
	a.send(tidemark.Change{
		Table: 1, Op: tidemark.Update, Key: to, Cols: []int{bodyCol}, New: []tidemark.Value{tidemark.Null},
		Edits: []tidemark.Edit{{Kind: tidemark.EditText, Body: `{"s":[[5,0,"?"]],"after":1}`}},
	})
	a.push(2)
	a.accepted(1, 2)
	if got := d.store.rows[d.store.id(to)].Values[bodyCol].Str(); got != "base!?" {
		t.Fatalf("%q", got)
	}
}

// TestProgramsEditTextToo: what somebody wrote into the served file combines
// like any other edit.
func TestProgramsEditTextToo(t *testing.T) {
	d := newDesk(t, "one two", 1)
	a := d.authors[0]
	a.write("one two three")
	d.byProgram(setBody(tidemark.Text("1 two")))
	a.push(1)
	d.wants("1 two three")
}

// TestTextThatIsNotUTF8: patches cannot carry it, so it is replaced as a whole, byte for byte.
func TestTextThatIsNotUTF8(t *testing.T) {
	d := newDesk(t, "base", 2)
	a, b := d.authors[0], d.authors[1]
	raw := tidemark.Text("ba\xffse")
	a.send(setBody(raw))
	a.push(1)
	if got := d.store.rows[d.store.id(docKey)].Values[bodyCol]; got != raw {
		t.Fatalf("%v", got)
	}
	b.edit(insertText(4, "!"))
	b.push(1)
	if o := b.outcome(1); o.Kind != tidemark.Merged || d.text() != "base!" {
		t.Fatalf("%+v, %q", o, d.text())
	}
	d.wants("base!")
}

// TestOneBatchForManyKeystrokes: a group's edits of one text go out as one.
func TestOneBatchForManyKeystrokes(t *testing.T) {
	d := newDesk(t, strings.Repeat("line\n", 2000), 2)
	a := d.authors[0]
	for i := range 100 {
		a.edit(insertText(5+i, "x"))
	}
	c := func() *hub.Commit {
		subs := a.outbox
		a.outbox = nil
		return d.group(subs...)
	}()
	if c.Batch == nil || len(c.Batch.Changes) != 1 || len(c.Batch.Raw) > 300 {
		t.Fatalf("%d bytes", len(c.Batch.Raw))
	}
	d.drain()
}

// TestTypingReadsNoHistory: while nobody else writes, a chain is judged by what
// the hub remembers of it.
func TestTypingReadsNoHistory(t *testing.T) {
	d := newDesk(t, "", 1)
	a := d.authors[0]
	for i := range 200 {
		a.edit(insertText(i, "x"))
	}
	for range 200 {
		a.push(1)
	}
	if d.store.queries > 0 {
		t.Fatalf("%d reads of the past", d.store.queries)
	}
	d.wants(strings.Repeat("x", 200))
}

// TestATextWhoseRowWasDeleted: under update-wins the row comes back with the
// text as its author saw it, and the chain goes on there.
func TestATextWhoseRowWasDeleted(t *testing.T) {
	for _, forget := range []bool{false, true} {
		d := newDesk(t, "base", 2)
		d.forget = forget
		d.store.schema.Tables[0].Policy.OnDelete = tidemark.UpdateWins
		a, b := d.authors[0], d.authors[1]
		a.edit(insertText(4, "!"))
		b.edit(insertText(0, "the "))
		b.push(1)
		a.read(1)
		a.edit(insertText(9, "?"))
		a.edit(insertText(10, "."))
		a.push(1)
		b.read(9)
		b.send(tidemark.Change{Table: 1, Op: tidemark.Delete, Key: docKey})
		b.push(1)
		a.push(2)
		if got := d.text(); got != "the base!?." {
			t.Fatalf("the text is %q", got)
		}
		a.accepted(1, 3)
		if o := a.outcome(2); o.Kind != tidemark.Merged {
			t.Fatalf("%+v", o)
		}
	}
}

// TestAChainWhoseStepsAreForgotten: what is left in the log does not tell what
// the author saw.
func TestAChainWhoseStepsAreForgotten(t *testing.T) {
	d := newDesk(t, "base", 2)
	d.forget = true
	a, b := d.authors[0], d.authors[1]
	a.edit(insertText(4, "!"))
	a.edit(insertText(5, "?"))
	b.edit(insertText(0, "the "))
	b.push(1)
	a.push(1)
	clear(d.store.steps)
	a.push(1)
	a.rejected(2, tidemark.CodeStale)
	d.wants("the base!")
}
