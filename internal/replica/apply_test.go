package replica

import (
	"errors"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

const people = `
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, mail TEXT UNIQUE);
CREATE TABLE pet (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES person(id) ON DELETE CASCADE, name TEXT);
INSERT INTO person VALUES (1, 'Ann', 'a@x'), (2, 'Bob', 'b@x'), (3, 'Cy', NULL);
INSERT INTO pet VALUES (10, 1, 'Rex');
`

func TestApplyPlain(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	a := d.applyWell(o.do("UPDATE person SET name = 'Anna' WHERE id = 1; INSERT INTO pet VALUES (11, 2, 'Tom'); DELETE FROM person WHERE id = 3"))
	if len(a.Tables) != 2 {
		t.Fatalf("tables %v", a.Tables)
	}
	compareRows(t, o.schema, d.rows(), o.rows)
	if st := d.status(); !st.Proven || st.Seq != 1 || st.Pending != 0 {
		t.Fatalf("%+v", st)
	}
}

func TestUniqueSwapInBatch(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.applyWell(o.do("UPDATE person SET mail = 'z' WHERE id = 1; UPDATE person SET mail = 'a@x' WHERE id = 2; UPDATE person SET mail = 'b@x' WHERE id = 1"))
	compareRows(t, o.schema, d.rows(), o.rows)
}

func TestLocalWritesStayOnTop(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.write("UPDATE person SET name = 'mine' WHERE id = 1")
	d.applyWell(o.do("UPDATE person SET name = 'theirs', mail = 'new@x' WHERE id = 1"))
	d.want("SELECT name, mail FROM person WHERE id = 1", "['mine' 'new@x']")
	d.checkBase(o.rows)
	out, b := o.judge(1, d.hash(1), d.pending()[0].Changes)
	a := d.applyWell(b, out)
	if len(a.Settled) != 1 || len(d.pending()) != 0 {
		t.Fatalf("settled %v", a.Settled)
	}
	d.checkBase(o.rows)
	compareRows(t, o.schema, d.rows(), o.rows)
}

func TestRejectedInTheMiddle(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.commit("UPDATE person SET name = 'one' WHERE id = 1")
	d.commit("UPDATE person SET name = 'two', mail = 'two@x' WHERE id = 1")
	d.commit("UPDATE person SET mail = 'three@x' WHERE id = 1")
	out, b := o.judge(1, d.hash(1), d.pending()[0].Changes)
	d.applyWell(b, out)
	d.settle(d.rejection(2, 1, tidemark.CodeForbidden))
	d.want("SELECT name, mail FROM person WHERE id = 1", "['one' 'three@x']")
	rej := d.rejected()
	if len(rej) != 1 || rej[0].N != 2 || rej[0].Code != tidemark.CodeForbidden || len(rej[0].Changes) != 1 {
		t.Fatalf("%+v", rej)
	}
	d.checkBase(o.rows)
	if n, err := d.r.Retry(rej[0].ID, false, 9); err != nil || n != 1 {
		t.Fatalf("retry: %d %v", n, err)
	}
	d.want("SELECT name, mail FROM person WHERE id = 1", "['two' 'two@x']")
	if got := sortedNs(d.pending()); len(got) != 2 || got[1] != 4 {
		t.Fatalf("pending %v", got)
	}
	if len(d.rejected()) != 0 {
		t.Fatal("the record is still there")
	}
}

func TestUniqueTakenSuspendsAndResumes(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.commit("INSERT INTO person VALUES (50, 'Me', 'want@x')")
	d.commit("INSERT INTO pet VALUES (60, 50, 'Mine')")
	d.commit("UPDATE person SET name = 'Me too' WHERE id = 50")
	a := d.applyWell(o.do("UPDATE person SET mail = 'want@x' WHERE id = 3"))
	if len(a.Suspended) != 3 {
		t.Fatalf("suspended %+v", a.Suspended)
	}
	for i, cause := range []string{"unique", "depends_on 1", "depends_on 1"} {
		if a.Suspended[i].Cause != cause {
			t.Errorf("cause of %d is %q, not %q", i+1, a.Suspended[i].Cause, cause)
		}
	}
	compareRows(t, o.schema, d.rows(), o.rows)
	d.checkBase(o.rows)
	a = d.applyWell(o.do("UPDATE person SET mail = 'other@x' WHERE id = 3"))
	if len(a.Resumed) != 3 {
		t.Fatalf("resumed %v", a.Resumed)
	}
	d.want("SELECT name FROM person WHERE id = 50", "['Me too']")
	d.want("SELECT owner FROM pet WHERE id = 60", "[50]")
}

func TestDeletedUnderPendingUpdate(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.commit("UPDATE person SET name = 'x' WHERE id = 2")
	a := d.applyWell(o.do("DELETE FROM person WHERE id = 2"))
	if len(a.Suspended) != 0 {
		t.Fatalf("suspended %+v", a.Suspended)
	}
	compareRows(t, o.schema, d.rows(), o.rows)
	out, b := o.judge(1, d.hash(1), d.pending()[0].Changes)
	d.applyWell(b, out)
	d.checkBase(o.rows)
}

func TestForeignKeyOfPendingBreaks(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.commit("INSERT INTO pet VALUES (70, 2, 'Late')")
	a := d.applyWell(o.do("DELETE FROM person WHERE id = 2"))
	if len(a.Suspended) != 1 || a.Suspended[0].Cause != "foreign_key" {
		t.Fatalf("%+v", a.Suspended)
	}
	compareRows(t, o.schema, d.rows(), o.rows)

	d.commit("DELETE FROM person WHERE id = 1")
	a = d.applyWell(o.do("INSERT INTO pet VALUES (71, 1, 'New')"))
	if len(a.Suspended) != 1 || a.Suspended[0].N != 2 {
		t.Fatalf("%+v", a.Suspended)
	}
	compareRows(t, o.schema, d.rows(), o.rows)
}

func TestWrongCheckpointIsRefused(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	o.do("UPDATE person SET name = 'q' WHERE id = 1")
	b := o.do("UPDATE person SET name = 'r' WHERE id = 1")
	if _, err := d.r.Apply(b, nil, 1); !errors.Is(err, ErrMoved) {
		t.Fatalf("%v", err)
	}
	other, err := Open(d.path, Options{})
	must(t, err)
	defer other.Close()
	_, err = d.r.TakeFence()
	must(t, err)
	_, err = other.TakeFence()
	must(t, err)
	if _, err := d.r.Settle(nil, 1); !errors.Is(err, ErrMoved) {
		t.Fatalf("%v", err)
	}
}

func TestStagedChunksBecomeVisibleTogether(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	b := o.do("UPDATE person SET name = 'c1' WHERE id = 1; UPDATE person SET name = 'c2' WHERE id = 2; INSERT INTO person VALUES (9, 'c9', 'n@x')")
	before := d.rows()
	first, last := *b, *b
	first.Changes, first.More, first.Cursor = b.Changes[:2], true, "cur"
	last.Changes = b.Changes[2:]
	if a := d.apply(&first); !a.Staged {
		t.Fatal("not staged")
	}
	d.crash()
	compareRows(t, o.schema, d.rows(), before)
	h, err := d.r.Hello()
	must(t, err)
	if h.Staged != "cur" || d.status().Staged != 1 {
		t.Fatalf("staged %q", h.Staged)
	}
	d.applyWell(&last)
	compareRows(t, o.schema, d.rows(), o.rows)
	if d.status().Staged != 0 {
		t.Fatal("the stage was not cleared")
	}
}

func TestOutcomeOfAnotherHashSettlesNothing(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.commit("UPDATE person SET name = 'x' WHERE id = 2")
	out := d.acceptance(1, 0)
	out.Hash[0]++
	if a := d.settle(out); len(a.Settled) != 0 || len(d.pending()) != 1 {
		t.Fatal("settled")
	}
}

func TestAcceptedWithoutEffectShowsConfirmed(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.commit("UPDATE person SET name = 'x' WHERE id = 2")
	b := &wire.Batch{From: 0, To: 1, Term: "term", Schema: o.schema.Hash, Sum: o.sum()}
	d.applyWell(b, d.acceptance(1, 1))
	compareRows(t, o.schema, d.rows(), o.rows)
}
