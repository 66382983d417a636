package lite

import (
	"errors"
	"testing"
)

// What a person declares is not read as old definitions are: a slip is no string.
func TestWhatIsCompiledWithinHasNoStringsInDoubleQuotes(t *testing.T) {
	db := open(t)
	if err := errors.Join(db.AllowQuotedStrings(), db.Script("CREATE TABLE t (a)")); err != nil {
		t.Fatal(err)
	}
	all := func(Want) bool { return true }
	for range 2 {
		if err := db.CompileWithin(`SELECT "b" FROM t`, all); err == nil {
			t.Error("a column that is not there passes for a string")
		}
		if err := db.CompileWithin(`SELECT "a", 'b' FROM t`, all); err != nil {
			t.Error(err)
		}
		if err := db.Run(`SELECT "b" FROM t`); err != nil {
			t.Errorf("the connection itself has changed: %v", err)
		}
	}
}
