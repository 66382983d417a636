package hub

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// Text merges by operational transformation with this server as the one that
// orders. What a replica edits is the confirmed text that it has seen with its
// own edits on top that have no answer yet. What others did to the cell since,
// carried over those own edits, is the bridge from the author's text to the
// server's (see bridge). An edit crosses the bridge and so becomes one of the
// server's text, and the bridge crosses the edit and so begins at the author's
// newest text. A chain of own edits therefore keeps its bridge from one to the
// next: it is kept in memory, and made again from the history of the cell when
// it is not there.

// textVerdict is what an edit of a text cell comes to.
type textVerdict struct {
	value tidemark.Value // of the cell from now on
	// over says that what the cell holds is no longer the text that was
	// edited: it was replaced as a whole, or is no text. Then mine takes its
	// place, and the record needs what both started from.
	over bool
	base tidemark.Value // what the author edited, where over is set
}

// textMeeting is an edit of a text cell that meets the server's row.
type textMeeting struct {
	g     *group
	table *tidemark.Table
	key   []tidemark.Value
	col   int
	row   tidemark.RowState
	cs    *tidemark.Changeset
	edit  splice.Edit
	past  *textPast
}

// mergeText decides about the i-th column of an update whose edit is an
// EditText. row is the row that the update meets, under c.Key. An error that is
// an *Error rejects the changeset.
func (g *group) mergeText(t *tidemark.Table, c *tidemark.Change, i int, row tidemark.RowState, cs *tidemark.Changeset) (textVerdict, error) {
	edit, err := splice.ParseEdit(c.EditOf(i).Body)
	if err != nil {
		return textVerdict{}, misfit(t, "edits "+t.Columns[c.Cols[i]].Name+" in a way that cannot be read: "+err.Error())
	}
	if edit.After != 0 && edit.After >= sealedName(cs).N {
		return textVerdict{}, misfit(t, fmt.Sprintf("builds on changeset %d, which does not come before it", edit.After))
	}
	m := g.meetText(t, c, i, row, cs, edit)
	g.texts.begin(cs.Name)
	b, err := m.bridge()
	if err != nil {
		return textVerdict{}, err
	}
	v, done, err := m.cross(b)
	if err != nil {
		return textVerdict{}, err
	}
	g.texts.note(m, b, sentText{
		name: sealedName(cs), seen: cs.Seen, body: c.EditOf(i).Body, before: row.Values[m.col], value: v.value, done: done,
		col: m.col, table: t.ID, key: c.Key, to: movedTo(t, c), bridged: len(b.steps) > 0,
	})
	return v, nil
}

func (g *group) meetText(t *tidemark.Table, c *tidemark.Change, i int, row tidemark.RowState, cs *tidemark.Changeset, edit splice.Edit) *textMeeting {
	m := &textMeeting{g: g, table: t, key: c.Key, col: c.Cols[i], row: row, cs: cs, edit: edit}
	m.past = &textPast{v: g.tx, table: t, key: c.Key, col: m.col, row: row, head: g.head, loaded: g.head}
	return m
}

// sealedName is the name under which a changeset was sealed: numbers in its
// edits are those of that name.
func sealedName(cs *tidemark.Changeset) tidemark.Name {
	if cs.Was != nil {
		return *cs.Was
	}
	return cs.Name
}

// bridge brings the bridge from the text that the author edited to the text now.
func (m *textMeeting) bridge() (*bridge, error) {
	if m.edit.After == 0 {
		b := &bridge{upto: m.cs.Seen}
		return b, m.extend(b, m.g.head)
	}
	b := m.g.texts.find(m.g.hub, m.bridgeKey(), m.edit.After)
	if b == nil {
		var err error
		if b, err = m.rebuild(m.edit.After); err != nil {
			return nil, err
		}
	}
	if b == nil && !m.edit.HasOn {
		return nil, m.stale(fmt.Sprintf("its changeset %d, on which it builds, left no text there", m.edit.After))
	}
	if b != nil {
		if err := m.extend(b, m.g.head); err != nil {
			return nil, err
		}
	}
	if m.edit.HasOn {
		return m.move(b, m.edit, m.cs.Seen, m.g.head)
	}
	return b, nil
}

// extend adds what happened to the cell up to a seq.
func (m *textMeeting) extend(b *bridge, upto tidemark.Seq) error {
	if m.row.Seq > b.upto {
		events, err := m.past.between(b.upto, upto)
		if err != nil {
			return err
		}
		for _, e := range events {
			b.add(e)
		}
	}
	b.upto = upto
	return nil
}

// move puts the near end of a bridge to the text that the author says it saw:
// edit.On of the confirmed text at seen. b is nil when it is not known how the
// author came there. now is the seq at which the bridge ends.
func (m *textMeeting) move(b *bridge, edit splice.Edit, seen, now tidemark.Seq) (*bridge, error) {
	view, err := m.view(edit, seen)
	if err != nil {
		return nil, err
	}
	if b == nil {
		b = &bridge{upto: now}
		return b, m.span(b, view, now)
	}
	b.pass(seen)
	if b.whole > seen {
		return b, nil // what the author saw is read again when its edit takes the cell's place
	}
	if b.whole > 0 {
		b.whole, b.steps = 0, nil
		return b, m.span(b, view, now)
	}
	there, err := m.past.text(now)
	if err != nil {
		return nil, err
	}
	near, ok := b.near(there)
	if !ok {
		b.steps = nil
		return b, m.span(b, view, now)
	}
	if near != view {
		b.steps = slices.Insert(b.steps, 0, crossing{upto: seen, patch: splice.Diff(view, near), guess: true})
	}
	return b, nil
}

// span makes the bridge lead from a text to the server's by what differs.
func (m *textMeeting) span(b *bridge, view string, now tidemark.Seq) error {
	there, err := m.past.text(now)
	if err != nil {
		return err
	}
	b.steps = []crossing{{upto: now, patch: splice.Diff(view, there)}}
	return nil
}

// view is the text that an edit with On was made on. What was no text at seen
// counts as the empty one.
func (m *textMeeting) view(edit splice.Edit, seen tidemark.Seq) (string, error) {
	confirmed, err := m.past.text(seen)
	if err != nil {
		return "", err
	}
	view, err := edit.On.Apply(confirmed)
	if err != nil {
		return "", m.stale("the text that it was made on is not one that the server knows")
	}
	return view, nil
}

// cross carries the edit over the bridge and the bridge over the edit.
func (m *textMeeting) cross(b *bridge) (v textVerdict, done splice.Patch, err error) {
	now := m.row.Values[m.col]
	if b.whole > 0 || !editable(now) {
		v, err = m.replace(b)
		return v, nil, err
	}
	done, err = b.cross(m.edit.Patch).Fill(now.Str())
	if err != nil {
		return v, nil, m.stale("it does not fit the text that the server has")
	}
	after, err := done.Apply(now.Str())
	if err != nil {
		return v, nil, m.stale("it does not fit the text that the server has")
	}
	return textVerdict{value: tidemark.Text(after)}, done, nil
}

// replace decides an edit of a text that is no longer there: what the author
// made of the text that it saw takes the cell's place.
func (m *textMeeting) replace(b *bridge) (textVerdict, error) {
	view, err := m.lostView(b)
	if err != nil {
		return textVerdict{}, err
	}
	after, err := m.edit.Patch.Apply(view)
	if err != nil {
		return textVerdict{}, m.stale("it does not fit the text that it was made on")
	}
	*b = bridge{upto: b.upto}
	return textVerdict{value: tidemark.Text(after), over: true, base: tidemark.Text(view)}, nil
}

// lostView is the text that the author edited, when the server's was replaced since.
func (m *textMeeting) lostView(b *bridge) (string, error) {
	if m.edit.HasOn {
		return m.view(m.edit, m.cs.Seen)
	}
	if b.whole == 0 {
		return "", m.stale("the server holds no text there")
	}
	last, known, err := m.past.value(b.whole - 1)
	if err != nil {
		return "", err
	}
	if !known || !editable(last) {
		return "", m.stale("the server no longer knows the text that it was made on")
	}
	view, ok := b.near(last.Str())
	if !ok {
		return "", m.stale("the server no longer knows the text that it was made on")
	}
	return view, nil
}

// stale rejects an edit whose text cannot be found any more.
func (m *textMeeting) stale(why string) error { return staleText(m.table, m.key, m.col, why) }

func staleText(t *tidemark.Table, key []tidemark.Value, col int, why string) error {
	name := t.Columns[col].Name
	return &tidemark.Error{
		Code: tidemark.CodeStale, Table: t.Name, Key: key, Columns: []string{name},
		Msg: fmt.Sprintf("the edit of %s.%s cannot be merged: %s", t.Name, name, why),
	}
}

// editable reports whether a cell holds text that patches can change.
func editable(v tidemark.Value) bool {
	return v.Kind() == tidemark.KindText && splice.Editable(v.Str())
}
