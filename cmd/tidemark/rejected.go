package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

type rejectedCommand struct {
	File   string   `arg:"" help:"A copy, or a served file."`
	Action string   `arg:"" optional:"" enum:"list,show,retry,discard,export" default:"list" help:"list, show, retry, discard or export (${default})."`
	IDs    []string `arg:"" optional:"" name:"id" help:"IDs as list shows them, or all."`
	Apart  bool     `help:"With retry: split the changeset into the smallest parts that stand alone; those that fit go, the others stay."`
	Out    string   `short:"o" placeholder:"PATH" help:"With export: write to this file."`
}

// Help is shown below the command's one line.
func (rejectedCommand) Help() string {
	return `A changeset that the server rejected was undone in the copy and is kept here in full, with the reason, until someone disposes of it. So is what stood in a row that verify repaired (code uncaptured). In a served file it is what other programs wrote into it against its constraints.

retry writes the changes into the copy once more, as a new changeset; the next sync sends it. Mend first what the reason names. After the server's file was put back from a backup, some may delete rows that only the server has: retry all leaves those, and exits with 6. discard forgets a changeset for good. export writes it as JSON.

Examples:

    tidemark rejected shop.db
    tidemark rejected shop.db show 3
    tidemark rejected shop.db retry 3 --apart
    tidemark rejected shop.db discard all
    tidemark rejected shop.db export 3 --out kept.json`
}

// rejectedList is what list, show and export print as JSON.
type rejectedList struct {
	Path     string         `json:"path"`
	Rejected []rejectedItem `json:"rejected"`
}

type rejectedItem struct {
	replica.Rejected
	Key     []value  `json:"key,omitempty"`
	Changes []change `json:"changes"`
}

// disposed is what retry and discard print with --json.
type disposed struct {
	Path  string  `json:"path"`
	IDs   []int64 `json:"ids"`
	Parts int     `json:"parts,omitempty"` // retry: changesets that are pending again
}

// Run does what the action says.
func (c *rejectedCommand) Run(s *shell) error {
	if err := c.check(); err != nil {
		return err
	}
	box, err := openBox(c.File)
	if err != nil {
		return err
	}
	list, err := c.pick(box.list)
	if err != nil {
		return err
	}
	if len(list) == 0 && c.Action != "export" {
		return c.nothing(s, box)
	}
	switch c.Action {
	case "show":
		return c.show(s, box, list)
	case "export":
		return c.export(s, box, list)
	case "retry":
		return c.retry(s, box, list)
	case "discard":
		return c.discard(s, box, list)
	}
	return c.list(s, box, list)
}

// nothing is the answer when there is nothing to act on.
func (c *rejectedCommand) nothing(s *shell, box *box) error {
	s.printf("nothing is rejected\n")
	if c.Action == "retry" || c.Action == "discard" {
		return s.document(disposed{Path: c.File, IDs: []int64{}})
	}
	return s.document(c.items(box, nil))
}

func (c *rejectedCommand) check() error {
	switch {
	case c.Apart && c.Action != "retry":
		return usageError("--apart goes with retry", "tidemark rejected "+quoteArg(c.File)+" retry ID --apart")
	case c.Out != "" && c.Action != "export":
		return usageError("--out goes with export", "tidemark rejected "+quoteArg(c.File)+" export ID --out PATH")
	case len(c.IDs) == 0 && (c.Action == "retry" || c.Action == "discard" || c.Action == "show"):
		return usageError(c.Action+" needs an ID", "tidemark rejected "+quoteArg(c.File)+" lists them; all stands for every one")
	}
	return nil
}

// pick selects the changesets that the command names, all when it names none.
func (c *rejectedCommand) pick(list []replica.Rejected) ([]replica.Rejected, error) {
	if len(c.IDs) == 0 || slices.Equal(c.IDs, []string{"all"}) {
		return list, nil
	}
	var out []replica.Rejected
	for _, word := range c.IDs {
		id, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, usageError(strconv.Quote(word)+" is not an ID", "give a number, or all")
		}
		i := slices.IndexFunc(list, func(r replica.Rejected) bool { return r.ID == id })
		if i < 0 {
			return nil, &tidemark.Error{Code: tidemark.CodeNotFound, Msg: "there is no rejected changeset " + word,
				Hint: "tidemark rejected " + quoteArg(c.File) + " lists them"}
		}
		out = append(out, list[i])
	}
	return out, nil
}

func (c *rejectedCommand) items(box *box, list []replica.Rejected) rejectedList {
	d := rejectedList{c.File, make([]rejectedItem, len(list))}
	for i, r := range list {
		d.Rejected[i] = rejectedItem{r, values(r.Key), named(box.schema, r.Changes)}
	}
	return d
}

func (c *rejectedCommand) list(s *shell, box *box, list []replica.Rejected) error {
	rows := [][]string{{"ID", "WHEN", "CODE", "WHAT"}}
	for _, r := range list {
		rows = append(rows, []string{strconv.FormatInt(r.ID, 10), clock(r.At), string(r.Code),
			summary(box.schema, r.Changes) + ": " + oneLine(r.Message)})
	}
	s.table(rows)
	verbs := "show, retry or discard"
	if box.role == meta.RoleServer {
		verbs = "show, discard or export"
	}
	s.printf("\nnext: tidemark rejected %s show %d   (%s, with an ID or all)\n", quoteArg(c.File), list[0].ID, verbs)
	return s.document(c.items(box, list))
}

func (c *rejectedCommand) show(s *shell, box *box, list []replica.Rejected) error {
	for _, r := range list {
		s.printf("%d  %s%s\n  %s\n", r.ID, r.Code, moments(r), oneLine(r.Message))
		if about := aboutRow(r); about != "" {
			s.printf("  concerns %s\n", about)
		}
		for _, ch := range r.Changes {
			mark := " "
			if offends(box.schema, r, ch) {
				mark = ">"
			}
			s.printf("%s   %s\n", mark, describe(box.schema, ch))
		}
	}
	return s.document(c.items(box, list))
}

// moments says when a changeset was made and rejected, as far as that is known.
func moments(r replica.Rejected) string {
	text := ""
	if r.MadeAt != 0 {
		text += ", made " + clock(r.MadeAt)
	}
	if r.At != 0 {
		text += ", rejected " + clock(r.At)
	}
	return text + ", at seq " + grouped(int64(r.Seq))
}

func aboutRow(r replica.Rejected) string {
	about := r.Table
	if len(r.Key) > 0 {
		about += " " + keyText(r.Key)
	}
	for i, col := range r.Columns {
		if i == 0 {
			about += ", column " + col
		} else {
			about += ", " + col
		}
	}
	return about
}

// offends reports whether a change is the one that the reason names.
func offends(sch *tidemark.Schema, r replica.Rejected, c tidemark.Change) bool {
	return r.Table != "" && tableName(sch, c.Table) == r.Table && len(r.Key) > 0 && slices.Equal(c.Key, r.Key)
}

func (c *rejectedCommand) export(s *shell, box *box, list []replica.Rejected) error {
	b, err := json.MarshalIndent(c.items(box, list), "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if c.Out == "" {
		s.told = true
		_, err := s.out.Write(b)
		return err
	}
	if err := os.WriteFile(c.Out, b, 0o600); err != nil {
		return err
	}
	s.printf("%s written to %s\n", plural(len(list), "changeset"), c.Out)
	return s.document(map[string]any{"path": c.File, "out": c.Out, "changesets": len(list)})
}

// retry goes on behind a changeset that still does not fit.
func (c *rejectedCommand) retry(s *shell, box *box, list []replica.Rejected) error {
	d := disposed{Path: c.File, IDs: []int64{}}
	list, failed := c.unasked(list)
	for _, r := range list {
		parts, err := box.retry(s.ctx, r.ID, c.Apart)
		if err != nil {
			still := stillRejected(r.ID, err)
			if still == nil {
				return err
			}
			if failed != nil {
				s.note("tidemark: %s", oneLine(failed.Error())) // the last one ends the command
			}
			failed = still
			continue
		}
		d.IDs, d.Parts = append(d.IDs, r.ID), d.Parts+parts
		s.printf("changeset %d: %s pending again\n", r.ID, plural(parts, "part"))
	}
	if len(d.IDs) == 0 {
		return failed
	}
	s.printf("\nnext: tidemark sync %s\n", quoteArg(c.File))
	return errors.Join(failed, s.document(d))
}

// unasked takes out of all changesets those of which a retry deletes rows that the server has and this copy never had,
// as most of them are new there: who wants that names them.
func (c *rejectedCommand) unasked(list []replica.Rejected) ([]replica.Rejected, error) {
	if !slices.Equal(c.IDs, []string{"all"}) {
		return list, nil
	}
	var rest []replica.Rejected
	var left []string
	rows := 0
	for _, r := range list {
		if r.Code == tidemark.CodeRecovered && slices.ContainsFunc(r.Changes, func(ch tidemark.Change) bool { return ch.Op == tidemark.Delete }) {
			left, rows = append(left, strconv.FormatInt(r.ID, 10)), rows+len(r.Changes)
			continue
		}
		rest = append(rest, r)
	}
	if len(left) == 0 {
		return rest, nil
	}
	ids := strings.Join(left, " ")
	return rest, &ending{exit: exitRefused, code: tidemark.CodeRecovered,
		msg:  "left as it is: changeset " + ids + ", of which a retry deletes " + plural(rows, "row") + " that this copy did not have",
		hint: "tidemark rejected " + quoteArg(c.File) + " retry " + ids + " deletes them; discard " + ids + " keeps them"}
}

// stillRejected gives a retry that does not fit the exit code of a rejection, and says which row it is about. It is
// nil for any other failure.
func stillRejected(id int64, err error) error {
	var e *tidemark.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code {
	case tidemark.CodeUnique, tidemark.CodeForeignKey, tidemark.CodeCheck, tidemark.CodeNotNull, tidemark.CodeType,
		tidemark.CodeRaised, tidemark.CodeDependsOn, tidemark.CodeNotFound, tidemark.CodeConflict, tidemark.CodeStale:
		msg := fmt.Sprintf("changeset %d: %s", id, err)
		if e.Table != "" && len(e.Key) > 0 {
			msg += " (" + e.Table + " " + keyText(e.Key) + ")"
		}
		return &ending{exit: exitRejected, code: e.Code, msg: msg, hint: tidemark.HintOf(err)}
	}
	return nil
}

func (c *rejectedCommand) discard(s *shell, box *box, list []replica.Rejected) error {
	d := disposed{Path: c.File, IDs: []int64{}}
	for _, r := range list {
		if err := box.discard(s.ctx, r.ID); err != nil {
			return err
		}
		d.IDs = append(d.IDs, r.ID)
	}
	s.printf("%s discarded\n", plural(len(d.IDs), "changeset"))
	return s.document(d)
}
