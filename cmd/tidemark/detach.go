package main

import (
	"fmt"
	"os"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/server"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

type detachCommand struct {
	File  string `arg:"" help:"A served file, or a copy."`
	Force bool   `help:"Also when changesets are pending or rejected, or conflicts open: their records are lost, what is in the tables stays."`
}

// Help is shown below the command's one line.
func (detachCommand) Help() string {
	return `Drops the tables and triggers whose names begin with _tm_, and the table tm_conflicts, and restores the journal mode. Your tables, views, indexes, triggers and rows stay as they are. The history of a served file is lost, and its copies can no longer sync with it.

Example:

    tidemark detach shop.db`
}

// detached is what detach prints with --json.
type detached struct {
	Path string `json:"path"`
	Role string `json:"role"` // what the file was
}

// Run detaches.
func (c *detachCommand) Run(s *shell) error {
	role, err := roleOf(c.File)
	switch {
	case err != nil:
		return err
	case role == meta.RoleServer:
		err = c.served()
	case role == meta.RoleReplica:
		err = replica.Detach(c.File, c.Force)
	default:
		s.printf("%s is an ordinary SQLite file already\n", c.File)
		return s.document(detached{c.File, role})
	}
	if err != nil {
		return err
	}
	_ = os.Remove(lite.Resolve(c.File) + server.LockSuffix) // the same for both roles; it means nothing
	s.printf("%s is an ordinary SQLite file again\n", c.File)
	return s.document(detached{c.File, role})
}

// served detaches a server's file, unless somebody still has to decide something in it.
func (c *detachCommand) served() error {
	n, err := sqlite.OpenConflicts(c.File)
	if err != nil {
		return err
	}
	if n > 0 && !c.Force {
		return &tidemark.Error{
			Code: tidemark.CodePending, Op: "detach", Msg: fmt.Sprintf("in %s %s for a decision", c.File, waiting(n)),
			Hint: "see them with tidemark conflicts " + quoteArg(c.File) + " --open, or force it and lose their record: tidemark detach --force " + quoteArg(c.File),
		}
	}
	return sqlite.Detach(c.File)
}

func waiting(n int64) string {
	if n == 1 {
		return "1 conflict waits"
	}
	return fmt.Sprintf("%d conflicts wait", n)
}
