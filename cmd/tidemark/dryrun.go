package main

import (
	"errors"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
)

// preview is what sync --dry-run prints with --json.
type preview struct {
	Path    string        `json:"path"`
	Online  bool          `json:"online"` // the server answered; if not, head is what it told last
	Seq     tidemark.Seq  `json:"seq"`
	Head    tidemark.Seq  `json:"head"`
	Receive int           `json:"receive"` // changesets of others; where scopes are declared the most that it can be
	Pending []pendingItem `json:"pending"`
}

// dryRun says what a sync would exchange. Offline it says what would be sent.
func (c *syncCommand) dryRun(s *shell, db *client.DB) error {
	p, err := db.DryRun(s.ctx)
	if p == nil {
		return err
	}
	if err != nil && exitOf(tidemark.CodeOf(err)) != exitOffline {
		return err
	}
	if len(p.Push) == 0 {
		s.printf("nothing would be sent\n")
	} else {
		s.printf("%s would be sent:\n", plural(len(p.Push), "changeset"))
	}
	sch := db.Schema()
	printPending(s, p.Push, sch, true)
	if err == nil {
		most := ""
		if sch.Scoped() && p.Behind > 0 {
			most = "at most " // some may be of scopes that this copy does not hold
		}
		s.printf("%s%s would be received, up to seq %s\n", most, plural(int64(p.Behind), "changeset"), grouped(int64(p.Head)))
	}
	d := preview{c.File, err == nil, p.Seq, p.Head, int(p.Behind), pendingItems(p.Push, sch)}
	return errors.Join(s.document(d), err)
}
