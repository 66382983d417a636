package replica

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Wrong memberships are found by the sums of ranges and repaired like rows, but
// nothing is saved as rejected for them.
func TestRepairMendsMemberships(t *testing.T) {
	o, d := scopedDevice(t, "INSERT INTO note VALUES (1, 'one', 5), (2, 'two', 6), (3, 'three', 7)",
		map[string][]int64{"a/1": {1, 2}, "b/1": {2, 3}})
	sum := func() tidemark.RangeSum {
		list, err := d.r.ConfirmedRanges(1, nil, nil, nil)
		must(t, err)
		return list[0]
	}
	right := sum()
	member := func(sql string, id int64) {
		key, _ := o.note(id)
		must(t, d.r.db.Run(sql, tidemark.BlobString(key.key)))
	}
	for name, damage := range map[string]func(){
		"a membership is missing":  func() { member("DELETE FROM _tm_member WHERE key = ?1 AND s = 1", 2) },
		"one is too many":          func() { member("INSERT INTO _tm_member VALUES (1, ?1, 2)", 1) },
		"one is another":           func() { member("UPDATE _tm_member SET s = 2 WHERE key = ?1", 1) },
		"a row is in no scope":     func() { member("DELETE FROM _tm_member WHERE key = ?1", 3) },
		"two rows have exchanged":  func() { member("UPDATE _tm_member SET s = 3 - s WHERE key <> ?1", 2) },
		"a row is missing with it": func() { must(t, d.r.db.Run("DELETE FROM note WHERE id = 1")) },
	} {
		damage()
		if sum() == right {
			t.Errorf("%s: not seen", name)
		}
		_, one := o.note(1)
		_, two := o.note(2)
		_, three := o.note(3)
		_, err := d.r.RepairAll([]RangeRows{{Table: 1, Rows: [][]tidemark.Value{one, two, three},
			Scopes: [][]string{{"a/1"}, {"a/1", "b/1"}, {"b/1"}}}}, tidemark.CodeUncaptured, 5)
		must(t, err)
		must(t, d.r.Prove(5))
		if sum() != right {
			t.Errorf("%s: not repaired", name)
		}
		d.want("SELECT group_concat(s || ' ' || n, '; ') FROM (SELECT s, count(*) AS n FROM _tm_member GROUP BY s)", "['1 2; 2 2']")
		b := o.empty(0)
		b.Parts = []wire.Part{o.part("a/1", []tidemark.Change{}, 1, 2), o.part("b/1", []tidemark.Change{}, 2, 3)}
		d.applyWell(b)
	}
	if n := len(d.rejected()); n != 1 { // of the row that was missing
		t.Fatalf("%d records", n)
	}
	// A row that the server does not show goes.
	_, one := o.note(1)
	_, err := d.r.RepairAll([]RangeRows{{Table: 1, Rows: [][]tidemark.Value{one}, Scopes: [][]string{{"a/1"}}}}, tidemark.CodeUncaptured, 5)
	must(t, err)
	d.want("SELECT group_concat(id) FROM note", "['1']")
	d.want("SELECT count(*) FROM _tm_member", "[1]")
}

// What a copy lost is not in the bytes of its file, pending, history and WAL
// included; what one wrote oneself is.
func TestLostRowsAreNotInTheFile(t *testing.T) {
	canary, own := "canary-of-a-project", "own-words"
	_, d := scopedDevice(t, "INSERT INTO note VALUES (1, '"+canary+"', 5), (2, '"+canary+" two', 6), (3, 'kept', 7)",
		map[string][]int64{"a/1": {1, 2}, "b/1": {3}})
	d.commit("UPDATE note SET body = 'short', n = 8 WHERE id = 2")
	d.commit("UPDATE note SET n = 9 WHERE id = 1")
	d.commit("INSERT INTO note VALUES (4, '" + own + "', 1)")
	if !inFile(t, d.path, canary) {
		t.Fatal("the canary is not there to begin with")
	}
	_, err := d.r.TakeScopes([]string{"b/1"}, 2)
	must(t, err)
	if inFile(t, d.path, canary) {
		t.Error("what was lost is still in the file")
	}
	if !inFile(t, d.path, own) {
		t.Error("what was written here is gone")
	}
	d.want("SELECT count(*) FROM _tm_history", "[1]")

	// By another way: the row is forgotten in a batch.
	o, d := scopedDevice(t, "INSERT INTO note VALUES (1, '"+canary+"', 5), (2, 'kept', 6)", map[string][]int64{"a/1": {1, 2}})
	b := o.empty(0)
	b.Parts = []wire.Part{o.part("a/1", []tidemark.Change{o.gone(tidemark.Forget, 1)}, 2)}
	// While somebody reads, the WAL cannot be emptied; the next time it is.
	must(t, d.app.Script("BEGIN; SELECT count(*) FROM note"))
	d.applyWell(b)
	must(t, d.app.Script("COMMIT"))
	d.applyWell(o.empty(0))
	if inFile(t, d.path, canary) {
		t.Error("what was forgotten is still in the file")
	}
}

// Nor is what was staged of a scope that was lost before it was whole.
func TestLostChunksAreNotInTheFile(t *testing.T) {
	canary := "canary-of-a-chunk"
	for name, lose := range map[string]func(*origin, *device) error{
		"by Scopes": func(_ *origin, d *device) error {
			_, err := d.r.TakeScopes([]string{"b/1"}, 2)
			return err
		},
		"by Welcome": func(o *origin, d *device) error {
			w := &wire.Welcome{Space: "s", Incarnation: "inc", Replica: "r1", Ticket: "two", DigestKey: o.key, Schema: o.schema.Hash, Scopes: []string{"b/1"}}
			_, err := d.r.Welcome(w, 2)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			o, d := scopedDevice(t, "INSERT INTO note VALUES (1, '"+canary+"', 5), (2, 'kept', 6)", map[string][]int64{"b/1": {2}})
			_, err := d.r.TakeScopes([]string{"a/1", "b/1"}, 2)
			must(t, err)
			b := o.empty(0)
			b.More, b.Cursor = true, "half"
			b.Parts = []wire.Part{{Scope: "a/1", Changes: []tidemark.Change{o.put(1)}}}
			_, err = d.r.Apply(b, nil, 2)
			must(t, err)
			if !inFile(t, d.path, canary) {
				t.Fatal("the canary is not there to begin with")
			}
			must(t, lose(o, d))
			if inFile(t, d.path, canary) {
				t.Error("what was lost is still in the file")
			}
		})
	}
}

// Nor in a full-text index, which marks what is gone.
func TestLostRowsAreNotInAnIndex(t *testing.T) {
	o := newScopedOrigin(t, searchable, "a")
	d := o.cloneScoped()
	_, err := d.r.TakeScopes([]string{"a/1", "a/2"}, 1)
	must(t, err)
	doc := o.schema.Named("doc")
	b := o.empty(0)
	for i, word := range []string{"canaryword", "keptword"} {
		row := []tidemark.Value{tidemark.Int(int64(i + 1)), tidemark.Text("a " + word), tidemark.Null}
		b.Parts = append(b.Parts, wire.Part{Scope: fmt.Sprintf("a/%d", i+1), Sum: sumOf(o.key, o.schema, images{idOf(doc, row[:1]): row}),
			Changes: []tidemark.Change{{Table: doc.ID, Op: tidemark.Insert, Key: row[:1], New: row}}})
	}
	d.applyWell(b)
	d.want("SELECT count(*) FROM doc_text('canaryword')", "[1]")
	_, err = d.r.TakeScopes([]string{"a/2"}, 2)
	must(t, err)
	d.want("SELECT (SELECT count(*) FROM doc_text('canaryword')) || (SELECT count(*) FROM doc_text('keptword'))", "['01']")
	if !inFile(t, d.path, "keptword") {
		t.Fatal("the index does not hold words as they are")
	}
	if inFile(t, d.path, "canaryword") || inFile(t, d.path, "anaryword") {
		t.Error("a lost word is still in the index")
	}
}

func inFile(t *testing.T, path, what string) bool {
	t.Helper()
	for _, end := range []string{"", "-wal", "-journal"} {
		data, err := os.ReadFile(path + end)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		must(t, err)
		if bytes.Contains(data, []byte(what)) {
			return true
		}
	}
	return false
}
