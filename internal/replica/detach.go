package replica

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
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
	if err := r.dropMirrors(); err != nil {
		return err
	}
	if err := capture.Remove(r.db, capture.Main); err != nil {
		return err
	}
	return meta.Drop(r.db)
}

func unsettled(st Status) string {
	s := fmt.Sprintf("%d pending, %d rejected", st.Pending, st.Rejected)
	if st.Unsealed {
		s += ", and changes not sealed yet"
	}
	return s
}
