package tidemark

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Schema is what a space's synced tables look like, together with the other
// objects of the database that a clone gets (indexes, views, triggers,
// unsynced tables).
type Schema struct {
	Hash    string   // names this schema; 16 hexadecimal digits
	Tables  []*Table // synced tables, by ID
	Objects []Object // everything in sqlite_schema that is not Tidemark's, in creation order
	Scopes  []string // names of the kinds of scopes, sorted; nil: one scope has everything
	Public  []string // those of Scopes that everybody has, whatever a replica wants: public ones without keys
	// Declared is a hash of what is declared about scopes, so that another
	// declaration makes another schema; "" without scopes.
	Declared string
	// Guards are what copies check by themselves of the rules. They are no objects
	// of the database: the server's file does not have them.
	Guards []Guard
}

// Guard is a trigger in a copy that refuses a write which the server would
// refuse as well. The server has the last word all the same.
type Guard struct {
	Table int    // ID of the table that it watches
	Name  string // begins with _tm_rule_
	SQL   string // CREATE TRIGGER "name" ..., as sqlite_schema keeps it
}

// Scoped reports whether replicas hold some scopes, and not everything.
func (s *Schema) Scoped() bool { return len(s.Scopes) > 0 }

// Table finds a synced table by its ID, or returns nil.
func (s *Schema) Table(id int) *Table {
	for _, t := range s.Tables {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// Named finds a synced table by its name, comparing as SQLite does, or returns nil.
func (s *Schema) Named(name string) *Table {
	for _, t := range s.Tables {
		if SameName(t.Name, name) {
			return t
		}
	}
	return nil
}

// FoldName writes the name of a table or column so that two that are one to
// SQLite are equal: A to Z are small, every other character stays.
func FoldName(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// SameName reports whether two names are one to SQLite, for which É and é differ.
func SameName(a, b string) bool { return a == b || FoldName(a) == FoldName(b) }

// Object is one row of sqlite_schema.
type Object struct {
	Type  string // table, index, view, trigger
	Name  string
	Table string
	SQL   string
}

// Table is a synced table.
type Table struct {
	ID           int // position in the space, never used again for another table
	Name         string
	SQL          string
	Columns      []Column // the stored columns: not the generated ones
	Key          []int    // places of the primary key's columns in Columns, in key order
	RowidAlias   bool     // the key is one INTEGER PRIMARY KEY column
	WithoutRowid bool
	Strict       bool
	Autoinc      bool
	Uniques      []Unique // unique constraints and indexes, without the primary key
	ForeignKeys  []ForeignKey
	Out          string // why the table no longer syncs; "" while it does
	Policy       TablePolicy
}

// Column is a stored column.
type Column struct {
	Name      string
	Type      string // declared type
	Affinity  Affinity
	Collation string // upper case; BINARY unless declared
	NotNull   bool
	Default   string // SQL text of the default, "" for none
	Policy    Policy // "": the table's
	Custom    string // name of the function of PolicyCustom
	Group     string // columns of one group merge as one unit; "": alone
}

// Affinity is a column's type affinity.
type Affinity uint8

// The affinities, https://www.sqlite.org/datatype3.html section 3.
const (
	AffinityBlob Affinity = iota
	AffinityText
	AffinityNumeric
	AffinityInteger
	AffinityReal
)

// Unique is a unique constraint or index other than the primary key.
type Unique struct {
	Name    string
	Terms   []Term
	Partial string // the WHERE condition, "" for none
}

// Term is a column or an expression of a unique index.
type Term struct {
	Column    int    // place in Table.Columns, or -1 for an expression or a generated column
	Expr      string // SQL text when Column is -1
	Collation string
}

// ForeignKey is a declared reference.
type ForeignKey struct {
	Columns  []int // places in the child's Columns; -1 for a generated column
	Parent   string
	To       []string // columns of the parent; never empty
	OnUpdate string
	OnDelete string
	SetNull  bool // a reference to a parent that was deleted meanwhile becomes NULL, instead of rejecting
	// Loose says that a replica may hold a row without the one that it refers to:
	// its tables are made without this foreign key. The server keeps it.
	Loose bool
}

// KeyOf picks the key's values from a whole row.
func (t *Table) KeyOf(row []Value) []Value {
	key := make([]Value, len(t.Key))
	for i, c := range t.Key {
		key[i] = row[c]
	}
	return key
}

// Place returns where the column of a name stands in Columns, or -1. It
// compares as SQLite does.
func (t *Table) Place(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return SameName(c.Name, name) })
}

// ColumnNames names columns by their places. "?" stands for a generated
// column, which has none.
func (t *Table) ColumnNames(places []int) []string {
	names := make([]string, len(places))
	for i, c := range places {
		if names[i] = "?"; c >= 0 {
			names[i] = t.Columns[c].Name
		}
	}
	return names
}

// KeyID returns the identity of the row with this key: a compact string that
// is equal for two keys exactly when SQLite takes them for the same row, by
// each column's collation and by numeric value.
func (t *Table) KeyID(key []Value) string {
	b := make([]byte, 0, 16*len(key))
	for i, v := range key {
		b = appendKeyValue(b, v, t.Columns[t.Key[i]].Collation)
	}
	return string(b)
}

func appendKeyValue(b []byte, v Value, collation string) []byte {
	switch v.kind {
	case KindInt:
		return binary.AppendVarint(append(b, 'i'), int64(v.n))
	case KindReal:
		f := math.Float64frombits(v.n)
		if f >= -1<<63 && f < 1<<63 && f == math.Trunc(f) {
			return binary.AppendVarint(append(b, 'i'), int64(f))
		}
		return binary.BigEndian.AppendUint64(append(b, 'r'), v.n)
	case KindText:
		s := Collated(v.s, collation)
		b = binary.AppendUvarint(append(b, 't'), uint64(len(s)))
		return append(b, s...)
	case KindBlob:
		b = binary.AppendUvarint(append(b, 'b'), uint64(len(v.s)))
		return append(b, v.s...)
	}
	return append(b, 'n')
}

// Collated gives all texts that a collation of SQLite's own takes for equal the
// same form. Compared by their bytes, these forms stand in its order.
func Collated(text, collation string) string {
	switch collation {
	case "NOCASE":
		return foldNoCase(text)
	case "RTRIM":
		return strings.TrimRight(text, " ")
	}
	return text
}

// foldNoCase gives all texts that SQLite's NOCASE takes for equal the same
// form: A to Z are lowered, and behind a zero byte only the length counts,
// because there the comparison of bytes ends.
func foldNoCase(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] == 0 || 'A' <= s[i] && s[i] <= 'Z' {
			return string(foldBytes([]byte(s), i))
		}
	}
	return s
}

func foldBytes(b []byte, from int) []byte {
	for i := from; i < len(b); i++ {
		switch {
		case b[i] == 0:
			clear(b[i:])
			return b
		case 'A' <= b[i] && b[i] <= 'Z':
			b[i] += 'a' - 'A'
		}
	}
	return b
}

// ParseKeyID turns a KeyID back into key values. Text comes back folded by its
// collation, which finds the same row.
func ParseKeyID(id string) ([]Value, error) {
	var key []Value
	for len(id) > 0 {
		tag := id[0]
		id = id[1:]
		switch tag {
		case 'n':
			key = append(key, Null)
		case 'i':
			n, w := binary.Varint([]byte(id[:min(len(id), binary.MaxVarintLen64)]))
			if w <= 0 {
				return nil, fmt.Errorf("tidemark: damaged key")
			}
			key, id = append(key, Int(n)), id[w:]
		case 'r':
			if len(id) < 8 {
				return nil, fmt.Errorf("tidemark: damaged key")
			}
			key = append(key, Real(math.Float64frombits(binary.BigEndian.Uint64([]byte(id[:8])))))
			id = id[8:]
		case 't', 'b':
			n, w := binary.Uvarint([]byte(id[:min(len(id), binary.MaxVarintLen64)]))
			if w <= 0 || n > uint64(len(id)-w) {
				return nil, fmt.Errorf("tidemark: damaged key")
			}
			s := id[w : w+int(n)]
			if tag == 't' {
				key = append(key, Text(s))
			} else {
				key = append(key, BlobString(s))
			}
			id = id[w+int(n):]
		default:
			return nil, fmt.Errorf("tidemark: damaged key")
		}
	}
	return key, nil
}
