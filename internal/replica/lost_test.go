package replica

import (
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// TestLostEditIsKept: the row that an edit was made on is deleted by somebody
// else first. The delete wins, the rest of the transaction is accepted, and
// what did not survive can still be read.
func TestLostEditIsKept(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.commit("UPDATE person SET name = 'mine', mail = 'mine@x' WHERE id = 3; UPDATE person SET name = 'Bobby' WHERE id = 2")
	d.applyWell(o.do("DELETE FROM person WHERE id = 3"))
	out := d.acceptance(1, 2)
	out.Kind = tidemark.Merged
	out.Lost = []tidemark.Cell{
		{Table: "person", Key: []tidemark.Value{tidemark.Int(3)}, Column: "name"},
		{Table: "person", Key: []tidemark.Value{tidemark.Int(3)}, Column: "mail"},
	}
	d.applyWell(o.do("UPDATE person SET name = 'Bobby' WHERE id = 2"), out)
	compareRows(t, o.schema, d.rows(), o.rows)
	kept := d.rejected()
	if len(kept) != 1 || kept[0].Code != tidemark.CodeNotFound || kept[0].Table != "person" {
		t.Fatalf("kept %+v", kept)
	}
	if c := kept[0].Changes; len(c) != 1 || len(c[0].New) != 2 || c[0].New[0] != tidemark.Text("mine") || c[0].New[1] != tidemark.Text("mine@x") {
		t.Fatalf("kept %+v", c)
	}
	if st := d.status(); st.Pending != 0 || !st.Proven {
		t.Fatalf("%+v", st)
	}
}

// TestRejectedIDsAreNeverGivenAgain: a script that retries number 1 must not
// hit another changeset because the first one was discarded.
func TestRejectedIDsAreNeverGivenAgain(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.commit("UPDATE person SET name = 'one' WHERE id = 1")
	d.settle(d.rejection(1, 0, tidemark.CodeForbidden))
	must(t, d.r.Discard(1))
	d.commit("UPDATE person SET name = 'two' WHERE id = 1")
	d.settle(d.rejection(2, 0, tidemark.CodeForbidden))
	if kept := d.rejected(); len(kept) != 1 || kept[0].ID != 2 {
		t.Fatalf("kept %+v", kept)
	}
}
