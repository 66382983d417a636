package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// limitFlags are what a server takes at most.
type limitFlags struct {
	MaxMessage   bytes `placeholder:"SIZE" help:"Take messages of at most this size (48MiB, or half as much again as --max-changeset)."`
	MaxChangeset bytes `placeholder:"SIZE" help:"Reject larger changesets (32MiB)."`
	MaxRow       bytes `placeholder:"SIZE" help:"Reject changesets with a larger row (16MiB)."`
}

// largestMessage is what copies take from a server.
const largestMessage bytes = 240 << 20

// limits judges the flags together. A changeset travels in one message, and
// takes more room there than by itself.
func (f limitFlags) limits() (wire.Limits, error) {
	if f.MaxMessage == 0 && f.MaxChangeset > 0 {
		f.MaxMessage = max(hub.DefaultMessage, f.MaxChangeset+f.MaxChangeset/2)
	}
	l := hub.LimitsWithDefaults(wire.Limits{Message: int(f.MaxMessage), Changeset: int(f.MaxChangeset), Row: int(f.MaxRow)})
	switch {
	case bytes(l.Message) > largestMessage:
		return l, usageError(fmt.Sprintf("messages of %s are more than the copies take, which is %s", bytes(l.Message), largestMessage),
			"give less to --max-message, and two thirds of it to --max-changeset")
	case f.MaxRow > 0 && l.Row > l.Changeset:
		return l, usageError(fmt.Sprintf("a row of %s does not fit into a changeset of %s", bytes(l.Row), bytes(l.Changeset)),
			"give --max-changeset as well, and more than --max-row")
	}
	return l, nil
}

// bytes is a size on the command line: 4096, 512KiB, 16MiB, 1GB.
type bytes int

var units = []struct {
	name string
	size bytes
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9},
	{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"B", 1}, {"", 1},
}

// UnmarshalText reads a size.
func (b *bytes) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	number := strings.TrimRight(s, "KMGiBkmgb ")
	unit := strings.TrimSpace(s[len(number):])
	n, err := strconv.ParseInt(number, 10, 32)
	for _, u := range units {
		if err == nil && n > 0 && strings.EqualFold(u.name, unit) {
			if n > int64(1<<40/u.size) {
				break
			}
			*b = bytes(n) * u.size
			return nil
		}
	}
	return fmt.Errorf("%q is not a size: write it like 512KiB or 16MiB", s)
}

// String writes a size as it is read.
func (b bytes) String() string { return size(int64(b)) }
