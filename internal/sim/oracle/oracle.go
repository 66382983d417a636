// Package oracle knows the right answer. It is a small model of a space in
// memory, written from the design and not from the engine: it shares no code
// with what it judges, knows tables as Go literals rather than as SQL, and
// does everything in the most naive way.
//
// A State is one state of a space. Judge folds one changeset into it: the
// values of an update are set column by column and the last one wins, a
// deleted row stays deleted, declared foreign-key actions are carried out, and
// the constraints judge the result as a whole. What comes out is either the
// next state or the reasons for a rejection.
package oracle

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// Row is the stored columns of one row.
type Row []tidemark.Value

// Table describes a table by hand.
type Table struct {
	Name    string
	Columns []string
	Key     []int
	Fold    map[int]bool // columns that compare without case
	NotNull []int
	Unique  []func(Row) (value string, ok bool) // ok false: the index leaves the row out
	Check   []Check
	Refs    []Ref

	Policy       map[int]string // by column; none: last-write
	Groups       [][]int        // columns that merge as one
	AppendOnly   bool
	UpdateWins   bool
	MergeInserts bool
	Renumber     bool // two that insert one key mean two rows
	Rule         Rule // nil: everybody may write it
	Hook         Hook // nil: none is asked
	Quiet        bool // keeps nothing of what is thrown away

	// A table that grows has the first columns of Columns, or none while it is
	// not there: every State says how many. Defaults fills in the others.
	Grows    bool
	Defaults map[int]tidemark.Value
}

// Check is a condition on one row, and the code of a changeset that breaks it.
type Check struct {
	Code  tidemark.Code
	Holds func(Row) bool
}

// Action is what a foreign key does to the child.
type Action int

// The actions. NoAction and RESTRICT both leave it to the final check.
const (
	NoAction Action = iota
	Cascade
	SetNull
	SetDefault
)

// Ref is a foreign key: Columns of this table name the row of Parent whose To columns are equal.
type Ref struct {
	Columns  []int
	Parent   string
	To       []int
	OnDelete Action
	OnUpdate Action
	Fold     []bool           // which columns compare without case, as the parent has it; nil: none
	Default  []tidemark.Value // for SetDefault
	Loose    bool             // a replica may hold the child without the parent
}

// tuple writes values so that equal text means that the reference takes them
// for equal; ok is false when a NULL keeps it from referring to anything.
func (ref Ref) tuple(vs []tidemark.Value) (text string, ok bool) {
	for i, v := range vs {
		if v.IsNull() {
			return "", false
		}
		c := normal(v, ref.Fold != nil && ref.Fold[i])
		text += fmt.Sprintf("%d:%s", len(c), c)
	}
	return text, true
}

func (ref Ref) same(a, b []tidemark.Value) bool {
	x, ok := ref.tuple(a)
	y, ok2 := ref.tuple(b)
	return ok && ok2 && x == y
}

// Change is one change of one row, as tidemark.Change has it, by the table's name.
type Change struct {
	Table string
	Op    tidemark.Op
	Key   []tidemark.Value
	Cols  []int
	New   []tidemark.Value
	Old   []tidemark.Value // what the author of an update saw, parallel to New
}

// String shows a change for messages.
func (c Change) String() string {
	return fmt.Sprintf("%s %s %v %v=%v", c.Op, c.Table, c.Key, c.Cols, c.New)
}

// Model is the tables of a space.
type Model struct {
	Tables []*Table
	Scopes []*Scope // none: everybody has everything
}

// Table finds a table by name, or returns nil.
func (m *Model) Table(name string) *Table {
	for _, t := range m.Tables {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// State is the rows of every table by key. States are never changed: Judge and
// Fold return new ones that share what is equal.
type State map[string]map[string]Row

// widths is the entry of a State that holds how many columns tables have that
// grow. No table has that name.
const widths = " columns"

// SetWidth says how many columns a table that grows has in a state that is being built.
func (s State) SetWidth(t *Table, n int) {
	if s[widths] == nil {
		s[widths] = map[string]Row{}
	}
	s[widths][t.Name] = Row{tidemark.Int(int64(n))}
}

// Width returns how many columns a table has.
func (s State) Width(t *Table) int {
	if !t.Grows {
		return len(t.Columns)
	}
	if r := s[widths][t.Name]; r != nil {
		return int(r[0].Int64())
	}
	return 0
}

// Widen returns the state in which a table has n columns, the new ones with their defaults.
func (s State) Widen(t *Table, n int) State {
	out := s.Clone()
	out.SetWidth(t, n)
	for key, row := range out[t.Name] {
		out[t.Name][key] = t.pad(row, n)
	}
	return out
}

// pad fills a row up to n columns.
func (t *Table) pad(row Row, n int) Row {
	row = append(Row(nil), row...)
	for i := len(row); i < n; i++ {
		row = append(row, t.Defaults[i])
	}
	return row
}

// Clone returns a state in which every table may be written.
func (s State) Clone() State {
	out := State{}
	for name, rows := range s {
		out[name] = maps.Clone(rows)
	}
	return out
}

// KeyOf names the row of a key: equal when the table takes two keys for one.
func (t *Table) KeyOf(key []tidemark.Value) string {
	var b strings.Builder
	for i, v := range key {
		b.WriteString(normal(v, t.Fold[t.Key[i]]))
		b.WriteByte(0)
	}
	return b.String()
}

// KeyOfRow names a row.
func (t *Table) KeyOfRow(r Row) string { return t.KeyOf(pick(r, t.Key)) }

func pick(r Row, cols []int) []tidemark.Value {
	out := make([]tidemark.Value, len(cols))
	for i, c := range cols {
		out[i] = r[c]
	}
	return out
}

// normal writes a value so that equal text means equal to SQLite.
func normal(v tidemark.Value, fold bool) string {
	switch v.Kind() {
	case tidemark.KindInt:
		return fmt.Sprintf("n%d", v.Int64())
	case tidemark.KindReal:
		if f := v.Float64(); f == float64(int64(f)) && f > -1e15 && f < 1e15 {
			return fmt.Sprintf("n%d", int64(f))
		}
		return fmt.Sprintf("r%b", v.Float64())
	case tidemark.KindText:
		if fold {
			return "t" + strings.Map(lowerASCII, v.Str())
		}
		return "t" + v.Str()
	case tidemark.KindBlob:
		return "b" + v.Str()
	}
	return "null"
}

func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

// Put adds a row to a state that is being built.
func (m *Model) Put(s State, table string, r Row) {
	if s[table] == nil {
		s[table] = map[string]Row{}
	}
	s[table][m.Table(table).KeyOfRow(r)] = r
}

// Diff says how two states differ, at most limit lines; "" when they are equal.
func Diff(want, got State, limit int) string {
	var lines []string
	for _, name := range unionKeys(want, got) {
		for _, key := range unionKeys(want[name], got[name]) {
			w, inWant := want[name][key]
			g, inGot := got[name][key]
			switch {
			case !inGot:
				lines = append(lines, fmt.Sprintf("%s: missing %v", name, w))
			case !inWant:
				lines = append(lines, fmt.Sprintf("%s: unexpected %v", name, g))
			case !slices.Equal(w, g):
				lines = append(lines, fmt.Sprintf("%s: want %v, got %v", name, w, g))
			}
		}
	}
	if len(lines) > limit {
		lines = append(lines[:limit], fmt.Sprintf("and %d more", len(lines)-limit))
	}
	return strings.Join(lines, "\n")
}

func unionKeys[V any](a, b map[string]V) []string {
	keys := make([]string, 0, len(a)+len(b))
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, twice := a[k]; !twice {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}
