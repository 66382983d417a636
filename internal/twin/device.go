package twin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// device is a machine with a copy: an app that writes and an engine that syncs.
// All that it answers is text that must be the same for every implementation.
type device interface {
	// create makes a replica of a snapshot and starts the engine; see Op of clone.
	create(snapshot []byte, state tidemark.SpaceState, schema *tidemark.Schema, o Op) error
	// adopt starts the engine on the bytes of another device's file.
	adopt(image []byte) error
	// image is the file as it is, in a form that adopt of the same kind of device takes.
	image() ([]byte, error)
	// reopen kills engine and app and starts them again.
	reopen() error
	// write runs a transaction of the app, and says what became of it.
	write(now int64, w Op) (string, error)
	// tamper runs statements that capture does not see.
	tamper(now int64, w Op) (string, error)
	// redefine lets the app change the structure of its copy.
	redefine(now int64, sql string) (string, error)
	// step lets the loop take an event.
	step(now int64, ev event) (stepped, error)
	// subscribe replaces the scopes that are wanted; wants tells them.
	subscribe(now int64, only bool, want []wire.Want) (string, error)
	wants() (only bool, want []wire.Want, err error)
	// dispose retries or discards a rejected changeset.
	dispose(now int64, o Op) (string, error)
	// report says what is pending and rejected as the app is told.
	report() ([]string, error)
	// dump reads everything that is stored.
	dump() (map[string][]string, error)
	close()
}

// event is what happens to a loop. A message is the text that came.
type event struct {
	Type string `json:"type"` // start, connected, received, disconnected, local, tick, rewant, verify, hangup
	Text string `json:"text,omitempty"`
}

// stepped is what a loop answers to an event.
type stepped struct {
	State   string   `json:"state"`
	Fault   string   `json:"fault,omitempty"` // code of the file's error
	Effects []effect `json:"effects"`
}

// effect is what a loop wants done.
type effect struct {
	Do    string   `json:"do"` // dial, send, close, timer, note
	After int64    `json:"after,omitempty"`
	Texts []string `json:"texts,omitempty"`
	Note  string   `json:"note,omitempty"`
}

func (e effect) String() string {
	switch e.Do {
	case "timer":
		return fmt.Sprintf("timer %d", e.After)
	case "note":
		return "note " + e.Note
	case "send":
		return "send " + strings.Join(e.Texts, " ")
	}
	return e.Do
}

// kept reports whether both sides keep a table of the bookkeeping alike. The
// history of undo is Go's alone.
func kept(table string) bool {
	return !strings.HasPrefix(table, "_tm_history") && table != "_tm_call"
}

// ownFacts differ by nature: how often each library changed the structure, and
// what kind of file it was.
var ownFacts = []string{"ddl_version", "journal_mode"}

func keptFact(name string) bool { return !slices.Contains(ownFacts, name) }
