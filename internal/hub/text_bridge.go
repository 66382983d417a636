package hub

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// A bridge leads from the text that an author edited last to the server's text
// of the cell: the steps of others that the author has not seen, each on the
// text that the one before it left.
type bridge struct {
	n     int64        // the author's changeset at whose text it begins
	upto  tidemark.Seq // what happened to the cell behind it is not in yet
	steps []crossing
	// whole is the seq at which the cell was replaced as a whole, 0 if it was
	// not. What happened since does not matter: the author's next edit takes
	// the cell's place.
	whole tidemark.Seq
}

// crossing is one step of a bridge, or several that were composed.
type crossing struct {
	upto  tidemark.Seq // of the last one
	patch splice.Patch
	guess bool // not a step, but what differs between a prediction and what came of it
}

// Steps of a bridge are composed when there are many.
const (
	manySteps = 64
	fewSteps  = 32
)

func (b *bridge) copy() *bridge {
	c := *b
	c.steps = slices.Clone(b.steps)
	return &c
}

// add appends what somebody else did to the cell.
func (b *bridge) add(e textEvent) {
	switch {
	case b.whole > 0:
	case e.whole:
		b.whole = e.seq
	case len(e.patch) > 0:
		b.steps = append(b.steps, crossing{upto: e.seq, patch: e.patch})
	}
}

// cross carries an edit of the near text over to the far one, and leaves the
// bridge beginning behind the edit. Where both insert at one place the edit
// stands first, being the later one.
func (b *bridge) cross(p splice.Patch) splice.Patch {
	if len(b.steps) > manySteps {
		n := len(b.steps) - fewSteps
		old := crossing{upto: b.steps[n-1].upto, patch: splice.ComposeAll(patchesOf(b.steps[:n]))}
		b.steps = append([]crossing{old}, b.steps[n:]...)
	}
	if planted.Is(planted.PlaceText) {
		return p
	}
	left := b.steps[:0:0]
	for _, s := range b.steps {
		if s.guess {
			p, s.patch = splice.TransformMoved(p, s.patch)
		} else {
			p, s.patch = splice.Transform(p, s.patch, true)
		}
		if len(s.patch) > 0 {
			left = append(left, s)
		}
	}
	b.steps = left
	return p
}

func patchesOf(steps []crossing) []splice.Patch {
	out := make([]splice.Patch, len(steps))
	for i := range steps {
		out[i] = steps[i].patch
	}
	return out
}

// pass drops the steps that the author has seen by now.
func (b *bridge) pass(seen tidemark.Seq) {
	n := 0
	for n < len(b.steps) && b.steps[n].upto <= seen {
		n++
	}
	b.steps = b.steps[n:]
}

// near returns the text at which the bridge begins, by the one at which it ends.
func (b *bridge) near(far string) (string, bool) {
	back, err := splice.ComposeAll(patchesOf(b.steps)).Invert()
	if err != nil {
		return "", false
	}
	near, err := back.Apply(far)
	return near, err == nil
}

// weight is what the bridge takes in memory, roughly.
func (b *bridge) weight() int {
	n := 256
	for _, s := range b.steps {
		n += 64 * (len(s.patch) + 1)
		for i := range s.patch {
			n += len(s.patch[i].Insert) + len(s.patch[i].Deleted)
		}
	}
	return n
}
