// Package scope makes a declaration of scopes fit a schema: which rows are in
// which scope, as SQL, and which rows a change elsewhere takes along.
//
// Fit comes first: it returns a Plan and what of the declaration does not fit.
// Check says what only SQLite can tell, conditions and grants that do not compile
// and indexes that are missing. NewGrant makes a grant ready to be asked. Plan.Tables has for every table that is in a kind of
// scope a query for one row and one for all. Plan.Steps has for every table that
// a path leads through the queries that find the rows which depend on a changed
// row. Plan.Loose names the foreign keys that a replica cannot honour, and Lay
// writes them into a schema. Hash names a declaration, Parse takes the name of a
// scope apart.
//
// # How it works
//
// A path becomes a scalar sub-query for each foreign key on the way, so that a
// condition stands where only the columns of its own table are in sight. Columns are
// compared as SQLite compares foreign keys: by the affinity and the collation of the
// parent's column. Where a query goes the other way, from the parent to its
// children, it is written so that an index on the child's columns serves, and may find
// more rows than refer to the parent, never fewer.
//
// # Caveats
//
// The plan holds for the schema that it was made for. What does not fit is left
// out, and its rows are in no scope: they stay on the server. Two keys are one
// scope when their texts are the same, byte for byte, whatever collation the
// column has.
package scope

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// All is what stands for the path of a table in a kind without keys. It cannot
// be the name of a kind: without scopes it means everything.
const All = "all"

// Plan is a declaration that fits a schema. It is shared and must not be changed.
type Plan struct {
	Kinds  []*Kind         // by Name
	Tables map[int]*Table  // tables with rows in scopes, by ID
	Steps  map[int][]*Step // what depends on a changed row, by the ID of its table
	Loose  []Loose
}

// Kind is a kind of scope.
type Kind struct {
	Name  string
	Keyed bool
	Grant string // as declared: SQL, tidemark.GrantPublic or tidemark.GrantNone
}

// Table says of a table's rows which scopes they are in.
type Table struct {
	*tidemark.Table
	Kinds []string // the kinds that it is in, sorted
	Where []string // its conditions, parallel to Kinds; "" for all rows
	// One asks for the row whose key goes in as ?1, ?2 ... It returns one row with a
	// column for each of Kinds: the name of the scope, or NULL. There is no row where
	// the table has none of that key.
	One string
	// All asks for all rows: the columns of the key, in key order, then as One.
	All string
}

// Step finds the rows that depend on a changed row: their path leads through it.
type Step struct {
	// Watch are the columns of the changed row's table that matter, sorted: an
	// update of others moves nothing else. An insert or a delete always counts.
	Watch []int
	// By are the columns by whose values the dependants refer to the row. Their
	// values go in as ?1, ?2 ..., once as they were and once as they are now. Where
	// one is NULL nothing refers to it.
	By []int
	// Table is that of the dependants, and SQL returns the columns of their keys, in
	// key order. It may name rows that do not depend on it after all.
	Table *tidemark.Table
	SQL   string
}

// Loose is a foreign key that a replica cannot honour, because it may hold a
// row without the one that it refers to.
type Loose struct {
	Table *tidemark.Table
	Key   int    // its place in Table.ForeignKeys
	Why   string // a clause for people
}

// Kind returns the kind of a name, or nil.
func (p *Plan) Kind(name string) *Kind {
	for _, k := range p.Kinds {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// Names reports whether an ID is the name of a scope that could be by this plan.
func (p *Plan) Names(id string) bool {
	name, _, keyed := Parse(id)
	k := p.Kind(name)
	return k != nil && k.Keyed == keyed
}

// Parse takes the name of a scope apart: that of its kind, and its key if it has one.
func Parse(id string) (kind, key string, keyed bool) { return strings.Cut(id, "/") }

// ValidName reports whether a kind of scope may have a name: letters, digits, _
// and -, a letter first, and not All.
func ValidName(name string) bool {
	for i, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '_' && c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != "" && len(name) <= 64 && !strings.EqualFold(name, All)
}

// Hash names a declaration by its content: 16 hexadecimal digits, "" for none.
func Hash(d *tidemark.Scopes) string {
	if d == nil || len(d.List) == 0 {
		return ""
	}
	b, err := json.Marshal(d)
	if err != nil {
		panic("scope: " + err.Error()) // strings, flags and lists only
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
