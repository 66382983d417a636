package server

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tidemarkdb/tidemark/internal/hub"
)

// metrics are what a server counts, in a registry of its own so that a program
// may hold several servers.
type metrics struct {
	registry *prometheus.Registry

	groups, commits, failures, retries *prometheus.CounterVec
	seconds                            *prometheus.HistogramVec
	outcomes                           *prometheus.CounterVec
	sessions                           *prometheus.GaugeVec
	bytes                              *prometheus.CounterVec
	head                               *prometheus.GaugeVec
	chunks                             *prometheus.CounterVec
	grants                             *prometheus.CounterVec
	subscriptions                      *prometheus.GaugeVec
	foreign, foreignRejected           *prometheus.CounterVec
	missed                             *prometheus.CounterVec
	snapshots                          *prometheus.CounterVec
	present                            *prometheus.GaugeVec
	declined                           *prometheus.CounterVec
	refusedTokens, limited             *prometheus.CounterVec // of the whole server
	hooks                              *prometheus.CounterVec
	hookSeconds                        *prometheus.HistogramVec
	hookWaiting                        *prometheus.GaugeVec
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_" + name, Help: help}, append([]string{"space"}, labels...))
		m.registry.MustRegister(c)
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tidemark_" + name, Help: help}, append([]string{"space"}, labels...))
		m.registry.MustRegister(g)
		return g
	}
	m.groups = counter("groups_total", "Transactions that judged changesets or foreign writes.")
	m.commits = counter("commits_total", "Seqs given.")
	m.failures = counter("store_failures_total", "Operations of the store that failed and are tried again.")
	m.retries = counter("retries_total", "Groups in which a changeset could not be judged.")
	m.outcomes = counter("outcomes_total", "Changesets judged, by outcome and code.", "kind", "code")
	m.sessions = gauge("sessions", "Open connections.", "transport")
	m.bytes = counter("bytes_total", "Bytes of messages before compression.", "direction")
	m.head = gauge("head_seq", "Newest seq.")
	m.chunks = counter("catchup_chunks_total", "Messages sent to sessions that were behind.")
	m.grants = counter("grants_evaluated_total", "Grant queries asked anew because of a commit.")
	m.subscriptions = gauge("subscriptions", "Scopes that sessions hold whole, over all sessions.")
	m.foreign = counter("foreign_changes_total", "Rows changed by other programs and sequenced.")
	m.foreignRejected = counter("foreign_rejected_total", "Writes of other programs that broke a constraint and were undone.")
	m.missed = counter("scrub_findings_total", "Rows that capture had missed and a scrub found.")
	m.present = gauge("presence_peers", "Peers that are present.")
	m.declined = counter("presence_declined_total", "States and casts that were not taken.")
	m.snapshots = counter("snapshots_total", "Snapshots made.")
	whole := func(name, help, label string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_" + name, Help: help}, []string{label})
		m.registry.MustRegister(c)
		return c
	}
	m.refusedTokens = whole("tokens_refused_total", "Tokens that were not good: missing, bad, expired, revoked; error: could not be judged.", "reason")
	m.limited = whole("rate_limited_total", "Requests and messages refused because a principal asked for too much: rate, connections.", "limit")
	m.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "tidemark_group_seconds", Help: "How long a group took until it was durable.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
	}, []string{"space"})
	m.hooks = counter("hook_calls_total", "Calls of the hook, by what came of them: accepted, amended, rejected, failed.", "result")
	m.hookWaiting = gauge("hook_waiting", "Replicas with a changeset that waits for the hook.")
	m.hookSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "tidemark_hook_seconds", Help: "How long the hook took.", Buckets: prometheus.ExponentialBuckets(0.00001, 4, 12),
	}, []string{"space"})
	m.registry.MustRegister(m.seconds, m.hookSeconds)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// spaceMeter is the part of the metrics that counts one space.
type spaceMeter struct {
	all  *metrics
	name string

	groups, commits, failures, retries       prometheus.Counter
	sockets, trips, head                     prometheus.Gauge
	received, sent                           prometheus.Counter
	chunks, foreign, foreignRejected, missed prometheus.Counter
	snapshots                                prometheus.Counter
	present, subscriptions                   prometheus.Gauge
	grants                                   prometheus.Counter
	declined                                 prometheus.Counter
	seconds                                  prometheus.Observer
}

func (m *metrics) space(name string) *spaceMeter {
	return &spaceMeter{
		all: m, name: name,
		groups: m.groups.WithLabelValues(name), commits: m.commits.WithLabelValues(name),
		failures: m.failures.WithLabelValues(name), retries: m.retries.WithLabelValues(name),
		sockets: m.sessions.WithLabelValues(name, "websocket"), trips: m.sessions.WithLabelValues(name, "http"),
		received: m.bytes.WithLabelValues(name, "received"), sent: m.bytes.WithLabelValues(name, "sent"),
		head: m.head.WithLabelValues(name), chunks: m.chunks.WithLabelValues(name),
		foreign: m.foreign.WithLabelValues(name), foreignRejected: m.foreignRejected.WithLabelValues(name),
		missed: m.missed.WithLabelValues(name), snapshots: m.snapshots.WithLabelValues(name),
		present: m.present.WithLabelValues(name), declined: m.declined.WithLabelValues(name),
		grants: m.grants.WithLabelValues(name), subscriptions: m.subscriptions.WithLabelValues(name),
		seconds: m.seconds.WithLabelValues(name),
	}
}

// forget takes a space that was closed out of what is shown.
func (m *metrics) forget(name string) {
	label := prometheus.Labels{"space": name}
	for _, v := range []*prometheus.CounterVec{
		m.groups, m.commits, m.failures, m.retries, m.outcomes, m.bytes, m.chunks, m.foreign, m.foreignRejected, m.missed, m.snapshots, m.hooks, m.grants,
	} {
		v.DeletePartialMatch(label)
	}
	m.sessions.DeletePartialMatch(label)
	m.head.DeletePartialMatch(label)
	m.present.DeletePartialMatch(label)
	m.subscriptions.DeletePartialMatch(label)
	m.declined.DeletePartialMatch(label)
	m.seconds.DeletePartialMatch(label)
	m.hookSeconds.DeletePartialMatch(label)
	m.hookWaiting.DeletePartialMatch(label)
}

// hookMeter counts the calls of one space's hook.
type hookMeter struct {
	accepted, amended, rejected, failed prometheus.Counter
	seconds                             prometheus.Observer
	waiting                             prometheus.Gauge
}

func (m *metrics) hook(space string) *hookMeter {
	result := func(name string) prometheus.Counter { return m.hooks.WithLabelValues(space, name) }
	return &hookMeter{
		accepted: result("accepted"), amended: result("amended"), rejected: result("rejected"), failed: result("failed"),
		seconds: m.hookSeconds.WithLabelValues(space), waiting: m.hookWaiting.WithLabelValues(space),
	}
}

func (m *spaceMeter) group(c *hub.Commit, took time.Duration) {
	m.groups.Inc()
	m.commits.Add(float64(c.To - c.From))
	m.head.Set(float64(c.To))
	m.foreign.Add(float64(c.Foreign))
	m.foreignRejected.Add(float64(len(c.Rejected)))
	m.missed.Add(float64(c.Missed))
	m.grants.Add(float64(c.Granted))
	m.seconds.Observe(took.Seconds())
	for _, o := range c.Outcomes() {
		m.all.outcomes.WithLabelValues(m.name, string(o.Kind), string(o.Code)).Inc()
	}
}
