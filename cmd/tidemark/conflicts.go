package main

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

type conflictsCommand struct {
	File   string   `arg:"" help:"A copy, or a served file."`
	Action string   `arg:"" optional:"" enum:"list,show,take,restore" default:"list" help:"list, show, take or restore (${default})."`
	Words  []string `arg:"" optional:"" name:"id" help:"IDs as list shows them; with take one ID, then mine, theirs or a value."`
	Open   bool     `help:"With list: only what waits for a decision."`
	All    bool     `help:"With list: also what is resolved."`
	Table  string   `placeholder:"NAME" help:"With list: only of this table."`
	Value  *string  `placeholder:"VALUE" help:"With take: a value that happens to be called mine or theirs."`
	Type   string   `enum:"column,text,integer,real,blob" default:"column" placeholder:"TYPE" help:"With take: how the value is meant: column (as its column stores what is typed), text, integer, real or blob (in hexadecimal)."`
	Null   bool     `help:"With take: NULL is the value."`
}

// Help is shown below the command's one line.
func (conflictsCommand) Help() string {
	return `When two copies edit one cell before they hear of each other, its policy decides. What lost is kept, and what waits for a person is open: both are rows of the table tm_conflicts, which syncs like every other.

Base is what both started from, theirs what the server had, mine what the changeset brought that met it. take writes one of the two, or a third value, and sets the conflict to resolved; columns that merge as one are decided together. restore writes back what lost. Both are ordinary edits of this file: the next sync sends them.

A value is stored as its column would store it when it is typed: 12 is a number in a column of numbers and text in a column of text. --type says otherwise.

Examples:

    tidemark conflicts shop.db
    tidemark conflicts shop.db show 17-1
    tidemark conflicts shop.db take 17-1 theirs
    tidemark conflicts shop.db take 17-1 "a third title"
    tidemark conflicts shop.db take 17-1 --null
    tidemark conflicts shop.db restore 17-1`
}

// Run does what the action says.
func (c *conflictsCommand) Run(s *shell) error {
	if err := c.check(); err != nil {
		return err
	}
	f, err := openConflicts(c.File)
	if err != nil {
		return err
	}
	switch c.Action {
	case "show":
		return c.show(s, f)
	case "take":
		return c.take(s, f)
	case "restore":
		return c.restore(s, f)
	}
	return c.list(s, f)
}

func (c *conflictsCommand) check() error {
	usage := "tidemark conflicts " + quoteArg(c.File)
	takes := c.Value != nil || c.Null || c.Type != "column"
	switch {
	case c.Action != "list" && (c.Open || c.All || c.Table != ""):
		return usageError("--open, --all and --table go with list", usage+" --open")
	case c.Open && c.All:
		return usageError("--open and --all do not go together", "give one of them")
	case c.Action == "list" && len(c.Words) > 0:
		return usageError("list takes no ID", usage+" show "+quoteArg(c.Words[0]))
	case c.Action != "take" && takes:
		return usageError("--value, --type and --null go with take", usage+" take ID --null")
	case c.Action == "take":
		return c.checkTake(usage)
	case c.Action != "list" && len(c.Words) == 0:
		return usageError(c.Action+" needs an ID", usage+" lists them")
	}
	return nil
}

func (c *conflictsCommand) checkTake(usage string) error {
	given := len(c.Words) - 1
	if c.Value != nil {
		given++
	}
	if c.Null {
		given++
	}
	if len(c.Words) == 0 || given != 1 {
		return usageError("take needs one ID, and one of mine, theirs and a value", usage+" take ID mine")
	}
	return nil
}

// choice is what the command line says to take.
func (c *conflictsCommand) choice() (client.Choice, error) {
	var word string
	switch {
	case c.Null:
		return client.Value(tidemark.Null), nil
	case c.Value != nil:
		word = *c.Value
	case c.Words[1] == "mine" && c.Type == "column":
		return client.Mine, nil
	case c.Words[1] == "theirs" && c.Type == "column":
		return client.Theirs, nil
	default:
		word = c.Words[1]
	}
	v, err := typed(c.Type, word)
	return client.Value(v), err
}

// typed reads a value from the command line. Text that is stored takes the
// form of its column by SQLite itself.
func typed(kind, word string) (tidemark.Value, error) {
	switch kind {
	case "integer":
		if n, err := strconv.ParseInt(word, 10, 64); err == nil {
			return tidemark.Int(n), nil
		}
		return tidemark.Null, usageError(strconv.Quote(word)+" is not an integer", "give digits, with a minus in front if need be")
	case "real":
		if f, err := strconv.ParseFloat(word, 64); err == nil {
			return tidemark.Real(f), nil
		}
		return tidemark.Null, usageError(strconv.Quote(word)+" is not a number", "write it like 1.5 or 1e-7")
	case "blob":
		if b, err := hex.DecodeString(word); err == nil {
			return tidemark.Blob(b), nil
		}
		return tidemark.Null, usageError(strconv.Quote(word)+" is not hexadecimal", "write two digits for each byte, like 00ff")
	}
	return tidemark.Text(word), nil
}

func (c *conflictsCommand) filter() client.ConflictFilter {
	f := client.ConflictFilter{Table: c.Table}
	switch {
	case c.Open:
		f.States = []string{tidemark.StateOpen}
	case c.All:
		f.States = []string{tidemark.StateOpen, tidemark.StateKept, tidemark.StateResolved}
	}
	return f
}

func (c *conflictsCommand) list(s *shell, f *conflictFile) error {
	list, err := f.list(s.ctx, c.filter())
	if err != nil {
		return err
	}
	if len(list) == 0 {
		if err := c.mustKnowTable(s); err != nil {
			return err
		}
		s.printf("%s\n", c.nothing())
		return s.document(conflictList(c.File, nil))
	}
	rows := [][]string{{"ID", "WHEN", "STATE", "WHERE", "POLICY", "THEIRS", "MINE"}}
	for i := range list {
		k := &list[i]
		theirs, mine := sides(k)
		rows = append(rows, []string{k.ID, clock(k.At), k.State, whereOf(k), k.Policy, theirs, mine})
	}
	s.table(rows)
	s.printf("\n* won.%s\n", c.next(list))
	return s.document(conflictList(c.File, list))
}

// mustKnowTable tells a table without conflicts from a slip of the pen.
func (c *conflictsCommand) mustKnowTable(s *shell) error {
	if c.Table == "" {
		return nil
	}
	return withFile(s.ctx, c.File, lite.Options{ReadOnly: true}, func(db *lite.DB) error {
		found, err := db.Get("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE", tidemark.Text(c.Table))
		if err != nil || found != nil {
			return err
		}
		return usageError("there is no table "+c.Table, "tidemark conflicts "+quoteArg(c.File)+" lists the conflicts of all tables")
	})
}

// next is what can be done about the first that nobody decided, open ones before the others.
func (c *conflictsCommand) next(list []client.Conflict) string {
	first := func(state string) int {
		return slices.IndexFunc(list, func(k client.Conflict) bool { return k.State == state })
	}
	do := " next: tidemark conflicts " + quoteArg(c.File) + " "
	if i := first(tidemark.StateOpen); i >= 0 {
		return do + "take " + list[i].ID + " mine   (mine, theirs or a value; or show)"
	}
	if i := first(tidemark.StateKept); i >= 0 {
		return do + "restore " + list[i].ID + "   (or show, or take mine, theirs or a value)"
	}
	return ""
}

func (c *conflictsCommand) nothing() string {
	if c.Open {
		return "no conflict is open"
	}
	return "there are no conflicts"
}

// whereOf names what a conflict is about: task 7, column title.
func whereOf(k *client.Conflict) string {
	text := k.Table + " " + keyText(k.Key)
	if k.Rows != nil {
		return text
	}
	return text + " " + k.Column
}

// sides writes theirs and mine on a line, with a mark at what lives on.
func sides(k *client.Conflict) (theirs, mine string) {
	theirs, mine = sideText(k, k.Theirs, theirRow), sideText(k, k.Mine, myRow)
	if k.Winner != tidemark.WinnerMine {
		theirs += " *"
	}
	if k.Winner != tidemark.WinnerTheirs {
		mine += " *"
	}
	return theirs, mine
}

func baseRow(r *client.ConflictRows) map[string]tidemark.Value  { return r.Base }
func theirRow(r *client.ConflictRows) map[string]tidemark.Value { return r.Theirs }
func myRow(r *client.ConflictRows) map[string]tidemark.Value    { return r.Mine }

func sideText(k *client.Conflict, v tidemark.Value, of func(*client.ConflictRows) map[string]tidemark.Value) string {
	if k.Rows == nil {
		return short(v)
	}
	row := of(k.Rows)
	if row == nil {
		return "no row"
	}
	var parts []string
	for _, name := range sortedKeys(row) {
		parts = append(parts, name+" = "+short(row[name]))
	}
	return strings.Join(parts, ", ")
}

func (c *conflictsCommand) show(s *shell, f *conflictFile) error {
	list, err := c.pick(s.ctx, f)
	if err != nil {
		return err
	}
	for i := range list {
		showConflict(s, &list[i])
	}
	return s.document(conflictList(c.File, list))
}

func showConflict(s *shell, k *client.Conflict) {
	s.printf("%s  %s, decided by %s, at seq %s\n", k.ID, k.State, clean(k.Policy), grouped(int64(k.Seq)))
	about := whereOf(k)
	if k.Unit != "" {
		about += ", which merges as one unit with others (" + k.Unit + ")"
	}
	s.printf("  about   %s\n", clean(about))
	s.printf("  base    %s\n", clean(sideText(k, k.Base, baseRow)))
	theirs, mine := sides(k)
	s.printf("  theirs  %s%s\n", clean(theirs), by(k.TheirsBy))
	s.printf("  mine    %s%s, made %s\n", clean(mine), by(k.MineBy), clock(k.MadeAt))
	s.printf("  %s\n", verdictText(k))
}

func by(replica string) string {
	if replica == "" {
		return ""
	}
	id, n, _ := strings.Cut(replica, "/")
	if n != "" {
		n = ", changeset " + n
	}
	return "   by " + clean(shortID(id)+n)
}

func verdictText(k *client.Conflict) string {
	switch {
	case k.State == tidemark.StateOpen:
		return "the server keeps what won (*) until somebody decides"
	case k.State == tidemark.StateResolved:
		return "somebody has decided"
	case k.Winner == tidemark.WinnerBoth:
		return "something of both lives on"
	}
	return "restore writes back what lost"
}

// pick reads the conflicts that the command names.
func (c *conflictsCommand) pick(ctx context.Context, f *conflictFile) ([]client.Conflict, error) {
	list, err := f.list(ctx, client.ConflictFilter{States: []string{tidemark.StateOpen, tidemark.StateKept, tidemark.StateResolved}})
	if err != nil {
		return nil, err
	}
	var out []client.Conflict
	for _, id := range c.Words {
		i := slices.IndexFunc(list, func(k client.Conflict) bool { return k.ID == id })
		if i < 0 {
			return nil, &tidemark.Error{Code: tidemark.CodeNotFound, Msg: "there is no conflict " + id,
				Hint: "tidemark conflicts " + quoteArg(c.File) + " --all lists them"}
		}
		out = append(out, list[i])
	}
	return out, nil
}

func (c *conflictsCommand) take(s *shell, f *conflictFile) error {
	choice, err := c.choice()
	if err != nil {
		return err
	}
	res, err := f.resolve(s.ctx, c.Words[0], choice)
	if err != nil {
		return unwritten(c.Words[0], err)
	}
	return c.tell(s, f, []*client.Resolved{res})
}

// restore ends with the first record that cannot be restored: those before it are.
func (c *conflictsCommand) restore(s *shell, f *conflictFile) error {
	var done []*client.Resolved
	for _, id := range c.Words {
		res, err := f.restore(s.ctx, id)
		if err != nil {
			err = unwritten(id, err)
			if len(done) > 0 {
				err = errors.Join(err, c.tell(s, f, done))
			}
			return err
		}
		done = append(done, res)
	}
	return c.tell(s, f, done)
}

// unwritten says what can be done about a constraint that refused a value.
func unwritten(id string, err error) error {
	switch code := tidemark.CodeOf(err); code {
	case tidemark.CodeUnique, tidemark.CodeForeignKey, tidemark.CodeCheck, tidemark.CodeNotNull, tidemark.CodeType, tidemark.CodeRaised, tidemark.CodeForbidden:
		if tidemark.HintOf(err) == "" {
			return &ending{exit: exitError, code: code, msg: "conflict " + id + ": " + err.Error(),
				hint: "nothing was written for it: mend what the constraint names first, or take another value"}
		}
	}
	return err
}

// tell says what was written.
func (c *conflictsCommand) tell(s *shell, f *conflictFile, done []*client.Resolved) error {
	for _, res := range done {
		s.printf("%s: %s\n", strings.Join(res.IDs, ", "), clean(resolvedText(res)))
		switch {
		case res.Moved && res.Row != "":
			s.note("tidemark: somebody had changed the row since the conflict")
		case res.Moved:
			s.note("tidemark: somebody had changed it since the conflict; what was there is shown as \"was\"")
		}
	}
	if f.replica {
		s.printf("\nnext: tidemark sync %s\n", quoteArg(c.File))
	}
	return s.document(resolvedDocument(c.File, done))
}

func resolvedText(res *client.Resolved) string {
	row := res.Table + " " + keyText(res.Key)
	var parts []string
	for _, cell := range res.Cells {
		parts = append(parts, cell.Column+" = "+short(cell.Now)+" (was "+short(cell.Was)+")")
	}
	switch {
	case res.Row != "":
		return row + " " + res.Row
	case len(parts) == 0:
		return row + " stays as it is"
	}
	return row + ": " + strings.Join(parts, ", ")
}
