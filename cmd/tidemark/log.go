package main

import (
	"errors"
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

type logCommand struct {
	File    string       `arg:"" help:"A served file, or a copy."`
	Limit   int          `short:"l" default:"20" placeholder:"N" help:"The newest N; 0 shows all (${default})."`
	After   tidemark.Seq `placeholder:"SEQ" help:"Only those behind this seq."`
	Changes bool         `short:"c" help:"Show every change."`
}

// Help is shown below the command's one line.
func (logCommand) Help() string {
	return `Of a served file: its history, one accepted changeset per line, the newest last. A copy keeps no history, only where it stands and what is its own: pending and rejected changesets.

Examples:

    tidemark log shop.sqlite
    tidemark log --changes --after 41 shop.sqlite`
}

// entry is one accepted changeset in log --json.
type entry struct {
	Seq     tidemark.Seq `json:"seq"`
	At      int64        `json:"at"`
	Replica string       `json:"replica"`
	N       int64        `json:"n"`
	Author  string       `json:"author,omitempty"`
	Schema  string       `json:"schema"`
	Rows    int          `json:"rows"`
	Tables  []string     `json:"tables"`
	Changes []change     `json:"changes,omitempty"`
}

// Run shows the log.
func (c *logCommand) Run(s *shell) error {
	role, err := roleOf(c.File)
	switch {
	case err != nil:
		return err
	case role == meta.RoleServer:
		return c.server(s)
	case role == meta.RoleReplica:
		return c.replica(s)
	}
	return notAdopted(c.File)
}

// history is what log prints of a served file with --json.
type history struct {
	Path  string       `json:"path"`
	Role  string       `json:"role"`
	Space string       `json:"space"`
	Head  tidemark.Seq `json:"head"`
	Log   []entry      `json:"log"`
}

func (c *logCommand) server(s *shell) error {
	r, err := sqlite.Read(c.File)
	if err != nil {
		return err
	}
	h := history{Path: c.File, Role: meta.RoleServer, Space: r.Space, Head: r.Head, Log: []entry{}}
	err = r.Log(c.After, c.Limit, func(e tidemark.LogEntry) error {
		c.print(s, r.Schema, e)
		if s.json {
			h.Log = append(h.Log, c.entry(r.Schema, e))
		}
		return nil
	})
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	if r.Head == 0 {
		s.printf("nothing was accepted yet\n")
	}
	return s.document(h)
}

func (c *logCommand) print(s *shell, sch *tidemark.Schema, e tidemark.LogEntry) {
	who := e.Name.Replica
	if who != tidemark.FileReplica {
		who = fmt.Sprintf("%s/%d", shortID(who), e.Name.N)
	}
	what := "the schema changed, or nothing came of it"
	if len(e.Effects) > 0 {
		what = summary(sch, e.Effects)
	}
	s.printf("%6d  %s  %s  %s\n", e.Seq, clock(e.At), who, what)
	if !c.Changes {
		return
	}
	for _, ch := range e.Effects {
		s.printf("        %s\n", describe(sch, ch))
	}
}

func (c *logCommand) entry(sch *tidemark.Schema, e tidemark.LogEntry) entry {
	out := entry{Seq: e.Seq, At: e.At, Replica: e.Name.Replica, N: e.Name.N, Author: e.Author, Schema: e.Schema,
		Rows: len(e.Effects), Tables: touched(sch, e.Effects)}
	if c.Changes {
		out.Changes = named(sch, e.Effects)
	}
	return out
}

// standing is what log prints of a copy with --json.
type standing struct {
	Path     string         `json:"path"`
	Role     string         `json:"role"`
	Space    string         `json:"space"`
	Seq      tidemark.Seq   `json:"seq"`
	Head     tidemark.Seq   `json:"head"`
	Pending  []pendingItem  `json:"pending"`
	Rejected []rejectedItem `json:"rejected"`
}

func (c *logCommand) replica(s *shell) error {
	st, err := statusOf(c.File)
	if err != nil {
		return err
	}
	pending, sch, err := pendingOf(c.File)
	if err != nil {
		return err
	}
	box, err := openBox(c.File)
	if err != nil {
		return err
	}
	s.printf("A copy keeps no history; the server's file has it.\n\n")
	s.printf("confirmed up to seq %s, last contact %s\n", seqText(st), clock(st.Contact))
	printPending(s, pending, sch, c.Changes)
	rc := &rejectedCommand{File: c.File}
	if len(box.list) > 0 {
		s.printf("\nrejected:\n")
		if err := rc.list(s.withoutDocument(), box, box.list); err != nil {
			return err
		}
	}
	return s.document(standing{c.File, meta.RoleReplica, st.Space, st.Seq, st.Head, pendingItems(pending, sch), rc.items(box, box.list).Rejected})
}
