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
