package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
)

type scopesCommand struct {
	File     string        `arg:"" help:"The copy."`
	Action   string        `arg:"" optional:"" default:"list" enum:"list,add,drop,all" help:"list, add or drop scopes, or all to take everything that you are granted (${default})."`
	Scopes   []string      `arg:"" optional:"" name:"scope" help:"For add and drop: scopes like project/42."`
	Priority int64         `placeholder:"N" help:"With add: scopes with a lower number come first; 0 is that of a scope that was not named."`
	Timeout  time.Duration `default:"30s" placeholder:"TIME" help:"With add, drop and all: go on later when the rows are not here by then (${default})."`
	Server   string        `placeholder:"URL" help:"Address of the space, when it is not the one that it was cloned from."`
	tokenFlags
}

// Help is shown below the command's one line.
func (scopesCommand) Help() string {
	return `A scope is a part of a space: project/42 holds the rows of that project. What you are granted is decided on the server, and what of it a copy takes is decided here: everything, or the scopes that it names. list reads the file alone.

add and drop note it in the copy and sync. When the server cannot be reached, the next sync does it. Rows of a scope that is dropped leave the copy and are not deleted: nobody else notices, and add brings them back. drop in a copy that takes everything has it name the others from then on, so that what you are granted later does not come by itself; all ends that.

Exits with 6 when the server does not grant a scope that the copy names; it comes by itself once it is granted.

Examples:

    tidemark scopes tracker.db
    tidemark scopes tracker.db add project/42 --priority=-1
    tidemark scopes tracker.db drop project/42`
}

// scopeList is what scopes prints with --json.
type scopeList struct {
	Path   string         `json:"path"`
	State  string         `json:"state"` // settled, offline: a change of what it takes waits for the server
	All    bool           `json:"all"`   // it takes everything that is granted
	Scopes []client.Scope `json:"scopes"`
	News   []scopeNews    `json:"news,omitempty"` // of add, drop and all
}

// Run lists or changes.
func (c *scopesCommand) Run(s *shell) error {
	if err := c.check(); err != nil {
		return err
	}
	b := &bar{w: s.err}
	defer b.clear()
	o := client.Options{Server: c.Server, Logger: s.log, Token: c.source(), OnEvent: b.filling(s)}
	return withReplica(c.File, o, func(db *client.DB) error {
		if sch := db.Schema(); sch == nil || !sch.Scoped() {
			return c.unscoped(s, db)
		}
		if c.Action == "list" {
			return c.list(s, db)
		}
		return c.change(s, db)
	})
}

func (c *scopesCommand) check() error {
	named := c.Action == "add" || c.Action == "drop"
	switch {
	case named && len(c.Scopes) == 0:
		return usageError(c.Action+" needs a scope", "tidemark scopes "+quoteArg(c.File)+" "+c.Action+" KIND/KEY")
	case !named && len(c.Scopes) > 0:
		return usageError(c.Action+" takes no scope", "tidemark scopes "+quoteArg(c.File)+" add "+quoteArg(c.Scopes[0]))
	case c.Priority != 0 && c.Action != "add":
		return usageError("--priority goes with add", "tidemark scopes "+quoteArg(c.File)+" add KIND/KEY --priority="+strconv.FormatInt(c.Priority, 10))
	}
	return nil
}

// unscoped answers for a space that declares no scopes.
func (c *scopesCommand) unscoped(s *shell, db *client.DB) error {
	if c.Action != "list" {
		return usageError(c.File+" is a copy of a space without scopes: it holds everything", "declare scopes in the server's tidemark.yaml, and clone anew")
	}
	st, err := db.Status()
	if err != nil {
		return err
	}
	s.printf("%s declares no scopes: every copy holds everything\n", st.Space)
	return s.document(scopeList{c.File, "settled", true, []client.Scope{}, nil})
}

func (c *scopesCommand) list(s *shell, db *client.DB) error {
	d, err := c.read(db)
	if err != nil {
		return err
	}
	st, err := db.Status()
	if err != nil {
		return err
	}
	d.print(s, st)
	return s.document(d)
}

func (c *scopesCommand) read(db *client.DB) (scopeList, error) {
	list, err := db.Scopes()
	if err != nil {
		return scopeList{}, err
	}
	st, err := db.Status()
	if err != nil {
		return scopeList{}, err
	}
	d := scopeList{Path: c.File, State: "settled", All: !st.Only, Scopes: append([]client.Scope{}, list...)}
	if st.Unasked {
		d.State = "offline"
	}
	return d, nil
}

func (d scopeList) print(s *shell, st client.Status) {
	rows := [][]string{{"SCOPE", "ROWS", "STATE"}}
	for _, sc := range d.Scopes {
		rows = append(rows, []string{sc.Scope, rowsIn(sc), scopeState(sc, st)})
	}
	if len(d.Scopes) > 0 {
		s.table(rows)
		s.printf("\n")
	}
	file := quoteArg(d.Path)
	switch {
	case d.All && len(d.Scopes) == 0:
		s.printf("you are granted no scope of %s; what you are granted later comes by itself\n", st.Space)
	case d.All:
		s.printf("it takes everything that you are granted\n")
	default:
		s.printf("it takes the scopes that it names; tidemark scopes %s all takes everything that you are granted\n", file)
	}
	if st.Unasked {
		s.printf("next: tidemark sync %s tells the server\n", file)
	} else if st.Filling > 0 {
		s.printf("next: tidemark sync %s\n", file)
	}
}

// change has the copy take more or less, and syncs.
func (c *scopesCommand) change(s *shell, db *client.DB) error {
	before, err := db.Scopes()
	if err != nil {
		return err
	}
	if err := c.write(s, db); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, c.Timeout)
	defer cancel()
	res, err := db.Sync(ctx)
	d, rerr := c.read(db)
	if rerr != nil {
		return errors.Join(err, rerr)
	}
	if res != nil {
		d.News = newsOf(res.Scopes)
		tellScopes(s, res.Scopes)
	}
	if err != nil {
		return c.later(s, d, err)
	}
	return c.verdict(s, db, d, before)
}

func (c *scopesCommand) write(s *shell, db *client.DB) error {
	switch c.Action {
	case "add":
		var wants []client.Want
		for _, name := range c.Scopes {
			wants = append(wants, client.Want{Scope: name, Priority: c.Priority})
		}
		return db.Subscribe(s.ctx, wants...)
	case "drop":
		return db.Unsubscribe(s.ctx, c.Scopes...)
	}
	return db.SubscribeAll(s.ctx)
}

// later ends a change that the server could not be told of, or not all of whose
// rows are here yet: it is kept, and that was asked for.
func (c *scopesCommand) later(s *shell, d scopeList, err error) error {
	code := tidemark.CodeOf(err)
	if s.ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) && exitInReplica(code) != exitOffline {
		return err
	}
	why := "not everything is here within " + c.Timeout.String()
	if code != "" {
		why = s.failure(err).Message
	}
	d.State = "offline"
	s.note("%s; it is kept and done with the next sync", why)
	s.note("  next: tidemark sync %s", quoteArg(c.File))
	return s.document(d)
}

// verdict says of the scopes that the command named where they stand.
func (c *scopesCommand) verdict(s *shell, db *client.DB, d scopeList, before []client.Scope) error {
	if c.Action == "all" {
		s.printf("%s takes everything that you are granted: %s\n", c.File, plural(len(d.Scopes), "scope"))
	}
	for _, name := range c.Scopes {
		if text := c.standing(name, d, before); text != "" {
			s.printf("%s %s\n", clean(name), text)
		}
	}
	if err := s.document(d); err != nil {
		return err
	}
	if c.Action != "add" {
		return nil
	}
	return missing(db.Schema(), c.File, d.Scopes, c.Scopes)
}

// standing says where a scope stands of which no news was printed: another
// process may have done what was asked for, or nothing was to be done.
func (c *scopesCommand) standing(name string, d scopeList, before []client.Scope) string {
	of := func(sc client.Scope) bool { return sc.Scope == name }
	if slices.ContainsFunc(d.News, func(n scopeNews) bool { return n.Scope == name && n.State != client.ScopeGained }) {
		return ""
	}
	i := slices.IndexFunc(d.Scopes, of)
	switch {
	case i >= 0 && d.Scopes[i].Ready && c.Action == "drop":
		return "stays: every copy has it"
	case i >= 0 && d.Scopes[i].Ready:
		return "is here: " + plural(d.Scopes[i].Rows, "row")
	case c.Action == "drop" && slices.ContainsFunc(before, of):
		return "is not taken any more"
	case c.Action == "drop":
		return "was not taken"
	}
	return ""
}

// missing is the ending of a command that named scopes that are not granted:
// the copy is there all the same, and takes them once they are.
func missing(sch *tidemark.Schema, file string, list []client.Scope, named []string) error {
	var not, unknown []string
	for _, name := range named {
		if slices.ContainsFunc(list, func(sc client.Scope) bool { return sc.Scope == name && sc.Listed }) {
			continue
		}
		kind, _, _ := strings.Cut(name, "/")
		if not = append(not, clean(name)); !slices.Contains(sch.Scopes, kind) {
			unknown = append(unknown, clean(kind))
		}
	}
	switch {
	case len(not) == 0:
		return nil
	case len(unknown) > 0:
		return &ending{exit: exitRefused, code: tidemark.CodeForbidden,
			msg:  "not granted: " + strings.Join(not, ", ") + "; there is no kind of scope " + strings.Join(slices.Compact(unknown), ", "),
			hint: "the kinds are " + strings.Join(sch.Scopes, ", ") + "; tidemark scopes " + quoteArg(file) + " drop " + quoteArg(not[0])}
	}
	return &ending{exit: exitRefused, code: tidemark.CodeForbidden, msg: "not granted: " + strings.Join(not, ", "),
		hint: "the copy is fine without, and takes it once it is granted; the server's tidemark rules explain says who may read what"}
}
