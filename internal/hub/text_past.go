package hub

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// textEvent is one thing that happened to a text cell.
type textEvent struct {
	seq    tidemark.Seq
	name   tidemark.Name // who did it; of an edit without effect only as it was sealed
	sealed tidemark.Name // the name under which an edit was sealed
	seen   tidemark.Seq
	sent   string       // the edit, as its author sent it
	patch  splice.Patch // what it did, with what it deleted
	whole  bool         // the cell was replaced as a whole
	moved  bool         // by a row that came to this key
	// refused says that the changeset was rejected: seq is what it would have had.
	refused bool
	old     tidemark.Value
	known   bool // old is the value before, where whole is set; NULL where there was no row
}

// textPast reads what happened to a cell, as far back as it is asked.
type textPast struct {
	v      tidemark.View
	table  *tidemark.Table
	key    []tidemark.Value
	col    int
	row    tidemark.RowState // now
	head   tidemark.Seq
	loaded tidemark.Seq // events behind it are in
	events []textEvent  // oldest first

	refused []textEvent // edits of rejected changesets, which did nothing
}

// between lists what happened behind after and not behind upto.
func (p *textPast) between(after, upto tidemark.Seq) ([]textEvent, error) {
	if err := p.load(after); err != nil {
		return nil, err
	}
	return p.events[p.behind(after):p.behind(upto)], nil
}

// behind is the place of the first event behind a seq.
func (p *textPast) behind(seq tidemark.Seq) int {
	i, _ := slices.BinarySearchFunc(p.events, seq+1, func(e textEvent, s tidemark.Seq) int { return int(e.seq - s) })
	return i
}

// load reads history back to a seq. The log says what happened; the cell's
// steps say what authors had sent.
func (p *textPast) load(after tidemark.Seq) error {
	if after >= p.loaded {
		return nil
	}
	steps, err := p.v.Texts(p.table.ID, p.key, p.col, after)
	if err != nil {
		return err
	}
	events, err := p.effects(after)
	if err != nil {
		return err
	}
	p.refused = nil
	for _, s := range steps {
		if s.Refused {
			p.refused = append(p.refused, textEvent{seq: s.Seq, sealed: s.Name, seen: s.Seen, sent: s.Sent, refused: true})
			continue
		}
		i, found := slices.BinarySearchFunc(events, s.Seq, func(e textEvent, q tidemark.Seq) int { return int(e.seq - q) })
		if !found {
			events = slices.Insert(events, i, textEvent{seq: s.Seq, name: s.Name})
		}
		events[i].sealed, events[i].seen, events[i].sent = s.Name, s.Seen, s.Sent
	}
	p.events, p.loaded = events, after
	return nil
}

// effects reads from the log what happened to the cell, oldest first.
func (p *textPast) effects(after tidemark.Seq) ([]textEvent, error) {
	var out []textEvent
	var bad error
	whole, err := p.v.History(p.table.ID, p.key, after, func(e tidemark.RowEffect) bool {
		ev, touches, err := p.event(&e)
		if err != nil {
			bad = err
			return false
		}
		if touches {
			out = append(out, ev)
		}
		return true
	})
	switch {
	case err != nil:
		return nil, err
	case bad != nil:
		return nil, bad
	case !whole:
		return nil, staleText(p.table, p.key, p.col, "the server's history does not reach back to the text that it was made on")
	}
	slices.Reverse(out)
	return out, nil
}

// event says what an effect on the row did to the cell.
func (p *textPast) event(e *tidemark.RowEffect) (ev textEvent, touches bool, err error) {
	ev = textEvent{seq: e.Seq, name: e.Name}
	c := &e.Change
	switch c.Op {
	case tidemark.Insert:
		ev.whole, ev.moved, ev.known = true, true, true
		return ev, true, nil
	case tidemark.Delete:
		ev.whole = true
		if p.col < len(c.Old) {
			ev.old, ev.known = c.Old[p.col], true
		}
		return ev, true, nil
	}
	i, found := slices.BinarySearch(c.Cols, p.col)
	if !found {
		return ev, false, nil
	}
	if edit := c.EditOf(i); edit.Kind == tidemark.EditText {
		ev.patch, err = splice.ParseBody(edit.Body)
		return ev, true, err
	}
	ev.whole = true
	if i < len(c.Old) {
		ev.old, ev.known = c.Old[i], true
	}
	return ev, true, nil
}

// value returns what the cell held at a seq, if that is known.
func (p *textPast) value(at tidemark.Seq) (v tidemark.Value, known bool, err error) {
	v = p.row.Values[p.col]
	if p.row.Seq <= at {
		return v, true, nil
	}
	if err := p.load(at); err != nil {
		return v, false, err
	}
	events := p.events[p.behind(at):]
	if i := slices.IndexFunc(events, func(e textEvent) bool { return e.whole }); i >= 0 {
		if !events[i].known {
			return v, false, nil
		}
		v, events = events[i].old, events[:i]
	}
	text, ok := backTo(v.Str(), events)
	if len(events) > 0 {
		v = tidemark.Text(text)
	}
	return v, ok, nil
}

// text returns the text that the cell held at a seq; what was no text counts
// as the empty one.
func (p *textPast) text(at tidemark.Seq) (string, error) {
	v, known, err := p.value(at)
	switch {
	case err != nil:
		return "", err
	case !known:
		return "", staleText(p.table, p.key, p.col, "the server no longer knows the text that it was made on")
	case !editable(v):
		return "", nil
	}
	return v.Str(), nil
}

// backTo takes steps back from the text that they led to.
func backTo(text string, events []textEvent) (string, bool) {
	patches := make([]splice.Patch, len(events))
	for i := range events {
		patches[i] = events[i].patch
	}
	back, err := splice.ComposeAll(patches).Invert()
	if err != nil {
		return "", false
	}
	before, err := back.Apply(text)
	return before, err == nil
}
