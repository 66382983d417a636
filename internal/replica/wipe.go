package replica

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
)

// Wiping says how Wipe does it.
type Wiping struct {
	Now    int64
	Force  bool                    // also what is nowhere else
	Beside []string                // what the names of the shell's own files beside the copy end in
	Remove func(path string) error // deletes a file; fs.ErrNotExist where there is none
}

// wipeTries is how often Wipe begins anew because another program wrote meanwhile.
const wipeTries = 10

// errWritten says that somebody wrote between the last look and the lock.
var errWritten = errors.New("another program wrote into the file meanwhile")

// Wipe deletes the copy with all that lies beside it. It refuses with
// tidemark.CodePending while something in it has not reached the server, or was
// rejected and not disposed of, unless it is forced.
//
// Wherever it ends, the copy is whole or gone: the WAL is empty before the first
// file goes, nobody can write from then on, and the file itself goes after all
// others that hold anything. The replica can only be closed afterwards.
func (r *Replica) Wipe(w Wiping) error {
	if !w.Force {
		if _, err := r.Seal(w.Now); err != nil {
			return err
		}
	}
	for try := 1; ; try++ {
		err := r.wipe(w)
		if !errors.Is(err, errWritten) {
			return failureOrNil("logout", err)
		}
		if try == wipeTries {
			return &tidemark.Error{Code: tidemark.CodeBusy, Op: "logout", Err: err, Msg: "another program goes on writing into the file", Hint: "end it and try again"}
		}
	}
}

func (r *Replica) wipe(w Wiping) error {
	version, err := r.db.Int("PRAGMA main.data_version")
	if err != nil {
		return err
	}
	done, err := r.db.Get("PRAGMA main.wal_checkpoint(TRUNCATE)")
	if err != nil {
		return err
	}
	if done[0].Int64() != 0 {
		return &tidemark.Error{Code: tidemark.CodeBusy, Msg: "another program reads or writes the file", Hint: "end it and try again"}
	}
	if err := r.db.Run("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() { _ = r.db.Run("ROLLBACK") }() // nothing was written
	if err := r.mayWipe(w.Force); err != nil {
		return err
	}
	if now, err := r.db.Int("PRAGMA main.data_version"); err != nil || now != version {
		return errors.Join(err, errWritten) // the WAL may hold something again
	}
	return r.removeFiles(w)
}

// mayWipe refuses to delete what is nowhere else. By force a damaged file goes,
// too.
func (r *Replica) mayWipe(force bool) error {
	if force || planted.Is(planted.WipeAnyway) {
		return nil
	}
	st, err := readStatus(r.db)
	if err != nil {
		return err
	}
	if st.Unsealed, err = r.captured(); err != nil {
		return err
	}
	if st.Pending == 0 && st.Rejected == 0 && !st.Unsealed {
		return nil
	}
	msg := fmt.Sprintf("what has not reached the server (%d) and what was rejected (%d) is nowhere else", st.Pending, st.Rejected)
	if st.Unsealed {
		msg = "something was just written that has not reached the server; nobody else has it"
	}
	return &tidemark.Error{Code: tidemark.CodePending, Msg: msg,
		Hint: "sync, and dispose of what was rejected; or force it, and lose that"}
}

// removeFiles deletes the files in an order that leaves a whole copy or none:
// the WAL is empty by now and its index holds no rows, but while there is a
// database those who have it open need both.
func (r *Replica) removeFiles(w Wiping) error {
	order := slices.Concat(w.Beside, []string{"-journal", "", "-wal", "-shm"})
	if planted.Is(planted.WipeFileFirst) {
		order = slices.Concat([]string{""}, w.Beside, []string{"-journal", "-wal", "-shm"})
	}
	for _, suffix := range order {
		path := r.db.Path() + suffix
		if err := w.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &tidemark.Error{Code: tidemark.CodeReadOnly, Err: err, Msg: path + " cannot be deleted",
				Hint: "look at the rights of file and folder, and try again"}
		}
		if suffix == "" {
			r.db.TouchNothing() // another copy may take the name
		}
	}
	return nil
}
