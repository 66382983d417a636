package replica

import (
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/splice"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// surroundings is how many characters of a text are kept on either side of an
// edit that was rejected: the text goes on without it, and a retry has to find
// the place again.
const surroundings = 24

// anchored is a patch whose splices hold what stood around them.
func anchored(p splice.Patch, text string) (splice.Patch, error) {
	if _, err := p.Apply(text); err != nil {
		return nil, err
	}
	chars := []rune(text)
	var out splice.Patch
	for i := 0; i < len(p); {
		from, to := max(0, p[i].At-surroundings), 0
		var inside splice.Patch
		for ; i < len(p) && (inside == nil || p[i].At-surroundings <= to); i++ {
			to = min(len(chars), p[i].At+p[i].Delete+surroundings)
			s := p[i]
			s.At -= from
			inside = append(inside, s)
		}
		around := string(chars[from:to])
		edited, err := inside.Apply(around)
		if err != nil {
			return nil, err
		}
		out = append(out, splice.Splice{At: from, Delete: to - from, Insert: edited, Deleted: around})
	}
	return out, nil
}

// place makes an anchored patch in a text that went on: each splice where what
// stood around it is found, nearest to where it was.
func place(p splice.Patch, text string) (string, bool) {
	var out strings.Builder
	done := 0 // bytes of text
	for _, s := range p {
		if s.Deleted == "" && (s.Delete > 0 || text != "") {
			return "", false
		}
		at := nearest(text, s.Deleted, done, byteOf(text, s.At))
		if at < 0 {
			return "", false
		}
		out.WriteString(text[done:at])
		out.WriteString(s.Insert)
		done = at + len(s.Deleted)
	}
	out.WriteString(text[done:])
	return out.String(), true
}

// nearest finds the occurrence of part behind from that is closest to want, or -1.
func nearest(text, part string, from, want int) int {
	best := -1
	for from <= len(text) {
		i := strings.Index(text[from:], part)
		if i < 0 {
			break
		}
		at := from + i
		if best >= 0 && abs(at-want) >= abs(best-want) {
			break // they only get farther away
		}
		best, from = at, at+1
	}
	return best
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// byteOf is where the n-th character of a text begins.
func byteOf(text string, n int) int {
	for i := range text {
		if n == 0 {
			return i
		}
		n--
	}
	return len(text)
}

// anchorRejected adds to a rejected changeset what stood around its edits of
// texts: was holds the rows as it found them.
func (r *Replica) anchorRejected(p *record, was images) error {
	var body []byte
	err := r.db.Each("SELECT body FROM main._tm_rejected WHERE hash = ?1 AND n = ?2", func(s *lite.Stmt) error {
		body = s.Blob(0)
		return nil
	}, tidemark.Blob(p.hash[:]), tidemark.Int(p.n))
	if err != nil || body == nil {
		return err
	}
	changes, err := wire.DecodeChanges(body)
	if err != nil {
		return err
	}
	some := false
	for i := range changes {
		if i < len(p.changes) && r.anchorChange(&changes[i], &p.changes[i], was) {
			some = true
		}
	}
	if !some {
		return nil
	}
	return r.db.Run("UPDATE main._tm_rejected SET body = ?1 WHERE hash = ?2 AND n = ?3",
		tidemark.Blob(wire.AppendChanges(nil, changes, false)), tidemark.Blob(p.hash[:]), tidemark.Int(p.n))
}

// anchorChange anchors the edits of a kept change by those that were last put
// on the rows.
func (r *Replica) anchorChange(kept, shown *tidemark.Change, was images) (some bool) {
	t := synced(r.schema, shown.Table)
	if t == nil || len(shown.Edits) == 0 {
		return false
	}
	image := was[idOf(t, shown.Key)]
	for i, col := range kept.Cols {
		j := slices.Index(shown.Cols, col)
		if j < 0 || kept.EditOf(i).Kind != tidemark.EditText || shown.EditOf(j).Kind != tidemark.EditText || col >= len(image) {
			continue
		}
		p, err := parsePatch(shown.Edits[j].Body)
		if err != nil {
			continue
		}
		text, ok := textOf(image[col])
		if !ok {
			continue // what is no text says nothing of what stood there
		}
		if p, err = anchored(p, text); err == nil {
			kept.Edits[i].Body, some = p.Body(true), true
		}
	}
	return some
}

// textOf is a value as a text that edits can be made on; NULL counts as empty.
func textOf(v tidemark.Value) (text string, ok bool) {
	if v.Kind() == tidemark.KindText && splice.Editable(v.Str()) {
		return v.Str(), true
	}
	return "", v.IsNull()
}

// placed replaces anchored edits by what they make of the texts as they are.
func (a *attempt) placed(changes []tidemark.Change) ([]tidemark.Change, error) {
	out := slices.Clone(changes)
	for i := range out {
		c := &out[i]
		t := synced(a.r.schema, c.Table)
		if t == nil || c.Op != tidemark.Update || len(c.Edits) == 0 {
			continue
		}
		now, err := row.Get(a.db, t, c.Key)
		if err != nil {
			return nil, err
		}
		if now == nil {
			continue
		}
		c.New, c.Edits = slices.Clone(c.New), slices.Clone(c.Edits)
		if m := placeTexts(t, c, now); m != nil {
			return nil, m
		}
	}
	return out, nil
}

func placeTexts(t *tidemark.Table, c *tidemark.Change, now []tidemark.Value) *misfit {
	for i, col := range c.Cols {
		if c.EditOf(i).Kind != tidemark.EditText || col >= len(now) {
			continue
		}
		if _, err := splice.ParseEdit(c.Edits[i].Body); err == nil {
			continue // not anchored
		}
		p, err := splice.ParseBody(c.Edits[i].Body)
		text, ok := "", false
		if err == nil {
			there, _ := textOf(now[col])
			text, ok = place(p, there)
		}
		if !ok {
			return &misfit{code: tidemark.CodeConflict, table: t.Name, key: c.Key, columns: t.ColumnNames([]int{col}), row: idOf(t, c.Key),
				message: "what stood around the edit of " + t.Columns[col].Name + " is not there any more"}
		}
		c.New[i], c.Edits[i] = tidemark.Text(text), tidemark.Edit{}
	}
	return nil
}
