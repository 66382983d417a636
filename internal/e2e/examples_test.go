package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark/internal/hub"
)

// TestGoInDocumentsCompiles: the Go code in documents stands in example tests
// and examples, which are compiled and for the most part run.
func TestGoInDocumentsCompiles(t *testing.T) {
	root := filepath.Join("..", "..")
	code := squeezed(t, filepath.Join(root, "client", "example_test.go")) + squeezed(t, filepath.Join(root, "server", "example_test.go")) +
		squeezed(t, filepath.Join(root, "examples", "policies", "main.go"))
	for path, atLeast := range map[string]int{"README.md": 2, "docs/guide/embedding.md": 8, "docs/guide/policies.md": 3, "docs/guide/scopes.md": 1} {
		b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split(string(b), "```go\n")[1:]
		if len(blocks) < atLeast {
			t.Errorf("%s has %d blocks of Go, not %d", path, len(blocks), atLeast)
		}
		for _, block := range blocks {
			block, _, _ = strings.Cut(block, "```")
			if !strings.Contains(code, strings.Join(strings.Fields(block), "")) {
				t.Errorf("%s has code that stands in no example:\n%s", path, block)
			}
		}
	}
}

// TestDocumentsNameTheLimits: what documents say of default limits is so.
func TestDocumentsNameTheLimits(t *testing.T) {
	message, changeset, row := hub.DefaultMessage>>20, hub.DefaultChangeset>>20, hub.DefaultRow>>20
	for path, wants := range map[string][]string{
		"docs/guide/operating.md": {
			fmt.Sprintf("| one message | %d MiB |", message),
			fmt.Sprintf("| one changeset | %d MiB |", changeset),
			fmt.Sprintf("| one row | %d MiB |", row),
		},
		"docs/guide/errors.md": {fmt.Sprintf("%d MiB for a row, %d MiB for a changeset", row, changeset)},
		"spec/protocol.md":     {fmt.Sprintf("one message (%d MiB unless set otherwise), of one changeset's body (%d MiB), of one row (%d MiB;", message, changeset, row)},
	} {
		b, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
	}
}

// squeezed is a file without white space.
func squeezed(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(b)), "")
}
