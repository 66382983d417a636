package tidemark

// The words that stand for a condition.
const (
	RuleNone   = "none"   // nobody may
	RulePublic = "public" // everybody may, also without authentication
)

// Rules say what may be written: they judge each change that a changeset
// writes, see Tx.WriteAs. Nil Rules let everything pass.
type Rules struct {
	// Public says that tables without rules may be written by everybody. Otherwise nobody may.
	Public bool
	Tables []TableRules
}

// TableRules are the rules of one table. A condition is an SQL expression on
// OLD.column, NEW.column, :user (the principal's ID, NULL without one), :claims
// (a JSON object) and :now (Unix milliseconds), or RuleNone or RulePublic; ""
// is RuleNone. Only a condition that is true allows: NULL and errors deny.
type TableRules struct {
	Table                  string
	Insert, Update, Delete string
	Immutable              []string  // columns that no update may change
	Set                    []SetRule // columns whose values the server gives
	// Effects says that rows which the actions of foreign keys change or delete
	// are judged as well. Otherwise they are covered by their cause.
	Effects bool
}

// SetRule gives a column a value of the server's whenever its row is inserted
// or updated; when the column is immutable as well, when it is inserted. Value
// is an SQL expression on :user, :claims and :now.
type SetRule struct {
	Column string
	Value  string
}

// Of returns the rules of a table, compared by name as SQLite does, or nil.
func (r *Rules) Of(table string) *TableRules {
	for i := range r.Tables {
		if SameName(r.Tables[i].Table, table) {
			return &r.Tables[i]
		}
	}
	return nil
}

// Condition returns the condition for one kind of change.
func (t *TableRules) Condition(op Op) string {
	c := t.Delete
	switch op {
	case Insert:
		c = t.Insert
	case Update:
		c = t.Update
	}
	if c == "" {
		return RuleNone
	}
	return c
}

// Author is on whose behalf changes are written.
type Author struct {
	Principal Principal
	Now       int64 // by the server's clock, Unix milliseconds
}
