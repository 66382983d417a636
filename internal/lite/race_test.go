//go:build race

package lite

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// TestTwoGoroutinesOnOneConnection is run by the test below, in a process of
// its own: it does what the package forbids.
func TestTwoGoroutinesOnOneConnection(t *testing.T) {
	path := os.Getenv("LITE_SHARED")
	if path == "" {
		t.Skip("nothing to do: the test below runs it in a process of its own, with LITE_SHARED set")
	}
	db, err := Open(path, Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	for _, sql := range []string{"SELECT ?1 + 1", "SELECT ?1 + 2"} {
		s, err := db.Prepare(sql)
		if err != nil {
			t.Fatal(err)
		}
		both.Go(func() {
			for range 10 {
				_ = s.BindAll(tidemark.Int(1))
				for s.Step() {
				}
				_ = s.Reset()
			}
		})
	}
	both.Wait()
}

// The detector does not look into SQLite (see the Makefile). One connection that
// two use at once must show all the same.
func TestTheRaceDetectorSeesSharedConnections(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestTwoGoroutinesOnOneConnection$")
	cmd.Env = append(os.Environ(), "LITE_SHARED="+filepath.Join(t.TempDir(), "a.sqlite"), "GORACE=halt_on_error=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "WARNING: DATA RACE") {
		t.Errorf("%v\n%s", err, out)
	}
}
