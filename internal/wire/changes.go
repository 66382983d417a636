package wire

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// Changes are a list of runs, in order. A run is what follows one another with
// one shape: the same table, kind and columns. It is written by columns:
//
//	[table,"i",places,row...]             inserts; the key is the row's values at these places
//	[table,"u",columns,key...,new...]     updates
//	[table,"d",key...]                    deletes
//	[table,"f",key...]                    rows that are forgotten
//	[table,"U",columns,key...,new...,old...]  updates with before-images
//	[table,"D",places,row...]             deletes with before-images
//	[table,"e",columns,key...,new or edit...]  one update with edits; an edit is [kind,body]
//	[table,"x",op,key,columns,new,old,edits,made]  one change that has none of these shapes
//
// Where there is one change, each of key, new, old and row is a value per
// column; where there are more, it is a list of values per column, one per change.

// Forms of a run.
const (
	formInsert    = "i"
	formUpdate    = "u"
	formDelete    = "d"
	formForget    = "f"
	formUpdateOld = "U"
	formDeleteOld = "D"
	formEdited    = "e"
	formOdd       = "x"
)

// maxRun bounds what a decoder must hold beside its result.
const maxRun = 1024

// AppendChanges encodes changes; old says whether before-images go along (history does, the wire does not).
func AppendChanges(b []byte, changes []tidemark.Change, old bool) []byte {
	b = append(b, '[')
	for i := 0; i < len(changes); {
		if i > 0 {
			b = append(b, ',')
		}
		s := shapeOf(&changes[i], old)
		n := i + 1
		for n < len(changes) && n-i < maxRun && s.fits(&changes[n], old) {
			n++
		}
		b = s.appendRun(b, changes[i:n], old)
		i = n
	}
	return append(b, ']')
}

// shape is what the changes of a run have in common.
type shape struct {
	table int
	form  string
	keys  int   // values of the key
	cols  []int // "u", "U": the columns; "i", "D": the places of the key in the row
	width int   // values of the row: "i", "D"
}

func formOf(c *tidemark.Change, old bool) string {
	old = old && len(c.Old) > 0
	switch {
	case c.MadeAt != 0:
	case len(c.Edits) > 0:
		if !old && c.Op == tidemark.Update && len(c.Edits) == len(c.New) && len(c.Cols) == len(c.New) {
			return formEdited
		}
	case c.Op == tidemark.Insert && len(c.Cols) == 0 && !old:
		return formInsert
	case c.Op == tidemark.Update && len(c.Cols) == len(c.New):
		if !old {
			return formUpdate
		}
		if len(c.Old) == len(c.New) {
			return formUpdateOld
		}
	case c.Op == tidemark.Forget && len(c.Cols)+len(c.New)+len(c.Old) == 0:
		return formForget
	case c.Op == tidemark.Delete && len(c.Cols)+len(c.New) == 0:
		if !old {
			return formDelete
		}
		return formDeleteOld
	}
	return formOdd
}

func shapeOf(c *tidemark.Change, old bool) shape {
	s := shape{table: c.Table, form: formOf(c, old), keys: len(c.Key), cols: c.Cols}
	if s.form == formInsert || s.form == formDeleteOld {
		row := s.row(c)
		s.width = len(row)
		s.cols = places(c.Key, row)
		if len(s.cols) != len(c.Key) || len(c.Key) > len(row) {
			s.form = formOdd
		}
	}
	return s
}

// row returns the row that a change of this form carries whole, or nil.
func (s *shape) row(c *tidemark.Change) []tidemark.Value {
	switch s.form {
	case formInsert:
		return c.New
	case formDeleteOld:
		return c.Old
	}
	return nil
}

// places finds the key's values in the row; what it returns is shorter than
// the key when one is not there.
func places(key, row []tidemark.Value) []int {
	at := make([]int, 0, len(key))
	for _, k := range key {
		i := slices.Index(row, k)
		if i < 0 {
			return at
		}
		at = append(at, i)
	}
	return at
}

// fits reports whether c belongs into the same run.
func (s *shape) fits(c *tidemark.Change, old bool) bool {
	if s.form == formOdd || s.form == formEdited || c.Table != s.table || len(c.Key) != s.keys || formOf(c, old) != s.form {
		return false
	}
	if s.form == formUpdate || s.form == formUpdateOld {
		return slices.Equal(c.Cols, s.cols)
	}
	row := s.row(c)
	if len(row) != s.width {
		return false
	}
	for i, at := range s.cols {
		if c.Key[i] != row[at] {
			return false
		}
	}
	return true
}
