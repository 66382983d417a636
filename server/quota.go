package server

import (
	"math"
	"sync"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Quota bounds what one principal may ask of a server, over all its replicas
// and spaces. A zero field takes its default where tokens are asked for, and is
// no bound where they are not: there everybody is one principal. A negative
// one is no bound.
type Quota struct {
	Changesets  float64 // a second, on average; default 500
	Bytes       float64 // of messages to the server, a second; default 8 MiB
	Connections int     // at a time; default 100
}

// burst is how much of a quota may come at once.
const burst = 10 * time.Second

var defaultQuota = Quota{Changesets: 500, Bytes: 8 << 20, Connections: 100}

func (q Quota) withDefaults(asked bool) Quota {
	if !asked {
		return q
	}
	if q.Changesets == 0 {
		q.Changesets = defaultQuota.Changesets
	}
	if q.Bytes == 0 {
		q.Bytes = defaultQuota.Bytes
	}
	if q.Connections == 0 {
		q.Connections = defaultQuota.Connections
	}
	return q
}

// quotas counts what each principal asks.
type quotas struct {
	quota Quota
	burst time.Duration

	mu  sync.Mutex
	all map[string]*usage
}

// usage is what one principal has left. A message is taken while something is,
// and may overdraw it: the next one waits.
type usage struct {
	changesets, bytes float64
	at                time.Time
	connections       int
}

func newQuotas(q Quota, burst time.Duration) *quotas {
	q = Quota{max(0, q.Changesets), max(0, q.Bytes), max(0, q.Connections)}
	return &quotas{quota: q, burst: burst, all: map[string]*usage{}}
}

// manyUsages is when those who have asked for nothing for long are forgotten.
const manyUsages = 10000

func (q *quotas) of(id string, now time.Time) *usage {
	u := q.all[id]
	if u == nil {
		if len(q.all) >= manyUsages {
			q.forget(now)
		}
		u = &usage{at: now, changesets: q.most(q.quota.Changesets), bytes: q.most(q.quota.Bytes)}
		q.all[id] = u
	}
	since := now.Sub(u.at).Seconds()
	u.changesets = min(q.most(q.quota.Changesets), u.changesets+since*q.quota.Changesets)
	u.bytes = min(q.most(q.quota.Bytes), u.bytes+since*q.quota.Bytes)
	u.at = now
	return u
}

func (q *quotas) most(rate float64) float64 { return rate * q.burst.Seconds() }

func (q *quotas) forget(now time.Time) {
	for id, u := range q.all {
		idle := now.Sub(u.at).Seconds()
		if u.connections == 0 && u.changesets+idle*q.quota.Changesets >= q.most(q.quota.Changesets) && u.bytes+idle*q.quota.Bytes >= q.most(q.quota.Bytes) {
			delete(q.all, id)
		}
	}
}

// take spends a quota. When nothing is left it spends nothing and returns how
// long to wait.
func (q *quotas) take(id string, changesets, bytes int, now time.Time) time.Duration {
	if q.quota.Changesets <= 0 && q.quota.Bytes <= 0 {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.of(id, now)
	wait := 0.0
	if q.quota.Changesets > 0 && changesets > 0 && u.changesets <= 0 {
		wait = (1 - u.changesets) / q.quota.Changesets
	}
	if q.quota.Bytes > 0 && u.bytes <= 0 {
		wait = max(wait, (1-u.bytes)/q.quota.Bytes)
	}
	if wait > 0 {
		return time.Duration(math.Ceil(wait*1000)) * time.Millisecond
	}
	u.changesets -= float64(changesets)
	u.bytes -= float64(bytes)
	return 0
}

// connect counts a connection, and reports false when there are too many.
func (q *quotas) connect(id string, now time.Time) bool {
	if q.quota.Connections <= 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.of(id, now)
	if u.connections >= q.quota.Connections {
		return false
	}
	u.connections++
	return true
}

func (q *quotas) disconnect(id string) {
	if q.quota.Connections <= 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if u := q.all[id]; u != nil {
		u.connections--
	}
}

// slow is how long a connection is held back rather than sent away.
const slow = time.Second

// pay spends for messages. A little too much is held back; more is refused,
// with the time after which to come back. It returns nil also when done closes.
func (s *Server) pay(id string, changesets, bytes int, done <-chan struct{}) *wire.Refusal {
	for held := time.Duration(0); ; {
		wait := s.quotas.take(id, changesets, bytes, time.Now())
		if wait == 0 {
			return nil
		}
		if held += wait; held > slow {
			s.metrics.limited.WithLabelValues("rate").Inc()
			return tooFast(wait)
		}
		select {
		case <-time.After(wait):
		case <-done:
			return nil
		}
	}
}

func tooFast(wait time.Duration) *wire.Refusal {
	return &wire.Refusal{
		Code: tidemark.CodeRateLimited, Message: "more is sent than one principal may send", Retry: wait.Milliseconds(),
		Hint: "nothing is lost: what is pending is sent later",
	}
}

// crowded is how long one waits who has too many connections.
const crowded = 10 * time.Second

func (s *Server) tooMany() *wire.Refusal {
	s.metrics.limited.WithLabelValues("connections").Inc()
	return &wire.Refusal{
		Code: tidemark.CodeRateLimited, Message: "too many connections of one principal", Retry: crowded.Milliseconds(),
		Hint: "end some of them",
	}
}
