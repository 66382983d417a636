package hub_test

import (
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
)

// What a session handed in is still judged when it is over, by what its
// principal may read by then and not when it ended.
func TestGrantsOfASessionThatIsOver(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a"), in(1, "one", "a"))
	ann := b.newMole("ann", nil)
	ann.catchUp()
	edit := ann.push(update(1, 1, tidemark.Text("too late")))
	ann.s.End()
	b.foreign(regrantTo(1, "ann", ""))
	b.group(edit)
	if r := b.store.now.rows[rowOf(b, 1)]; r.values[1] != tidemark.Text("one") {
		t.Fatalf("somebody who may not see the row made it %v", r.values)
	}
}
