package merge

import "github.com/tidemarkdb/tidemark"

// textIntent finds the insertions and deletions between two texts.
func textIntent(before, after tidemark.Value) tidemark.Edit {
	return tidemark.Edit{}
}

// applyText puts insertions and deletions on a text.
func applyText(now tidemark.Value, body string) (tidemark.Value, error) {
	return tidemark.Null, mismatch("text", now)
}
