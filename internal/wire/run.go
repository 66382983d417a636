package wire

import (
	"strconv"

	"github.com/tidemarkdb/tidemark"
)

func (s *shape) appendRun(b []byte, run []tidemark.Change, old bool) []byte {
	b = append(b, '[')
	b = strconv.AppendInt(b, int64(s.table), 10)
	b = append(b, ',', '"', s.form[0], '"')
	if s.form == formOdd {
		return append(appendOdd(b, &run[0], old), ']')
	}
	if s.form != formDelete {
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

func appendOdd(b []byte, c *tidemark.Change, old bool) []byte {
	b = strconv.AppendInt(append(b, ','), int64(c.Op), 10)
	b = AppendValues(append(b, ','), c.Key)
	b = appendInts(append(b, ','), c.Cols)
	b = AppendValues(append(b, ','), c.New)
	if old && len(c.Old) > 0 {
		b = AppendValues(append(b, ','), c.Old)
	}
	return b
}
