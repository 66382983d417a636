package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tidemarkdb/tidemark"
)

// effects asks for a row's past and shows it, newest first.
func (b *bench) effects(v tidemark.View, t int, key []tidemark.Value, after tidemark.Seq) (string, bool) {
	b.Helper()
	var lines []string
	whole, err := v.History(t, key, after, func(e tidemark.RowEffect) bool {
		lines = append(lines, fmt.Sprintf("%d %s/%d %s", e.Seq, e.Name.Replica, e.Name.N, describe(e.Change)))
		return true
	})
	b.must(err)
	return strings.Join(lines, "; "), whole
}

func (b *bench) wantPast(t int, key []tidemark.Value, after tidemark.Seq, want ...string) {
	b.Helper()
	b.view(func(v tidemark.View) {
		got, whole := b.effects(v, t, key, after)
		if got != strings.Join(want, "; ") || !whole {
			b.Errorf("behind %d %s has (whole: %v)\n\t%s\nwant\n\t%s", after, show(key), whole, got, strings.Join(want, "\n\t"))
		}
	})
}

// done is must for what returns effects as well.
func (b *bench) done(_ []tidemark.Change, err error) {
	b.Helper()
	b.must(err)
}

const kin = `CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent INT REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE, note TEXT);
INSERT INTO parent VALUES (1, 'a'), (2, 'b'); INSERT INTO child VALUES (1, 1, 'x'), (2, 2, 'y');`

var pastTests = []test{
	{"a row that was never touched has no past", items, func(b *bench) {
		b.wantPast(1, row(1), 0)
		b.wantPast(1, row(99), 0)
		b.done(b.apply(update(1, row(2), 1, "zwei")))
		b.wantPast(1, row(1), 0)
	}},
	{"updates, a delete and a second life", items, func(b *bench) {
		b.done(b.apply(update(1, row(1), 1, "uno")))
		b.done(b.apply(update(1, row(2), 1, "due")))
		b.done(b.apply(update(1, row(1), 2, 1.5)))
		b.done(b.apply(remove(1, 1)))
		b.done(b.apply(insert(1, 1, "again", 9.0)))
		b.done(b.apply(update(1, row(1), 1, "more")))
		past := []string{
			"6 r/6 update 1 (1) [1] ('more') was ('again')",
			"5 r/5 insert 1 (1,'again',9.0)",
			"4 r/4 delete 1 (1) was (1,'uno',1.5)",
			"3 r/3 update 1 (1) [2] (1.5) was (1.0)",
			"1 r/1 update 1 (1) [1] ('uno') was ('one')",
		}
		b.wantPast(1, row(1), 0, past...)
		b.wantPast(1, row(1), 1, past[:4]...)
		b.wantPast(1, row(1), 2, past[:4]...)
		b.wantPast(1, row(1), 3, past[:3]...)
		b.wantPast(1, row(1), 6)
		b.wantPast(1, row(1), 100)
		b.must(b.Reopen())
		b.sequence()
		b.wantPast(1, row(1), 0, past...)
		b.wantPast(1, row(2), 0, "2 r/2 update 1 (2) [1] ('due') was ('two')")
	}},
	{"the reader may stop", items, func(b *bench) {
		for i := range 5 {
			b.done(b.apply(update(1, row(1), 1, fmt.Sprint(i))))
		}
		b.view(func(v tidemark.View) {
			var seqs []tidemark.Seq
			whole, err := v.History(1, row(1), 0, func(e tidemark.RowEffect) bool {
				seqs = append(seqs, e.Seq)
				return len(seqs) < 2
			})
			b.must(err)
			if !whole || !slices.Equal(seqs, []tidemark.Seq{5, 4}) {
				b.Errorf("%v, whole %v", seqs, whole)
			}
		})
	}},
	{"a move is a delete and an insert", kin, func(b *bench) {
		b.done(b.apply(update(1, row(1), 0, 7)))
		b.wantPast(1, row(1), 0, "1 r/1 delete 1 (1) was (1,'a')")
		b.wantPast(1, row(7), 0, "1 r/1 insert 1 (7,'a')")
		b.wantPast(2, row(1), 0, "1 r/1 update 2 (1) [1] (7) was (1)")
		b.done(b.apply(update(1, row(7), 0, 1)))
		b.wantPast(1, row(1), 0, "2 r/2 insert 1 (1,'a')", "1 r/1 delete 1 (1) was (1,'a')")
	}},
	{"cascades and other programs", kin, func(b *bench) {
		b.exec("PRAGMA foreign_keys = OFF; UPDATE child SET note = 'z' WHERE id = 2")
		b.sequence()
		b.done(b.apply(remove(1, 2)))
		b.wantPast(2, row(2), 0, "2 r/1 delete 2 (2) was (2,2,'z')", "1 file/0 update 2 (2) [2] ('z') was ('y')")
		b.exec("INSERT INTO child VALUES (2, 1, 'new')")
		b.sequence()
		b.wantPast(2, row(2), 1, "3 file/0 insert 2 (2,1,'new')", "2 r/1 delete 2 (2) was (2,2,'z')")
	}},
	{"a key in another case is the same row", "CREATE TABLE c (code TEXT COLLATE NOCASE PRIMARY KEY, n INT)", func(b *bench) {
		b.done(b.apply(insert(1, "de", 1)))
		b.done(b.apply(update(1, row("DE"), 0, "De")))
		b.done(b.apply(update(1, row("dE"), 1, 2)))
		b.wantPast(1, row("DE"), 1, "3 r/3 update 1 ('De') [1] (2) was (1)", "2 r/2 update 1 ('de') [0] ('De') was ('de')")
	}},
	{"a savepoint takes its past along", items, func(b *bench) {
		b.done(b.apply(update(1, row(1), 1, "first")))
		b.must(b.group(func(tx tidemark.Tx) error {
			boom := errors.New("boom")
			err := tx.Savepoint(func() error {
				if _, err := b.write(tx, []tidemark.Change{update(1, row(1), 1, "undone")}); err != nil {
					return err
				}
				if got, _ := b.effects(tx, 1, row(1), 1); got != "2 r/1 update 1 (1) [1] ('undone') was ('first')" {
					b.Errorf("inside: %s", got)
				}
				return boom
			})
			if !errors.Is(err, boom) {
				return err
			}
			if _, err := b.write(tx, []tidemark.Change{update(1, row(1), 1, "stays")}); err != nil {
				return err
			}
			if got, whole := b.effects(tx, 1, row(1), 1); got != "2 r/1 update 1 (1) [1] ('stays') was ('first')" || !whole {
				b.Errorf("behind the savepoint: %s", got)
			}
			return nil
		}))
		b.wantPast(1, row(1), 0, "2 r/1 update 1 (1) [1] ('stays') was ('first')", "1 r/1 update 1 (1) [1] ('first') was ('one')")
	}},
	{"a group that fails takes its past along", items, func(b *bench) {
		boom := errors.New("boom")
		err := b.group(func(tx tidemark.Tx) error {
			if _, err := b.write(tx, []tidemark.Change{update(1, row(1), 1, "undone")}); err != nil {
				return err
			}
			b.effects(tx, 1, row(1), 0)
			return boom
		})
		if !errors.Is(err, boom) {
			b.Fatal(err)
		}
		b.done(b.apply(update(1, row(1), 1, "stays")))
		b.wantPast(1, row(1), 0, "1 r/1 update 1 (1) [1] ('stays') was ('one')")
	}},
	{"one large changeset", "CREATE TABLE n (id INTEGER PRIMARY KEY, v TEXT)", func(b *bench) {
		const rows = 3000
		var all, again []tidemark.Change
		for i := range rows {
			all = append(all, insert(1, i, "v"))
			again = append(again, update(1, row(i), 1, "w"))
		}
		b.done(b.apply(all...))
		b.done(b.apply(again...))
		b.view(func(v tidemark.View) {
			for i := range rows {
				want := fmt.Sprintf("2 r/2 update 1 (%d) [1] ('w') was ('v'); 1 r/1 insert 1 (%d,'v')", i, i)
				if got, whole := b.effects(v, 1, row(i), 0); got != want || !whole {
					b.Fatalf("row %d has %s", i, got)
				}
			}
		})
	}},
	{"what capture missed has no image before", items, func(b *bench) {
		b.must(b.Smuggle("UPDATE item SET name = 'quiet' WHERE id = 1; DELETE FROM item WHERE id = 2"))
		b.scrubAll(100)
		b.done(b.apply(update(1, row(1), 1, "loud")))
		b.wantPast(1, row(1), 0, "2 r/1 update 1 (1) [1] ('loud') was ('quiet')", "1 file/0 insert 1 (1,'quiet',1.0)")
		b.wantPast(1, row(2), 0, "1 file/0 delete 1 (2) was ()")
	}},
	{"edits stand in the log for texts", "CREATE TABLE note (id INTEGER PRIMARY KEY, a TEXT, b TEXT); INSERT INTO note VALUES (1, 'abc', 'x')", func(b *bench) {
		edit := tidemark.Edit{Kind: tidemark.EditText, Body: `{"s":[[1,1,"B","b"]]}`}
		b.must(b.group(func(tx tidemark.Tx) error {
			if err := tx.WriteAll([]tidemark.Change{update(1, row(1), 1, "aBc", 2, "y")}); err != nil {
				return err
			}
			effects, err := tx.Effects()
			if err != nil {
				return err
			}
			effects[0].Edits = []tidemark.Edit{edit, {}}
			return tx.Append(tidemark.LogEntry{Name: tidemark.Name{Replica: "r", N: 1}, Effects: effects})
		}))
		b.want("note", "(1,'aBc','y')")
		check := func(c tidemark.Change) {
			if c.Op != tidemark.Update || !slices.Equal(c.Cols, []int{1, 2}) || c.EditOf(0) != edit || c.EditOf(1) != (tidemark.Edit{}) ||
				!c.New[0].IsNull() || !c.Old[0].IsNull() || c.New[1] != tidemark.Text("y") || c.Old[1] != tidemark.Text("x") {
				b.Errorf("read back as %+v", c)
			}
		}
		b.view(func(v tidemark.View) {
			_, err := v.History(1, row(1), 0, func(e tidemark.RowEffect) bool { check(e.Change); return true })
			b.must(err)
			b.must(v.Log(0, 0, func(e tidemark.LogEntry) error { check(e.Effects[0]); return nil }))
			b.must(v.Since(tidemark.Cursor{}, func(_ tidemark.Cursor, c tidemark.Change) bool {
				if describe(c) != "insert 1 (1,'aBc','y')" {
					b.Errorf("since: %s", describe(c))
				}
				return true
			}))
		})
	}},
	{"several read beside a writer", items, func(b *bench) {
		var readers sync.WaitGroup
		stop := make(chan struct{})
		for range 3 {
			readers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := b.pastIsGapless(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		for i := range 100 {
			_, err := b.apply(update(1, row(1), 2, float64(i)+0.5))
			if err != nil {
				b.Error(err)
			}
		}
		close(stop)
		readers.Wait()
	}},
}

// model remembers every state that the tables were in, to hold the log against it.
type model struct {
	b      *bench
	states map[tidemark.Seq]map[string][]tidemark.Value // by table and key
}

func newModel(b *bench) *model {
	m := &model{b: b, states: map[tidemark.Seq]map[string][]tidemark.Value{}}
	m.note()
	return m
}

func rowName(t *tidemark.Table, key []tidemark.Value) string { return t.Name + " " + t.KeyID(key) }

// note remembers the present state.
func (m *model) note() {
	m.b.Helper()
	m.b.view(func(v tidemark.View) {
		state, err := v.State()
		m.b.must(err)
		now := map[string][]tidemark.Value{}
		for _, t := range v.Schema().Tables {
			rows, _, err := v.Rows(nil, t.ID, nil, nil, 0)
			m.b.must(err)
			for _, r := range rows {
				now[rowName(t, t.KeyOf(r))] = r
			}
		}
		m.states[state.Head] = now
	})
}

// mustReach goes from the present state of each row that ever was back to every
// state that was noted.
func (m *model) mustReach() {
	m.b.Helper()
	m.b.view(func(v tidemark.View) {
		state, err := v.State()
		m.b.must(err)
		for _, t := range v.Schema().Tables {
			for key, id := range m.keysOf(t) {
				for after, then := range m.states {
					if after > state.Head-5 || after%20 == 0 {
						m.goBack(v, t, id, after, then[key])
					}
				}
			}
		}
	})
}

func (m *model) keysOf(t *tidemark.Table) map[string][]tidemark.Value {
	keys := map[string][]tidemark.Value{}
	for _, state := range m.states {
		for name, r := range state {
			if strings.HasPrefix(name, t.Name+" ") {
				keys[name] = t.KeyOf(r)
			}
		}
	}
	return keys
}

func (m *model) goBack(v tidemark.View, t *tidemark.Table, key []tidemark.Value, after tidemark.Seq, want []tidemark.Value) {
	m.b.Helper()
	now, err := v.Row(t.ID, key)
	m.b.must(err)
	at := slices.Clone(now.Values)
	whole, err := v.History(t.ID, key, after, func(e tidemark.RowEffect) bool {
		at = before(e.Change, at)
		return true
	})
	m.b.must(err)
	if !whole || !slices.Equal(at, want) {
		m.b.Fatalf("going back to %d, %s %s was %s, want %s (whole: %v)", after, t.Name, show(key), show(at), show(want), whole)
	}
}

// before undoes an effect on a row.
func before(c tidemark.Change, r []tidemark.Value) []tidemark.Value {
	switch c.Op {
	case tidemark.Insert:
		return nil
	case tidemark.Delete:
		return slices.Clone(c.Old)
	}
	for i, col := range c.Cols {
		r[col] = c.Old[i]
	}
	return r
}

// pastIsGapless reads a row that every changeset updates.
func (b *bench) pastIsGapless() error {
	var bad error
	b.view(func(v tidemark.View) {
		s, err := v.State()
		b.must(err)
		next := s.Head
		whole, err := v.History(1, row(1), 0, func(e tidemark.RowEffect) bool {
			if e.Seq != next {
				bad = fmt.Errorf("seq %d where %d was due", e.Seq, next)
			}
			next--
			return true
		})
		b.must(err)
		if !whole || next != 0 {
			bad = fmt.Errorf("ended at %d, whole %v", next, whole)
		}
	})
	return bad
}
