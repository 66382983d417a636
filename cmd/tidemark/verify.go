package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

type verifyCommand struct {
	File    string        `arg:"" help:"The copy."`
	Timeout time.Duration `default:"0s" placeholder:"TIME" help:"Give up when not everything is compared by then; 0 waits as long as the server answers (${default})."`
	Server  string        `placeholder:"URL" help:"Address of the space, when it is not the one that it was cloned from."`
	tokenFlags
}

// Help is shown below the command's one line.
func (verifyCommand) Help() string {
	return `Reads every row on both sides and compares. A row that differs is repaired: the server's is put in its place, after what stood here was kept as a rejected changeset (code uncaptured), which tidemark rejected FILE retry sends after all. Exits with 5 when something differed.

Example:

    tidemark verify shop.db`
}

// verified is what verify prints with --json.
type verified struct {
	Path  string `json:"path"`
	Equal bool   `json:"equal"` // before the repair
	*replica.VerifyReport
	Out []string `json:"out,omitempty"` // tables that no longer sync: not compared
}

// Run verifies.
func (c *verifyCommand) Run(s *shell) error {
	return withReplica(c.File, client.Options{Server: c.Server, Logger: s.log, Token: c.source()}, func(db *client.DB) error {
		ctx, cancel := within(s.ctx, c.Timeout)
		defer cancel()
		r, err := db.Verify(ctx)
		if err != nil {
			return c.unfinished(s, err)
		}
		st, err := db.Status()
		if err != nil {
			return err
		}
		return c.report(s, r, sortedKeys(st.Out))
	})
}

// unfinished explains a comparison that did not come to its end.
func (c *verifyCommand) unfinished(s *shell, err error) error {
	switch {
	case s.ctx.Err() != nil:
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return &ending{exit: exitOffline, code: tidemark.CodeOffline,
			msg: "not everything was compared within " + c.Timeout.String(), hint: hints[tidemark.CodeOffline]}
	case tidemark.CodeOf(err) == tidemark.CodeBusy:
		f := s.failure(err)
		return &ending{exit: exitInReplica(f.Code), code: f.Code, msg: f.Message, hint: f.Hint}
	}
	return err
}

func (c *verifyCommand) report(s *shell, r *replica.VerifyReport, out []string) error {
	equal := r.Differed == 0 && r.Saved == 0
	if err := s.document(verified{c.File, equal, r, out}); err != nil {
		return err
	}
	read := plural(r.Rows, "row") + " in " + plural(r.Tables, "table") + " compared"
	if equal {
		s.printf("%s equals the server at seq %d: %s\n", c.File, r.Seq, read)
		if len(out) > 0 {
			return &ending{exit: exitDiffers, code: tidemark.CodeSchema, hint: "tidemark status " + quoteArg(c.File) + " says why",
				msg: "not compared, because they no longer sync: " + strings.Join(out, ", ")}
		}
		return nil
	}
	s.printf("%s differed from the server at seq %d: %s, %s repaired\n", c.File, r.Seq, read, plural(r.Differed, "row"))
	e := &ending{exit: exitDiffers, code: "differed", msg: plural(r.Differed, "row") + " differed and now equal the server's",
		hint: "tidemark doctor " + quoteArg(c.File) + " looks for the cause"}
	if r.Saved > 0 {
		e.hint = "what stood here is kept: tidemark rejected " + quoteArg(c.File)
	}
	return e
}
