package hub

import "github.com/tidemarkdb/tidemark"

// textVerdict is what an edit of a text cell comes to.
type textVerdict struct {
	value tidemark.Value // of the cell from now on
	// over says that what the cell holds is no longer the text that was
	// edited: it was replaced as a whole, or is no text. Then mine takes its
	// place, and the record needs what both started from.
	over  bool
	base  tidemark.Value // what the author edited, where over is set
	based bool           // base is known
}

// mergeText decides about the i-th column of an update whose edit is an
// EditText. row is the row that the update meets, under c.Key. An error that is
// an *Error rejects the changeset.
func (g *group) mergeText(t *tidemark.Table, c *tidemark.Change, i int, row tidemark.RowState, cs *tidemark.Changeset) (textVerdict, error) {
	return textVerdict{}, &tidemark.Error{Code: tidemark.CodeInternal, Msg: "text is not merged yet"}
}

// textEffects gives effects on text cells their edits, in place, and keeps the
// steps of these cells. It is called after Effects and before Append, for
// every changeset and for what other programs did.
func (g *group) textEffects(name tidemark.Name, seen tidemark.Seq, effects []tidemark.Change) error {
	return nil
}

// textsStand says that what mergeText and textEffects did since the last call
// is not undone by a savepoint any more.
func (g *group) textsStand() {}
