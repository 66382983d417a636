package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/tidemarkdb/tidemark"
)

// Problem is one thing in a file that is wrong or does not fit the database.
type Problem struct {
	File string `json:"file"`
	At
	Text string `json:"-"` // the line of the file
	Msg  string `json:"message"`
	Hint string `json:"hint,omitempty"` // what to do about it
}

// Error is "file:line:column: what is wrong".
func (p Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Msg)
}

// Show is Error with the line, a mark below the place, and the next step.
func (p Problem) Show() string {
	var b strings.Builder
	b.WriteString(p.Error())
	if p.Text != "" {
		line, column := excerpt(p.Text, p.Column)
		number := fmt.Sprintf("%4d | ", p.Line)
		fmt.Fprintf(&b, "\n%s%s\n%s| %s^", number, line, strings.Repeat(" ", len(number)-2), strings.Repeat(" ", column-1))
	}
	if p.Hint != "" {
		b.WriteString("\n  next: " + p.Hint)
	}
	return b.String()
}

// widest is how much of a line is shown.
const widest = 100

// excerpt makes a line fit to be shown, and says where in it the column went.
func excerpt(line string, column int) (string, int) {
	runes := []rune(strings.TrimRight(line, "\r\n"))
	column = max(1, min(column, len(runes)+1))
	if from := column - widest/2; from > 0 && len(runes) > widest {
		runes, column = runes[from:], column-from
	}
	return printable(string(runes[:min(len(runes), widest)])), column
}

// printable takes out of what a file says what could move a terminal's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// Problems are all that were found, in the order of the file.
type Problems []Problem

// most is how many problems are told at once.
const most = 20

// Error shows every problem on lines of its own.
func (ps Problems) Error() string {
	parts := make([]string, 0, len(ps))
	for i, p := range ps {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(ps)-i))
			break
		}
		parts = append(parts, p.Show())
	}
	return strings.Join(parts, "\n")
}

// asError is nil when there is no problem.
func (ps Problems) asError() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if a.At.Line != b.At.Line {
			return a.At.Line - b.At.Line
		}
		return a.At.Column - b.At.Column
	})
	return &tidemark.Error{Code: tidemark.CodeUsage, Err: ps, Hint: ps[0].Hint}
}

// log collects problems of one file.
type log struct {
	file  string
	lines []string
	found Problems
}

func (l *log) add(at At, hint, format string, args ...any) {
	at.Line, at.Column = max(at.Line, 1), max(at.Column, 1)
	p := Problem{File: l.file, At: at, Msg: printable(fmt.Sprintf(format, args...)), Hint: printable(hint)}
	if at.Line <= len(l.lines) {
		p.Text = l.lines[at.Line-1]
	}
	l.found = append(l.found, p)
}
