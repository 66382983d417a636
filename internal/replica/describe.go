package replica

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidemarkdb/tidemark"
)

// ChangeView is a change with names instead of places, fit for JSON: NULL is
// null, numbers and text are themselves, a blob is {"blob": "hex"}, text that
// is not UTF-8 is {"text": "hex"}, an infinite number is {"real": "+Inf"}.
type ChangeView struct {
	Table string         `json:"table"`
	Op    string         `json:"op"`
	Key   map[string]any `json:"key"`
	Set   map[string]any `json:"set,omitempty"`

	// Edit says of columns whose edits are no plain values what they do, as
	// describeEdit writes it.
	Edit map[string]string `json:"edit,omitempty"`
}

// Describe names the tables and columns of changes. Columns are only ever
// appended, so the schema of today names the changes of yesterday too.
func (r *Replica) Describe(changes []tidemark.Change) []ChangeView {
	views := make([]ChangeView, 0, len(changes))
	for i := range changes {
		views = append(views, r.describe(&changes[i]))
	}
	return views
}

func (r *Replica) describe(c *tidemark.Change) ChangeView {
	t := r.schema.Table(c.Table)
	if t == nil {
		t = &tidemark.Table{Name: "table " + strconv.Itoa(c.Table)}
	}
	v := ChangeView{Table: t.Name, Op: c.Op.String(), Key: map[string]any{}}
	for i, value := range c.Key {
		place := -1
		if i < len(t.Key) {
			place = t.Key[i]
		}
		v.Key[columnName(t, place, i)] = viewOf(value)
	}
	if len(c.New) > 0 {
		v.Set = map[string]any{}
	}
	for i, value := range c.New {
		place := i
		if c.Op == tidemark.Update && i < len(c.Cols) {
			place = c.Cols[i]
		}
		name := columnName(t, place, i)
		if e := c.EditOf(i); e.Kind != tidemark.EditSet {
			if v.Edit == nil {
				v.Edit = map[string]string{}
			}
			v.Edit[name] = describeEdit(e)
			continue
		}
		v.Set[name] = viewOf(value)
	}
	return v
}

func columnName(t *tidemark.Table, place, i int) string {
	if place >= 0 && place < len(t.Columns) {
		return t.Columns[place].Name
	}
	return "column " + strconv.Itoa(max(place, i)+1)
}

func viewOf(v tidemark.Value) any {
	switch v.Kind() {
	case tidemark.KindBlob:
		return map[string]string{"blob": hex.EncodeToString([]byte(v.Str()))}
	case tidemark.KindText:
		if !utf8.ValidString(v.Str()) {
			return map[string]string{"text": hex.EncodeToString([]byte(v.Str()))}
		}
		return strings.Clone(v.Str())
	case tidemark.KindReal:
		if math.IsInf(v.Float64(), 0) {
			return map[string]string{"real": strconv.FormatFloat(v.Float64(), 'g', -1, 64)}
		}
	}
	return v.Any()
}
