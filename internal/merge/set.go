package merge

import (
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// members is an edit of a set: a JSON array in which equal values count once.
// Its body is [[added...],[removed...]], and behind them, as a string, the
// array as its author left it, where that would not come out of the rest by itself.
type members struct {
	adds, removes []*node
	after         string
	exact         bool // after is given
}

// membersIntent compares two arrays. NULL before is the empty set.
func membersIntent(before, after tidemark.Value) tidemark.Edit {
	a, err := arrayOf(before, maxIntent)
	if err != nil || after.IsNull() {
		return tidemark.Edit{}
	}
	b, err := arrayOf(after, maxIntent)
	if err != nil {
		return tidemark.Edit{}
	}
	e := members{adds: without(b, a), removes: without(a, b)}
	return exactly(before, after, tidemark.EditMembers, func(text string, exact bool) string {
		e.after, e.exact = text, exact
		return e.body()
	})
}

// exactly makes an edit that turns before into after to the last byte: if the
// difference alone does not, the text goes along.
func exactly(before, after tidemark.Value, kind tidemark.EditKind, body func(text string, exact bool) string) tidemark.Edit {
	e := tidemark.Edit{Kind: kind, Body: body("", false)}
	if got, err := Apply(before, tidemark.Null, e); err == nil && got == after {
		return e
	}
	e.Body = body(after.Str(), true)
	if got, err := Apply(before, tidemark.Null, e); err == nil && got == after {
		return e
	}
	return tidemark.Edit{}
}

// arrayOf reads a value as a set.
func arrayOf(v tidemark.Value, limit int) (*node, error) {
	return containerOf(v, '[', "[]", "a JSON array", limit)
}

// containerOf reads an array or object; NULL is an empty one.
func containerOf(v tidemark.Value, kind byte, empty, want string, limit int) (*node, error) {
	text := empty
	switch v.Kind() {
	case tidemark.KindNull:
	case tidemark.KindText:
		text = v.Str()
	default:
		return nil, mismatch(want, v)
	}
	n, err := parse(text, limit)
	if err != nil || n.kind != kind {
		return nil, mismatch(want, v)
	}
	return n, nil
}

// without lists the members of n that are not in other, each once, in order.
func without(n, other *node) []*node {
	seen := keysOf(other)
	var out []*node
	for i := range n.items {
		v := n.items[i].val
		if c := v.id(); !seen[c] {
			seen[c] = true
			out = append(out, v)
		}
	}
	return out
}

// keysOf gives the members of an array by their ids.
func keysOf(n *node) map[string]bool {
	keys := make(map[string]bool, len(n.items))
	for i := range n.items {
		if v := n.items[i].val; v != nil {
			keys[v.id()] = true
		}
	}
	return keys
}

func (e *members) body() string {
	var b strings.Builder
	for i, list := range [][]*node{e.adds, e.removes} {
		b.WriteString([]string{"[[", "],["}[i])
		for j, n := range list {
			if j > 0 {
				b.WriteByte(',')
			}
			n.compact(&b)
		}
	}
	b.WriteByte(']')
	if e.exact {
		b.WriteString("," + quote(e.after))
	}
	b.WriteByte(']')
	return b.String()
}

func parseMembers(body string) (members, error) {
	var e members
	n, err := parseBody(body)
	if err != nil {
		return e, err
	}
	if len(n.items) < 2 || n.items[0].val.kind != '[' || n.items[1].val.kind != '[' {
		return e, unreadable("a set is changed by two lists")
	}
	for _, it := range n.items[0].val.items {
		e.adds = append(e.adds, it.val)
	}
	for _, it := range n.items[1].val.items {
		e.removes = append(e.removes, it.val)
	}
	if len(n.items) > 2 {
		e.after, e.exact = n.items[2].val.str, n.items[2].val.kind == '"'
	}
	return e, nil
}

// parseBody reads the array that the body of an edit is.
func parseBody(body string) (*node, error) {
	n, err := parse(body, maxMerge)
	if err != nil {
		return nil, unreadable(err.Error())
	}
	if n.kind != '[' {
		return nil, unreadable("its body is no array")
	}
	return n, nil
}

// applyMembers puts an edit on a set. What is there keeps its order; new
// members follow in the order in which they were added. A member in keep is
// not removed: the removal is lost.
func applyMembers(now tidemark.Value, body string, keep map[string]bool) (result, error) {
	e, err := parseMembers(body)
	if err != nil {
		return result{}, err
	}
	n, err := arrayOf(now, maxMerge)
	if err != nil {
		return result{}, err
	}
	var r result
	removes := map[string]bool{}
	for _, v := range e.removes {
		removes[v.id()] = true
	}
	have := map[string]bool{}
	for i := range n.items {
		c := n.items[i].val.id()
		r.lost = r.lost || removes[c] && keep[c]
		if have[c] || removes[c] && !keep[c] {
			n.items[i].val, n.edited = nil, true
			continue
		}
		have[c] = true
	}
	for _, v := range e.adds {
		if c := v.id(); !have[c] {
			have[c] = true
			n.push(v)
		}
	}
	r.value = finish(now, n, e.after, e.exact, func(after *node) bool { return equalSets(have, after) })
	return r, nil
}

// finish writes what an edit made of a value. Where that is what its author
// had in front of them, it is spelled as they left it.
func finish(now tidemark.Value, n *node, after string, exact bool, equal func(after *node) bool) tidemark.Value {
	if exact {
		if left, err := parse(after, maxMerge); err == nil && left.kind == n.kind && equal(left) {
			return tidemark.Text(after)
		}
	}
	if !n.edited && !now.IsNull() {
		return now
	}
	return tidemark.Text(n.text())
}

func equalSets(have map[string]bool, n *node) bool {
	other := keysOf(n)
	if len(other) != len(have) {
		return false
	}
	for c := range other {
		if !have[c] {
			return false
		}
	}
	return true
}

// putMembers is set: adds and removes combine, and an add wins over a removal
// by somebody who had not seen it.
func (m *Meeting) putMembers(body string) (result, error) {
	r, err := applyMembers(m.Theirs, body, m.addedByOthers())
	if err != nil {
		return r, err
	}
	r.over = m.restores(body)
	return r, nil
}

// addedByOthers lists the members that others added meanwhile.
func (m *Meeting) addedByOthers() map[string]bool {
	added := map[string]bool{}
	for _, f := range m.Others {
		old, err := arrayOf(f.Old, maxMerge)
		if err != nil {
			continue
		}
		now, err := arrayOf(f.New, maxMerge)
		if err != nil {
			continue
		}
		for _, v := range without(now, old) {
			added[v.id()] = true
		}
	}
	return added
}

// restores reports whether the edit adds what others removed.
func (m *Meeting) restores(body string) bool {
	e, err := parseMembers(body)
	if err != nil || !m.Based || len(e.adds) == 0 {
		return false
	}
	base, err := arrayOf(m.Base, maxMerge)
	if err != nil {
		return false
	}
	theirs, err := arrayOf(m.Theirs, maxMerge)
	if err != nil {
		return false
	}
	was, is := keysOf(base), keysOf(theirs)
	for _, v := range e.adds {
		if c := v.id(); was[c] && !is[c] {
			return true
		}
	}
	return false
}
