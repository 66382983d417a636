package replica

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// merging is what the engine has to know of a table's policies. Tables that
// are not listed set values and take them as they come.
type merging struct {
	text    []int // columns that merge as text
	edits   []int // columns whose updates are more than a value, the text ones too
	grouped bool
}

func mergingOf(s *tidemark.Schema) map[int]*merging {
	all := map[int]*merging{}
	for _, t := range s.Tables {
		if t.Out != "" {
			continue
		}
		m := &merging{}
		for c := range t.Columns {
			if slices.Contains(t.Key, c) {
				continue
			}
			if t.Columns[c].Group != "" {
				m.grouped = true
				continue
			}
			switch t.PolicyOf(c) {
			case tidemark.PolicyText:
				m.text, m.edits = append(m.text, c), append(m.edits, c)
			case tidemark.PolicyCounter, tidemark.PolicySet, tidemark.PolicyJSON:
				m.edits = append(m.edits, c)
			}
		}
		if predicts(t) || m.grouped || len(m.edits) > 0 {
			all[t.ID] = m
		}
	}
	return all
}

// predicts reports whether a table has policies by which a pending change may
// end in another way than by being put on top of what others did.
func predicts(t *tidemark.Table) bool {
	for c := range t.Columns {
		if p := t.PolicyOf(c); p != tidemark.PolicyLastWrite && p != tidemark.PolicyLatestEdit {
			return true
		}
	}
	return t.Policy.OnDelete != "" && t.Policy.OnDelete != tidemark.DeleteWins
}

// intents says of each update what its author meant, by the policies of its
// columns: changes are those of rows, in the same order.
func (r *Replica) intents(rows []capture.RowChange, changes []tidemark.Change) error {
	for i := range changes {
		c := &changes[i]
		m := r.merging[c.Table]
		if m == nil || c.Op != tidemark.Update {
			continue
		}
		if m.grouped {
			wholeGroups(rows[i].Table, c, rows[i].Before, rows[i].After)
		}
		if err := r.intent(m, rows[i].Table, c); err != nil {
			return err
		}
	}
	return nil
}

// wholeGroups adds the columns that merge as one with those that changed.
func wholeGroups(t *tidemark.Table, c *tidemark.Change, before, after []tidemark.Value) {
	cols := slices.Clone(c.Cols)
	for _, col := range c.Cols {
		for _, other := range t.GroupOf(col) {
			if !slices.Contains(cols, other) && !slices.Contains(t.Key, other) {
				cols = append(cols, other)
			}
		}
	}
	if len(cols) == len(c.Cols) {
		return
	}
	slices.Sort(cols)
	c.Cols, c.New, c.Old = cols, nil, nil
	for _, col := range cols {
		c.New, c.Old = append(c.New, after[col]), append(c.Old, before[col])
	}
}

// intent fills in the edits of one update that has its before-image.
func (r *Replica) intent(m *merging, t *tidemark.Table, c *tidemark.Change) error {
	for i, col := range c.Cols {
		if !slices.Contains(m.edits, col) {
			continue
		}
		e := merge.Intent(t.PolicyOf(col), c.Old[i], c.New[i])
		if e.Kind == tidemark.EditSet || e.Kind == tidemark.EditAdd && planted.Is(planted.PlainCounters) {
			continue
		}
		if e.Kind == tidemark.EditText {
			var err error
			if e, err = r.inContext(t, c.Key, col, c.Old[i].Str(), e); err != nil {
				return err
			}
			if e.Kind == tidemark.EditSet {
				continue
			}
		}
		if c.Edits == nil {
			c.Edits = make([]tidemark.Edit, len(c.Cols))
		}
		c.Edits[i] = e
	}
	return nil
}

// inContext says of an edit of a text which text its author saw: the confirmed
// one, unless pending changesets of ours wrote the cell; then what the newest
// of them left, and where that moved since, what was shown. While the copy is
// known to differ from the server's, its author saw a text that the server
// cannot know: then the edit sets the text, and what it overwrites is recorded.
func (r *Replica) inContext(t *tidemark.Table, key []tidemark.Value, col int, shown string, e tidemark.Edit) (tidemark.Edit, error) {
	if differs, err := meta.Get(r.db, keyRepair); err != nil || differs != "" {
		return tidemark.Edit{}, err
	}
	id := idOf(t, key)
	table, k := id.args()
	last, err := r.db.Get(`SELECT x.n, x.moved FROM main._tm_text x JOIN main._tm_pending p ON p.n = x.n
		WHERE x.t = ?1 AND x.key = ?2 AND x.col IN (-1, ?3) AND p.suspended = 0 ORDER BY x.n DESC LIMIT 1`,
		table, k, tidemark.Int(int64(col)))
	if err != nil || last == nil {
		return e, err
	}
	body, err := splice.ParseEdit(e.Body)
	if err != nil {
		return e, err
	}
	body.After = last[0].Int64()
	if last[1].Int64() != 0 {
		confirmed, _, err := baseImage(r.db, id)
		if err != nil {
			return e, err
		}
		body.On, body.HasOn = splice.Diff(textAt(confirmed, col), shown), true
	}
	e.Body = body.Body()
	return e, nil
}

// textAt is the text of a cell, "" where there is none.
func textAt(image []tidemark.Value, col int) string {
	if col < len(image) && image[col].Kind() == tidemark.KindText {
		return image[col].Str()
	}
	return ""
}

// noteTexts remembers which cells that merge as text a changeset wrote.
func (r *Replica) noteTexts(n int64, changes []tidemark.Change) error {
	for i := range changes {
		c := &changes[i]
		m := r.merging[c.Table]
		if m == nil || len(m.text) == 0 || c.Op == tidemark.Delete {
			continue
		}
		t := r.schema.Table(c.Table)
		ids := rowsOf(t, c)
		if c.Op == tidemark.Insert || len(ids) == 2 {
			if err := noteText(r.db, ids[len(ids)-1], -1, n); err != nil {
				return err
			}
			continue
		}
		for _, col := range c.Cols {
			if slices.Contains(m.text, col) {
				if err := noteText(r.db, ids[0], col, n); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func noteText(db *lite.DB, id rowID, col int, n int64) error {
	table, key := id.args()
	return db.Run("INSERT OR REPLACE INTO main._tm_text (t, key, col, n) VALUES (?1, ?2, ?3, ?4)", table, key, tidemark.Int(int64(col)), tidemark.Int(n))
}

// noteMoved looks which texts of a row readers see differently now.
func (a *attempt) noteMoved(id rowID, before, now []tidemark.Value) error {
	m := a.r.merging[id.t]
	if m == nil {
		return nil
	}
	for _, col := range m.text {
		if before != nil && now != nil && col < len(before) && col < len(now) && before[col] == now[col] {
			continue
		}
		if err := textMoved(a.db, id, col); err != nil {
			return err
		}
	}
	return nil
}

// textMoved remembers that readers see another text than the one that pending
// changesets left: the next edit of it has to say what it was made on.
func textMoved(db *lite.DB, id rowID, col int) error {
	table, key := id.args()
	return db.Run("UPDATE main._tm_text SET moved = 1 WHERE t = ?1 AND key = ?2 AND col IN (-1, ?3)", table, key, tidemark.Int(int64(col)))
}
