package twin_test

import (
	"flag"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark/internal/twin"
)

var (
	seedFlag     = flag.Uint64("twin.seed", 0, "first seed (default 1)")
	runsFlag     = flag.Int("twin.runs", 0, "number of runs, each with the next seed")
	stepsFlag    = flag.Int("twin.steps", 0, "operations of a run (default 60)")
	timeFlag     = flag.Duration("twin.time", 0, "begin no run after this time")
	workloadFlag = flag.String("twin.workload", "", "what the apps do")
	verboseFlag  = flag.Bool("twin.v", false, "show every event")
)

// Two worlds of the same engine are the same: what the harness finds is not its own.
func TestGoIsItsOwnTwin(t *testing.T) {
	began := time.Now()
	limit := 5 * time.Second
	if *timeFlag > 0 {
		limit = *timeFlag
	}
	var total twin.Stats
	for seed := max(1, *seedFlag); time.Since(began) < limit && (*runsFlag == 0 || total.Runs < *runsFlag); seed++ {
		o := twin.Options{Seed: seed, Steps: *stepsFlag, Workload: *workloadFlag}
		if *verboseFlag {
			o.Log = t.Logf
		}
		stats, failed := twin.Run(o)
		if failed != nil {
			t.Fatal(failed)
		}
		total.Runs++
		total.Ops += stats.Ops
		total.Accepted += stats.Accepted
		total.Merged += stats.Merged
		total.Rejected += stats.Rejected
	}
	t.Logf("%+v", total)
}
