package replica

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
)

// Detach takes all bookkeeping off the file. It refuses while something is
// pending or rejected, unless forced.
func Detach(path string, force bool) error {
	r, err := Open(path, Options{})
	if err != nil {
		return err
	}
	err = r.detach(force)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return failureOrNil("detach", err)
}

func (r *Replica) detach(force bool) error {
	st, err := r.Status()
	if err != nil {
		return err
	}
	if !force && (st.Pending > 0 || st.Rejected > 0 || st.Unsealed) {
		return &tidemark.Error{Code: tidemark.CodePending,
			Msg:  fmt.Sprintf("%s holds work that the server does not have: %s", r.db.Path(), unsettled(st)),
			Hint: "sync first and dispose of what was rejected, or force it and lose that work's record"}
	}
	if err := r.alone(); err != nil {
		return err
	}
	if err := r.dropMirrors(); err != nil {
		return err
	}
	if err := capture.Remove(r.db, capture.Main); err != nil {
		return err
	}
	return meta.Drop(r.db)
}

// alone makes sure that nobody else has the file open, a process that syncs it
// above all: a database leaves WAL mode only then.
func (r *Replica) alone() error {
	mode, err := r.db.Text("PRAGMA main.journal_mode = DELETE")
	if err != nil && !lite.Busy(err) {
		return err
	}
	if err == nil && mode == "delete" {
		return nil
	}
	return &tidemark.Error{Code: tidemark.CodeBusy, Msg: "another program has " + r.db.Path() + " open",
		Hint: "end `tidemark sync --watch` and close the other programs first; nothing was changed"}
}

func unsettled(st Status) string {
	s := fmt.Sprintf("%d pending, %d rejected", st.Pending, st.Rejected)
	if st.Unsealed {
		s += ", and changes not sealed yet"
	}
	return s
}
