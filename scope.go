package tidemark

// The words that stand for a grant query.
const (
	GrantPublic = "public" // everybody may read the scope, also without authentication
	GrantNone   = "none"   // nobody may: its rows stay on the server
)

// Scopes say which rows a replica may hold. Nil Scopes, or none in the list,
// stand for the one scope that has everything. Rows that belong to no scope
// stay on the server.
type Scopes struct {
	List []Scope
}

// Scope is a kind of scope: all of project/1, project/2 ... A scope of a kind
// is named by ScopeID.
type Scope struct {
	Name  string
	Keyed bool // false: there is one scope of this kind, named Name alone
	// Grant is the query that gives the keys of the scopes that a principal may
	// read, one per row in its first column, on :user and :claims as rules have
	// them; of a kind that is not keyed any row grants. Or GrantPublic, which only
	// a kind that is not keyed may have, or GrantNone.
	Grant   string
	Members []Member
}

// Member is a table whose rows belong to a kind of scope.
type Member struct {
	Table string
	// Path leads from a row to the key: the columns of foreign keys, one table to
	// the next, and at last the column that holds it. NULL on the way: the row is
	// in no scope of this kind. Empty when the kind is not keyed.
	Path  []string
	Where string // condition in SQL on the table's own columns, "" for all rows
}

// ScopeID names the scope of a keyed kind. key is what SQLite makes of the value
// when it casts it to text; of a blob x and its bytes in hexadecimal.
func ScopeID(kind, key string) string { return kind + "/" + key }

// ScopeFrom is a scope and how much of it somebody has.
type ScopeFrom struct {
	Scope string
	// After is the seq up to which it is known; -1: nothing of it is.
	After Seq
	// Gone is the seq up to which it does not matter that a row went, because
	// nothing was sent before. It counts where After is -1.
	Gone Seq
}

// ScopeCursor is a place in a View.Feed: behind the row (Table, KeyID) of Scope at Seq.
type ScopeCursor struct {
	Seq   Seq
	Scope string
	Table int
	KeyID string
}

// ScopePart is what a group did to one scope.
type ScopePart struct {
	Scope string
	Sum   uint64 // of the hashes of the scope's rows now, see package digest
	// Changes: Insert for a row that entered the scope, whole; Forget for one that
	// left it and is elsewhere; Delete for one that is gone; an Update without
	// columns for one that was in it and is, which the caller knows how it changed.
	Changes []Change
}

// RowScope is a scope that a row is in, or was in when it went.
type RowScope struct {
	Scope string
	Live  bool
	Seq   Seq // at which it entered the scope, was changed in it or left it, as in View.Feed
}
