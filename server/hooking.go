package server

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
)

// DefaultHookTimeout is Options.HookTimeout where that is zero.
const DefaultHookTimeout = 10 * time.Second

const (
	hooksAtOnce   = 32   // calls of one space that run at a time
	maxShown      = 4    // how often a changeset is shown because rows moved
	callsKept     = 4096 // bounds the calls that are remembered
	bytesKept     = 64 << 20
	verdictsAhead = 256
)

// hooking asks the hook of a space. The step that judges must not wait for it
// while it holds the file: a call runs on a goroutine of its own, and the step
// waits only for a moment (tuning.hookWait), which is enough for a hook that
// just looks at the rows. Otherwise the changeset waits here, with what its
// replica sends after it, until the verdict comes, and is then judged anew.
// When the rows that the hook was shown have changed meanwhile, it is asked
// again, but not for ever.
//
// All of it belongs to the space's loop but what run does.
type hooking struct {
	sp   *space
	hook Hook

	calls   map[tidemark.Name]*hookCalls
	waiting map[string][]hub.Submission // by replica, in order; the first one waits for its hook
	done    chan *hookRun
	slots   chan struct{}
	kept    int // bytes of the rows in answers that are remembered
	running sync.WaitGroup
	slow    bool // the last call took longer than is waited for
	failing bool
	meter   *hookMeter
}

// hookCalls is what is known of the calls about one changeset.
type hookCalls struct {
	under   *hookRun // under way
	answers []*hookRun
	failed  error // to be told once
	shown   int
}

// hookRun is one call.
type hookRun struct {
	calls   *hookCalls
	shown   *hub.Proposal
	call    *HookCall
	taken   atomic.Bool   // by the loop, which waits no longer, or else by the call
	ended   chan struct{} // closed when the loop still waits
	gone    chan struct{} // closed when nobody wants it any more
	began   atomic.Bool
	size    int
	verdict *hub.Verdict
	err     error
	took    time.Duration
}

func newHooking(sp *space) *hooking {
	if sp.srv.opts.Hook == nil {
		return nil
	}
	return &hooking{
		sp: sp, hook: sp.srv.opts.Hook,
		calls: map[tidemark.Name]*hookCalls{}, waiting: map[string][]hub.Submission{},
		done: make(chan *hookRun, verdictsAhead), slots: make(chan struct{}, hooksAtOnce),
		meter: sp.srv.metrics.hook(sp.name),
	}
}

// hooked has the hub ask the hook, if there is one.
func (sp *space) hooked(o hub.Options) hub.Options {
	if sp.hooks = newHooking(sp); sp.hooks != nil {
		o.Hook = sp.hooks.ask
	}
	return o
}

// errHook says that the hook could not judge, for a reason that may pass.
var errHook = errors.New("the hook failed")

// ask is hub.Options.Hook.
func (h *hooking) ask(p *hub.Proposal) (*hub.Verdict, error) {
	c := h.calls[p.Name]
	switch {
	case c == nil:
		h.tidy()
		c = &hookCalls{}
		h.calls[p.Name] = c
	case c.under != nil:
		return nil, hub.ErrWait
	case c.failed != nil:
		err := c.failed
		c.failed = nil
		return nil, err
	}
	for _, r := range c.answers {
		if r.shown.Same(p) {
			return r.verdict, r.err
		}
	}
	if n := len(c.answers); n >= maxShown {
		// Others change these rows faster than the hook answers. What it said
		// last stands; policies, rules and constraints see the rows as they are.
		return c.answers[n-1].verdict, c.answers[n-1].err
	}
	return h.begin(c, p)
}

// begin shows a proposal to the hook, and waits for a moment.
func (h *hooking) begin(c *hookCalls, p *hub.Proposal) (*hub.Verdict, error) {
	c.shown++
	r := &hookRun{calls: c, shown: p, call: newHookCall(h.sp.name, p, c.shown), ended: make(chan struct{}), gone: make(chan struct{}), size: sizeOf(p)}
	c.under = r
	patient := !h.slow && h.sp.srv.tune.hookWait > 0
	if !patient {
		r.taken.Store(true)
	}
	h.running.Add(1)
	go h.run(r)
	if !patient || !h.ends(r) {
		return nil, hub.ErrWait
	}
	h.note(r)
	if err := c.failed; err != nil {
		c.failed = nil
		return nil, err
	}
	return r.verdict, r.err
}

// ends waits a moment for a call and reports whether it has ended.
func (h *hooking) ends(r *hookRun) bool {
	runtime.Gosched() // most hooks have ended then, on this thread
	select {
	case <-r.ended:
		return true
	default:
	}
	timer := time.NewTimer(h.sp.srv.tune.hookWait)
	defer timer.Stop()
	select {
	case <-r.ended:
		return true
	case <-timer.C:
	}
	if r.taken.CompareAndSwap(false, true) {
		h.slow = true
		return false
	}
	<-r.ended
	return true
}

// run calls the hook.
func (h *hooking) run(r *hookRun) {
	defer h.running.Done()
	srv := h.sp.srv
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-r.gone:
		return
	case <-srv.ctx.Done():
		return
	}
	r.began.Store(true)
	began := time.Now()
	r.verdict, r.err = h.judge(r)
	r.took = time.Since(began)
	if r.taken.CompareAndSwap(false, true) {
		close(r.ended)
		return
	}
	select {
	case h.done <- r:
	case <-srv.ctx.Done():
	}
}

func (h *hooking) judge(r *hookRun) (v *hub.Verdict, err error) {
	ctx, cancel := context.WithTimeout(h.sp.srv.ctx, h.sp.srv.hookTimeout())
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, fmt.Errorf("the hook panicked: %v", p)
			h.sp.log.Error("the hook panicked", "replica", r.shown.Name.Replica, "n", r.shown.Name.N, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if err := h.hook(ctx, r.call); err != nil {
		return nil, meant(err)
	}
	return r.call.verdict()
}

// meant tells a rejection, a mistake and a failure that may pass apart.
func meant(err error) error {
	var e *tidemark.Error
	if errors.As(err, &e) {
		if _, own := e.Code.App(); own {
			return e
		}
	}
	var m *misuse
	if errors.As(err, &m) {
		return m
	}
	return fmt.Errorf("%w: %w", errHook, err)
}

// rejects reports whether a call's error is its verdict.
func rejects(err error) bool {
	_, own := tidemark.CodeOf(err).App()
	return own
}

// note keeps what came of a call.
func (h *hooking) note(r *hookRun) {
	c := r.calls
	c.under, r.call = nil, nil
	h.slow = r.took > h.sp.srv.tune.hookWait
	if h.calls[r.shown.Name] != c {
		return // forgotten meanwhile
	}
	h.meter.seconds.Observe(r.took.Seconds())
	switch {
	case r.err == nil && r.verdict.Amends():
		h.meter.amended.Inc()
	case r.err == nil:
		h.meter.accepted.Inc()
	case rejects(r.err):
		h.meter.rejected.Inc()
	default:
		h.meter.failed.Inc()
		h.fails(r)
		return
	}
	c.answers = append(c.answers, r)
	h.kept += r.size
	if h.failing {
		h.failing = false
		h.sp.log.Info("the hook works again")
	}
}

// fails notes that the hook could not judge. A failure that may pass counts
// as that of a machine: the changeset waits for as long as it takes.
func (h *hooking) fails(r *hookRun) {
	r.calls.failed = r.err
	if errors.Is(r.err, errHook) {
		r.calls.failed = &tidemark.Error{Code: tidemark.CodeBusy, Op: "hook", Err: r.err}
	}
	if !h.failing {
		h.failing = true
		h.sp.log.Error("the hook fails; what it should judge waits", "error", r.err)
		h.sp.tell(Event{Kind: EventHookFailing, Err: r.err})
	}
}

// answered takes the verdict of a call that was not waited for, and lets the
// changeset be judged.
func (sp *space) answered(r *hookRun) {
	h := sp.hooks
	h.note(r)
	id := r.shown.Name.Replica
	if waits := h.waiting[id]; len(waits) > 0 {
		sp.subs = append(waits, sp.subs...)
	}
	delete(h.waiting, id)
	if r.calls.failed == nil && len(sp.held) == 0 {
		sp.heldPause = 0
	}
	h.count()
}

// verdicts is where calls end that were not waited for; nil without a hook.
func (sp *space) verdicts() chan *hookRun {
	if sp.hooks == nil {
		return nil
	}
	return sp.hooks.done
}

// await keeps a submission until the verdict about its replica's changeset comes.
func (h *hooking) await(s hub.Submission) {
	id := s.Changeset.Replica
	h.waiting[id] = append(h.waiting[id], s)
	h.count()
}

// behind keeps those whose replica waits for a verdict, and returns the others.
func (h *hooking) behind(subs []hub.Submission) (free []hub.Submission) {
	if h == nil || len(h.waiting) == 0 {
		return subs
	}
	return without(subs, func(s hub.Submission) bool {
		waits := len(h.waiting[s.Changeset.Replica]) > 0
		if waits {
			h.await(s)
		}
		return waits
	})
}

// idle reports whether nothing waits for a verdict.
func (h *hooking) idle() bool { return h == nil || len(h.waiting) == 0 }

// forget drops what an ended session had handed in and what is waiting: its
// replica sends that again. Verdicts that were given stay for then.
func (sp *space) forget(s *hub.Session) {
	h := sp.hooks
	if h == nil {
		return
	}
	id := s.Replica()
	ours := func(sub hub.Submission) bool { return sub.Session == s }
	if waits := without(h.waiting[id], ours); len(waits) > 0 {
		h.waiting[id] = waits
	} else if was := h.waiting[id]; len(was) > 0 {
		delete(h.waiting, id)
		h.abandon(was[0].Changeset.Name)
	}
	sp.held = without(sp.held, ours)
	h.count()
}

// abandon gives up a call that nobody waits for, unless it has begun.
func (h *hooking) abandon(name tidemark.Name) {
	if c := h.calls[name]; c != nil && c.under != nil && !c.under.began.Load() {
		close(c.under.gone)
		h.drop(name, c)
	}
}

// drop forgets what is known of a changeset.
func (h *hooking) drop(name tidemark.Name, c *hookCalls) {
	for _, r := range c.answers {
		h.kept -= r.size
	}
	c.answers = nil
	delete(h.calls, name)
}

// sizeOf is what it costs to remember a proposal.
func sizeOf(p *hub.Proposal) int {
	n := 0
	for i := range p.Changes {
		for _, v := range p.Changes[i].Old {
			n += v.Size()
		}
		for _, v := range p.Changes[i].New {
			n += v.Size()
		}
	}
	return n
}

func without(subs []hub.Submission, gone func(hub.Submission) bool) []hub.Submission {
	left := subs[:0:0]
	for _, s := range subs {
		if !gone(s) {
			left = append(left, s)
		}
	}
	return left
}

// judged forgets the calls about a changeset that has its outcome.
func (h *hooking) judged(name tidemark.Name) {
	if h == nil {
		return
	}
	if c := h.calls[name]; c != nil {
		h.drop(name, c)
	}
}

// tidy bounds what is remembered of changesets that never came back.
func (h *hooking) tidy() {
	if len(h.calls) < callsKept && h.kept < bytesKept {
		return
	}
	for name, c := range h.calls {
		if c.under == nil {
			h.drop(name, c) // asked again, if it comes
		}
	}
}

func (h *hooking) count() { h.meter.waiting.Set(float64(len(h.waiting))) }

// end waits for the calls, whose contexts have ended, but not for ever: a hook
// that does not look at its context is left behind.
func (h *hooking) end() {
	if h == nil {
		return
	}
	all := make(chan struct{})
	go func() {
		h.running.Wait()
		close(all)
	}()
	timer := time.NewTimer(h.sp.srv.tune.hookEnd)
	defer timer.Stop()
	select {
	case <-all:
	case <-timer.C:
		h.sp.log.Warn("a hook does not return although its context has ended")
	}
}

func (s *Server) hookTimeout() time.Duration {
	if s.opts.HookTimeout > 0 {
		return s.opts.HookTimeout
	}
	return DefaultHookTimeout
}
