package hub

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// refuseTexts keeps the text edits of a changeset that is rejected. What its
// author typed next was typed on them, and stands without them: the bridge of
// such an edit begins with what takes the rejected one back.
func (g *group) refuseTexts(s *Session, cs *tidemark.Changeset) error {
	g.texts.restart()
	changes, err := g.readRefused(cs)
	if err != nil {
		return err
	}
	saved := 0
	for i := range changes {
		c := &changes[i]
		t := g.tx.Schema().Table(c.Table)
		for j, col := range c.Cols {
			if c.EditOf(j).Kind != tidemark.EditText || t.PolicyOf(col) != tidemark.PolicyText {
				continue
			}
			if saved++; saved > maxRefused {
				return nil
			}
			if err := g.refuseText(s, t, c, j, cs); err != nil {
				return err
			}
		}
	}
	return nil
}

// refuseText keeps one edit, if what it was made on is known.
func (g *group) refuseText(s *Session, t *tidemark.Table, c *tidemark.Change, i int, cs *tidemark.Changeset) error {
	edit, err := splice.ParseEdit(c.EditOf(i).Body)
	if err != nil || edit.After != 0 && edit.After >= sealedName(cs).N {
		return nil
	}
	row, err := g.tx.Row(t.ID, c.Key)
	if err != nil || row.Values == nil {
		return err
	}
	if seen, err := g.sees(s, t, c.Key, row); !seen || err != nil {
		return err // it was not made on this text
	}
	m := g.meetText(t, c, i, row, cs, edit)
	b, err := m.bridge()
	if err == nil {
		err = m.disown(b, edit, g.head)
	}
	if err != nil {
		if reason(err) != nil {
			return nil
		}
		return err
	}
	b.n, b.upto = sealedName(cs).N, g.head
	g.texts.fresh = append(g.texts.fresh, freshBridge{m.bridgeKey(), b})
	return g.tx.SaveText(t.ID, c.Key, m.col, tidemark.TextStep{
		Seq: g.head + 1, Name: sealedName(cs), Seen: cs.Seen, Sent: c.EditOf(i).Body, Refused: true,
	})
}

// disown lets a bridge that leads to the text at a seq begin behind an edit
// that was rejected.
func (m *textMeeting) disown(b *bridge, edit splice.Edit, at tidemark.Seq) error {
	there, err := m.past.text(at)
	if err != nil {
		return err
	}
	near, ok := b.near(there)
	if !ok || b.whole > 0 {
		return m.stale("what it was made on is not known")
	}
	done, err := edit.Patch.Fill(near)
	if err == nil {
		done, err = done.Invert()
	}
	if err != nil {
		return m.stale("it does not fit the text that it was made on")
	}
	b.steps = slices.Insert(slices.Clone(b.steps), 0, crossing{upto: at, patch: done})
	return nil
}

// refusedLink does again what a rejected edit did to the bridge.
func (m *textMeeting) refusedLink(b *bridge, l *link) (*bridge, error) {
	err := m.disown(b, l.edit, l.seq-1)
	if reason(err) != nil {
		return nil, m.onRejected(l.sealed.N)
	}
	b.upto = l.seq - 1
	return b, err
}

// onRejected rejects an edit of a text that the rejected changeset n left, where
// it is not known what that one was made on.
func (m *textMeeting) onRejected(n int64) error {
	column := m.table.Columns[m.col].Name
	return &tidemark.Error{
		Code: tidemark.CodeDependsOn, Table: m.table.Name, Key: m.key, Columns: []string{column},
		Msg: fmt.Sprintf("it edits the text of %s.%s that its changeset %d left, which was rejected", m.table.Name, column, n),
	}
}
