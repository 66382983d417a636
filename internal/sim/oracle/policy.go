package oracle

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// Past is what the oracle must know of the space to judge edits that met others.
type Past interface {
	// Concurrent reports whether somebody else wrote last in some columns,
	// behind what the author of the changeset had seen.
	Concurrent(table, key string, columns []int) bool
	// Touched reports whether somebody else wrote any cell of the row last.
	Touched(table, key string) bool
	// Strange reports whether somebody else made a row behind what the author
	// had seen, so that he cannot mean it.
	Strange(table, key string) bool
	// Refused reports whether the author means a row that a rejected changeset
	// of his would have made, and not the one that is there or was.
	Refused(table, key string) bool
	// Buried returns the last image of a row that is gone, or nil.
	Buried(table, key string) Row
	// Seen returns the row as the author had seen it confirmed, or nil.
	Seen(table, key string) Row
	// Went lists the scopes that a row was in when it went.
	Went(table, key string) []string
}

// nobody is the past in which nothing is concurrent.
type nobody struct{}

func (nobody) Concurrent(string, string, []int) bool { return false }
func (nobody) Touched(string, string) bool           { return false }
func (nobody) Strange(string, string) bool           { return false }
func (nobody) Refused(string, string) bool           { return false }
func (nobody) Buried(string, string) Row             { return nil }
func (nobody) Seen(string, string) Row               { return nil }
func (nobody) Went(string, string) []string          { return nil }

// Loser is a value that a merge threw away, or that waits for a decision.
type Loser struct {
	Table  string
	Key    string
	Column int // -1: the whole row
	Winner string
	Theirs tidemark.Value
	Mine   tidemark.Value
	Unit   bool // one of several columns that merge as one
	Policy string
}

// Choice is a cell whose value the oracle does not foretell, only judge.
type Choice struct {
	Table  string
	Key    string
	Column int
	Judge  func(got tidemark.Value) error
}

// edit is one cell of an update on its way.
type edit struct {
	t                 *Table
	key               string
	col               int
	base, theirs, new tidemark.Value
	concurrent        bool
	unit              bool
}

// result is what becomes of one.
type result struct {
	value      tidemark.Value
	lost, over bool
	open       bool
}

// policyOf names the policy of a column.
func (t *Table) policyOf(col int) string {
	if p := t.Policy[col]; p != "" {
		return p
	}
	return "last-write"
}

// groupOf lists the columns that merge as one with col.
func (t *Table) groupOf(col int) []int {
	for _, g := range t.Groups {
		if slices.Contains(g, col) {
			return g
		}
	}
	return []int{col}
}

// meet lets the cells of an update meet what is there.
func (j *judgement) meet(t *Table, key string, old Row, c Change) Row {
	row := slices.Clone(old)
	for i, col := range c.Cols {
		group := t.groupOf(col)
		e := edit{t: t, key: key, col: col, theirs: old[col], new: c.New[i], unit: len(group) > 1}
		if i < len(c.Old) {
			e.base = c.Old[i]
		}
		e.concurrent = j.past.Concurrent(t.Name, key, group)
		r := j.decide(e)
		row[col] = r.value
		j.note(e, r)
	}
	return row
}

func (j *judgement) note(e edit, r result) {
	if r.lost {
		j.lost++
	}
	if r.over {
		j.over++
	}
	if !r.lost && !r.over && !r.open {
		return
	}
	winner := "mine"
	if r.lost || r.open {
		winner = "theirs"
	}
	j.losers = append(j.losers, Loser{
		Table: e.t.Name, Key: e.key, Column: e.col, Winner: winner, Theirs: e.theirs, Mine: e.new, Unit: e.unit,
		Policy: e.t.policyOf(e.col),
	})
}

// decide is the table of policies.
func (j *judgement) decide(e edit) result {
	mine := result{value: e.new}
	differ := e.concurrent && e.theirs != e.new
	switch e.t.policyOf(e.col) {
	case "counter":
		theirs := e.theirs
		if theirs.IsNull() {
			theirs, j.unsure = tidemark.Int(0), true // as no number yet
		}
		if n, ok := add(theirs, e.base, e.new); ok {
			return result{value: n}
		}
	case "set":
		if v, ok := mergeSets(e.base, e.theirs, e.new); ok {
			return j.union(e, v)
		}
	case "json":
		if e.base == e.theirs {
			return mine
		}
		if v, over, ok := mergeObjects(e.base, e.theirs, e.new); ok {
			j.unsure = j.unsure || over // what the author saw may be its own that was rejected
			j.choose(e, func(got tidemark.Value) error { return sameObject(v, got) })
			return result{value: e.theirs, over: over}
		}
	case "text":
		if e.base.Kind() == tidemark.KindText && e.theirs.Kind() == tidemark.KindText {
			return j.text(e)
		}
	case "max", "min":
		if !differ {
			return mine
		}
		return further(e)
	case "latest-edit":
		if differ {
			return j.latest(e)
		}
	case "first-write":
		if differ {
			return result{value: e.theirs, lost: true}
		}
	case "manual":
		if differ {
			return result{value: e.theirs, lost: true, open: true}
		}
	case "custom":
		if differ {
			v := Longer(tidemark.Null, e.theirs, e.new)
			return result{value: v, lost: v != e.new, over: v != e.theirs}
		}
	case "reject":
		if e.concurrent {
			j.refuse(tidemark.CodeStale)
		}
		return mine
	}
	mine.over = differ
	return mine
}

// choose leaves to a check what a cell comes to hold.
func (j *judgement) choose(e edit, check func(got tidemark.Value) error) {
	j.choices = append(j.choices, Choice{e.t.Name, e.key, e.col, check})
}

// union merges sets to the one that has v's members, in an order of its own.
func (j *judgement) union(e edit, v tidemark.Value) result {
	j.unsure = true
	j.choose(e, func(got tidemark.Value) error {
		if e.base == e.theirs && got == e.new {
			return nil // to the byte
		}
		return sameSet(v, e.theirs, got)
	})
	return result{value: e.theirs}
}

// text merges two texts.
func (j *judgement) text(e edit) result {
	if e.base == e.theirs {
		return result{value: e.new}
	}
	j.unsure = true // a copy that knows that it differs sets the text as a whole
	j.choose(e, func(got tidemark.Value) error {
		if got == e.new {
			return nil
		}
		return mergedText(e.base.Str(), e.theirs.Str(), e.new.Str(), got.Str())
	})
	return result{value: e.theirs}
}

// further takes the larger or the smaller of two values that differ.
func further(e edit) result {
	larger := compare(e.new, e.theirs) > 0
	if e.theirs.IsNull() || !e.new.IsNull() && larger == (e.t.policyOf(e.col) == "max") {
		return result{value: e.new, over: true}
	}
	return result{value: e.theirs, lost: true}
}

// latest takes one of the two: clocks say which.
func (j *judgement) latest(e edit) result {
	j.unsure = true
	j.choose(e, func(got tidemark.Value) error {
		if got != e.new && got != e.theirs {
			return fmt.Errorf("%v is neither %v nor %v", got, e.new, e.theirs)
		}
		return nil
	})
	return result{value: e.theirs}
}

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

// Keys are other keys that rows of a table got, by the keys that their author gave them.
type Keys map[string]map[tidemark.Value]tidemark.Value

// Add notes one.
func (ks Keys) Add(table string, from, to int64) {
	if ks[table] == nil {
		ks[table] = map[tidemark.Value]tidemark.Value{}
	}
	ks[table][tidemark.Int(from)] = tidemark.Int(to)
}

// Follow says what changes mean once rows have other keys than their author
// gave them: the rows themselves, and what refers to them.
func (m *Model) Follow(changes []Change, keys Keys) []Change {
	out := make([]Change, len(changes))
	for i, c := range changes {
		t := m.Table(c.Table)
		c.Key, c.New, c.Old = slices.Clone(c.Key), slices.Clone(c.New), slices.Clone(c.Old)
		for col := range t.Columns {
			to := keys[t.means(col)]
			if to == nil {
				continue
			}
			at := col
			if c.Op == tidemark.Update {
				at = slices.Index(c.Cols, col)
			}
			rename(c.Key, slices.Index(t.Key, col), to)
			rename(c.New, at, to)
			rename(c.Old, at, to)
		}
		out[i] = c
	}
	return out
}

func rename(vs []tidemark.Value, at int, to map[tidemark.Value]tidemark.Value) {
	if at < 0 || at >= len(vs) {
		return
	}
	if v, ok := to[vs[at]]; ok {
		vs[at] = v
	}
}

// means returns the table whose keys a column holds: its own, when the key is
// one column, or one that it refers to.
func (t *Table) means(col int) string {
	for _, ref := range t.Refs {
		if len(ref.Columns) == 1 && ref.Columns[0] == col {
			return ref.Parent
		}
	}
	if len(t.Key) == 1 && t.Key[0] == col {
		return t.Name
	}
	return ""
}

// strangers refuses a changeset that names rows which its author cannot mean:
// what it does mean was rejected.
func (j *judgement) strangers(changes []Change) {
	made := map[rowKey]bool{}
	for _, c := range changes {
		if t := j.model.Table(c.Table); c.Op == tidemark.Insert {
			made[rowKey{t.Name, t.KeyOf(c.Key)}] = true
		}
	}
	for _, c := range changes {
		t := j.model.Table(c.Table)
		if c.Op != tidemark.Insert {
			j.strange(t, c.Key[:1], made)
		}
		for _, ref := range t.Refs {
			at := ref.Columns[0]
			if c.Op == tidemark.Update {
				at = slices.Index(c.Cols, at)
			}
			if parent := j.model.Table(ref.Parent); len(ref.Columns) == 1 && ref.To[0] == parent.Key[0] && at >= 0 && at < len(c.New) {
				j.strange(parent, c.New[at:at+1], made)
			}
		}
	}
}

type rowKey struct{ table, key string }

func (j *judgement) strange(t *Table, key []tidemark.Value, made map[rowKey]bool) {
	name := rowKey{t.Name, t.KeyOf(key)}
	if _, there := j.before[t.Name][name.key]; t.Renumber && there && !made[name] && j.past.Strange(name.table, name.key) {
		j.refuse(tidemark.CodeDependsOn)
	}
}
