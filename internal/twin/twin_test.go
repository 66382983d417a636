package twin_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/twin"
)

var (
	seedFlag     = flag.Uint64("twin.seed", 0, "first seed (default 1)")
	runsFlag     = flag.Int("twin.runs", 0, "number of runs, each with the next seed (default: as many as -twin.time allows; in CI always the same)")
	stepsFlag    = flag.Int("twin.steps", 0, "operations of a run (default 100)")
	timeFlag     = flag.Duration("twin.time", 0, "begin no run after this time (default 25s without a seed)")
	workloadFlag = flag.String("twin.workload", "", "what the apps do, one of the simulator's workloads")
	scopedFlag   = flag.Bool("twin.scoped", false, "always with scopes; by default in every second run")
	mixedFlag    = flag.Bool("twin.mixed", false, "always one world of both kinds; by default in every third run")
	shrinkFlag   = flag.Bool("twin.shrink", false, "look for a short script that fails")
	verboseFlag  = flag.Bool("twin.v", false, "show every event")
	keepFlag     = flag.Bool("twin.keep", false, "go on after a failure")
	sourcesFlag  = flag.String("twin.js", "../../js", "the sources of the TypeScript engine")
)

// folder holds the host's program.
var folder string

// program makes it, once.
var program = sync.OnceValues(func() (_ string, err error) {
	if folder, err = os.MkdirTemp("", "tidemark-twin"); err != nil {
		return "", err
	}
	return twin.Bundle(*sourcesFlag, folder)
})

// startHost starts Node. Without it the test is skipped, but not in CI.
func startHost(t *testing.T) *twin.Host {
	t.Helper()
	path, err := program()
	if errors.Is(err, twin.ErrNoNode) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	h, err := twin.StartHost(*sourcesFlag, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("the host: %v", err)
		}
	})
	return h
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if folder != "" {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}

// Two worlds of the same engine are the same: what the harness finds is not its own.
func TestGoIsItsOwnTwin(t *testing.T) {
	for seed := uint64(1); seed <= uint64(dice.Times(3)); seed++ {
		if _, failed := twin.Run(options(t, seed)); failed != nil {
			t.Fatal(failed)
		}
	}
}

// usualRuns is how many seeds CI tries, however fast its machine is.
const usualRuns = 24

// TestTwins runs Go and TypeScript replicas side by side. With a seed it runs
// that one; without, as many as fit into the time.
func TestTwins(t *testing.T) {
	h := startHost(t)
	runs, limit := *runsFlag, *timeFlag
	switch {
	case runs == 0 && limit == 0 && *seedFlag != 0:
		runs = 1
	case runs == 0 && limit == 0 && (dice.Fixed() || testing.Short()):
		runs = dice.Times(usualRuns)
	case runs == 0 && limit == 0:
		limit = 25 * time.Second
	}
	began := time.Now()
	var total twin.Stats
	for seed := max(1, *seedFlag); runs == 0 || total.Runs < runs; seed++ {
		if limit > 0 && time.Since(began) > limit || t.Failed() && !*keepFlag {
			break
		}
		add(&total, one(t, h, options(t, seed)))
	}
	t.Logf("%d runs in %v: %d operations, %d lines and %d copies compared; %d accepted, %d merged, %d rejected", total.Runs,
		time.Since(began).Round(time.Millisecond), total.Ops, total.Lines, total.Dumps, total.Accepted, total.Merged, total.Rejected)
}

func options(t *testing.T, seed uint64) twin.Options {
	o := twin.Options{Seed: seed, Steps: *stepsFlag, Workload: *workloadFlag, Mixed: *mixedFlag || seed%3 == 0, Scoped: *scopedFlag || seed%2 == 0}
	if *verboseFlag {
		o.Log = t.Logf
	}
	return o
}

func one(t *testing.T, h *twin.Host, o twin.Options) twin.Stats {
	t.Helper()
	o.Host = h
	stats, failed := twin.Run(o)
	if failed == nil {
		return stats
	}
	if *shrinkFlag && o.Script == nil {
		o.Log = nil
		failed = twin.Shrink(o, failed)
		text, err := json.MarshalIndent(failed.Script, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("as a file of testdata:\n%s", text)
	}
	t.Errorf("%v\nrepeat: go test ./internal/twin -run 'TestTwins$' -twin.seed=%d -twin.steps=%d -twin.workload=%q -twin.mixed=%v -twin.scoped=%v -twin.shrink",
		failed, o.Seed, o.Steps, o.Workload, o.Mixed, o.Scoped)
	return stats
}

func add(total *twin.Stats, s twin.Stats) {
	total.Runs++
	total.Ops += s.Ops
	total.Lines += s.Lines
	total.Dumps += s.Dumps
	total.Accepted += s.Accepted
	total.Merged += s.Merged
	total.Rejected += s.Rejected
}

// TestRegressions runs the scripts that failed once, each shrunk to what it takes.
func TestRegressions(t *testing.T) {
	h := startHost(t)
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			script := new(twin.Script)
			if err := json.Unmarshal(text, script); err != nil {
				t.Fatal(err)
			}
			o := twin.Options{Seed: script.Setup.Seed, Script: script}
			if *verboseFlag {
				o.Log = t.Logf
			}
			one(t, h, o)
		})
	}
}
