package main

import (
	"os"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/typescript"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

type generateCommand struct {
	Language string `arg:"" enum:"ts" help:"ts, for TypeScript."`
	Source   string `arg:"" help:"An SQLite file, or the address of a space."`
	tokenFlags
	Out    string `short:"o" placeholder:"PATH" help:"Write to this file."`
	BigInt bool   `name:"bigint" help:"Give integers the type bigint, for databases that are opened with bigint: true."`
}

// Help is shown below the command's one line.
func (generateCommand) Help() string {
	return `Writes for every table and view the type of its rows, for every table the type of what an insert gives, and one type with all their names. A type goes by what the column declares: tables that are not STRICT can hold other values.

Examples:

    tidemark generate ts shop.sqlite -o src/schema.ts
    tidemark generate ts http://127.0.0.1:7420/shop`
}

// generated is what generate prints with --json.
type generated struct {
	Source    string   `json:"source"`
	File      string   `json:"file,omitempty"`
	Relations []string `json:"relations"`
	Text      string   `json:"text,omitempty"` // unless it was written to a file
}

// Run writes the types.
func (c *generateCommand) Run(s *shell) error {
	schema, err := c.schema(s)
	if err != nil {
		return err
	}
	all, err := typescript.Relations(schema)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := typescript.Write(&text, all, typescript.Options{Source: c.Source, BigInt: c.BigInt}); err != nil {
		return err
	}
	doc := generated{Source: c.Source, File: c.Out, Relations: []string{}}
	for _, r := range all {
		doc.Relations = append(doc.Relations, r.Name)
	}
	if c.Out == "" {
		doc.Text = text.String()
		s.printf("%s", doc.Text)
		return s.document(doc)
	}
	if err := os.WriteFile(c.Out, []byte(text.String()), 0o644); err != nil {
		return &tidemark.Error{Code: tidemark.CodeReadOnly, Err: err, Hint: "name a file in a folder that is there and can be written"}
	}
	s.printf("%s: types of %s\n", c.Out, plural(len(all), "relation"))
	return s.document(doc)
}

func (c *generateCommand) schema(s *shell) (*tidemark.Schema, error) {
	if strings.Contains(c.Source, "://") {
		return client.SchemaOf(s.ctx, c.Source, client.Options{Token: c.source()})
	}
	if err := mustBeThere(c.Source); err != nil {
		return nil, err
	}
	a, err := sqlite.Look(c.Source)
	if err != nil {
		return nil, err
	}
	return a.Schema, nil
}
