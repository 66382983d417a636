package hub

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// textEffects gives effects on text cells their edits, in place, and keeps the
// steps of these cells. It is called after Effects and before Append, for
// every changeset and for what other programs did.
func (g *group) textEffects(name tidemark.Name, seen tidemark.Seq, effects []tidemark.Change) error {
	g.texts.begin(name)
	step := tidemark.TextStep{Seq: g.head + 1, Name: name, Seen: seen}
	for i := range effects {
		c := &effects[i]
		t := g.tx.Schema().Table(c.Table)
		if t == nil || !mergesText(t) {
			continue
		}
		if err := g.textEffect(t, c, step); err != nil {
			return err
		}
	}
	return g.textsLeft(step)
}

func mergesText(t *tidemark.Table) bool {
	for col := range t.Columns {
		if t.PolicyOf(col) == tidemark.PolicyText {
			return true
		}
	}
	return false
}

func (g *group) textEffect(t *tidemark.Table, c *tidemark.Change, step tidemark.TextStep) error {
	switch c.Op {
	case tidemark.Delete:
		return g.tx.DropTexts(t.ID, c.Key)
	case tidemark.Insert:
		return nil
	}
	for i, col := range c.Cols {
		if t.PolicyOf(col) != tidemark.PolicyText {
			continue
		}
		if err := g.textCell(t, c, i, step); err != nil {
			return err
		}
	}
	return nil
}

// textCell keeps one step, and puts it into the effect as an edit.
func (g *group) textCell(t *tidemark.Table, c *tidemark.Change, i int, step tidemark.TextStep) error {
	id := cellID{rowID{t.ID, t.KeyID(c.Key)}, c.Cols[i]}
	sent := g.texts.sent[id]
	delete(g.texts.sent, id)
	if sent != nil {
		step.Name, step.Sent = sent.name, sent.body
		if c.New[i] != sent.value {
			g.texts.spoil(sent.bridge)
		}
	}
	if patch, ok := textPatch(c, i, sent); ok {
		step.Done = patch.Body(true)
		if len(c.Edits) == 0 {
			c.Edits = make([]tidemark.Edit, len(c.New))
		}
		c.Edits[i] = tidemark.Edit{Kind: tidemark.EditText, Body: step.Done}
	}
	return g.tx.SaveText(t.ID, c.Key, c.Cols[i], step)
}

// textPatch finds what an effect did to a text: what the merge says, if that
// is what happened, or else what differs.
func textPatch(c *tidemark.Change, i int, sent *sentText) (splice.Patch, bool) {
	if i >= len(c.Old) || !editable(c.Old[i]) || !editable(c.New[i]) {
		return nil, false
	}
	if sent != nil && sent.done != nil && c.Old[i] == sent.before && c.New[i] == sent.value {
		return sent.done, true
	}
	return splice.Diff(c.Old[i].Str(), c.New[i].Str()), true
}

// textsLeft keeps the edits that had no effect: what their author edits next
// builds on them all the same.
func (g *group) textsLeft(step tidemark.TextStep) error {
	for _, id := range slices.SortedFunc(maps.Keys(g.texts.sent), compareCells) {
		s := g.texts.sent[id]
		step.Name, step.Sent, step.Done = s.name, s.body, ""
		switch {
		case g.tx.Schema().Table(s.table).KeyID(s.to) != id.key:
			// A row at another key has no history. That its author still misses
			// something must not be forgotten.
			g.texts.spoil(s.bridge)
			if !s.bridged {
				continue
			}
		case s.value != s.before:
			g.texts.spoil(s.bridge) // it was undone, or its row is gone
			continue
		default:
			step.Done = splice.Patch(nil).Body(true)
		}
		if err := g.tx.SaveText(s.table, s.to, s.col, step); err != nil {
			return err
		}
	}
	return nil
}

func compareCells(a, b cellID) int {
	return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.key, b.key), cmp.Compare(a.col, b.col))
}

// composeEdits makes one edit of two of one text that follow one another. It is
// the zero Edit where the value itself says it better.
func composeEdits(first, second tidemark.Edit, value tidemark.Value) tidemark.Edit {
	if first.Kind != tidemark.EditText || second.Kind != tidemark.EditText {
		return tidemark.Edit{}
	}
	a, err := splice.ParseBody(first.Body)
	if err != nil {
		return tidemark.Edit{}
	}
	b, err := splice.ParseBody(second.Body)
	if err != nil {
		return tidemark.Edit{}
	}
	return worthwhile(splice.Compose(a, b), value)
}

// withoutDeleted is a text edit as replicas get it.
func withoutDeleted(e tidemark.Edit, value tidemark.Value) tidemark.Edit {
	if e.Kind != tidemark.EditText {
		return tidemark.Edit{}
	}
	p, err := splice.ParseBody(e.Body)
	if err != nil {
		return tidemark.Edit{}
	}
	return worthwhile(p, value)
}

func worthwhile(p splice.Patch, value tidemark.Value) tidemark.Edit {
	body := p.Body(false)
	if len(body) > value.Size() {
		return tidemark.Edit{}
	}
	return tidemark.Edit{Kind: tidemark.EditText, Body: body}
}
