package hub

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// maxLinks is how far a chain of own edits is followed back while there is a
// nearer place to begin.
const maxLinks = 256

// link is an own edit of a chain, as it was sent and as it ended.
type link struct {
	textEvent
	edit splice.Edit
}

// rebuild makes the bridge that was left behind the edit of the author's
// changeset n. It returns nil when the cell's history does not tell.
func (m *textMeeting) rebuild(n int64) (*bridge, error) {
	if err := m.past.load(m.cs.Seen); err != nil {
		return nil, err
	}
	b, links, err := m.chain(n)
	if err != nil {
		return nil, err
	}
	for i := len(links) - 1; i >= 0; i-- {
		if b, err = m.replay(b, &links[i]); b == nil || err != nil {
			return nil, err
		}
	}
	return b, nil
}

// chain follows the author's edits back to where a bridge can begin. links are
// newest first; b is nil when the oldest says itself what it was made on.
func (m *textMeeting) chain(n int64) (b *bridge, links []link, err error) {
	for {
		e, found := m.own(n)
		if !found {
			b, err = m.plainStart(n)
			return b, links, m.unknown(b, links, err)
		}
		l := link{textEvent: e}
		if l.edit, err = splice.ParseEdit(e.sent); err != nil {
			return nil, nil, err
		}
		links = append(links, l)
		if err := m.past.loadFar(e.seen); err != nil {
			return nil, nil, err
		}
		switch {
		case l.edit.After == 0:
			return &bridge{upto: e.seen}, links, nil
		case l.edit.After >= n || l.edit.HasOn && len(links) >= maxLinks:
			return nil, links, m.unknown(nil, links, nil)
		}
		n = l.edit.After
	}
}

// unknown cuts a chain whose beginning is not known at the edit that says
// what it was made on, and fails when there is none.
func (m *textMeeting) unknown(b *bridge, links []link, err error) error {
	if b != nil || err != nil || len(links) == 0 || links[len(links)-1].edit.HasOn {
		return err
	}
	return m.stale("the server no longer knows how the text came about that it was made on")
}

// own finds an edit of the author by the number that it was sealed under. A
// copied replica file may have sealed one under a number that the original
// used as well: what this replica sent comes first.
func (m *textMeeting) own(n int64) (textEvent, bool) {
	replica := sealedName(m.cs).Replica
	var found *textEvent
	for i := range m.past.events {
		e := &m.past.events[i]
		if e.sent != "" && e.sealed.N == n && e.sealed.Replica == replica && (found == nil || e.name.Replica == m.cs.Replica) {
			found = e
		}
	}
	if found != nil {
		return *found, true
	}
	for i := range m.past.refused {
		if e := &m.past.refused[i]; e.sealed.N == n && e.sealed.Replica == replica {
			return *e, true
		}
	}
	return textEvent{}, false
}

// plainStart begins a bridge behind a changeset of the author that wrote the
// cell in another way than by an edit: what it wrote is what stood there then.
func (m *textMeeting) plainStart(n int64) (*bridge, error) {
	o, err := m.g.tx.Outcome(sealedName(m.cs).Replica, n)
	switch {
	case err != nil || o == nil:
		return nil, err
	case o.Kind == tidemark.Rejected:
		return nil, m.onRejected(n)
	case slices.ContainsFunc(o.Lost, m.concerns):
		return nil, nil
	}
	if err := m.past.loadFar(o.Seq - 1); err != nil {
		return nil, err
	}
	at, err := m.past.between(o.Seq-1, o.Seq)
	if err != nil || len(at) > 0 && at[0].odd() {
		return nil, err
	}
	return &bridge{upto: o.Seq}, nil
}

// odd reports whether a changeset's effect need not be what its author wrote:
// it edited the text of a row that then came to this key, or nobody knows any
// more whether it was an edit.
func (e *textEvent) odd() bool {
	return e.sent != "" || !e.whole && e.sealed == tidemark.Name{}
}

// concerns reports whether a cell of an outcome is the one that is edited.
func (m *textMeeting) concerns(c tidemark.Cell) bool {
	return c.Table == m.table.Name && (c.Column == "" || c.Column == m.table.Columns[m.col].Name) &&
		len(c.Key) == len(m.key) && m.table.KeyID(c.Key) == m.table.KeyID(m.key)
}

// replay does again what an own edit did to the bridge. It returns nil when
// the edit ended otherwise than it would now.
func (m *textMeeting) replay(b *bridge, l *link) (*bridge, error) {
	var err error
	if b != nil {
		if err = m.extend(b, l.seq-1); err != nil {
			return nil, err
		}
	}
	if l.edit.HasOn {
		if b, err = m.move(b, l.edit, l.seen, l.seq-1); err != nil {
			return nil, err
		}
	}
	switch {
	case l.refused:
		return m.refusedLink(b, l)
	case l.moved:
		return nil, nil
	case l.whole || b.whole > 0:
		return &bridge{upto: l.seq}, nil // it took the cell's place
	}
	done := b.cross(l.edit.Patch)
	b.upto = l.seq
	if len(l.patch) > 0 && !slices.EqualFunc(done, l.patch, sameSplice) {
		return nil, nil
	}
	return b, nil
}

func sameSplice(a, b splice.Splice) bool {
	return a.At == b.At && a.Delete == b.Delete && a.Insert == b.Insert
}

// loadFar is load for one who will go on to load further back, step by step:
// it reads ahead as far again, if there is so much.
func (p *textPast) loadFar(after tidemark.Seq) error {
	if after >= p.loaded {
		return nil
	}
	if far := max(0, after-(p.head-after)); far < after && p.load(far) == nil {
		return nil
	}
	return p.load(after)
}
