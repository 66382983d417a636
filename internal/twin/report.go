package twin

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

func (d *goDevice) report() (lines []string, err error) {
	pending, err := d.r.Pending(true)
	if err != nil {
		return nil, err
	}
	for _, p := range pending {
		lines = append(lines, fmt.Sprintf("pending %d at %d seen %d suspended %v by %s, %d bytes", p.N, p.MadeAt, p.Seen, p.Suspended, p.Cause, p.Bytes))
		lines = append(lines, d.views(p.Changes)...)
	}
	rejected, err := d.r.Rejected()
	if err != nil {
		return nil, err
	}
	for _, r := range rejected {
		lines = append(lines, fmt.Sprintf("rejected %d of %d, %s: %s, %s %s, at %d made %d kept %d, schema %s",
			r.ID, r.N, r.Code, r.Message, r.Table, strings.Join(r.Columns, " "), r.Seq, r.MadeAt, r.At, r.Schema))
		lines = append(lines, d.views(r.Changes)...)
	}
	sound, err := d.db.Text("PRAGMA integrity_check")
	if err != nil {
		return nil, err
	}
	loose, err := d.db.Int("SELECT count(*) FROM pragma_foreign_key_check")
	if err != nil {
		return nil, err
	}
	return append(lines, fmt.Sprintf("integrity %s, %d references to nothing", sound, loose)), nil
}

// views names what changes do; how a language shows a value is its own.
func (d *goDevice) views(changes []tidemark.Change) (lines []string) {
	for _, v := range d.r.Describe(changes) {
		var edits []string
		for _, column := range slices.Sorted(maps.Keys(v.Edit)) {
			edits = append(edits, column+" "+plainly(v.Edit[column]))
		}
		lines = append(lines, fmt.Sprintf("  %s %s key %s set %s edit %s", v.Op, v.Table,
			strings.Join(slices.Sorted(maps.Keys(v.Key)), " "), strings.Join(slices.Sorted(maps.Keys(v.Set)), " "), strings.Join(edits, "; ")))
	}
	return lines
}

// plainly leaves out what is not plain ASCII: how a language quotes it is its own.
func plainly(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' }) {
		return "..."
	}
	return s
}

func (d *hostDevice) report() (lines []string, err error) {
	err = d.ask("report", nil, &lines)
	return lines, err
}
