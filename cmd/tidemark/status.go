package main

import (
	"time"

	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

type statusCommand struct {
	File string `arg:"" help:"A copy, or a served file."`
}

// Help is shown below the command's one line.
func (statusCommand) Help() string {
	return `Everything that is shown stands in the file: nothing is asked of the server.

Example:

    tidemark status shop.db`
}

// replicaStatus is what status prints of a copy with --json.
type replicaStatus struct {
	Path string `json:"path"`
	Role string `json:"role"`
	replica.Status
	Conflicts int            `json:"conflicts"` // open
	Scopes    []client.Scope `json:"scopes,omitempty"`
}

// Run shows the status.
func (c *statusCommand) Run(s *shell) error {
	role, err := roleOf(c.File)
	switch {
	case err != nil:
		return err
	case role == "":
		return notAdopted(c.File)
	case role == meta.RoleServer:
		return serverStatus(s, c.File)
	}
	st, err := statusOf(c.File)
	if err != nil {
		return err
	}
	open, err := openCount(s.ctx, c.File)
	if err != nil {
		return err
	}
	held, err := partOf(c.File)
	if err != nil {
		return err
	}
	printReplicaStatus(s, c.File, st, open, held)
	return s.document(replicaStatus{c.File, role, st, open, held.scopes})
}

// statusOf reads the status of a copy.
func statusOf(path string) (st replica.Status, err error) {
	err = withReplica(path, client.Options{}, func(db *client.DB) error {
		st, err = db.Status()
		return err
	})
	return st, err
}

func printReplicaStatus(s *shell, path string, st replica.Status, conflicts int, held part) {
	kind := "a copy"
	if st.ReadOnly {
		kind = "a read-only copy"
	}
	s.printf("%s is %s of %s at %s\n\n", path, kind, st.Space, st.Server)
	rows := [][]string{
		{"seq", seqText(st)},
		{"pending", pendingText(st)},
		{"rejected", grouped(int64(st.Rejected))},
		{"conflicts", grouped(int64(conflicts)) + " open"},
		{"replica", shortID(st.Replica)},
		{"last contact", ago(st.Contact, time.Now().UnixMilli())},
	}
	if st.Principal != "" {
		rows = append(rows, []string{"principal", st.Principal})
	}
	if held.schema.Scoped() {
		rows = append(rows, []string{"scopes", scopesText(held.scopes, st)})
	}
	for _, name := range sortedKeys(st.Out) {
		rows = append(rows, []string{"not syncing", name + ": " + st.Out[name]})
	}
	if st.Stopped != "" {
		rows = append(rows, []string{"stopped", st.Stopped})
	}
	s.table(rows)
	if next := nextStep(path, st, conflicts); next != "" {
		s.printf("\nnext: %s\n", next)
	}
}

func seqText(st replica.Status) string {
	text := grouped(int64(st.Seq))
	if st.Head > st.Seq {
		text += " of " + grouped(int64(st.Head))
	}
	switch {
	case st.Repair != "":
		text += ", differs from the server: " + st.Repair
	case st.Proven:
		text += ", proven equal to the server's"
	}
	if st.Staged > 0 {
		text += ", " + plural(st.Staged, "chunk") + " received and not visible yet"
	}
	return text
}

func pendingText(st replica.Status) string {
	text := grouped(int64(st.Pending))
	if st.Suspended > 0 {
		text += ", " + grouped(int64(st.Suspended)) + " suspended"
	}
	if st.Unsealed {
		text += ", and fresh writes"
	}
	return text
}

// nextStep is the command that gets on, or "" when nothing is to be done.
func nextStep(path string, st replica.Status, conflicts int) string {
	switch {
	case st.Stopped != "":
		return "tidemark sync " + quoteArg(path) + " says why it stopped"
	case st.Repair != "":
		return "tidemark verify " + quoteArg(path)
	case st.Rejected > 0:
		return "tidemark rejected " + quoteArg(path)
	case st.Pending > 0 || st.Unsealed || st.Head > st.Seq || st.Unasked || st.Filling > 0:
		return "tidemark sync " + quoteArg(path)
	case conflicts > 0:
		return "tidemark conflicts " + quoteArg(path) + " --open"
	}
	return ""
}
