// Command tidemark serves SQLite databases, makes copies of them, and keeps
// the copies in sync.
//
// It is a thin shell: every command parses its arguments, calls package
// client, server, store/sqlite or one of the samples, and prints the result. What
// a command prints goes to standard output, for people or, with --json, as one
// JSON document. Errors go to standard error with the next step below them.
// Exit codes are those of `tidemark help exit-codes`.
//
// The first Ctrl-C ends a command cleanly, the second kills it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// commands is the whole command line.
type commands struct {
	JSON    bool `name:"json" help:"Print one JSON document instead of text."`
	Verbose bool `short:"v" help:"Write what happens inside to standard error."`

	Serve     serveCommand     `cmd:"" group:"serve" help:"Serve SQLite files as spaces."`
	Check     checkCommand     `cmd:"" group:"serve" help:"Say what serving a file would do; changes nothing."`
	Policies  policiesCommand  `cmd:"" group:"serve" help:"Show by what policy edits of every column merge, or begin a tidemark.yaml."`
	Rules     rulesCommand     `cmd:"" group:"serve" help:"Look at the rules that say who may write what."`
	Token     tokenCommand     `cmd:"" group:"serve" help:"Make keys and tokens, and look at them."`
	Migrate   migrateCommand   `cmd:"" group:"serve" help:"Run an SQL script that changes the schema of a served file."`
	Clone     cloneCommand     `cmd:"" group:"copy" help:"Make a copy of a space: an ordinary SQLite file."`
	Sync      syncCommand      `cmd:"" group:"copy" help:"Send what was written into a copy, fetch what is new."`
	Status    statusCommand    `cmd:"" group:"copy" help:"Show where a file stands."`
	Scopes    scopesCommand    `cmd:"" group:"copy" help:"Show which parts of the space a copy holds; take more or fewer."`
	Pending   pendingCommand   `cmd:"" group:"copy" help:"List changesets that the server has not answered yet."`
	Rejected  rejectedCommand  `cmd:"" group:"copy" help:"List, show, retry, discard or export rejected changesets."`
	Conflicts conflictsCommand `cmd:"" group:"copy" help:"List, show and resolve edits that met, and restore what lost."`
	Undo      undoCommand      `cmd:"" group:"copy" help:"Take back the newest changeset of a copy, where nobody touched it since."`
	Redo      redoCommand      `cmd:"" group:"copy" help:"Take back the last undo."`
	Log       logCommand       `cmd:"" group:"copy" help:"Show what was accepted, when and from whom."`
	Logout    logoutCommand    `cmd:"" group:"copy" help:"Delete a copy from this device, unless something in it is nowhere else."`
	Presence  presenceCommand  `cmd:"" group:"copy" help:"Show who is connected to the space now; be seen by the others."`
	Verify    verifyCommand    `cmd:"" group:"copy" help:"Prove that a copy equals the server, row by row; repair it if not."`
	Doctor    doctorCommand    `cmd:"" group:"care" help:"Look for damage in a served file or a copy."`
	Detach    detachCommand    `cmd:"" group:"care" help:"Take everything of Tidemark off a file again."`
	Generate  generateCommand  `cmd:"" group:"care" help:"Write the tables of a file or a space as TypeScript types."`
	Sample    sampleCommand    `cmd:"" group:"try" help:"Make a sample database to try things on."`
	Demo      demoCommand      `cmd:"" group:"try" help:"Make a sample database, serve it, and say what to do next."`
	Help      helpCommand      `cmd:"" group:"try" help:"Explain a command or a topic, such as exit-codes."`
	Version   versionCommand   `cmd:"" group:"try" help:"Print the version."`
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := interruptible()
	defer stop()
	s := newShell(ctx)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	if args[0] == "--version" {
		args[0] = "version"
	}
	var c commands
	parser, err := newParser(&c)
	if err != nil {
		return s.fail(err)
	}
	s.parser = parser
	k, err := parser.Parse(args)
	s.configure(c.JSON || err != nil && asksForJSON(args), c.Verbose)
	if err != nil {
		return s.fail(usage(err))
	}
	return s.fail(k.Run(s))
}

// asksForJSON looks for the flag in a command line that could not be read to its end.
func asksForJSON(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return slices.Contains(args, "--json")
}

func newParser(c *commands) (*kong.Kong, error) {
	return kong.New(c,
		kong.Name("tidemark"),
		kong.Description("Serve any SQLite database, copy it anywhere, write to any copy with any tool, and all copies converge."),
		kong.UsageOnError(),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(duration)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "serve", Title: "On the server:"},
			{Key: "copy", Title: "On a copy:"},
			{Key: "auth", Title: "Who may come:"},
			{Key: "hook", Title: "Who else judges:"},
			{Key: "care", Title: "Care:"},
			{Key: "try", Title: "To begin with:"},
		}),
	)
}

// duration reads a flag such as --timeout.
func duration(c *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := c.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is no duration: write its unit too, as in 30s, 5m or 1h30m", text)
	}
	target.SetInt(int64(d))
	return nil
}

// interruptible returns a context that ends with the first Ctrl-C or SIGTERM.
// The second is no longer caught and kills.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// usage turns a parse error into one with exit code 2 and the way to the help.
func usage(err error) error {
	next := "tidemark --help"
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil && p.Context.Command() != "" {
		if sel := p.Context.Selected(); sel != nil {
			next = sel.FullPath() + " --help"
		}
	}
	return &ending{exit: exitUsage, code: "usage", msg: err.Error(), hint: next}
}
