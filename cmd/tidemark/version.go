package main

import (
	"runtime"
	"runtime/debug"

	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

type versionCommand struct{}

// Help is shown below the command's one line.
func (versionCommand) Help() string {
	return `Also tells which protocol this build speaks and which file format it writes.

Example:

    tidemark version --json`
}

// build is what version prints with --json.
type build struct {
	Version  string `json:"version"`
	Protocol int    `json:"protocol"`
	Format   int    `json:"format"`
	Go       string `json:"go"`
}

// Run prints the version.
func (versionCommand) Run(s *shell) error {
	b := build{"development", wire.Protocol, meta.Format, runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	s.printf("tidemark %s (protocol %d, file format %d, %s)\n", b.Version, b.Protocol, b.Format, b.Go)
	return s.document(b)
}
