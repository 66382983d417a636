package hub_test

import (
	"fmt"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// pusher pushes changesets over the wire as a replica does.
type pusher struct {
	f *fleet
	s *hub.Session
	n int64
}

func (f *fleet) pusher() *pusher {
	a := &pusher{f: f, s: f.hub.NewSession(tidemark.Principal{})}
	st := f.hub.State()
	_, _, err := a.s.Receive(ctx, f.now, &wire.Hello{Protocol: wire.Protocol, Incarnation: st.Incarnation, Term: st.Term})
	must(f.t, err)
	return a
}

// push hands changes in as one changeset and returns its outcome.
func (a *pusher) push(changes []tidemark.Change) tidemark.Outcome {
	a.f.t.Helper()
	a.n++
	p := &wire.Push{N: a.n, Schema: a.f.hub.Schema().Hash, Body: wire.AppendChanges(nil, changes, false)}
	_, sub, err := a.s.Receive(ctx, a.f.now, p)
	must(a.f.t, err)
	c, err := a.f.hub.Group(ctx, a.f.now, []hub.Submission{*sub}, nil)
	must(a.f.t, err)
	if list := c.Outcomes(); len(list) == 1 && list[0].Kind != tidemark.Rejected {
		return list[0]
	}
	a.f.t.Fatalf("outcomes %+v", c.Outcomes())
	return tidemark.Outcome{}
}

// albums are inserts of so many albums from an id on, each by its own artist.
func (f *fleet) albums(from, count int) []tidemark.Change {
	artist, album := f.hub.Schema().Named("artist").ID, f.hub.Schema().Named("album").ID
	changes := make([]tidemark.Change, 0, 2*count)
	for id := int64(from); id < int64(from+count); id++ {
		name := tidemark.Text(fmt.Sprintf("name of %d", id))
		changes = append(changes,
			tidemark.Change{Table: artist, Op: tidemark.Insert, Key: []tidemark.Value{tidemark.Int(id)}, New: []tidemark.Value{tidemark.Int(id), name, tidemark.Null, tidemark.Null}},
			tidemark.Change{Table: album, Op: tidemark.Insert, Key: []tidemark.Value{tidemark.Int(id)}, New: []tidemark.Value{tidemark.Int(id), name, tidemark.Int(id)}})
	}
	return changes
}

// BenchmarkInsert compares rows that get the ids that their author gave them
// with rows of which each one's is taken. One operation is a changeset of 10,000
// rows, half of which refer to the other half.
func BenchmarkInsert(b *testing.B) {
	const rows = 10_000
	for _, taken := range []bool{false, true} {
		name := map[bool]string{false: "free", true: "taken"}[taken]
		b.Run(name, func(b *testing.B) {
			f := newFleet(b, 1, fmt.Sprintf(musicSchema, ""), sqlite.Options{})
			f.pusher().push(f.albums(1, rows/2))
			b.ResetTimer()
			for i := range b.N {
				from := 1
				if !taken {
					from += (i + 1) * rows / 2
				}
				a := f.pusher()
				o := a.push(f.albums(from, rows/2))
				if taken != (len(o.Renumbered) == rows) {
					b.Fatalf("%d rows were renumbered", len(o.Renumbered))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
		})
	}
}

// BenchmarkOfflineDay pushes changesets of one row each, of which every one
// meets another's id, from a replica that has seen nothing meanwhile.
func BenchmarkOfflineDay(b *testing.B) {
	f := newFleet(b, 1, fmt.Sprintf(musicSchema, ""), sqlite.Options{})
	f.pusher().push(f.albums(1, max(b.N, 1)))
	a := f.pusher()
	b.ResetTimer()
	for i := range b.N {
		a.push(f.albums(i+1, 1))
	}
}
