package tidemark

import "time"

// Policy is the rule that merges concurrent edits of one cell. An edit is
// concurrent when somebody else changed the cell behind the seq that the
// author's replica had seen; a replica's own earlier edits never count.
type Policy string

// The policies. The empty Policy of a column means its table's, and of a table PolicyLastWrite.
const (
	PolicyLastWrite  Policy = "last-write"  // the one that reaches the server last wins
	PolicyLatestEdit Policy = "latest-edit" // the one that was made last wins, by clocks that the server corrects
	PolicyFirstWrite Policy = "first-write" // what the server has stays
	PolicyCounter    Policy = "counter"     // differences add up
	PolicyMax        Policy = "max"         // the larger stays
	PolicyMin        Policy = "min"         // the smaller stays
	PolicySet        Policy = "set"         // a JSON array as a set: adds and removes combine, add wins
	PolicyJSON       Policy = "json"        // a JSON object, merged key by key
	PolicyText       Policy = "text"        // insertions and deletions combine character by character
	PolicyAppendOnly Policy = "append-only" // of tables: rows can be added, never changed or removed
	PolicyReject     Policy = "reject"      // a stale edit rejects its changeset
	PolicyManual     Policy = "manual"      // what the server has stays, a person or program decides
	PolicyCustom     Policy = "custom"      // a registered function decides
)

// RowPolicy says what happens when one deletes a row and another changes it.
type RowPolicy string

// The row policies. The empty RowPolicy means DeleteWins.
const (
	DeleteWins RowPolicy = "delete-wins"
	UpdateWins RowPolicy = "update-wins"
	RowManual  RowPolicy = "manual" // what the server has stays, a person or program decides
)

// InsertPolicy says what happens when two insert one primary key.
type InsertPolicy string

// The insert policies. The empty InsertPolicy means InsertReject.
const (
	InsertReject   InsertPolicy = "reject"
	InsertMerge    InsertPolicy = "merge"    // one row, each column by its policy
	InsertRenumber InsertPolicy = "renumber" // the newcomer gets a new id, and its replica follows
)

// What becomes of values that a policy throws away. The empty Keep means KeepLosers.
const (
	KeepLosers  = "losers"  // they become rows of ConflictsTable
	KeepNothing = "nothing" // they are gone
)

// Defaults of TablePolicy.
const (
	DefaultKeepFor = 30 * 24 * time.Hour
	DefaultMaxSkew = 5 * time.Minute
)

// TablePolicy is what was declared for a table. The zero TablePolicy is a valid one.
type TablePolicy struct {
	Columns  Policy        // of columns that have none of their own; AppendOnly is one of tables only
	OnDelete RowPolicy     // delete against update
	OnInsert InsertPolicy  // insert against insert of one key
	OnUnique string        // name of the function that decides when a unique value is taken; "": reject
	Keep     string        // KeepLosers or KeepNothing
	KeepFor  time.Duration // how long losers are kept; 0: DefaultKeepFor
	MaxSkew  time.Duration // clocks further off than that do not count (latest-edit); 0: DefaultMaxSkew
	Lease    int           // ids that a replica is given in advance (AUTOINCREMENT); 0: none
}

// PolicyOf returns the policy by which column c merges.
func (t *Table) PolicyOf(c int) Policy {
	if p := t.Columns[c].Policy; p != "" {
		return p
	}
	if p := t.Policy.Columns; p != "" && p != PolicyAppendOnly {
		return p
	}
	return PolicyLastWrite
}

// AppendOnly reports whether rows of the table may be added only.
func (t *Table) AppendOnly() bool { return t.Policy.Columns == PolicyAppendOnly }

// GroupOf returns the places of all columns that merge as one unit with c, in
// order; only c when it stands alone.
func (t *Table) GroupOf(c int) []int {
	name := t.Columns[c].Group
	if name == "" {
		return []int{c}
	}
	var group []int
	for i := range t.Columns {
		if t.Columns[i].Group == name {
			group = append(group, i)
		}
	}
	return group
}

// EditKind says how an Edit is to be read.
type EditKind byte

// The kinds of edit. Their bodies are JSON; spec/protocol.md defines them.
const (
	EditSet     EditKind = 0   // the column is set to the value in New
	EditAdd     EditKind = 'a' // add a number: the difference
	EditText    EditKind = 't' // insert and delete characters: splices
	EditMembers EditKind = 'm' // add and remove members of a set
	EditKeys    EditKind = 'k' // set and remove keys of a JSON object
)

// Edit is what an update means by the new value of a column, under the
// column's policy. The zero Edit sets it to the value in Change.New.
type Edit struct {
	Kind EditKind
	Body string // JSON
}

// EditOf returns what an update means by its i-th column.
func (c *Change) EditOf(i int) Edit {
	if i < len(c.Edits) {
		return c.Edits[i]
	}
	return Edit{}
}

// Renumbered says that a row which its author inserted under the integer key
// From has the key To, since another row had From before. It concerns the
// author's changesets that had seen less than Before, when From became the
// other row's: what they call From is To.
type Renumbered struct {
	Table  string
	From   int64
	To     int64
	Before Seq
}
