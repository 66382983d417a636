package hub

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// leaseUsed looks whether effects use up blocks of ids.
func (g *group) leaseUsed(effects []tidemark.Change) error { return nil }

// leases returns the blocks of ids that go in front of a commit's batch.
func (s *Session) leases(c *Commit) []wire.Down { return nil }

// greetLeases returns the blocks that a replica holds, nil for none.
func (h *Hub) greetLeases(tx tidemark.Tx, replica string) (wire.Down, error) { return nil, nil }
