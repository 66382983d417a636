package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

type syncCommand struct {
	File    string        `arg:"" help:"The copy."`
	Watch   bool          `short:"w" help:"Keep running: exchange every change as it comes, until Ctrl-C."`
	DryRun  bool          `short:"n" help:"Only say what would be sent and received."`
	Timeout time.Duration `default:"30s" placeholder:"TIME" help:"Give up when not everything is settled by then; 0 waits for ever (${default})."`
	Server  string        `placeholder:"URL" help:"Address of the space, when it is not the one that it was cloned from."`
	tokenFlags
}

// Help is shown below the command's one line.
func (syncCommand) Help() string {
	return `Sends every changeset that was written into the copy, by whatever program, fetches what the others wrote, and returns when the server has answered everything. Exits with 0 when everything is settled, 3 when something was rejected, 4 when the server could not be reached in time; nothing is lost then.

With --watch --json each piece of news is one JSON document on a line of its own.

Examples:

    tidemark sync shop.db
    tidemark sync --watch shop.db
    tidemark sync --dry-run shop.db`
}

// Run syncs.
func (c *syncCommand) Run(s *shell) error {
	if c.Watch && c.DryRun {
		return usageError("--watch and --dry-run do not go together", "give one of them")
	}
	o := client.Options{Server: c.Server, Logger: s.log, Token: c.source()}
	if c.Watch {
		return watch(s, c.File, o, c.TokenFile != "")
	}
	b := &bar{w: s.err}
	defer b.clear()
	o.OnEvent = b.filling(s)
	return withReplica(c.File, o, func(db *client.DB) error {
		if c.DryRun {
			return c.dryRun(s, db)
		}
		return c.once(s, db)
	})
}

// synced is what sync prints with --json.
type synced struct {
	Path     string         `json:"path"`
	State    string         `json:"state"` // settled, rejected, offline
	Pushed   int            `json:"pushed"`
	Accepted int            `json:"accepted"`
	Merged   int            `json:"merged"`
	Rejected int            `json:"rejected"`
	Kept     int            `json:"kept"`               // new records of tidemark rejected, these included
	Received *int           `json:"received,omitempty"` // changesets of others; a copy that holds scopes cannot count what it does not see
	Rows     int            `json:"rows"`               // that the server told of: new, changed or gone, own ones included
	Seq      tidemark.Seq   `json:"seq"`
	Pending  int            `json:"pending"`
	Outcomes []outcome      `json:"outcomes"`
	Scopes   []scopeNews    `json:"scopes,omitempty"` // that became ready or were lost
	Left     map[string]int `json:"left,omitempty"`   // rows that left and were not deleted, by table

	Out map[string]string `json:"out,omitempty"` // tables that do not sync any more, and why
}

func (c *syncCommand) once(s *shell, db *client.DB) error {
	before, err := db.Status()
	if err != nil {
		return err
	}
	ctx, cancel := within(s.ctx, c.Timeout)
	defer cancel()
	res, err := db.Sync(ctx)
	if res == nil {
		res = &client.SyncResult{}
	}
	after, serr := db.Status()
	if serr != nil {
		return errors.Join(err, serr)
	}
	d := c.result(res, before, after)
	d.Scopes, d.Left = newsOf(res.Scopes), res.Left
	if err != nil {
		return c.unsettled(s, d, err)
	}
	s.printf("%s\n", d.text())
	tellScopes(s, res.Scopes)
	if n := leftApart(res.Left, res.Scopes); n > 0 {
		s.printf("%s\n", strayText(n))
	}
	c.explain(s, d, res.Settled)
	for _, table := range sortedKeys(d.Out) {
		s.note("tidemark: what is written into %s stays in this copy: %s", table, oneLine(d.Out[table]))
	}
	if err := s.document(d); err != nil {
		return err
	}
	return c.verdict(d)
}

func (c *syncCommand) result(res *client.SyncResult, before, after replica.Status) synced {
	d := synced{Path: c.File, State: "settled", Rejected: res.Rejected, Rows: res.Rows, Seq: after.Seq, Pending: after.Pending, Outcomes: []outcome{}, Out: after.Out}
	for _, o := range res.Settled {
		d.Outcomes = append(d.Outcomes, outcomeOf(o))
		switch o.Kind {
		case tidemark.Accepted:
			d.Accepted++
		case tidemark.Merged:
			d.Merged++
		}
	}
	// Also what was saved before a repair, and what another process got as its answer.
	d.Kept = max(d.Rejected, after.Rejected-before.Rejected)
	d.Pushed = d.Accepted + d.Merged + d.Rejected
	if !after.Scoped {
		d.Received = new(int)
		if after.Incarnation == before.Incarnation {
			*d.Received = max(int(after.Seq-before.Seq)-d.Accepted-d.Merged, 0)
		}
	}
	if d.Kept > 0 {
		d.State = "rejected"
	}
	return d
}

func (d synced) text() string {
	merged := ""
	if d.Merged > 0 {
		merged = fmt.Sprintf("merged %d, ", d.Merged)
	}
	received := plural(d.Rows, "row")
	if d.Received != nil {
		received = plural(*d.Received, "changeset")
	}
	return fmt.Sprintf("pushed %d, accepted %d, %srejected %d, received %s, at seq %d",
		d.Pushed, d.Accepted, merged, d.Rejected, received, d.Seq)
}

// mostLines is how many particulars a sync prints; the rest is counted.
const mostLines = 20

// explain names what was merged and renumbered.
func (c *syncCommand) explain(s *shell, d synced, settled []tidemark.Outcome) {
	var lines []string
	for _, o := range settled {
		lines = append(lines, particulars(o)...)
	}
	for _, l := range lines[:min(len(lines), mostLines)] {
		s.printf("  %s\n", l)
	}
	if more := len(lines) - mostLines; more > 0 {
		s.printf("  and %s more\n", grouped(int64(more)))
	}
	if d.Merged > 0 && recorded(s.ctx, c.File, settled) {
		s.printf("  both values: tidemark conflicts %s\n", quoteArg(c.File))
	}
}

// verdict turns a settled sync into its exit code.
func (c *syncCommand) verdict(d synced) error {
	if d.Kept == 0 {
		return nil
	}
	msg := plural(d.Rejected, "changeset") + " rejected, undone here and kept"
	if d.Kept > d.Rejected {
		msg = plural(d.Kept, "changeset") + " kept for you to decide on"
	}
	return &ending{exit: exitRejected, code: "rejected", msg: msg, hint: "tidemark rejected " + quoteArg(c.File)}
}

// unsettled reports a sync that ended before everything was settled.
func (c *syncCommand) unsettled(s *shell, d synced, err error) error {
	code := tidemark.CodeOf(err)
	passing := errors.Is(err, context.DeadlineExceeded) || exitInReplica(code) == exitOffline
	if s.ctx.Err() != nil || !passing {
		return err
	}
	d.State = "offline"
	if derr := s.document(d); derr != nil {
		return derr
	}
	f := s.failure(err)
	if code == "" {
		f = failure{Message: "not everything was settled within " + c.Timeout.String(), Hint: hints[tidemark.CodeOffline]}
	}
	if d.Pending > 0 {
		f.Message += "; " + plural(d.Pending, "pending changeset") + " kept"
	}
	return &ending{exit: exitOffline, code: tidemark.CodeOffline, msg: f.Message, hint: f.Hint}
}
