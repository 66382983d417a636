package hub_test

import (
	"fmt"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// leasing serves the music tables with blocks of ids for albums and tracks.
func leasing(t testing.TB, seed uint64) *fleet {
	cfg, err := policy.Parse([]byte("tables:\n  album: {lease: 16}\n  track: {lease: 20}\n"), "tidemark.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return newFleet(t, seed, fmt.Sprintf(musicSchema, "AUTOINCREMENT"), sqlite.Options{
		Policies: func(s *tidemark.Schema) (*tidemark.Schema, error) { return policy.Overlay(cfg, s), nil },
	})
}

func (b *boat) run(sql string, args ...any) {
	b.f.t.Helper()
	must(b.f.t, b.app.Run(fmt.Sprintf(sql, args...)))
}

func (b *boat) hangUp() {
	b.step(replica.Hangup{})
	b.cut()
}

// Replicas that were connected once insert apart, and no id meets another.
func TestLeasedIDsDoNotMeet(t *testing.T) {
	f := leasing(t, 1)
	a, _ := f.launch(), f.launch()
	a.run("INSERT INTO artist (name) VALUES ('x')")
	f.calm()
	for _, c := range f.boats {
		c.hangUp()
		for i := range 10 {
			c.run("INSERT INTO album (name, artist) VALUES ('%s%d', 1)", c.name, i)
			c.run("INSERT INTO track (name, album) SELECT '%s%d', max(id) FROM album", c.name, i)
			c.step(replica.Local{})
		}
	}
	f.calm()
	for _, c := range f.boats {
		for _, o := range c.settled {
			if o.Kind != tidemark.Accepted || len(o.Renumbered) > 0 {
				t.Errorf("%s/%d: %s %v", c.name, o.N, o.Kind, o.Renumbered)
			}
		}
		if got := table(t, c.app, "SELECT count(*), count(DISTINCT t.id) FROM track t JOIN album b ON b.id = t.album AND b.name = t.name"); got[0] != "[20 20]" {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// Rows from elsewhere that lie above a block void it, and another one comes
// before them: whenever a replica leaves, it has a block to go on with.
func TestBlocksAreRenewed(t *testing.T) {
	f := leasing(t, 2)
	crew := []*boat{f.launch(), f.launch(), f.launch()}
	crew[0].run("INSERT INTO artist (name) VALUES ('x')")
	f.calm()
	for round := range 6 {
		for _, b := range crew {
			for i := range 1 + f.rng.IntN(14) {
				b.run("INSERT INTO album (name, artist) VALUES ('%s%d.%d', 1)", b.name, round, i)
			}
			b.step(replica.Local{})
		}
		f.calm()
		seen := map[string]bool{}
		for _, b := range crew {
			next := table(t, b.app, "SELECT max(seq) + 1 FROM sqlite_sequence WHERE name = 'album'")[0]
			block := table(t, b.app, `SELECT l.first <= s.seq + 1 AND s.seq + 4 <= l.last FROM _tm_lease l JOIN _tm_table t ON t.t = l.t
				JOIN sqlite_sequence s ON s.name = t.name WHERE t.name = 'album'`)
			if seen[next] || len(block) != 1 || block[0] != "[1]" {
				t.Fatalf("round %d: %s goes on at %s, in its block: %v", round, b.name, next, block)
			}
			seen[next] = true
		}
	}
}

// A replica that comes back when its block was voided meanwhile gets another one.
func TestBlockIsRenewedAtHello(t *testing.T) {
	f := leasing(t, 3)
	a, b := f.launch(), f.launch()
	a.run("INSERT INTO artist (name) VALUES ('x')")
	f.calm()
	a.hangUp()
	for i := range 40 {
		b.run("INSERT INTO album (name, artist) VALUES ('b%d', 1)", i)
	}
	b.step(replica.Local{})
	f.calm()
	if got := table(t, a.app, "SELECT min(l.first) > (SELECT max(id) FROM album) FROM _tm_lease l JOIN _tm_table t ON t.t = l.t WHERE t.name = 'album'"); got[0] != "[1]" {
		t.Errorf("the block does not lie above the rows: %v", got)
	}
}

// With leases, too, the same schedules as without end well.
func TestLeasedRowsStayApart(t *testing.T) {
	runs := uint64(10)
	if testing.Short() {
		runs = 2
	}
	for seed := range runs {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { sail(t, leasing(t, 1000+seed), 120) })
	}
}
