package hub_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

const partsSchema = `
CREATE TABLE item (id INTEGER PRIMARY KEY, code TEXT UNIQUE, note TEXT);
CREATE TABLE part (id INTEGER PRIMARY KEY, item INTEGER REFERENCES item);
`

// commit writes as the app and seals: one changeset.
func (b *boat) commit(sql string) {
	b.f.t.Helper()
	must(b.f.t, b.app.Transaction(func() error { return b.app.Script(sql) }))
	b.step(replica.Local{})
}

// fates are how the changesets of a replica ended.
func (b *boat) fates() (list []string) {
	for _, o := range b.settled {
		s := string(o.Kind)
		if o.Code != "" {
			s += " " + string(o.Code)
		}
		list = append(list, s)
	}
	return list
}

func (b *boat) want(sql string, rows ...string) {
	b.f.t.Helper()
	if got := table(b.f.t, b.app, sql); !slices.Equal(got, rows) {
		b.f.t.Fatalf("%s: %s\n got %q\nwant %q", b.name, sql, got, rows)
	}
}

// Numbers that rows were given go with the changeset when it is rejected.
func TestARejectionNamesRowsAsTheirAuthorDid(t *testing.T) {
	f := newFleet(t, 1, partsSchema, sqlite.Options{})
	a, b := f.launch(), f.launch()
	a.commit("INSERT INTO item VALUES (1, 'code', 'first')")
	b.commit("INSERT INTO item VALUES (1, 'code', 'second')")
	f.sail(a)
	f.calm()
	o := b.settled[0]
	if o.Code != tidemark.CodeUnique || !slices.Equal(o.Key, key(1)) {
		t.Fatalf("%s %v", o.Code, o.Key)
	}
}

// Two people may write down the same: these are two rows.
func TestEqualInsertsStayTwoRows(t *testing.T) {
	f := newFleet(t, 1, partsSchema, sqlite.Options{})
	a, b := f.launch(), f.launch()
	for _, c := range f.boats {
		c.commit("INSERT INTO item VALUES (1, NULL, 'same')")
		c.commit("INSERT INTO part VALUES (1, 1)")
	}
	f.calm()
	for _, c := range []*boat{a, b} {
		c.want("SELECT id, note FROM item", "[1 'same']", "[2 'same']")
		c.want("SELECT id, item FROM part", "[1 1]", "[2 2]")
	}
}

// A row does not get the number of one that was deleted: its author still edits that one.
func TestANumberIsNotGivenASecondTime(t *testing.T) {
	f := newFleet(t, 1, partsSchema, sqlite.Options{})
	a, b := f.launch(), f.launch()
	a.commit("INSERT INTO item VALUES (1, NULL, 'one'), (9, NULL, 'nine')")
	f.calm()
	a.commit("DELETE FROM item WHERE id = 9; INSERT INTO item VALUES (8, NULL, 'first eight')")
	b.commit("INSERT INTO item VALUES (8, NULL, 'second eight')")
	b.commit("UPDATE item SET note = 'nine, edited' WHERE id = 9")
	f.sail(a)
	f.calm()
	for _, c := range []*boat{a, b} {
		c.want("SELECT id, note FROM item", "[1 'one']", "[8 'first eight']", "[10 'second eight']")
	}
}

// What builds on a row that was rejected is not put on the row that another
// one has under its number.
func TestDependantsOfRejectedRowsJoinNoOther(t *testing.T) {
	f := newFleet(t, 1, partsSchema, sqlite.Options{})
	a, b := f.launch(), f.launch()
	a.commit("INSERT INTO item VALUES (1, 'x', 'mine')")
	a.commit("INSERT INTO part VALUES (1, 1)")
	a.commit("UPDATE item SET note = 'still mine' WHERE id = 1")
	a.commit("DELETE FROM part; DELETE FROM item")
	a.commit("INSERT INTO part VALUES (7, NULL)")
	b.commit("INSERT INTO item VALUES (1, 'y', 'theirs'), (2, 'x', 'theirs')")
	b.step(replica.Start{})
	for f.hub.State().Head == 0 {
		f.sail(b)
	}
	f.calm()
	if got := a.fates(); !slices.Equal(got, []string{"rejected unique", "rejected depends_on", "rejected depends_on", "rejected depends_on", "accepted"}) {
		t.Errorf("a's changesets: %q", got)
	}
	for _, c := range []*boat{a, b} {
		c.want("SELECT id, note FROM item", "[1 'theirs']", "[2 'theirs']")
		c.want("SELECT id FROM part", "[7]")
	}
}

// A server that starts again knows what it renumbered.
func TestRenumberingsSurviveTheServer(t *testing.T) {
	f := newFleet(t, 1, partsSchema, sqlite.Options{})
	a, b := f.launch(), f.launch()
	b.commit("INSERT INTO item VALUES (1, 'y', 'theirs')")
	f.only([]*boat{b})
	a.commit("INSERT INTO item VALUES (1, 'x', 'mine')")
	a.commit("INSERT INTO part VALUES (1, 1)")
	// One push at a time: the server stops between the two.
	a.loop = replica.NewLoop(a.r, replica.LoopOptions{Rand: f.chacha(), PushBytes: 1})
	a.step(replica.Start{})
	for steps := 0; f.hub.State().Head < 2; steps++ {
		if steps > 10_000 {
			t.Fatal("nothing comes")
		}
		f.sail(a)
	}
	for _, c := range f.boats {
		c.cut()
		c.loop = replica.NewLoop(c.r, replica.LoopOptions{Rand: f.chacha()})
	}
	f.subs = nil
	var err error
	f.hub, err = hub.Open(ctx, f.store, f.now, hub.Options{Rand: f.chacha()})
	must(f.t, err)
	f.calm()
	for _, c := range f.boats {
		c.want("SELECT p.id, i.note FROM part p JOIN item i ON i.id = p.item", "[1 'mine']")
	}
}

// A copied file brings the same changesets a second time, and goes on from there.
func TestCopiesAgreeOnRenumberedRows(t *testing.T) {
	for _, first := range []string{"original", "copy"} {
		t.Run(first, func(t *testing.T) {
			f := newFleet(t, 1, partsSchema, sqlite.Options{})
			a, b := f.launch(), f.launch()
			f.calm()
			a.hangUp()
			b.commit("INSERT INTO item VALUES (1, 'y', 'theirs')")
			f.only([]*boat{b})
			a.commit("INSERT INTO item VALUES (1, 'x', 'mine')")
			a.commit("INSERT INTO part VALUES (1, 1)")
			c := f.duplicate(a)
			order := []*boat{a, c}
			if first == "copy" {
				order = []*boat{c, a}
			}
			for i, x := range order {
				x.commit(fmt.Sprintf("INSERT INTO part VALUES (%d, 1)", 10+i))
				f.only([]*boat{x})
				x.hangUp()
			}
			f.calm()
			for _, x := range f.boats {
				x.want("SELECT p.id, i.note FROM part p JOIN item i ON i.id = p.item ORDER BY 1", "[1 'mine']", "[10 'mine']", "[11 'mine']")
				x.want("SELECT count(*) FROM item", "[2]")
			}
			for _, x := range f.boats {
				for _, o := range x.settled {
					if o.Kind != tidemark.Accepted {
						t.Errorf("%s/%d: %s %s", x.name, o.N, o.Code, o.Message)
					}
				}
			}
		})
	}
}

// only lets some sync until they are done.
func (f *fleet) only(some []*boat) {
	all := f.boats
	f.boats = some
	f.calm()
	f.boats = all
}

// duplicate copies a boat's file as it is.
func (f *fleet) duplicate(of *boat) *boat {
	b := &boat{f: f, name: string(rune('a' + len(f.boats)))}
	b.path = of.path + "-" + b.name
	must(f.t, of.app.Run("PRAGMA wal_checkpoint(TRUNCATE)"))
	data, err := os.ReadFile(of.path)
	must(f.t, err)
	must(f.t, os.WriteFile(b.path, data, 0o600))
	f.boats = append(f.boats, b)
	b.open()
	f.t.Cleanup(func() {
		must(f.t, b.app.Close())
		must(f.t, b.r.Close())
	})
	return b
}
