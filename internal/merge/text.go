package merge

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// textIntent finds the insertions and deletions between two texts.
func textIntent(before, after tidemark.Value) tidemark.Edit {
	if before.Kind() != tidemark.KindText || after.Kind() != tidemark.KindText ||
		!splice.Editable(before.Str()) || !splice.Editable(after.Str()) {
		return tidemark.Edit{}
	}
	return tidemark.Edit{Kind: tidemark.EditText, Body: splice.Diff(before.Str(), after.Str()).Body(false)}
}

// applyText puts insertions and deletions on a text, which must be the one
// that they start from.
func applyText(now tidemark.Value, body string) (tidemark.Value, error) {
	p, err := patchOf(body)
	if err != nil {
		return tidemark.Null, err
	}
	if !now.IsNull() && (now.Kind() != tidemark.KindText || !splice.Editable(now.Str())) {
		return tidemark.Null, mismatch("text", now)
	}
	text, err := p.Apply(now.Str())
	if err != nil {
		return tidemark.Null, errorOf(tidemark.CodeConflict, "the edit does not fit the text there: %s", err)
	}
	return tidemark.Text(text), nil
}

// patchOf reads an edit of a text, from its author or from the log.
func patchOf(body string) (splice.Patch, error) {
	e, err := splice.ParseEdit(body)
	if err == nil {
		return e.Patch, nil
	}
	if p, other := splice.ParseBody(body); other == nil {
		return p, nil
	}
	return nil, unreadable(err.Error())
}
