package spec

import (
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark/internal/replica"
)

type loopCase struct {
	Name string            `json:"name"`
	In   map[string]string `json:"in"`
}

// The table has an answer for every state; internal/replica compares it with its own.
func testLoop(t *testing.T, text []byte) {
	var all []string
	for s := replica.Offline; s.String() != "unknown"; s++ {
		all = append(all, s.String())
	}
	cases(t, text, func(c *loopCase) string { return c.Name }, func(t *testing.T, c *loopCase) {
		for _, s := range all {
			if c.In[s] == "" {
				t.Errorf("no word on the state %q", s)
			}
		}
		for s := range c.In {
			if !slices.Contains(all, s) {
				t.Errorf("there is no state %q", s)
			}
		}
	})
}
