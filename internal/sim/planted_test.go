//go:build planted

package sim_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/sim"
)

var (
	plantedRuns = flag.Int("planted.runs", 60, "seeds to try for each fault")
	plantedOnly = flag.String("planted.only", "", "only this fault")
)

// likely is the mishap that brings a fault to light.
var likely = map[planted.Fault]string{
	planted.SettleAnyHash:   "fork",
	planted.IgnoreTicket:    "fork",
	planted.DedupOff:        "fork",
	planted.IgnoreTerm:      "restore",
	planted.IgnoreGap:       "frames",
	planted.SkipTombstone:   "catch-up",
	planted.SkipFirstStaged: "catch-up",
	planted.WipeAnyway:      "logout",
	planted.WipeFileFirst:   "logout",
}

// where is the workload that a fault is about, so that it need not be waited for.
var where = map[planted.Fault]string{
	planted.SeeNothing:    "policies",
	planted.ForgetLosers:  "policies",
	planted.PlainCounters: "W5 counter",
	planted.PlaceText:     "notes",
	planted.ForgetNumbers: "keys",
	planted.KeepNumbers:   "keys",
	planted.WrongRow:      "rules",
	planted.JudgeAfter:    "rules",
	planted.JudgeNamed:    "rules",

	planted.ForgetAsDelete: "W8 scopes",
	planted.MissDependants: "W8 scopes",
	planted.SumKeepsLeft:   "W8 scopes",
	planted.WriteUnseen:    "W8 scopes",
	planted.StaleGrant:     "W9 grants",
	planted.LostPart:       "W9 grants",
	planted.KeepLost:       "W9 grants",
	planted.KeepBytes:      "W9 grants",
	planted.AnyHands:       "W9 grants",

	planted.WipeAnyway:    "W3 set",
	planted.WipeFileFirst: "W3 set",
	planted.ForgetAmended: "hooks",
	planted.StaleVerdict:  "hooks",
}

// TestPlanted plants one deliberate fault after another. Each must make the
// simulation fail within a bounded number of seeds. A fault is one of a whole
// process, so each has its own: then they can be tried side by side.
func TestPlanted(t *testing.T) {
	if *plantedOnly != "" {
		catch(t, planted.Fault(*plantedOnly))
		return
	}
	for _, fault := range planted.All {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^TestPlanted$", "-planted.only="+string(fault),
				fmt.Sprint("-planted.runs=", *plantedRuns), fmt.Sprint("-sim.steps=", *stepsFlag), "-sim.workload="+*workloadFlag)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
				return
			}
			t.Logf("%s", out)
		})
	}
}

// catch plants a fault and runs one seed after another until one fails.
func catch(t *testing.T, fault planted.Fault) {
	if !slices.Contains(planted.All, fault) {
		t.Fatalf("there is no fault %q", fault)
	}
	planted.Plant(fault)
	for seed := range uint64(*plantedRuns) {
		workload := cmp.Or(*workloadFlag, where[fault])
		_, f := sim.Run(sim.Options{Seed: 1 + seed, Steps: *stepsFlag, Workload: workload, Likely: likely[fault]})
		if f != nil {
			t.Logf("caught by seed %d: %s: %.200s", 1+seed, f.Invariant, f.Text)
			return
		}
	}
	t.Errorf("not caught in %d runs", *plantedRuns)
}
