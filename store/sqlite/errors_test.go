package sqlite

import (
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/tidemarkdb/tidemark"
)

// What the machine does must not be held against the changeset on which it was
// noticed: the hub goes by the code.
func TestFailuresOfTheMachineHaveCodes(t *testing.T) {
	s := &Store{path: "shop.sqlite"}
	for err, want := range map[error]tidemark.Code{
		sqlite3.FULL: tidemark.CodeFull, sqlite3.IOERR_WRITE: tidemark.CodeFull, sqlite3.IOERR_SHMSIZE: tidemark.CodeFull,
		sqlite3.BUSY: tidemark.CodeBusy, sqlite3.BUSY_SNAPSHOT: tidemark.CodeBusy,
		sqlite3.READONLY: tidemark.CodeReadOnly, sqlite3.CANTOPEN: tidemark.CodeReadOnly, sqlite3.CORRUPT: tidemark.CodeCorrupt,
	} {
		told := s.explain("write", err)
		if tidemark.CodeOf(told) != want || tidemark.HintOf(told) == "" {
			t.Errorf("%v: code %s, hint %q", err, tidemark.CodeOf(told), tidemark.HintOf(told))
		}
		if got := tidemark.CodeOf(gone(told)); got != want {
			t.Errorf("%v, with which the transaction went: code %s", err, got)
		}
	}
}
