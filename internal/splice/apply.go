package splice

import (
	"fmt"
	"strings"
)

// Apply returns the text with the patch put on it. It fails with ErrFit when
// the text is too short, or does not hold what the patch deletes.
func (p Patch) Apply(text string) (string, error) {
	if len(p) == 0 {
		return text, nil
	}
	if err := p.check(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrFit, err)
	}
	size := len(text)
	for i := range p {
		size += len(p[i].Insert)
	}
	var out strings.Builder
	out.Grow(size)
	rest, at := text, 0
	for i := range p {
		s := &p[i]
		keep, seen := offset(rest, s.At-at)
		gone, more := offset(rest[keep:], s.Delete)
		switch {
		case at+seen < s.At || more < s.Delete:
			return "", fmt.Errorf("%w: it ends at %d, splice %d at %d", ErrFit, at+seen+more, i, s.At+s.Delete)
		case s.Deleted != "" && rest[keep:keep+gone] != s.Deleted:
			return "", fmt.Errorf("%w: it does not hold what splice %d deletes", ErrFit, i)
		}
		out.WriteString(rest[:keep])
		out.WriteString(s.Insert)
		rest, at = rest[keep+gone:], s.At+s.Delete
	}
	out.WriteString(rest)
	return out.String(), nil
}

// Fill returns the patch with all that it deletes from the text, and fails with
// ErrFit as Apply does.
func (p Patch) Fill(text string) (Patch, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFit, err)
	}
	out := make(Patch, len(p))
	rest, at := text, 0
	for i, s := range p {
		keep, seen := offset(rest, s.At-at)
		gone, more := offset(rest[keep:], s.Delete)
		if at+seen < s.At || more < s.Delete {
			return nil, fmt.Errorf("%w: it ends at %d, splice %d at %d", ErrFit, at+seen+more, i, s.At+s.Delete)
		}
		s.Deleted = rest[keep : keep+gone]
		out[i], rest, at = s, rest[keep+gone:], s.At+s.Delete
	}
	return out, nil
}

// Bare returns the patch without what it deletes, as it travels.
func (p Patch) Bare() Patch {
	out := make(Patch, len(p))
	for i, s := range p {
		s.Deleted = ""
		out[i] = s
	}
	return out
}

// Invert returns the patch that takes p back. It fails when p does not hold
// what it deletes.
func (p Patch) Invert() (Patch, error) {
	var out builder
	at := 0
	for i, s := range p {
		if s.Delete > 0 && s.Deleted == "" {
			return nil, fmt.Errorf("splice %d does not say what it deletes", i)
		}
		out.retain(s.At - at)
		out.insert(s.Deleted)
		out.remove(part{remove, count(s.Insert), s.Insert})
		at = s.At + s.Delete
	}
	return out.patch(), nil
}
