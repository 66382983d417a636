package replica

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

func (d *device) undo() *Undone {
	d.t.Helper()
	d.now++
	u, err := d.r.Undo(d.now)
	must(d.t, err)
	return u
}

func (d *device) redo() *Undone {
	d.t.Helper()
	d.now++
	u, err := d.r.Redo(d.now)
	must(d.t, err)
	return u
}

func leftOf(u *Undone) string {
	var list []string
	for _, l := range u.Left {
		list = append(list, fmt.Sprintf("%s %v %s: %s", l.Table, l.Key, l.Column, l.Why))
	}
	return strings.Join(list, "; ")
}

func TestUndoAndRedo(t *testing.T) {
	_, d := newBoard(t)
	var states []string
	const all = `SELECT group_concat(id || '|' || quote(title) || votes || tags || attrs || quote(body) || quote(owner) || quote(city), ' ') FROM (SELECT * FROM card ORDER BY id)`
	steps := []string{
		"UPDATE card SET title = 'x', votes = votes + 3, tags = '[\"z\"]', body = 'hello brave world' WHERE id = 1",
		"UPDATE card SET body = 'héllo brave new world', city = 'there' WHERE id = 1; DELETE FROM card WHERE id = 2",
		"INSERT INTO card (id, title, votes, tags, attrs, body) VALUES (7, 't', 1, '[]', '{}', 'long')",
		"UPDATE card SET id = 9, body = 'longer' WHERE id = 7",
	}
	for _, sql := range steps {
		states = append(states, d.get(all))
		d.commit(sql)
	}
	states = append(states, d.get(all))
	for i := len(steps) - 1; i >= 0; i-- {
		if u := d.undo(); len(u.Left) != 0 || u.Of != int64(i+1) || len(u.Changes) == 0 {
			t.Fatalf("%+v", u)
		}
		d.want(all, states[i])
	}
	_, err := d.r.Undo(1)
	if tidemark.CodeOf(err) != tidemark.CodeNotFound {
		t.Fatal(err)
	}
	d.crash()
	for i := range steps {
		if u := d.redo(); len(u.Left) != 0 {
			t.Fatalf("%+v", u)
		}
		d.want(all, states[i+1])
	}
	if u := d.undo(); len(u.Left) != 0 {
		t.Fatalf("%+v", u)
	}
	d.commit("UPDATE card SET title = 'new' WHERE id = 1")
	if _, err := d.r.Redo(1); tidemark.CodeOf(err) != tidemark.CodeNotFound {
		t.Fatal(err)
	}
}

// TestUndoOnlyWhatIsUntouched: others edited what we did, and it is accepted.
func TestUndoOnlyWhatIsUntouched(t *testing.T) {
	o, d := newBoard(t)
	const mine = `UPDATE card SET title = 'mine', votes = votes + 3, body = 'hello brave world', owner = 'me', city = 'my' WHERE id = 1;
		INSERT INTO card (id, title) VALUES (5, 'five'); DELETE FROM card WHERE id = 2`
	d.commit(mine)
	b := o.do(mine)
	d.applyWell(b, d.acceptance(1, b.To))
	d.applyWell(o.do(`UPDATE card SET title = 'theirs', votes = votes + 10, body = body || '!', street = 'x' WHERE id = 1;
		UPDATE card SET title = 'touched' WHERE id = 5; INSERT INTO card (id, title) VALUES (2, 'again')`))
	u := d.undo()
	if got, want := leftOf(u), "card [1] title: it was changed since; card [1] body: it was changed since; card [1] city: it was changed since; "+
		"card [5] : the row was changed since; card [2] : a row with this key is there again"; got != want {
		t.Fatalf("left\n %s\nwant\n %s", got, want)
	}
	d.want("SELECT title, votes, body, owner, street, city FROM card WHERE id = 1", "['theirs' 20 'hello brave world!' 'ann' 'x' 'my']")
	if c := d.lastChange(); c.EditOf(0).Body != "-3" || fmt.Sprint(c.Cols) != "[2 6]" {
		t.Fatalf("%+v", c)
	}
	if u := d.redo(); len(u.Left) != 0 {
		t.Fatalf("%+v", u)
	}
	d.want("SELECT votes, owner FROM card WHERE id = 1", "[23 'me']")
}

func TestUndoOfInsertsThatAreReferredTo(t *testing.T) {
	o := newOrigin(t, zoo)
	d := o.clone()
	d.commit("INSERT INTO parent VALUES ('a', 'A'); INSERT INTO parent VALUES ('b', 'B'); INSERT INTO child VALUES (1, 'a', 1)")
	d.commit("INSERT INTO child VALUES (2, 'b', 1)")
	d.commit("INSERT INTO item VALUES (1, 1, 1, 1); INSERT INTO item VALUES (2, 1, 1, 2)")
	d.undo()
	u := d.undo()
	d.want("SELECT count(*) FROM child", "[1]")
	if len(u.Left) != 0 {
		t.Fatal(leftOf(u))
	}
	d.redo()
	// Undoing the first behind the second: what the second refers to stays.
	must(t, d.r.db.Run("DELETE FROM _tm_history WHERE id > 1"))
	if u = d.undo(); leftOf(u) != "parent ['b'] : rows of child refer to it" {
		t.Fatal(leftOf(u))
	}
	d.want("SELECT (SELECT count(*) FROM parent), (SELECT count(*) FROM child)", "[1 1]")
}

// TestUndoMeetsConstraints: a row that cannot come back stays away, the others come.
func TestUndoMeetsConstraints(t *testing.T) {
	o := newOrigin(t, zoo+"INSERT INTO item VALUES (1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3)")
	d := o.clone()
	d.commit("DELETE FROM item WHERE id < 3; UPDATE item SET a = 4 WHERE id = 3")
	d.applyWell(o.do("UPDATE item SET u = 7 WHERE id = 1; INSERT INTO item VALUES (8, 8, 8, 1)"))
	u := d.undo()
	if len(u.Left) != 1 || u.Left[0].Key[0] != tidemark.Int(1) {
		t.Fatal(leftOf(u))
	}
	d.want("SELECT group_concat(id || '.' || a) FROM (SELECT * FROM item ORDER BY id)", "['2.2,3.3,8.8']")
}

func TestRejectedChangesetsAreNotUndone(t *testing.T) {
	_, d := newBoard(t)
	d.commit("UPDATE card SET title = 'a' WHERE id = 1")
	d.commit("UPDATE card SET title = 'b' WHERE id = 2")
	d.settle(d.rejection(1, 0, tidemark.CodeForbidden), d.rejection(2, 0, tidemark.CodeForbidden))
	_, err := d.r.Undo(1)
	var e *tidemark.Error
	if !errors.As(err, &e) || e.Code != tidemark.CodeNotFound {
		t.Fatal(err)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	_, d := newBoard(t)
	d.commit("UPDATE card SET title = '" + strings.Repeat("x", 2<<20) + "' WHERE id = 1")
	if u := d.undo(); u.N != 0 || !strings.Contains(leftOf(u), "too large") {
		t.Fatal(leftOf(u))
	}
	for i := range 20 {
		d.commit(fmt.Sprintf("UPDATE card SET title = '%d%s' WHERE id = 1", i, strings.Repeat("x", 600<<10)))
		if n, err := d.r.db.Int("SELECT sum(size) FROM _tm_history WHERE body IS NOT NULL"); err != nil || n > historyBytes {
			t.Fatal(n, err)
		}
	}
	for i := range 150 {
		d.commit(fmt.Sprintf("UPDATE card SET votes = %d WHERE id = 1", i))
	}
	if n, err := d.r.db.Int("SELECT count(*) FROM _tm_history"); err != nil || n != historyLength {
		t.Fatal(n, err)
	}
	for range historyLength {
		if u := d.undo(); len(u.Left) != 0 {
			t.Fatal(leftOf(u))
		}
	}
	d.want("SELECT votes FROM card WHERE id = 1", "[49]")
}

// TestUndoFollowsRowsToTheirNewIDs: the row that we made has another id now,
// and what has the old one is somebody else's.
func TestUndoFollowsRowsToTheirNewIDs(t *testing.T) {
	o := newOrigin(t, board)
	o.declare(boardPolicies)
	o.schema.Tables[0].Policy.OnInsert = tidemark.InsertRenumber
	d := o.clone()
	d.commit("INSERT INTO card (id, title) VALUES (5, 'mine')")
	d.commit("UPDATE card SET title = 'mine too' WHERE id = 5")
	d.applyWell(o.do("INSERT INTO card (id, title) VALUES (5, 'theirs')"))
	out := d.acceptance(1, 2)
	out.Renumbered = []tidemark.Renumbered{{Table: "card", From: 5, To: 6, Before: 1}}
	d.applyWell(o.do("INSERT INTO card (id, title) VALUES (6, 'mine')"), out)
	d.want("SELECT group_concat(id || title) FROM card WHERE id > 4", "['5theirs,6mine too']")
	for range 2 {
		if u := d.undo(); len(u.Left) != 0 {
			t.Fatal(leftOf(u))
		}
	}
	d.want("SELECT group_concat(id || title) FROM card WHERE id > 4", "['5theirs']")
	d.redo()
	d.want("SELECT group_concat(id || title) FROM card WHERE id > 4", "['5theirs,6mine']")
}

// TestDetachTakesTheHistoryOff leaves nothing of ours in the file.
func TestDetachTakesTheHistoryOff(t *testing.T) {
	_, d := newBoard(t)
	d.commit("UPDATE card SET body = 'hello', votes = 3 WHERE id = 1")
	d.undo()
	must(t, d.app.Close())
	must(t, d.r.Close())
	must(t, Detach(d.path, true))
	var err error
	d.app, err = lite.Open(d.path, lite.Options{})
	must(t, err)
	n, err := d.app.Int("SELECT count(*) FROM sqlite_master WHERE name LIKE '\\_tm%' ESCAPE '\\'")
	if err != nil || n != 0 {
		t.Fatalf("%d objects are left, %v", n, err)
	}
	d.r = &Replica{db: d.app}
	d.want("SELECT body, votes FROM card WHERE id = 1", "['hello world' 10]")
}
