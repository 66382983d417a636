package sim_test

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/sim"
)

var (
	seedFlag     = flag.Uint64("sim.seed", 0, "first seed (default 1)")
	runsFlag     = flag.Int("sim.runs", 0, "number of runs, each with the next seed (default: as many as -sim.time allows; in CI always the same)")
	stepsFlag    = flag.Int("sim.steps", 0, "things that happen in a run (default 200)")
	replicasFlag = flag.Int("sim.replicas", 0, "devices (default by the seed)")
	workloadFlag = flag.String("sim.workload", "", "one of "+strings.Join(sim.Workloads(), ", "))
	likelyFlag   = flag.String("sim.likely", "", "a mishap that shall happen: fork, restore, frames, foreign, declare, catch-up, logout")
	timeFlag     = flag.Duration("sim.time", 0, "begin no run after this time (default 40s without a seed)")
	verboseFlag  = flag.Bool("sim.v", false, "show every event")
	keepFlag     = flag.Bool("sim.keep", false, "go on after a failure")
)

// usualRuns is how many seeds CI tries, however fast its machine is.
const usualRuns = 120

// TestSim runs the simulation. With a seed it runs that one; without, as many
// as fit into the time. Every failure prints the command that repeats it.
func TestSim(t *testing.T) {
	first := max(*seedFlag, 1)
	runs, limit := *runsFlag, *timeFlag
	switch {
	case runs == 0 && limit == 0 && *seedFlag != 0:
		runs = 1
	case runs == 0 && limit == 0 && testing.Short():
		runs = 2 // for the race detector: what two worlds share
	case runs == 0 && limit == 0 && dice.Fixed():
		runs = usualRuns
	case runs == 0 && limit == 0:
		limit = 40 * time.Second
	}
	began := time.Now()
	var mu sync.Mutex
	var total sim.Stats
	done, failed := 0, 0
	next := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		over := runs > 0 && done >= runs || limit > 0 && time.Since(began) > limit || failed > 0 && !*keepFlag
		done++
		return first + uint64(done-1), !over
	}
	each := func() {
		for seed, ok := next(); ok; seed, ok = next() {
			stats, f := sim.Run(options(seed))
			mu.Lock()
			add(&total, stats)
			if f != nil {
				failed++
				t.Errorf("seed %d: %v", seed, f)
			}
			mu.Unlock()
		}
	}
	parallel(each)
	t.Logf("%d failed; %s", failed, show(total, time.Since(began)))
}

func options(seed uint64) sim.Options {
	steps := *stepsFlag
	if steps == 0 {
		steps = dice.Times(200)
	}
	o := sim.Options{Seed: seed, Steps: steps, Replicas: *replicasFlag, Workload: *workloadFlag, Likely: *likelyFlag}
	if *verboseFlag {
		o.Log = io.Writer(os.Stdout)
	}
	return o
}

// parallel runs as many simulations at once as there are processors; each is
// one goroutine and knows nothing of the others.
func parallel(work func()) {
	var wg sync.WaitGroup
	n := runtime.GOMAXPROCS(0)
	if *verboseFlag {
		n = 1
	}
	for range n {
		wg.Go(work)
	}
	wg.Wait()
}

func add(total *sim.Stats, s sim.Stats) {
	total.Runs++
	total.Events += s.Events
	total.Commits += s.Commits
	total.Groups += s.Groups
	total.Accepted += s.Accepted
	total.Merged += s.Merged
	total.Rejected += s.Rejected
	total.Crashes += s.Crashes
	total.Restarts += s.Restarts
	total.Breaks += s.Breaks
	total.Checks += s.Checks
	total.Virtual += s.Virtual
}

func show(s sim.Stats, took time.Duration) string {
	return fmt.Sprintf("%d runs in %v: %v of virtual time, %d events, %d commits (%d accepted, %d merged, %d rejected), %d groups, %d crashes, %d broken connections, %d states checked",
		s.Runs, took.Round(time.Millisecond), time.Duration(s.Virtual)*time.Millisecond, s.Events, s.Commits, s.Accepted, s.Merged, s.Rejected, s.Groups, s.Crashes, s.Breaks, s.Checks)
}

// TestRegressions runs the seeds that failed once; with -short some of them.
func TestRegressions(t *testing.T) {
	file, err := os.Open("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for ran := 0; lines.Scan() && !(testing.Short() && ran == 2); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		ran++
		o := parseSeed(t, line)
		t.Run(strings.Fields(line)[0], func(t *testing.T) {
			if _, f := sim.Run(o); f != nil {
				t.Error(f)
			}
		})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

func parseSeed(t *testing.T, line string) sim.Options {
	t.Helper()
	fields := strings.Fields(line)
	seed, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil {
		t.Fatalf("testdata/seeds.txt: %v", err)
	}
	o := sim.Options{Seed: seed}
	for _, field := range fields[1:] {
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			break // the rest is for people
		}
		switch name {
		case "steps":
			o.Steps, err = strconv.Atoi(value)
		case "replicas":
			o.Replicas, err = strconv.Atoi(value)
		case "likely":
			o.Likely = value
		case "workload":
			o.Workload = strings.ReplaceAll(value, "_", " ")
		}
		if err != nil {
			t.Fatalf("testdata/seeds.txt: %q: %v", line, err)
		}
	}
	return o
}

// TestCalm runs every workload without a fault: what fails here is simple.
func TestCalm(t *testing.T) {
	for i, title := range sim.Workloads() {
		t.Run(title, func(t *testing.T) {
			if _, f := sim.Run(sim.Options{Seed: uint64(i + 1), Steps: dice.Times(80), Workload: title, Calm: true}); f != nil {
				t.Error(f)
			}
		})
	}
}

// TestDeterminism is I29: one seed, one run.
func TestDeterminism(t *testing.T) {
	for seed := uint64(1); seed <= uint64(dice.Times(3)); seed++ {
		o := sim.Options{Seed: seed, Steps: dice.Times(120)}
		a, f := sim.Run(o)
		if f != nil {
			t.Fatal(f)
		}
		b, f := sim.Run(o)
		if f != nil {
			t.Fatal(f)
		}
		if a != b {
			t.Errorf("I29: seed %d ran differently the second time:\n%+v\n%+v", seed, a, b)
		}
	}
}
