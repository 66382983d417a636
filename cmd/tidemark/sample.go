package main

import (
	"github.com/tidemarkdb/tidemark/internal/sample"
)

type sampleCommand struct {
	File   string `arg:"" help:"Path of the file to make; must not be there yet."`
	Seed   uint64 `default:"1" placeholder:"N" help:"The same seed makes the same rows (${default})."`
	Tracks int    `default:"2000" placeholder:"N" help:"How many tracks; everything else follows (${default})."`
}

// Help is shown below the command's one line.
func (sampleCommand) Help() string {
	return `An invented record shop with artists, albums, tracks, playlists, customers and invoices.

Example:

    tidemark sample shop.sqlite
    tidemark serve shop.sqlite`
}

// Run makes the sample.
func (c *sampleCommand) Run(s *shell) error {
	sum, err := sample.Create(s.ctx, c.File, sample.Options{Seed: c.Seed, Tracks: c.Tracks})
	if err != nil {
		return err
	}
	s.printf("%s: %s in %s\n\nnext: tidemark serve %s\n", c.File, plural(sum.Rows, "row"), plural(sum.Tables, "table"), quoteArg(c.File))
	return s.document(sum)
}
