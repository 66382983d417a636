package sqlite

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/planted"
)

// Settle judges the foreign keys of what was written, see tidemark.Tx. SQLite
// counts deferred violations exactly, so nearly always one number answers. The
// count cannot be trusted when the file has orphans of old: to mend one would
// hide that another is made.
func (x *tx) Settle([]tidemark.Change) error {
	if !x.db.InTransaction() {
		return tidemark.ErrTransactionGone
	}
	if planted.Is(planted.SkipForeignKeys) {
		return nil
	}
	n, err := x.db.DeferredViolations()
	if err != nil {
		return err
	}
	tolerant, err := x.acceptsViolations()
	if err != nil {
		return err
	}
	if n == 0 && !tolerant && !x.unsettled {
		return nil
	}
	rows, err := capture.Net(x.db, capture.Temp, x.schema, 0)
	if err != nil {
		return err
	}
	found, err := x.broken(images(rows))
	if err != nil {
		return err
	}
	if found != nil {
		return found
	}
	if n > 0 {
		return &tidemark.Error{Code: tidemark.CodeForeignKey, Space: x.s.opts.Space, Msg: "a row refers to a parent that is not there"}
	}
	return nil
}

func (x *tx) acceptsViolations() (bool, error) {
	n, err := meta.Int(x.db, keyAccepted)
	return n > 0, err
}
