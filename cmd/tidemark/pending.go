package main

import (
	"errors"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

type pendingCommand struct {
	File    string `arg:"" help:"The copy."`
	Changes bool   `short:"c" help:"Show every change."`
}

// Help is shown below the command's one line.
func (pendingCommand) Help() string {
	return `A changeset is what one transaction wrote. It is pending until the server has accepted or rejected it. A suspended one does not fit onto what others wrote since; it is out of the tables for now, and the server still decides about it.

Example:

    tidemark pending --changes shop.db`
}

// pendingList is what pending prints with --json.
type pendingList struct {
	Path    string        `json:"path"`
	Pending []pendingItem `json:"pending"`
}

type pendingItem struct {
	replica.Pending
	Changes []change `json:"changes"`
}

// Run lists.
func (c *pendingCommand) Run(s *shell) error {
	list, sch, err := pendingOf(c.File)
	if err != nil {
		return err
	}
	printPending(s, list, sch, c.Changes)
	if len(list) == 0 {
		s.printf("nothing is pending\n")
	}
	return s.document(pendingList{c.File, pendingItems(list, sch)})
}

// pendingOf seals what is captured and lists all pending changesets with the
// schema that names their parts.
func pendingOf(path string) (list []replica.Pending, sch *tidemark.Schema, err error) {
	if err := replicaOnly(path); err != nil {
		return nil, nil, err
	}
	r, err := replica.Open(path, replica.Options{Rand: random})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if _, err := r.Seal(time.Now().UnixMilli()); err != nil {
		return nil, nil, err
	}
	list, err = r.Pending(true)
	return list, r.Schema(), err
}

func pendingItems(list []replica.Pending, sch *tidemark.Schema) []pendingItem {
	items := make([]pendingItem, len(list))
	for i, p := range list {
		items[i] = pendingItem{p, named(sch, p.Changes)}
	}
	return items
}

func printPending(s *shell, list []replica.Pending, sch *tidemark.Schema, changes bool) {
	for _, p := range list {
		s.printf("%d  %s  %s, %s\n", p.N, clock(p.MadeAt), summary(sch, p.Changes), size(int64(p.Bytes)))
		if p.Suspended {
			s.printf("    suspended: %s\n", p.Cause)
		}
		if !changes {
			continue
		}
		for _, ch := range p.Changes {
			s.printf("    %s\n", describe(sch, ch))
		}
	}
}
