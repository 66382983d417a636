package sim

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// Failure is a run in which an invariant did not hold.
type Failure struct {
	Options   Options
	Workload  string
	Invariant string
	Text      string
	Recent    []string // the last events
}

// Error shows the failure with the command that repeats it.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s: %s\nworkload %s, the last events:\n  %s\nrepeat with: %s",
		f.Invariant, f.Text, f.Workload, strings.Join(f.Recent, "\n  "), f.Command())
}

// Command repeats the run.
func (f *Failure) Command() string {
	cmd := fmt.Sprintf("go test ./internal/sim -run 'TestSim$' -sim.seed=%d -sim.runs=1 -sim.v", f.Options.Seed)
	if f.Options.Steps != 0 {
		cmd += fmt.Sprintf(" -sim.steps=%d", f.Options.Steps)
	}
	if f.Options.Replicas != 0 {
		cmd += fmt.Sprintf(" -sim.replicas=%d", f.Options.Replicas)
	}
	if f.Options.Workload != "" {
		cmd += fmt.Sprintf(" -sim.workload=%q", f.Options.Workload)
	}
	if f.Options.Likely != "" {
		cmd += " -sim.likely=" + f.Options.Likely
	}
	return cmd
}

// fail ends the run.
func (w *world) fail(invariant, format string, args ...any) {
	panic(&Failure{
		Options: w.opts, Workload: w.work.name(), Invariant: invariant,
		Text: fmt.Sprintf(format, args...), Recent: w.recent,
	})
}

// must ends the run for an error that nothing explains.
func (w *world) must(err error, doing string) {
	if err != nil {
		w.fail("no unexplained error", "%s: %v", doing, err)
	}
}

// caught turns a panic into a failure.
func (w *world) caught(p any) *Failure {
	if f, ok := p.(*Failure); ok {
		return f
	}
	return &Failure{
		Options: w.opts, Workload: w.work.name(), Invariant: "no panic",
		Text: fmt.Sprintf("%v\n%s", p, debug.Stack()), Recent: w.recent,
	}
}
