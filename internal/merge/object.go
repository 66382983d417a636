package merge

import (
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// keys is an edit of a JSON object: what became of each key that changed,
// nested objects by their own keys. Its body is a list of [path,[old],[new]],
// where path is a list of keys and [] stands for no value, and behind them, as
// a string, the object as its author left it, where that would not come out of the rest by itself.
type keys struct {
	list  []keyEdit
	after string
	exact bool // after is given
}

// keyEdit says what became of one key; nil is no value.
type keyEdit struct {
	path     []string
	old, new *node
}

// keysIntent compares two objects. NULL before is the empty object.
func keysIntent(before, after tidemark.Value) tidemark.Edit {
	a, err := objectOf(before, maxIntent)
	if err != nil || after.IsNull() {
		return tidemark.Edit{}
	}
	b, err := objectOf(after, maxIntent)
	if err != nil {
		return tidemark.Edit{}
	}
	var e keys
	e.compare(a, b, nil)
	return exactly(before, after, tidemark.EditKeys, func(text string, exact bool) string {
		e.after, e.exact = text, exact
		return e.body()
	})
}

func objectOf(v tidemark.Value, limit int) (*node, error) {
	return containerOf(v, '{', "{}", "a JSON object", limit)
}

// compare lists what changed: removed keys in their old order, then the others in their new one.
func (e *keys) compare(a, b *node, path []string) {
	for i := range a.items {
		if it := &a.items[i]; b.get(it.key) == nil {
			e.note(path, it.key, it.val, nil)
		}
	}
	for i := range b.items {
		it := &b.items[i]
		old := a.get(it.key)
		switch {
		case old != nil && old.raw == it.val.raw:
		case old != nil && old.kind == '{' && it.val.kind == '{':
			e.compare(old, it.val, append(slices.Clip(path), it.key))
		case !same(old, it.val):
			e.note(path, it.key, old, it.val)
		}
	}
}

func (e *keys) note(path []string, key string, old, new *node) {
	e.list = append(e.list, keyEdit{append(slices.Clip(path), key), old, new})
}

func (e *keys) body() string {
	var b strings.Builder
	b.WriteByte('[')
	for i := range e.list {
		if i > 0 {
			b.WriteByte(',')
		}
		e.list[i].write(&b)
	}
	if e.exact {
		if len(e.list) > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quote(e.after))
	}
	b.WriteByte(']')
	return b.String()
}

func (k *keyEdit) write(b *strings.Builder) {
	b.WriteString("[[")
	for i, key := range k.path {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quote(key))
	}
	b.WriteByte(']')
	for _, n := range []*node{k.old, k.new} {
		b.WriteString(",[")
		if n != nil {
			n.compact(b)
		}
		b.WriteByte(']')
	}
	b.WriteByte(']')
}

func parseKeys(body string) (keys, error) {
	var e keys
	n, err := parseBody(body)
	if err != nil {
		return e, err
	}
	for i := range n.items {
		v := n.items[i].val
		if v.kind == '"' {
			e.after, e.exact = v.str, true
			break
		}
		k, ok := keyEditOf(v)
		if !ok {
			return e, unreadable("a key is changed by its path, the old and the new value")
		}
		e.list = append(e.list, k)
	}
	return e, nil
}

func keyEditOf(n *node) (keyEdit, bool) {
	var k keyEdit
	if n.kind != '[' || len(n.items) < 3 {
		return k, false
	}
	path := n.items[0].val
	if path.kind != '[' || len(path.items) == 0 || len(path.items) > maxDepth {
		return k, false
	}
	for i := range path.items {
		if path.items[i].val.kind != '"' {
			return k, false
		}
		k.path = append(k.path, path.items[i].val.str)
	}
	var ok bool
	if k.old, ok = side(n.items[1].val); !ok {
		return k, false
	}
	k.new, ok = side(n.items[2].val)
	return k, ok
}

// side reads a value or none.
func side(n *node) (*node, bool) {
	if n.kind != '[' || len(n.items) > 1 {
		return nil, false
	}
	if len(n.items) == 0 {
		return nil, true
	}
	return n.items[0].val, true
}

// applyKeys puts an edit on an object, key by key; of a key that somebody else
// changed, too, the edit's value stays. Edits of different keys commute.
func applyKeys(now tidemark.Value, body string) (result, error) {
	e, err := parseKeys(body)
	if err != nil {
		return result{}, err
	}
	n, err := objectOf(now, maxMerge)
	if err != nil {
		return result{}, err
	}
	var r result
	for i := range e.list {
		lost, over := e.list[i].put(n)
		r.lost, r.over = r.lost || lost, r.over || over
	}
	r.value = finish(now, n, e.after, e.exact, func(after *node) bool { return same(n, after) })
	return r, nil
}

// put changes one key. Objects on the way to it that are gone are made again,
// over the head of who removed them; where something else took the place of one,
// that stays and the edit is lost.
func (k *keyEdit) put(root *node) (lost, over bool) {
	way := []*node{root}
	last := len(k.path) - 1
	for _, key := range k.path[:last] {
		child := way[len(way)-1].get(key)
		switch {
		case child != nil && child.kind == '{':
		case k.new == nil:
			return false, false // it is gone already
		case child != nil:
			return true, false
		default:
			child, over = newObject(), true
			way[len(way)-1].set(key, child)
		}
		way = append(way, child)
	}
	place := way[last]
	there := place.get(k.path[last])
	if same(there, k.new) {
		return false, over
	}
	if k.new == nil {
		place.remove(k.path[last])
	} else {
		place.set(k.path[last], k.new)
	}
	for _, n := range way {
		n.edited = true
	}
	return false, over || !same(there, k.old)
}
