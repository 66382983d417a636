package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

type helpCommand struct {
	Topic []string `arg:"" optional:"" help:"A command, or a topic: exit-codes, values."`
}

// topics are the pages that belong to no one command.
var topics = map[string]string{
	"exit-codes": exitCodes,
	"values":     valuesTopic,
}

const valuesTopic = `How --json writes SQLite values, the same as on the wire (spec/protocol.md): NULL as null,
integers up to 2^53 as numbers and others in a tagged form, reals with a point or an
exponent or in a tagged form, text as a string, blobs in a tagged form. So every value can be
read back exactly as SQLite stores it.
`

// Run explains.
func (c *helpCommand) Run(s *shell) error {
	if len(c.Topic) == 1 {
		if text, ok := topics[c.Topic[0]]; ok {
			return c.topic(s, text)
		}
	}
	asked := strings.Join(c.Topic, " ")
	for _, known := range s.parser.Model.Leaves(true) {
		// "rules" is no command itself, but has some.
		if path := known.Path(); path == asked || strings.HasPrefix(path, asked+" ") {
			return s.help(c.Topic...)
		}
	}
	if len(c.Topic) > 0 {
		return usageError("there is no command or topic "+asked,
			"tidemark help lists the commands; the topics are "+strings.Join(slices.Sorted(maps.Keys(topics)), ", "))
	}
	return s.help()
}

func (c *helpCommand) topic(s *shell, text string) error {
	s.printf("%s", text)
	return s.document(map[string]string{"topic": c.Topic[0], "text": text})
}

// help prints what --help does after the given words.
func (s *shell) help(words ...string) error {
	if _, err := s.parser.Parse(append(words, "--help")); err != nil {
		return fmt.Errorf("help: %w", err)
	}
	return nil
}
