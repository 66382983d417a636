package merge

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// Carries says why a column cannot have a policy, or returns nil. c is the
// column's place in t.Columns. The column's group counts, its own policy does not.
func Carries(t *tidemark.Table, c int, p tidemark.Policy) error {
	col := &t.Columns[c]
	switch {
	case !known(p):
		return fmt.Errorf("there is no policy %q", p)
	case p == tidemark.PolicyAppendOnly:
		return errors.New("append-only is a policy of whole tables")
	case slices.Contains(t.Key, c) && !whole(p):
		return fmt.Errorf("column %s belongs to the primary key; keys cannot be merged, only taken as a whole", col.Name)
	case col.Group != "" && !whole(p):
		return fmt.Errorf("column %s merges as one with the group %s; %s merges single columns", col.Name, col.Group, p)
	case refers(t, c) && invents(p):
		return fmt.Errorf("column %s refers to another table; %s would make up values that no row there has", col.Name, p)
	}
	return carriesType(t, col, p)
}

// known reports whether there is such a policy.
func known(p tidemark.Policy) bool {
	switch p {
	case tidemark.PolicyLastWrite, tidemark.PolicyLatestEdit, tidemark.PolicyFirstWrite, tidemark.PolicyReject, tidemark.PolicyManual,
		tidemark.PolicyCounter, tidemark.PolicyMax, tidemark.PolicyMin, tidemark.PolicySet, tidemark.PolicyJSON, tidemark.PolicyText,
		tidemark.PolicyCustom, tidemark.PolicyAppendOnly:
		return true
	}
	return false
}

// whole reports whether a policy takes one of the two values without looking into them.
func whole(p tidemark.Policy) bool {
	switch p {
	case tidemark.PolicyLastWrite, tidemark.PolicyLatestEdit, tidemark.PolicyFirstWrite, tidemark.PolicyReject, tidemark.PolicyManual:
		return true
	}
	return false
}

// invents reports whether a policy makes values that nobody wrote.
func invents(p tidemark.Policy) bool {
	switch p {
	case tidemark.PolicyCounter, tidemark.PolicySet, tidemark.PolicyJSON, tidemark.PolicyText:
		return true
	}
	return false
}

func refers(t *tidemark.Table, c int) bool {
	return slices.ContainsFunc(t.ForeignKeys, func(fk tidemark.ForeignKey) bool { return slices.Contains(fk.Columns, c) })
}

// carriesType compares a policy with what the column stores.
func carriesType(t *tidemark.Table, col *tidemark.Column, p tidemark.Policy) error {
	switch p {
	case tidemark.PolicyCounter:
		if !numeric(t, col) {
			return fmt.Errorf("column %s is declared %s, a counter needs a type that stores numbers: INTEGER, REAL or NUMERIC", col.Name, declared(col))
		}
	case tidemark.PolicySet:
		if !textual(col) && !jsonType(col) {
			return fmt.Errorf("column %s is declared %s, a set is a JSON array and needs TEXT, JSON or no type", col.Name, declared(col))
		}
	case tidemark.PolicyJSON:
		if !textual(col) && !jsonType(col) {
			return fmt.Errorf("column %s is declared %s, json needs TEXT, JSON or no type", col.Name, declared(col))
		}
	case tidemark.PolicyText:
		if !textual(col) {
			return fmt.Errorf("column %s is declared %s, which does not keep every text as it is written; text needs TEXT", col.Name, declared(col))
		}
	}
	return nil
}

func declared(col *tidemark.Column) string {
	if col.Type == "" {
		return "without a type"
	}
	return col.Type
}

// numeric reports whether numbers that are written as such are stored as such.
// In a STRICT table ANY takes everything and has no affinity, like a column without a type.
func numeric(t *tidemark.Table, col *tidemark.Column) bool {
	if t.Strict && strings.EqualFold(col.Type, "ANY") {
		return false
	}
	switch col.Affinity {
	case tidemark.AffinityInteger, tidemark.AffinityReal, tidemark.AffinityNumeric:
		return !jsonType(col)
	}
	return false
}

// textual reports whether a column stores every text as it is.
func textual(col *tidemark.Column) bool {
	return col.Affinity == tidemark.AffinityText ||
		col.Affinity == tidemark.AffinityBlob && (col.Type == "" || strings.EqualFold(col.Type, "ANY"))
}

// jsonType reports whether a column is declared as JSON. SQLite gives it NUMERIC
// affinity, which leaves arrays and objects alone.
func jsonType(col *tidemark.Column) bool {
	return strings.Contains(strings.ToUpper(col.Type), "JSON")
}
