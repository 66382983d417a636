package twin

import (
	"fmt"
	"math/rand/v2"

	"github.com/tidemarkdb/tidemark/internal/sim"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Options of Run. Zero fields are chosen from the seed.
type Options struct {
	Seed     uint64
	Steps    int     // default 100
	Workload string  // see sim.Workloads
	Script   *Script // what happens, in place of what the seed says
	Host     *Host   // runs the TypeScript replicas; nil: both worlds are Go's
	Scoped   bool    // scopes are declared
	Mixed    bool    // the second world has copies of both kinds
	Log      func(format string, args ...any)
}

// Stats counts what a run did.
type Stats struct {
	Runs, Ops, Lines, Dumps    int
	Accepted, Merged, Rejected int
}

// Failure is a difference between the worlds, or a world that broke.
type Failure struct {
	Seed   uint64
	Script Script
	Text   string
}

func (f *Failure) Error() string {
	last := Op{Do: "begin"}
	if n := len(f.Script.Ops); n > 0 {
		last = f.Script.Ops[n-1]
	}
	return fmt.Sprintf("seed %d, %v, operation %d, %v:\n%s", f.Seed, f.Script.Setup, len(f.Script.Ops), last, f.Text)
}

// Script is a run that does not hang on what the planner makes of a seed.
type Script struct {
	Setup Setup `json:"setup"`
	Ops   []Op  `json:"ops"`
}

// Setup is what a world is like.
type Setup struct {
	Seed     uint64 `json:"seed"` // of the engines' randomness
	Workload string `json:"workload"`
	Extra    bool   `json:"extra"`            // the extra tables are there
	Scoped   bool   `json:"scoped,omitempty"` // scopes are declared, and the tables for them there
	Brief    bool   `json:"brief"`            // messages leave out what both sides know
	Chunk    int    `json:"chunk"`            // bytes of a catch-up chunk
	Limit    int    `json:"limit"`            // bytes of a changeset, 0 for none
	Mixed    bool   `json:"mixed"`
}

// run is the state of one Run.
type run struct {
	o      Options
	setup  Setup
	rand   *rand.Rand
	worlds [2]*world
	plan   *planner
	ops    []Op
	stats  Stats
}

// Run runs a script, by default the one of the seed, in two worlds and returns
// the first difference.
func Run(o Options) (stats Stats, failed *Failure) {
	if o.Steps == 0 {
		o.Steps = 100
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	r := &run{o: o, rand: rand.New(rand.NewPCG(o.Seed, 7))}
	defer func() {
		for _, w := range r.worlds {
			if w != nil {
				w.close()
			}
		}
	}()
	defer func() {
		if p := recover(); p != nil {
			b, ok := p.(broken)
			if !ok {
				panic(p)
			}
			stats, failed = r.stats, r.fail(b.text)
		}
	}()
	r.open()
	text := r.all()
	r.count()
	if text != "" {
		return r.stats, r.fail(text)
	}
	return r.stats, nil
}

func (r *run) fail(text string) *Failure {
	return &Failure{Seed: r.o.Seed, Script: Script{Setup: r.setup, Ops: r.ops}, Text: text}
}

// choose says what the worlds of a seed are like.
func (r *run) choose() *sim.Apps {
	apps := sim.NewApps(r.o.Workload, r.rand)
	r.setup = Setup{Seed: r.o.Seed, Workload: apps.Title(), Chunk: apps.Chunk(), Mixed: r.o.Mixed}
	r.setup.Brief, r.setup.Extra = r.rand.IntN(3) > 0, r.rand.IntN(2) == 0
	r.setup.Scoped = r.o.Scoped
	if r.rand.IntN(4) == 0 {
		r.setup.Limit = 100 + r.rand.IntN(400)
	}
	return apps
}

func (r *run) open() {
	apps := r.choose()
	if r.o.Script != nil {
		r.setup = r.o.Script.Setup
		apps = sim.NewApps(r.setup.Workload, r.rand)
	}
	set := r.setup
	x := &extras{apps: apps}
	schema, policies := apps.Schema(), apps.Policies
	if set.Extra {
		x.r = r.rand
		schema, policies = schema+";"+extra, x.policies
	}
	parts := &scoped{}
	if set.Scoped {
		parts.r = r.rand
		schema, policies = schema+";"+scopedTables, x.policies
	}
	for i, maker := range r.makers() {
		w := &world{
			seed: set.Seed, name: []string{"one", "two"}[i], schema: schema, policies: policies,
			chunk: set.Chunk, limits: wire.Limits{Changeset: set.Limit}, brief: set.Brief, make: maker, scoped: set.Scoped,
		}
		r.worlds[i] = w
		w.begin()
	}
	r.plan = &planner{rand: r.rand, apps: apps, extras: x, scoped: parts, w: r.worlds[0], brief: set.Brief}
	r.plan.choose()
}

// makers make the devices of both worlds.
func (r *run) makers() [2]func(number, epoch int) device {
	set := r.setup
	ours := func(number, epoch int) device { return newGoDevice(set.Seed, nameOf(number, epoch), set.Brief) }
	if r.o.Host == nil {
		return [2]func(number, epoch int) device{ours, ours}
	}
	theirs := func(number, epoch int) device {
		native := set.Mixed && number%2 == 1 // at first
		if native != (epoch%2 == 1) {
			return ours(number, epoch)
		}
		return newHostDevice(r.o.Host, set.Seed, nameOf(number, epoch), set.Brief)
	}
	return [2]func(number, epoch int) device{ours, theirs}
}

// nameOf names a device by its number and by how many engines its file has had.
func nameOf(number, epoch int) string { return fmt.Sprintf("%d.%d", number, epoch) }

func (r *run) all() string {
	if r.o.Script != nil {
		for _, o := range r.o.Script.Ops {
			if text := r.one(o); text != "" {
				return text
			}
		}
		return ""
	}
	for range 2 + r.rand.IntN(2) {
		o := Op{Do: "clone"}
		if r.plan.scoped.r != nil && r.rand.IntN(2) == 0 {
			o.Loose, o.Stmts = r.plan.scoped.wants()
		}
		if text := r.one(o); text != "" {
			return text
		}
	}
	for range r.o.Steps {
		if text := r.one(r.plan.next()); text != "" {
			return text
		}
	}
	for _, o := range r.ending() {
		if text := r.one(o); text != "" {
			return text
		}
	}
	return r.converged()
}

// ending lets everyone settle, looks for what capture did not see, and settles again.
func (r *run) ending() []Op {
	list := []Op{{Do: "drain"}}
	for _, d := range r.worlds[0].devices {
		list = append(list, Op{Do: "verify", Dev: d.number})
	}
	list = append(list, Op{Do: "drain"})
	for _, d := range r.worlds[0].devices {
		list = append(list, Op{Do: "report", Dev: d.number})
	}
	return list
}

// one does one operation in both worlds and compares them.
func (r *run) one(o Op) string {
	r.ops = append(r.ops, o)
	r.o.Log("%d %v", len(r.ops), o)
	for _, w := range r.worlds {
		w.do(o)
	}
	r.stats.Ops++
	a, b := r.worlds[0].take(), r.worlds[1].take()
	r.stats.Lines += len(a)
	for _, line := range a {
		r.o.Log("    %s", line)
	}
	if text := diff("", a, b); text != "" {
		return text
	}
	for i := range r.worlds[0].devices {
		if o.Dev != 0 && o.Dev != i+1 {
			continue
		}
		if text := r.compare(r.worlds[0].devices[i], r.worlds[1].devices[i]); text != "" {
			return text
		}
	}
	return ""
}

func (r *run) count() {
	r.stats.Runs++
	n := r.worlds[0].outcomes
	r.stats.Accepted, r.stats.Merged, r.stats.Rejected = n["accepted"], n["merged"], n["rejected"]
}
