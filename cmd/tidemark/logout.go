package main

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
)

type logoutCommand struct {
	File  string `arg:"" help:"The copy."`
	Force bool   `help:"Also when something in it has not reached the server, or was rejected: it is lost."`
}

// Help is shown below the command's one line.
func (logoutCommand) Help() string {
	return `Deletes the copy and everything that lies beside it (-wal, -shm, the lock): nothing of the space is left on this device, except what the disk keeps of deleted files. The server's data stays as it is.

Example:

    tidemark sync shop.db && tidemark logout shop.db`
}

// Run deletes the copy.
func (c *logoutCommand) Run(s *shell) error {
	if err := replicaOnly(c.File); err != nil {
		return err
	}
	st, err := statusOf(c.File)
	if err != nil {
		return err
	}
	if err := client.Logout(c.File, c.Force); err != nil {
		return c.explain(err)
	}
	s.printf("%s is gone from this device\n", c.File)
	return s.document(map[string]any{"path": c.File, "space": st.Space, "principal": st.Principal})
}

// explain names the commands that help.
func (c *logoutCommand) explain(err error) error {
	switch tidemark.CodeOf(err) {
	case tidemark.CodePending:
		return &ending{exit: exitRefused, code: tidemark.CodePending, msg: err.Error(),
			hint: "tidemark sync " + quoteArg(c.File) + " and tidemark rejected " + quoteArg(c.File) + ", or lose it: tidemark logout --force " + quoteArg(c.File)}
	case tidemark.CodeBusy:
		return &ending{exit: exitOffline, code: tidemark.CodeBusy, msg: err.Error(), hint: tidemark.HintOf(err)}
	}
	return err
}
