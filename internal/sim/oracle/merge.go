package oracle

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// Longer is the function of columns whose policy is custom: the longer text wins.
func Longer(_, theirs, mine tidemark.Value) tidemark.Value {
	if a, b := mine.Str(), theirs.Str(); len(a) > len(b) || len(a) == len(b) && a > b {
		return mine
	}
	return theirs
}

// add puts a difference on a number.
func add(theirs, base, mine tidemark.Value) (tidemark.Value, bool) {
	for _, v := range []tidemark.Value{theirs, base, mine} {
		if v.Kind() != tidemark.KindInt && v.Kind() != tidemark.KindReal {
			return tidemark.Null, false
		}
	}
	if theirs.Kind() == tidemark.KindInt && base.Kind() == tidemark.KindInt && mine.Kind() == tidemark.KindInt {
		return tidemark.Int(theirs.Int64() + mine.Int64() - base.Int64()), true
	}
	return tidemark.Real(theirs.Float64() + (mine.Float64() - base.Float64())), true
}

// compare orders numbers and texts as SQLite does; NULL is less than all.
func compare(a, b tidemark.Value) int {
	rank := func(v tidemark.Value) int {
		return map[tidemark.Kind]int{tidemark.KindNull: 0, tidemark.KindInt: 1, tidemark.KindReal: 1, tidemark.KindText: 2, tidemark.KindBlob: 3}[v.Kind()]
	}
	switch {
	case rank(a) != rank(b):
		return rank(a) - rank(b)
	case rank(a) == 1 && a.Float64() != b.Float64():
		if a.Float64() < b.Float64() {
			return -1
		}
		return 1
	}
	return strings.Compare(a.Str(), b.Str())
}

// members reads a JSON array of strings; NULL is the empty one.
func members(v tidemark.Value) (list []string, ok bool) {
	if v.IsNull() {
		return nil, true
	}
	return list, json.Unmarshal([]byte(v.Str()), &list) == nil && v.Kind() == tidemark.KindText
}

func mergeSets(base, theirs, mine tidemark.Value) (tidemark.Value, bool) {
	b, ok1 := members(base)
	t, ok2 := members(theirs)
	m, ok3 := members(mine)
	if !ok1 || !ok2 || !ok3 || mine.IsNull() {
		return tidemark.Null, false
	}
	var out []string
	for _, x := range t {
		if slices.Contains(m, x) || !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	for _, x := range m {
		if !slices.Contains(b, x) && !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	if out == nil {
		out = []string{}
	}
	text, _ := json.Marshal(out)
	return tidemark.Text(string(text)), true
}

// mergeObjects merges JSON objects that hold only numbers, one level deep.
func mergeObjects(base, theirs, mine tidemark.Value) (v tidemark.Value, over, ok bool) {
	read := func(v tidemark.Value) (m map[string]int, ok bool) {
		return m, json.Unmarshal([]byte(v.Str()), &m) == nil && m != nil
	}
	b, ok1 := read(base)
	t, ok2 := read(theirs)
	m, ok3 := read(mine)
	if !ok1 || !ok2 || !ok3 {
		return tidemark.Null, false, false
	}
	keys := map[string]bool{}
	for k := range b {
		keys[k] = true
	}
	for k := range m {
		keys[k] = true
	}
	for k := range keys {
		was, had := b[k]
		is, has := m[k]
		if had == has && was == is {
			continue
		}
		now, there := t[k]
		over = over || (there != had || now != was) && (there != has || now != is)
		if has {
			t[k] = is
		} else {
			delete(t, k)
		}
	}
	text, _ := json.Marshal(t)
	return tidemark.Text(string(text)), over, true
}

// sameSet lets members stay that the author took away: where somebody else
// added one that he had added himself, the add wins.
func sameSet(want, theirs, got tidemark.Value) error {
	w, _ := members(want)
	t, _ := members(theirs)
	g, ok := members(got)
	rest := slices.DeleteFunc(slices.Clone(g), func(x string) bool { return !slices.Contains(w, x) })
	if !ok || !slices.Equal(rest, w) || slices.ContainsFunc(g, func(x string) bool { return !slices.Contains(w, x) && !slices.Contains(t, x) }) {
		return fmt.Errorf("want %v of %v, got %v", want, theirs, got)
	}
	return nil
}

// sameObject lets a JSON object be spelled in any way.
func sameObject(want, got tidemark.Value) error {
	var a, b map[string]int
	if json.Unmarshal([]byte(want.Str()), &a) != nil || json.Unmarshal([]byte(got.Str()), &b) != nil || !maps.Equal(a, b) {
		return fmt.Errorf("want %v, got %v", want, got)
	}
	return nil
}

// agree reports whether the characters that two texts share stand in one order.
func agree(a, b string) bool {
	at := -1
	for _, r := range a {
		next := strings.IndexRune(b, r)
		if next < 0 {
			continue
		}
		if next < at {
			return false
		}
		at = next
	}
	return true
}

// mergedText judges what became of two edits of a text whose characters are
// all different: every character that somebody brought and nobody took is
// there once, and stands in the order in which each of them had it.
func mergedText(base, theirs, mine, got string) error {
	in := func(s string, r rune) bool { return strings.ContainsRune(s, r) }
	for _, r := range base + theirs + mine {
		want := in(theirs, r) && (in(mine, r) || !in(base, r)) || in(mine, r) && !in(base, r)
		if n := strings.Count(got, string(r)); n > 1 || (n == 1) != want {
			return fmt.Errorf("%q is there %d times in %q: from %q, %q and %q were made", r, n, got, base, theirs, mine)
		}
	}
	sides := []string{theirs}
	if agree(base, theirs) {
		sides = append(sides, mine)
	} // else the author saw characters in an order that the server gave them differently
	for _, side := range sides {
		at := -1
		for _, r := range side {
			if !in(got, r) {
				continue
			}
			next := strings.IndexRune(got, r)
			if next < at {
				return fmt.Errorf("%q is out of order in %q: %q and %q were made of %q", r, got, theirs, mine, base)
			}
			at = next
		}
	}
	return nil
}
