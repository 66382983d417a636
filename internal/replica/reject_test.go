package replica

import (
	"testing"

	"github.com/tidemarkdb/tidemark"
)

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
