package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/policy"
)

// shell is what every command prints to.
type shell struct {
	ctx      context.Context
	in       io.Reader
	out, err io.Writer
	parser   *kong.Kong
	log      *slog.Logger
	level    slog.LevelVar // of the log
	json     bool
	told     bool         // a JSON document was printed
	terminal bool         // standard error is one: progress may be drawn
	again    func() error // what SIGHUP has read again beside policies
}

func newShell(ctx context.Context) *shell {
	return &shell{
		ctx: ctx, in: os.Stdin, out: os.Stdout, err: os.Stderr,
		log: slog.New(slog.DiscardHandler), terminal: isTerminal(os.Stderr),
	}
}

// silent is above every level: what a command has to say it says itself.
const silent = slog.LevelError + 1

// configure takes the flags that all commands have.
func (s *shell) configure(asJSON, verbose bool) {
	s.json = asJSON
	s.level.Set(silent)
	if verbose {
		s.level.Set(slog.LevelDebug)
	}
	s.log = slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: &s.level}))
}

// printf writes a piece of text for people; nothing with --json.
func (s *shell) printf(format string, args ...any) {
	if !s.json {
		_, _ = fmt.Fprintf(s.out, format, args...)
	}
}

// note writes a line for people beside the result.
func (s *shell) note(format string, args ...any) {
	if !s.json {
		_, _ = fmt.Fprintf(s.err, format+"\n", args...)
	}
}

// document prints the command's result with --json; nothing without.
func (s *shell) document(v any) error {
	if !s.json {
		return nil
	}
	s.told = true
	e := json.NewEncoder(s.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// line prints one of many JSON documents, each on a line of its own.
func (s *shell) line(v any) error {
	s.told = true
	e := json.NewEncoder(s.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table prints aligned columns for people.
func (s *shell) table(rows [][]string) {
	if s.json {
		return
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				_, _ = w.Write([]byte{'\t'})
			}
			_, _ = io.WriteString(w, clean(cell))
		}
		_, _ = fmt.Fprintln(w)
	}
	_ = w.Flush()
	for l := range strings.Lines(b.String()) {
		_, _ = fmt.Fprintln(s.out, strings.TrimRight(l, " \n"))
	}
}

// fail reports how a command ended and returns its exit code.
func (s *shell) fail(err error) int {
	if err == nil {
		return exitDone
	}
	f := s.failure(err)
	var ps policy.Problems
	if errors.As(err, &ps) {
		s.problems(err, ps)
		f.Message, f.Problems = ps[0].Error(), ps
	}
	if f.Message != "" && len(ps) == 0 {
		_, _ = fmt.Fprintf(s.err, "tidemark: %s\n", f.Message)
	}
	if f.Hint != "" && len(ps) == 0 {
		_, _ = fmt.Fprintf(s.err, "  next: %s\n", f.Hint)
	}
	if s.json && !s.told {
		_ = s.document(struct {
			Error failure `json:"error"`
		}{f})
	}
	return f.Exit
}

// failure is an error as it is shown.
type failure struct {
	Code    tidemark.Code `json:"code"`
	Message string        `json:"message"`
	Hint    string        `json:"hint,omitempty"`
	Exit    int           `json:"exit"`

	Problems policy.Problems `json:"problems,omitempty"` // of tidemark.yaml
}

func (s *shell) failure(err error) failure {
	var e *ending
	switch {
	case errors.As(err, &e):
		return failure{Code: e.code, Message: oneLine(e.msg), Hint: e.hint, Exit: e.exit}
	case s.ctx.Err() != nil:
		return failure{Code: "interrupted", Message: "interrupted", Hint: tidemark.HintOf(err), Exit: exitInterrupted}
	}
	code := tidemark.CodeOf(err)
	hint := tidemark.HintOf(err)
	if hint == "" || code == tidemark.CodeUnauthenticated { // here a token is a flag
		hint = hints[code]
	}
	if code == "" {
		code = codeOfSystem(err)
		hint = hints[code]
	}
	return failure{Code: code, Message: oneLine(err.Error()), Hint: hint, Exit: exitOf(code)}
}

// codeOfSystem is the code of what the operating system or SQLite says.
func codeOfSystem(err error) tidemark.Code {
	switch {
	case errors.Is(err, syscall.ENOSPC) || lite.Full(err) || lite.Disk(err):
		return tidemark.CodeFull
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || lite.ReadOnly(err) || lite.Unopened(err):
		return tidemark.CodeReadOnly
	case errors.Is(err, fs.ErrNotExist):
		return tidemark.CodeNotFound
	}
	return tidemark.CodeInternal
}

// withoutDocument is the same shell for a part of a command's text.
func (s *shell) withoutDocument() *shell {
	part := newShell(s.ctx)
	if part.out = s.out; s.json {
		part.out = io.Discard
	}
	return part
}
