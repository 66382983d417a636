package main

import (
	"context"
	"errors"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
)

// news is what sync --watch prints with --json, one per line.
type news struct {
	Time      string         `json:"time"`
	State     string         `json:"state,omitempty"`
	Seq       tidemark.Seq   `json:"seq"`
	Outcome   *outcome       `json:"outcome,omitempty"`
	Suspended *suspendedNews `json:"suspended,omitempty"`
	Scope     *scopeNews     `json:"scope,omitempty"`
	Left      map[string]int `json:"left,omitempty"`     // rows that left and were not deleted, by table
	Filling   int64          `json:"filling,omitempty"`  // rows that have come of scopes whose rows are not visible yet
	Conflict  *conflictItem  `json:"conflict,omitempty"` // waits for a decision
	Expiring  string         `json:"expiring,omitempty"` // when the token ends, of which there is no newer one
	Error     *failure       `json:"error,omitempty"`
}

type suspendedNews struct {
	N     int64  `json:"n"`
	Cause string `json:"cause"`
}

// watch keeps a copy in sync until Ctrl-C. With a token from a file it waits
// for a newer one when that is needed; without, it ends then.
func watch(s *shell, path string, o client.Options, waits bool) error {
	ctx, giveUp := context.WithCancelCause(s.ctx)
	defer giveUp(nil)
	w := &watcher{s: s, path: path, waits: waits, giveUp: giveUp}
	o.OnEvent = w.event
	return withReplica(path, o, func(db *client.DB) error {
		st, err := db.Status()
		if err != nil {
			return err
		}
		w.seq = st.Seq
		s.printf("watching %s, a copy of %s at %s; Ctrl-C stops\n", path, st.Space, st.Server)
		w.silence = time.AfterFunc(time.Second, func() {
			s.note("another process syncs this file; this one goes on when that one ends")
		})
		defer w.silence.Stop()
		if err := db.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		if err := context.Cause(ctx); s.ctx.Err() == nil && !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	})
}

// watcher prints the events of a running sync; they come one at a time.
type watcher struct {
	s       *shell
	path    string
	seq     tidemark.Seq
	silence *time.Timer        // until the first event, which comes once this process may sync
	synced  bool               // since the connection stands
	said    string             // the last error, which is not repeated at every attempt
	waits   bool               // for a newer token
	lost    []client.ScopeNews // since rows left last
	filled  time.Time          // when it was said last how many rows had come
	giveUp  context.CancelCauseFunc
}

func (w *watcher) event(ev client.Event) {
	w.silence.Stop()
	if ev.State == "auth needed" && ev.Err != nil && !w.waits {
		w.giveUp(ev.Err)
		return
	}
	if w.s.json {
		_ = w.s.line(w.news(ev))
		return
	}
	if ev.Outcome != nil {
		w.outcome(*ev.Outcome)
	}
	if ev.Suspended != nil {
		w.say("changeset %d is suspended: %s", ev.Suspended.N, ev.Suspended.Cause)
	}
	if ev.Scope != nil {
		w.lost = append(w.lost, *ev.Scope)
		w.say("%s", scopeText(*ev.Scope))
	}
	if ev.Left != nil {
		if n := leftApart(ev.Left, w.lost); n > 0 {
			w.say("%s", strayText(n))
		}
		w.lost = nil
	}
	if now := time.Now(); ev.Filling > 0 && now.Sub(w.filled) >= time.Second {
		w.filled = now
		w.say("receiving, %s so far", plural(ev.Filling, "row"))
	}
	if ev.Conflict != nil {
		w.say("%s waits for a decision: conflict %s", clean(whereOf(ev.Conflict)), ev.Conflict.ID)
		w.s.note("  next: tidemark conflicts %s show %s", quoteArg(w.path), ev.Conflict.ID)
	}
	if !ev.Expiring.IsZero() {
		w.say("the token ends at %s, and there is no newer one", ev.Expiring.Format(time.TimeOnly))
	} else if ev.Err != nil && ev.Err.Error() != w.said {
		w.said = ev.Err.Error()
		do := "trying again"
		if ev.State == "auth needed" {
			do = "waiting for a newer token"
		}
		w.say("%s; %s", oneLine(w.said), do)
	}
	if ev.Seq > w.seq {
		w.seq = ev.Seq
		if ev.Outcome == nil && ev.Scope == nil && ev.Left == nil {
			w.say("received, at seq %d", w.seq)
		}
	}
	w.stand(ev.State)
}

// stand says once per connection that everything is exchanged.
func (w *watcher) stand(state string) {
	switch state {
	case "idle":
		if !w.synced {
			w.synced, w.said = true, ""
			w.say("in sync at seq %d", w.seq)
		}
	case "dialing", "backoff", "offline":
		w.synced = false
	}
}

func (w *watcher) outcome(o tidemark.Outcome) {
	if o.Kind != tidemark.Rejected {
		w.say("changeset %d %s at seq %d", o.N, o.Kind, o.Seq)
		for _, line := range particulars(o) {
			w.say("  %s", line)
		}
		return
	}
	w.say("changeset %d rejected (%s): %s", o.N, o.Code, oneLine(o.Message))
	w.s.note("  next: tidemark rejected %s", quoteArg(w.path))
}

func (w *watcher) say(format string, args ...any) {
	w.s.printf("%s  "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}

func (w *watcher) news(ev client.Event) news {
	n := news{Time: time.Now().UTC().Format(time.RFC3339Nano), State: ev.State, Seq: ev.Seq, Left: ev.Left, Filling: ev.Filling}
	if ev.Outcome != nil {
		o := outcomeOf(*ev.Outcome)
		n.Outcome = &o
	}
	if ev.Suspended != nil {
		n.Suspended = &suspendedNews{ev.Suspended.N, ev.Suspended.Cause}
	}
	if ev.Scope != nil {
		sc := scopeNewsOf(*ev.Scope)
		n.Scope = &sc
	}
	if ev.Conflict != nil {
		item := conflictItemOf(ev.Conflict)
		n.Conflict = &item
	}
	if !ev.Expiring.IsZero() {
		n.Expiring = ev.Expiring.UTC().Format(time.RFC3339)
	}
	if ev.Err != nil {
		f := w.s.failure(ev.Err)
		n.Error = &f
	}
	return n
}
