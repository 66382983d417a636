package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark/client"
)

// isTerminal reports whether f is a terminal, as far as the standard library
// can tell: a character device that is not the null device.
func isTerminal(f *os.File) bool {
	fi, err := f.Stat()
	if err != nil || fi.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(fi, null)
}

// bar draws the progress of a clone on one line of a terminal.
type bar struct {
	w     io.Writer
	drawn time.Time
}

const (
	barCells   = 24
	barEvery   = 100 * time.Millisecond
	clearToEnd = "\r\x1b[K"
)

// show draws p, not more often than the eye can follow.
func (b *bar) show(p client.Progress) {
	if now := time.Now(); now.Sub(b.drawn) >= barEvery {
		b.drawn = now
		_, _ = io.WriteString(b.w, clearToEnd+barLine(p))
	}
}

// filling draws the rows of scopes that come, where somebody can see it.
func (b *bar) filling(s *shell) func(client.Event) {
	return func(ev client.Event) {
		switch {
		case !s.terminal || s.json:
		case ev.Filling > 0:
			b.show(client.Progress{Stage: "rows", Rows: ev.Filling})
		case ev.Scope != nil:
			b.clear()
		}
	}
}

// clear takes the line away, before anything else is printed.
func (b *bar) clear() {
	if !b.drawn.IsZero() {
		b.drawn = time.Time{}
		_, _ = io.WriteString(b.w, clearToEnd)
	}
}

func barLine(p client.Progress) string {
	line := fmt.Sprintf("%-9s", p.Stage)
	if p.Total > 0 {
		part := min(float64(p.Bytes)/float64(p.Total), 1)
		full := int(part * barCells)
		line += fmt.Sprintf(" %s%s %3.0f %%  %s of %s", strings.Repeat("█", full), strings.Repeat("░", barCells-full),
			part*100, size(p.Bytes), size(p.Total))
	} else if p.Bytes > 0 {
		line += " " + size(p.Bytes)
	}
	if p.Rows > 0 {
		line += "  " + plural(p.Rows, "row")
	}
	if p.Left >= time.Second {
		line += "  " + p.Left.Round(time.Second).String() + " left"
	}
	return line
}
