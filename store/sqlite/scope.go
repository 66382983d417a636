package sqlite

import "github.com/tidemarkdb/tidemark"

// Granted lists the scopes that a principal may read, see tidemark.View.
func (v *view) Granted(tidemark.Principal) ([]string, error) { return nil, nil }

// Feed streams what is missed of scopes, see tidemark.View.
func (v *view) Feed(tidemark.ScopeCursor, []tidemark.ScopeFrom, func(tidemark.ScopeCursor, tidemark.Change) bool) error {
	return nil
}

// ScopeSums returns the sums of scopes, see tidemark.View.
func (v *view) ScopeSums(scopes []string) ([]uint64, error) { return make([]uint64, len(scopes)), nil }

// ScopesOf lists the scopes of a row, see tidemark.View.
func (v *view) ScopesOf(int, []tidemark.Value) ([]tidemark.RowScope, error) { return nil, nil }

// Parts returns what the group did to scopes, see tidemark.Tx.
func (x *tx) Parts(tidemark.Seq) ([]tidemark.ScopePart, error) { return nil, nil }

// Concerned tells whose grants may be others, see tidemark.Tx.
func (x *tx) Concerned() (all bool, principals []string) { return false, nil }
