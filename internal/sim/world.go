package sim

import (
	"container/heap"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"sync/atomic"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Options of Run. Zero fields are chosen from the seed.
type Options struct {
	Seed     uint64
	Steps    int    // things that happen in the first phase; default 200
	Replicas int    // default 2 to 5
	Workload string // see Workloads
	Calm     bool   // no faults at all
	Likely   string // a mishap that shall happen: fork, restore, frames, foreign, declare, catch-up, logout
	Log      io.Writer
}

// Stats counts what a run did.
type Stats struct {
	Runs                       int
	Events, Commits, Groups    int
	Accepted, Rejected, Merged int
	Crashes, Restarts, Breaks  int
	Checks                     int
	Virtual                    int64 // milliseconds
	Trace                      uint64
}

// world is one run.
type world struct {
	opts    Options
	id      int64
	rand    *rand.Rand
	now     int64
	start   int64
	queue   events
	serial  int
	hash    io.Writer
	sum     func() uint64
	recent  []string
	faults  faults
	calm    bool // the second phase
	letters int  // drawn so far for texts
	heard   func(sql string, args []tidemark.Value)
	spy     func(l *link, m wire.Down) // hears every message to a device
	rotted  bool                       // the server's rows were changed behind capture's back
	work    *workload
	model   *oracle.Model
	ledger  *ledger
	secrets *secrets
	server  *server
	devices []*device
	gone    int // devices that were wiped
	stats   Stats
}

// runs numbers the runs of this process, because SQLite knows file systems by name.
var runs atomic.Int64

func newWorld(o Options) *world {
	h := fnv.New64a()
	w := &world{
		opts: o, id: runs.Add(1), rand: rand.New(rand.NewPCG(o.Seed, 0)),
		now: 1_700_000_000_000, hash: h, sum: h.Sum64,
	}
	w.start = w.now
	w.work = chooseWorkload(o.Workload, w.rand)
	w.model = w.work.model()
	w.faults = chooseFaults(w.rand, o.Calm)
	w.faults.logouts(w.source("logouts"), o.Calm)
	w.faults.expect(o.Likely)
	w.secrets = newSecrets(w.model)
	w.ledger = newLedger(w)
	return w
}

// source makes an independent stream of random numbers; every part of the
// world has its own, so that a change in one does not shift all others.
func (w *world) source(part string) *rand.Rand {
	h := fnv.New64a()
	_, _ = io.WriteString(h, part)
	return rand.New(rand.NewPCG(w.opts.Seed, h.Sum64()))
}

// bytesOf reads a random stream as bytes, as the engines want it.
type bytesOf struct{ r *rand.Rand }

func (b bytesOf) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b.r.Uint32())
	}
	return len(p), nil
}

// event is something that will happen.
type event struct {
	at     int64
	serial int
	do     func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	if e[i].at != e[j].at {
		return e[i].at < e[j].at
	}
	return e[i].serial < e[j].serial
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

// after plans something in ms milliseconds of virtual time.
func (w *world) after(ms int64, do func()) {
	w.serial++
	heap.Push(&w.queue, event{at: w.now + ms, serial: w.serial, do: do})
}

// next lets the next thing happen, and reports false when nothing is planned.
func (w *world) next() bool {
	if len(w.queue) == 0 {
		return false
	}
	e := heap.Pop(&w.queue).(event)
	w.now = max(w.now, e.at)
	w.stats.Events++
	e.do()
	return true
}

// until lets everything happen that is planned before the time at.
func (w *world) until(at int64) {
	for len(w.queue) > 0 && w.queue[0].at <= at {
		w.next()
	}
	w.now = max(w.now, at)
}

// between chooses a number from lo to hi.
func (w *world) between(lo, hi int64) int64 { return lo + w.rand.Int64N(hi-lo+1) }

// chance is true with probability p.
func (w *world) chance(p float64) bool { return p > 0 && w.rand.Float64() < p }

// keepLines is how many events a failure shows.
const keepLines = 60

// trace records what happened: it is what two runs of one seed are compared by.
func (w *world) trace(format string, args ...any) {
	line := fmt.Sprintf("%8d %s", w.now-w.start, fmt.Sprintf(format, args...))
	_, _ = io.WriteString(w.hash, line+"\n")
	w.note(line)
}

// note shows a line without counting it for the trace.
func (w *world) note(line string) {
	if w.opts.Log != nil {
		_, _ = io.WriteString(w.opts.Log, line+"\n")
	}
	if len(w.recent) >= keepLines {
		w.recent = w.recent[1:]
	}
	w.recent = append(w.recent, line)
}
