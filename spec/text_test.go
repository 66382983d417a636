package spec

import (
	"fmt"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// textCase is what README.md says of text.json. Patches are bodies.
type textCase struct {
	Name          string
	Before, After *string // diff
	Diff          string
	Text          *string // apply, transform
	Apply, Gives  string
	Refused       []string // bodies that are not read, or with text: do not fit
	Edit          string   // a body as its author sends it, read and written again
	Log           string   // a body of the log, likewise
	First, Second string   // compose
	Composed      string
	A, B          string // transform; a stands first at ties
	A1            string `json:"a_over_b"`
	B1            string `json:"b_over_a"`
	Chain         []chainStep
}

// chainStep is an edit of a chain: who, its number, what it had seen, the
// body, how it ends.
type chainStep struct {
	By   string
	N    int64
	Seen tidemark.Seq
	Edit string
	Ends tidemark.OutcomeKind
	Code tidemark.Code
}

func testText(t *testing.T, text []byte) {
	cases(t, text, func(c *textCase) string { return c.Name }, func(t *testing.T, c *textCase) {
		switch {
		case c.Before != nil:
			equal(t, "diff", splice.Diff(*c.Before, *c.After).Body(true), c.Diff)
			equal(t, "text", applied(t, *c.Before, c.Diff), *c.After)
		case c.Chain != nil:
			runChain(t, c)
		case c.Apply != "":
			equal(t, "text", applied(t, *c.Text, c.Apply), c.Gives)
		case c.Text != nil && c.Refused != nil:
			unfit(t, *c.Text, c.Refused)
		case c.Composed != "":
			equal(t, "composed", splice.Compose(patch(t, c.First), patch(t, c.Second)).Body(true), c.Composed)
		case c.A != "":
			transformed(t, c)
		default:
			bodies(t, c)
		}
	})
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s %s, want %s", what, got, want)
	}
}

func patch(t *testing.T, body string) splice.Patch {
	t.Helper()
	p, err := splice.ParseBody(body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func applied(t *testing.T, text, body string) string {
	t.Helper()
	out, err := patch(t, body).Apply(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func unfit(t *testing.T, text string, list []string) {
	for _, body := range list {
		if out, err := patch(t, body).Apply(text); err == nil {
			t.Errorf("%s makes %q of %q", body, out, text)
		}
	}
}

func transformed(t *testing.T, c *textCase) {
	a, b := splice.Transform(patch(t, c.A), patch(t, c.B), true)
	equal(t, "a over b", a.Body(true), c.A1)
	equal(t, "b over a", b.Body(true), c.B1)
	if c.Text != nil {
		equal(t, "a then b'", applied(t, applied(t, *c.Text, c.A), c.B1), c.Gives)
		equal(t, "b then a'", applied(t, applied(t, *c.Text, c.B), c.A1), c.Gives)
	}
}

func bodies(t *testing.T, c *textCase) {
	if c.Edit != "" {
		e, err := splice.ParseEdit(c.Edit)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "edit", e.Body(), c.Edit)
	}
	if c.Log != "" {
		equal(t, "log", patch(t, c.Log).Body(true), c.Log)
	}
	for _, body := range c.Refused {
		if e, err := splice.ParseEdit(body); err == nil {
			t.Errorf("%s is read as %+v", body, e)
		}
	}
}

// runChain lets a server judge edits of one text, each in a group of its own.
func runChain(t *testing.T, c *textCase) {
	s := scenario{
		SQL:      []string{"CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT CHECK (length(body) < 30))", fmt.Sprintf("INSERT INTO doc VALUES (1, '%s')", *c.Text)},
		Policies: []string{"tables: {doc: {columns: {body: text}}}"},
		Rows:     map[string][][]value{"doc": {{{tidemark.Int(1)}, {tidemark.Text(c.Gives)}}}},
	}
	for _, l := range c.Chain {
		s.Steps = append(s.Steps, step{Replica: l.By, N: l.N, Seen: l.Seen, Ends: l.Ends, Code: l.Code, Changes: []namedChange{{
			Table: "doc", Op: "update", Key: []value{{tidemark.Int(1)}}, Edits: map[string]edit{"body": {Kind: "t", Body: l.Edit}},
		}}})
	}
	runScenario(t, &s)
}
