package wire

import (
	"slices"
	"strconv"

	"github.com/tidemarkdb/tidemark"
)

func (s *shape) appendRun(b []byte, run []tidemark.Change, old bool) []byte {
	b = append(b, '[')
	b = strconv.AppendInt(b, int64(s.table), 10)
	b = append(b, ',', '"', s.form[0], '"')
	switch s.form {
	case formOdd:
		return append(appendOdd(b, &run[0], old), ']')
	case formEdited:
		return append(appendEdited(b, &run[0]), ']')
	}
	if s.form != formDelete && s.form != formForget {
		b = appendInts(append(b, ','), s.cols)
	}
	if s.form != formInsert && s.form != formDeleteOld {
		b = appendColumns(b, run, s.keys, func(c *tidemark.Change) []tidemark.Value { return c.Key })
	}
	switch s.form {
	case formInsert:
		b = appendColumns(b, run, s.width, newOf)
	case formUpdate:
		b = appendColumns(b, run, len(s.cols), newOf)
	case formUpdateOld:
		b = appendColumns(b, run, len(s.cols), newOf)
		b = appendColumns(b, run, len(s.cols), oldOf)
	case formDeleteOld:
		b = appendColumns(b, run, s.width, oldOf)
	}
	return append(b, ']')
}

func newOf(c *tidemark.Change) []tidemark.Value { return c.New }
func oldOf(c *tidemark.Change) []tidemark.Value { return c.Old }

// appendColumns writes one element per column: a value, or a list of values
// when the run has several changes.
func appendColumns(b []byte, run []tidemark.Change, width int, of func(*tidemark.Change) []tidemark.Value) []byte {
	for col := range width {
		b = append(b, ',')
		if len(run) == 1 {
			b = AppendValue(b, of(&run[0])[col])
			continue
		}
		for i := range run {
			if i == 0 {
				b = append(b, '[')
			} else {
				b = append(b, ',')
			}
			b = AppendValue(b, of(&run[i])[col])
		}
		b = append(b, ']')
	}
	return b
}

// appendEdited writes an update, each value as it is or as the edit that stands for it.
func appendEdited(b []byte, c *tidemark.Change) []byte {
	b = appendInts(append(b, ','), c.Cols)
	for _, v := range c.Key {
		b = AppendValue(append(b, ','), v)
	}
	for i, e := range c.Edits {
		if b = append(b, ','); e.Kind == tidemark.EditSet {
			b = AppendValue(b, c.New[i])
		} else {
			b = appendEdit(b, e)
		}
	}
	return b
}

// appendOdd writes a change in full. A value that an edit stands for is left out.
func appendOdd(b []byte, c *tidemark.Change, old bool) []byte {
	b = strconv.AppendInt(append(b, ','), int64(c.Op), 10)
	b = AppendValues(append(b, ','), c.Key)
	b = appendInts(append(b, ','), c.Cols)
	b = appendPlain(append(b, ','), c, c.New)
	old = old && len(c.Old) > 0
	more := len(c.Edits) > 0 || c.MadeAt != 0
	if old || more {
		var was []tidemark.Value
		if old {
			was = c.Old
		}
		b = appendPlain(append(b, ','), c, was)
	}
	if more {
		b = appendEdits(append(b, ','), c.Edits)
	}
	if c.MadeAt != 0 {
		b = strconv.AppendInt(append(b, ','), c.MadeAt, 10)
	}
	return b
}

func appendPlain(b []byte, c *tidemark.Change, vs []tidemark.Value) []byte {
	if len(c.Edits) == 0 {
		return AppendValues(b, vs)
	}
	plain := slices.Clone(vs)
	for i := range plain {
		if c.EditOf(i).Kind != tidemark.EditSet {
			plain[i] = tidemark.Null
		}
	}
	return AppendValues(b, plain)
}

// appendEdits writes edits: null, or kind and body.
func appendEdits(b []byte, edits []tidemark.Edit) []byte {
	b = append(b, '[')
	for i, e := range edits {
		if i > 0 {
			b = append(b, ',')
		}
		if e.Kind == tidemark.EditSet {
			b = append(b, "null"...)
			continue
		}
		b = appendEdit(b, e)
	}
	return append(b, ']')
}

func appendEdit(b []byte, e tidemark.Edit) []byte {
	b = append(b, '[', '"', byte(e.Kind), '"', ',')
	return append(append(b, e.Body...), ']')
}
