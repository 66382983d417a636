package main

import (
	"context"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
)

type undoCommand struct {
	File string `arg:"" help:"The copy."`
}

// Help is shown below the command's one line.
func (undoCommand) Help() string {
	return `Takes back what the newest changeset of this copy did, whether the server has accepted it already or it is still pending: cells get their values back, rows that were inserted go, deleted ones come back. It is an ordinary changeset, which the next sync sends. What somebody touched since stays as it is and is listed; a counter is counted back whoever counted meanwhile.

Run it again to take back the one before; tidemark redo takes the last undo back. The newest 100 changesets are kept for it. What other programs wrote between two looks of Tidemark is one changeset.

Example:

    tidemark undo shop.db`
}

// Run undoes.
func (c *undoCommand) Run(s *shell) error {
	return reverse(s, c.File, "undone", (*client.DB).Undo)
}

type redoCommand struct {
	File string `arg:"" help:"The copy."`
}

// Help is shown below the command's one line.
func (redoCommand) Help() string {
	return `Does again what the last undo took back, where nobody touched it since. Whatever is written after an undo ends what can be redone.

Example:

    tidemark redo shop.db`
}

// Run redoes.
func (c *redoCommand) Run(s *shell) error {
	return reverse(s, c.File, "redone", (*client.DB).Redo)
}

// undone is what undo and redo print with --json.
type undone struct {
	Path    string     `json:"path"`
	Of      int64      `json:"of"` // number of the changeset that was undone or redone
	N       int64      `json:"n"`  // of the new changeset; 0: nothing was changed
	Changes []change   `json:"changes"`
	Left    []leftItem `json:"left"`
}

type leftItem struct {
	Table  string  `json:"table,omitempty"`
	Key    []value `json:"key,omitempty"`
	Column string  `json:"column,omitempty"`
	Why    string  `json:"why"`
}

func reverse(s *shell, path, verb string, step func(*client.DB, context.Context) (*client.Undone, error)) error {
	var schema *tidemark.Schema
	var u *client.Undone
	err := withReplica(path, client.Options{}, func(db *client.DB) (err error) {
		if u, err = step(db, s.ctx); err == nil {
			schema = db.Schema()
		}
		return err
	})
	if err != nil {
		return err
	}
	printUndone(s, path, verb, schema, u)
	d := undone{Path: path, Of: u.Of, N: u.N, Changes: named(schema, u.Changes), Left: []leftItem{}}
	for _, l := range u.Left {
		d.Left = append(d.Left, leftItem{l.Table, values(l.Key), l.Column, l.Why})
	}
	return s.document(d)
}

func printUndone(s *shell, path, verb string, schema *tidemark.Schema, u *client.Undone) {
	if u.N == 0 {
		s.printf("nothing of changeset %d could be %s\n", u.Of, verb)
	} else {
		s.printf("changeset %d %s, by changeset %d\n", u.Of, verb, u.N)
	}
	for _, c := range u.Changes {
		s.printf("  %s\n", describe(schema, c))
	}
	for _, l := range u.Left {
		s.printf("  left: %s%s\n", leftText(l), clean(l.Why))
	}
	if u.N != 0 {
		s.printf("\nnext: tidemark sync %s\n", quoteArg(path))
	}
}

func leftText(l client.Left) string {
	if l.Table == "" {
		return ""
	}
	return cellText(tidemark.Cell{Table: l.Table, Key: l.Key, Column: l.Column}) + ": "
}
