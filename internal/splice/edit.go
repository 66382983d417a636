package splice

import (
	"strconv"

	"github.com/tidemarkdb/tidemark/internal/literal"
)

// Edit is the body of an EditText as its author sends it.
type Edit struct {
	Patch Patch
	After int64 // the changeset of the same replica whose text was edited; 0: the confirmed text was
	// On leads from the confirmed text to the text that was edited, where it is
	// not the one that changeset After left. HasOn tells an empty one from none.
	On    Patch
	HasOn bool
}

// Body encodes the edit: {"s":[[at,delete,"insert"]...],"after":n,"on":[...]}.
func (e Edit) Body() string {
	b := append(make([]byte, 0, 64), `{"s":`...)
	b = appendPatch(b, e.Patch, false)
	if e.After != 0 {
		b = strconv.AppendInt(append(b, `,"after":`...), e.After, 10)
	}
	if e.HasOn {
		b = appendPatch(append(b, `,"on":`...), e.On, false)
	}
	return string(append(b, '}'))
}

// Body encodes a patch as it stands in effects: {"s":[...]}. deleted says
// whether what it deletes goes along, as in the log.
func (p Patch) Body(deleted bool) string {
	b := append(make([]byte, 0, 64), `{"s":`...)
	return string(append(appendPatch(b, p, deleted), '}'))
}

func appendPatch(b []byte, p Patch, deleted bool) []byte {
	b = append(b, '[')
	for i := range p {
		s := &p[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, '['), int64(s.At), 10)
		b = strconv.AppendInt(append(b, ','), int64(s.Delete), 10)
		b = literal.Append(append(b, ','), s.Insert)
		if deleted && s.Deleted != "" {
			b = literal.Append(append(b, ','), s.Deleted)
		}
		b = append(b, ']')
	}
	return append(b, ']')
}

// ParseEdit reads what Edit.Body wrote, and nothing else.
func ParseEdit(body string) (Edit, error) {
	p := parser{s: body}
	var e Edit
	p.word(`{"s":`)
	e.Patch = p.patch(false)
	if p.take(`,"after":`) {
		e.After = p.int()
		if e.After == 0 {
			p.fail(`"after" names no changeset`)
		}
		if p.take(`,"on":`) {
			e.On, e.HasOn = p.patch(false), true
		}
	}
	p.word("}")
	return e, p.finish()
}

// ParseBody reads what Patch.Body wrote, with or without what it deletes.
func ParseBody(body string) (Patch, error) {
	p := parser{s: body}
	p.word(`{"s":`)
	out := p.patch(true)
	p.word("}")
	return out, p.finish()
}
