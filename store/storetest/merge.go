package storetest

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/tidemarkdb/tidemark"
)

const counted = items + `CREATE TABLE ticket (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT); INSERT INTO ticket VALUES (7, 'x'); DELETE FROM ticket;
CREATE TABLE word (w TEXT PRIMARY KEY, n INT);`

// mergeTests are about what is kept for merging: steps of texts, times,
// renumberings, refused rows, leases.
var mergeTests = []test{
	{"steps of a text", `CREATE TABLE note (id TEXT COLLATE NOCASE PRIMARY KEY, a TEXT, b TEXT)`, func(b *bench) {
		step := func(seq tidemark.Seq, done string) tidemark.TextStep {
			return tidemark.TextStep{Seq: seq, Name: tidemark.Name{Replica: "r", N: int64(seq) * 2}, Seen: seq - 1, Done: done, Sent: "sent " + done, Refused: seq == 3}
		}
		b.must(b.group(func(tx tidemark.Tx) error {
			return errors.Join(
				tx.SaveText(1, row("A"), 1, step(3, "one")), tx.SaveText(1, row("a"), 1, step(5, "two")), tx.SaveText(1, row("a"), 1, step(5, "three")),
				tx.SaveText(1, row("a"), 2, step(4, "other column")), tx.SaveText(1, row("b"), 1, step(4, "other row")))
		}))
		want := func(col int, after tidemark.Seq, steps ...tidemark.TextStep) {
			b.Helper()
			b.view(func(v tidemark.View) {
				got, err := v.Texts(1, row("a"), col, after)
				b.must(err)
				if !reflect.DeepEqual(got, steps) {
					b.Errorf("steps %+v, want %+v", got, steps)
				}
			})
		}
		want(1, 0, step(3, "one"), step(5, "two"), step(5, "three"))
		want(1, 3, step(5, "two"), step(5, "three"))
		want(1, 5)
		want(2, 0, step(4, "other column"))
		b.must(b.undone(func(tx tidemark.Tx) error {
			return errors.Join(tx.DropTexts(1, row("a")), tx.SaveText(1, row("b"), 1, step(9, "lost")))
		}))
		want(2, 0, step(4, "other column"))
		b.must(b.group(func(tx tidemark.Tx) error { return tx.DropTexts(1, row("A")) }))
		want(1, 0)
		want(2, 0)
		b.view(func(v tidemark.View) {
			if got, err := v.Texts(1, row("b"), 1, 0); err != nil || len(got) != 1 {
				b.Errorf("the other row has %v %v", got, err)
			}
		})
	}},
	{"times of cells", items, func(b *bench) {
		want := func(col int, want int64) {
			b.Helper()
			b.view(func(v tidemark.View) {
				if at, err := v.EditTime(1, row(1), col); err != nil || at != want {
					b.Errorf("time %d %v, want %d", at, err, want)
				}
			})
		}
		want(1, 0)
		b.must(b.group(func(tx tidemark.Tx) error {
			return errors.Join(tx.SaveEditTime(1, row(1), 1, 100), tx.SaveEditTime(1, row(1.0), 1, 200), tx.SaveEditTime(1, row(1), 2, 5))
		}))
		want(1, 200)
		want(2, 5)
		b.must(b.undone(func(tx tidemark.Tx) error { return tx.SaveEditTime(1, row(1), 1, 300) }))
		want(1, 200)
		b.must(b.group(func(tx tidemark.Tx) error { return tx.SaveEditTime(1, row(1), 1, 0) }))
		want(1, 0)
	}},
	{"renumberings", items, func(b *bench) {
		list := []tidemark.Renumbered{{Table: "item", From: 3, To: 9, Before: 7}, {Table: "item", From: 9, To: 3, Before: 7}, {Table: "item", From: 3, To: 10, Before: 12}}
		b.must(b.group(func(tx tidemark.Tx) error {
			for _, r := range list {
				if err := tx.SaveRenumbering("r", r); err != nil {
					return err
				}
			}
			return tx.SaveRenumbering("s", tidemark.Renumbered{Table: "item", From: 1, To: 2})
		}))
		far := tidemark.Renumbered{Table: "item", From: 3, To: 99, Before: 7}
		b.must(b.undone(func(tx tidemark.Tx) error { return tx.SaveRenumbering("r", far) }))
		b.wantNext("item", 11) // nobody gets 10, which a row had that is gone
		b.must(b.Reopen())
		b.sequence()
		b.view(func(v tidemark.View) {
			got, err := v.Renumberings("r")
			b.must(err)
			if !reflect.DeepEqual(got, list) {
				b.Errorf("got %v", got)
			}
			if got, err := v.Renumberings("x"); len(got) != 0 || err != nil {
				b.Errorf("got %v %v", got, err)
			}
		})
	}},
	{"refused rows", items, func(b *bench) {
		b.must(b.group(func(tx tidemark.Tx) error {
			return errors.Join(tx.SaveRefused("r", 4, 1, row(50)), tx.SaveRefused("r", 6, 1, row(50)), tx.SaveRefused("r", 5, 1, row(51)))
		}))
		b.must(b.undone(func(tx tidemark.Tx) error { return tx.SaveRefused("r", 9, 1, row(51)) }))
		b.view(func(v tidemark.View) {
			for _, c := range []struct {
				replica string
				id      int
				n       int64
			}{{"r", 50, 6}, {"r", 51, 5}, {"r", 52, 0}, {"s", 50, 0}} {
				if n, err := v.Refused(c.replica, 1, row(c.id)); n != c.n || err != nil {
					b.Errorf("%v: %d %v", c, n, err)
				}
			}
		})
	}},
	{"the next id", counted, func(b *bench) {
		b.wantNext("item", 3)
		b.wantNext("ticket", 8) // SQLite remembers the row that is gone
		b.done(b.apply(insert(b.table("item").ID, 1000, "x", nil)))
		b.wantNext("item", 1001)
		b.done(b.apply(insert(b.table("item").ID, -5, "x", nil), remove(b.table("item").ID, 1000)))
		b.wantNext("item", 3)
		err := b.group(func(tx tidemark.Tx) error { _, err := tx.NextID(b.idIn(tx, "word")); return err })
		if err == nil {
			b.Error("a text key is counted")
		}
	}},
	{"an id is above what other programs wrote and what is written so far", counted, func(b *bench) {
		b.exec("INSERT INTO ticket (a) VALUES ('y'); DELETE FROM ticket; INSERT INTO item VALUES (40, 'z', 0)")
		b.wantNext("ticket", 9)
		b.must(b.group(func(tx tidemark.Tx) error {
			item := b.idIn(tx, "item")
			for want := int64(41); want < 45; want++ {
				id, err := tx.NextID(item)
				if err != nil {
					return err
				}
				if id != want {
					return fmt.Errorf("got %d, want %d", id, want)
				}
				if err := tx.Write(insert(item, int(id), "n", 1.0)); err != nil {
					return err
				}
			}
			effects, err := tx.Effects()
			return errors.Join(err, tx.Append(tidemark.LogEntry{Name: tidemark.Name{Replica: "r", N: 1}, Effects: effects}))
		}))
	}},
	{"leases", counted, func(b *bench) {
		b.lease("r", "ticket", 10, 8, 17)
		b.lease("s", "ticket", 5, 18, 22)
		b.wantNext("ticket", 23)
		b.lease("r", "ticket", 10, 23, 32) // in place of the one it held
		b.lease("r", "item", 2, 3, 4)
		b.must(b.undone(func(tx tidemark.Tx) error { _, err := tx.Lease("r", b.idIn(tx, "ticket"), 100); return err }))
		b.wantNext("ticket", 33)
		b.wantNext("item", 5)
		// Programs that write into the file stay out of the blocks.
		b.exec("INSERT INTO ticket (a) VALUES ('foreign')")
		b.sequence()
		b.want("ticket", "(33,'foreign')")
		b.wantNext("ticket", 34)
		b.must(b.Reopen())
		b.sequence()
		b.view(func(v tidemark.View) {
			item, ticket := v.Schema().Named("item").ID, v.Schema().Named("ticket").ID
			got, err := v.Leases("r")
			b.must(err)
			if want := []tidemark.Lease{{Table: item, First: 3, Last: 4}, {Table: ticket, First: 23, Last: 32}}; !reflect.DeepEqual(got, want) {
				b.Errorf("got %v, want %v", got, want)
			}
			if got, err := v.Leases("nobody"); len(got) != 0 || err != nil {
				b.Errorf("got %v %v", got, err)
			}
		})
		b.wantNext("ticket", 34)
	}},
	{"ids that another language cannot hold are not given", counted, func(b *bench) {
		const last = 1<<53 - 1
		ticket := b.table("ticket").ID
		b.done(b.apply(insert(ticket, last-2, "x")))
		b.wantNext("ticket", last-1)
		b.lease("r", "ticket", 2, last-1, last)
		for _, ask := range []func(tx tidemark.Tx) error{
			func(tx tidemark.Tx) error { _, err := tx.NextID(ticket); return err },
			func(tx tidemark.Tx) error { _, err := tx.Lease("s", ticket, 1); return err },
		} {
			err := b.group(ask)
			var e *tidemark.Error
			if !errors.As(err, &e) || e.Code != tidemark.CodeUnique || e.Table != "ticket" || e.Hint == "" {
				b.Errorf("got %#v", err)
			}
		}
		b.done(b.apply(insert(b.table("item").ID, 1<<62, "far", 1.0)))
		if err := b.group(func(tx tidemark.Tx) error { _, err := tx.NextID(b.idIn(tx, "item")); return err }); tidemark.CodeOf(err) != tidemark.CodeUnique {
			b.Errorf("got %v", err)
		}
	}},
	{"the table of conflicts is there and syncs", items, func(b *bench) {
		t := b.table(tidemark.ConflictsTable)
		b.want(tidemark.ConflictsTable, "")
		c := insert(t.ID, "1-1", tidemark.StateOpen, "item", "[1]", "name", nil, "manual", tidemark.WinnerTheirs, "one", "uno", []byte{1}, "s", "r/1", "ada", 5, 6, 1)
		effects, err := b.apply(c)
		b.must(err)
		if len(effects) != 1 || effects[0].Table != t.ID {
			b.Errorf("effects %v", effects)
		}
		b.exec("UPDATE tm_conflicts SET state = 'resolved'")
		w := b.sequence()
		if len(w.Changes) != 1 || w.Changes[0].Op != tidemark.Update {
			b.Errorf("an app's resolution: %+v", w)
		}
	}},
}

func (b *bench) idIn(tx tidemark.Tx, table string) int { return tx.Schema().Named(table).ID }

// undone runs fn in a savepoint that fails.
func (b *bench) undone(fn func(tx tidemark.Tx) error) error {
	boom := errors.New("boom")
	return b.group(func(tx tidemark.Tx) error {
		err := tx.Savepoint(func() error { return errors.Join(fn(tx), boom) })
		if err.Error() != boom.Error() {
			return err
		}
		return nil
	})
}

func (b *bench) wantNext(table string, want int64) {
	b.Helper()
	b.must(b.group(func(tx tidemark.Tx) error {
		id, err := tx.NextID(b.idIn(tx, table))
		if err == nil && id != want {
			b.Errorf("the next id of %s is %d, want %d", table, id, want)
		}
		return err
	}))
}

func (b *bench) lease(replica, table string, size int, first, last int64) {
	b.Helper()
	b.must(b.group(func(tx tidemark.Tx) error {
		l, err := tx.Lease(replica, b.idIn(tx, table), size)
		if err == nil && (l.First != first || l.Last != last) {
			b.Errorf("leased %+v, want %d to %d", l, first, last)
		}
		return err
	}))
}
