package replica

import (
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

const numbered = `
CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE album (id INTEGER PRIMARY KEY, name TEXT, artist INTEGER REFERENCES artist);
CREATE TABLE guest (album INTEGER REFERENCES album, artist INTEGER REFERENCES artist, PRIMARY KEY (artist, album)) WITHOUT ROWID;
CREATE TABLE mine (artist INTEGER REFERENCES artist, album INTEGER); -- has no key, and does not sync
`

func newNumbered(t *testing.T) (*origin, *device) {
	o := newOrigin(t, numbered)
	for _, table := range o.schema.Tables {
		if table.RowidAlias {
			table.Policy.OnInsert = tidemark.InsertRenumber
		}
	}
	return o, o.clone()
}

// given is an acceptance that gave rows other ids.
func (d *device) given(n int64, seq tidemark.Seq, list ...tidemark.Renumbered) tidemark.Outcome {
	out := d.acceptance(n, seq)
	out.Renumbered = list
	return out
}

func (d *device) all(sql, what string) {
	d.t.Helper()
	d.want("SELECT group_concat(r, ' ') FROM (SELECT "+sql+")", what)
}

func TestReplicaFollowsRenumberedRows(t *testing.T) {
	o, d := newNumbered(t)
	d.commit("INSERT INTO artist VALUES (1, 'mine')")
	d.commit("INSERT INTO album VALUES (1, 'first', 1)")
	d.commit("UPDATE artist SET name = 'mine too' WHERE id = 1; INSERT INTO album VALUES (2, 'second', 1); INSERT INTO guest VALUES (1, 1)")
	d.write("INSERT INTO mine VALUES (1, 1)")
	bodies, err := d.r.Unsent(0, 1<<20)
	must(t, err)

	a := d.applyWell(o.do("INSERT INTO artist VALUES (1, 'theirs')"))
	if len(a.Suspended) != 3 {
		t.Fatalf("suspended %v", a.Suspended)
	}
	d.all("id || name AS r FROM artist", "['1theirs']")
	d.all("id || name AS r FROM album", "[NULL]")

	b := o.do("INSERT INTO artist VALUES (7, 'mine')")
	a = d.applyWell(b, d.given(1, 2, tidemark.Renumbered{Table: "artist", From: 1, To: 7, Before: 1}))
	if len(a.Settled) != 1 || len(a.Settled[0].Renumbered) != 1 || len(a.Resumed) != 2 {
		t.Fatalf("%+v", a)
	}
	d.crash()
	d.all("id || name AS r FROM artist", "['1theirs 7mine too']")
	d.all("id || name || artist AS r FROM album", "['1first7 2second7']")
	d.all("artist || ' ' || album AS r FROM guest", "['7 1']")
	d.all("artist || ' ' || album AS r FROM mine", "['7 1']")
	d.checkBase(o.rows)

	again, err := d.r.Unsent(1, 1<<20)
	must(t, err)
	for i, p := range again {
		if string(p.Body) != string(bodies[i+1].Body) || p.ContentHash() != bodies[i+1].ContentHash() {
			t.Errorf("changeset %d is not what it was", p.N)
		}
	}
	// What is made from now on calls the row 7; the row that is 1 now is another one.
	d.commit("INSERT INTO album VALUES (3, 'third', 1)")
	d.commit("INSERT INTO album VALUES (4, 'fourth', 7)")
	d.applyWell(o.do("INSERT INTO album VALUES (1, 'first', 7)"), d.acceptance(2, 3))
	d.all("id || name || artist AS r FROM album", "['1first7 2second7 3third1 4fourth7']")

	// A rejected one keeps its meaning.
	d.settle(d.rejection(3, 3, tidemark.CodeCheck))
	rej := d.rejected()
	if len(rej) != 1 || !strings.Contains(string(wire.AppendChanges(nil, rej[0].Changes, false)), "7") {
		t.Fatalf("rejected %+v", rej)
	}
	d.all("id || name AS r FROM artist", "['1theirs 7mine']")
	if _, err := d.r.Retry(rej[0].ID, false, 1); err != nil {
		t.Fatal(err)
	}
	d.all("id || name AS r FROM artist", "['1theirs 7mine too']")
	d.all("artist || ' ' || album AS r FROM guest", "['7 1']")
}

// The server gives the first row the number by which its author calls the
// second: one changeset means two rows by it.
func TestOneNumberForTwoRows(t *testing.T) {
	o, d := newNumbered(t)
	d.commit("INSERT INTO artist VALUES (1, 'one')")
	d.commit("INSERT INTO artist VALUES (2, 'two')")
	d.commit("INSERT INTO album VALUES (1, 'of one', 1), (2, 'of two', 2)")
	d.applyWell(o.do("INSERT INTO artist VALUES (1, 'theirs')"))
	d.applyWell(o.do("INSERT INTO artist VALUES (2, 'one')"), d.given(1, 2, tidemark.Renumbered{Table: "artist", From: 1, To: 2, Before: 1}))
	d.all("id || name AS r FROM artist", "['1theirs 2one']")
	d.checkBase(o.rows)
	d.applyWell(o.do("INSERT INTO artist VALUES (3, 'two')"), d.given(2, 3, tidemark.Renumbered{Table: "artist", From: 2, To: 3, Before: 2}))
	d.all("id || name AS r FROM artist", "['1theirs 2one 3two']")
	d.all("name || artist AS r FROM album", "['of one2 of two3']")
	d.applyWell(o.do("INSERT INTO album VALUES (1, 'of one', 2), (2, 'of two', 3)"), d.acceptance(3, 4))
	d.want("SELECT count(*) FROM _tm_renumbered", "[0]")
	d.want("SELECT count(*) FROM _tm_taken", "[0]")
	d.checkBase(o.rows)
	compareRows(t, o.schema, d.rows(), o.rows)
}

// A row that equals the one that took its key is a row of its own all the same.
func TestEqualRowsAreTwo(t *testing.T) {
	o, d := newNumbered(t)
	d.commit("INSERT INTO artist VALUES (1, 'same')")
	a := d.applyWell(o.do("INSERT INTO artist VALUES (1, 'same')"))
	if len(a.Suspended) != 1 {
		t.Fatalf("suspended %v", a.Suspended)
	}
	d.applyWell(o.do("INSERT INTO artist VALUES (2, 'same')"), d.given(1, 2, tidemark.Renumbered{Table: "artist", From: 1, To: 2, Before: 1}))
	compareRows(t, o.schema, d.rows(), o.rows)
}

// What was made while the row that took a key was here means that row.
func TestSuspendedRowIsNotMeant(t *testing.T) {
	o, d := newNumbered(t)
	d.commit("INSERT INTO artist VALUES (1, 'mine')")
	d.applyWell(o.do("INSERT INTO artist VALUES (1, 'theirs')"))
	d.commit("UPDATE artist SET name = 'theirs, by me' WHERE id = 1; INSERT INTO album VALUES (5, 'x', 1)")
	a := d.applyWell(o.do("INSERT INTO artist VALUES (9, 'another')"))
	if len(a.Suspended) != 0 {
		t.Fatalf("suspended %v", a.Suspended)
	}
	d.all("id || name AS r FROM artist", "['1theirs, by me 9another']")
	a = d.applyWell(o.do("INSERT INTO artist VALUES (10, 'mine')"), d.given(1, 3, tidemark.Renumbered{Table: "artist", From: 1, To: 10, Before: 1}))
	if len(a.Suspended) != 0 {
		t.Fatalf("suspended %v", a.Suspended)
	}
	d.all("id || name AS r FROM artist", "['1theirs, by me 9another 10mine']")
	d.all("name || artist AS r FROM album", "['x1']")
}

func TestRetryGivesFreeIDs(t *testing.T) {
	o, d := newNumbered(t)
	d.commit("INSERT INTO artist VALUES (1, 'mine'); INSERT INTO album VALUES (1, 'first', 1)")
	d.commit("INSERT INTO album VALUES (2, 'second', 1)")
	d.settle(d.rejection(1, 0, tidemark.CodeCheck), d.rejection(2, 0, tidemark.CodeDependsOn))
	d.applyWell(o.do("INSERT INTO artist VALUES (1, 'theirs'); INSERT INTO album VALUES (2, 'theirs', 1)"))
	rej := d.rejected()
	if _, err := d.r.Retry(rej[1].ID, false, 1); tidemark.CodeOf(err) != tidemark.CodeDependsOn {
		t.Fatalf("put on another's row: %v", err)
	}
	for _, r := range rej {
		if _, err := d.r.Retry(r.ID, false, 1); err != nil {
			t.Fatal(err)
		}
	}
	d.all("id || name AS r FROM artist", "['1theirs 2mine']")
	d.all("id || name || artist AS r FROM album", "['1first2 2theirs1 3second2']")
	if len(d.rejected()) != 0 {
		t.Error("a record was left")
	}
}

func TestLeasedIDs(t *testing.T) {
	o := newOrigin(t, "CREATE TABLE Note (id INTEGER PRIMARY KEY AUTOINCREMENT, x); CREATE TABLE plain (id INTEGER PRIMARY KEY)")
	d := o.clone()
	list := &wire.Leases{List: []tidemark.Lease{{Table: 1, First: 100, Last: 115}, {Table: 77, First: 1, Last: 2}}}
	must(t, d.r.Lease(list, 1))
	d.commit("INSERT INTO note (x) VALUES ('a')")
	must(t, d.r.Lease(list, 2))
	d.commit("INSERT INTO note (x) VALUES ('b')")
	d.all("id AS r FROM note", "['100 101']")
	// A row from above voids the block, the next one begins above it.
	must(t, d.r.Lease(&wire.Leases{List: []tidemark.Lease{{Table: 1, First: 300, Last: 315}}}, 3))
	d.applyWell(o.do("INSERT INTO note VALUES (200, 'theirs')"))
	d.crash()
	d.commit("INSERT INTO note (x) VALUES ('c')")
	d.all("id AS r FROM note", "['100 101 200 300']")
	must(t, d.r.Lease(&wire.Leases{}, 4))
	d.want("SELECT count(*) FROM _tm_lease", "[0]")
}
