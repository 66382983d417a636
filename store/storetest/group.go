package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/tidemarkdb/tidemark"
)

const items = `CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, n REAL); INSERT INTO item VALUES (1, 'one', 1), (2, 'two', 2);`

var groupTests = []test{
	{"an error undoes everything", items, func(b *bench) {
		before := b.state()
		boom := errors.New("boom")
		err := b.group(func(tx tidemark.Tx) error {
			if _, err := b.write(tx, []tidemark.Change{insert(1, 3, "three", 3.5)}); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			b.Fatalf("got %v", err)
		}
		if b.state() != before {
			b.Errorf("state moved from %v to %v", before, b.state())
		}
		b.want("item", "(1,'one',1.0) (2,'two',2.0)")
	}},
	{"a savepoint undoes writes, log and digest", items, func(b *bench) {
		before := b.state()
		boom := errors.New("boom")
		b.must(b.group(func(tx tidemark.Tx) error {
			err := tx.Savepoint(func() error {
				if _, err := b.write(tx, []tidemark.Change{insert(1, 3, "three", 3.5), remove(1, 1)}); err != nil {
					return err
				}
				return boom
			})
			if !errors.Is(err, boom) {
				b.Errorf("savepoint returned %v", err)
			}
			s, err := tx.State()
			if s.Head != before.Head || s.Sum != before.Sum {
				b.Errorf("after the savepoint head %d sum %x, before %d %x", s.Head, s.Sum, before.Head, before.Sum)
			}
			effects, eerr := tx.Effects()
			b.wantEffects(effects)
			return errors.Join(err, eerr)
		}))
		if b.state() != before {
			b.Error("the state moved")
		}
	}},
	{"savepoints nest", items, func(b *bench) {
		boom := errors.New("boom")
		b.must(b.group(func(tx tidemark.Tx) error {
			return tx.Savepoint(func() error {
				if _, err := b.write(tx, []tidemark.Change{insert(1, 3, "three", 3.5)}); err != nil {
					return err
				}
				err := tx.Savepoint(func() error {
					if _, err := b.write(tx, []tidemark.Change{update(1, row(3), 1, "lost"), insert(1, 4, "lost", 4.0)}); err != nil {
						return err
					}
					return boom
				})
				if !errors.Is(err, boom) {
					return err
				}
				_, err = b.write(tx, []tidemark.Change{update(1, row(3), 1, "kept")})
				return err
			})
		}))
		b.want("item", "(1,'one',1.0) (2,'two',2.0) (3,'kept',3.5)")
		if head := b.state().Head; head != 2 {
			b.Errorf("head is %d", head)
		}
	}},
	{"many changesets in one group", items, func(b *bench) {
		b.must(b.group(func(tx tidemark.Tx) error {
			for i := range 50 {
				err := tx.Savepoint(func() error {
					_, err := b.write(tx, []tidemark.Change{insert(1, 10+i, "x", 0.5), update(1, row(1), 2, float64(i))})
					if err == nil && i%3 == 0 {
						return errors.New("rejected")
					}
					return err
				})
				if err != nil && err.Error() != "rejected" {
					return err
				}
			}
			return nil
		}))
		if head := b.state().Head; head != 33 {
			b.Errorf("head is %d, want 33", head)
		}
	}},
	{"a second opening finds the same state", items, func(b *bench) {
		_, err := b.apply(insert(1, 3, "three", 3.5), update(1, row(1), 1, "uno"))
		b.must(err)
		before := b.state()
		b.must(b.Reopen())
		if b.state() != before {
			b.Errorf("state %v, want %v", b.state(), before)
		}
		b.want("item", "(1,'uno',1.0) (2,'two',2.0) (3,'three',3.5)")
	}},
	{"a cancelled context ends it", items, func(b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := b.Store.Group(ctx, func(tx tidemark.Tx) error { return nil }); err == nil {
			b.Error("the group ran")
		}
		_, err := b.apply(insert(1, 3, "three", 3.5))
		b.must(err)
	}},
	{"readers beside groups see whole ones", `CREATE TABLE account (id INTEGER PRIMARY KEY, money INT); INSERT INTO account VALUES (1, 50), (2, 50)`, func(b *bench) {
		stop := make(chan struct{})
		var readers sync.WaitGroup
		var reads atomic.Int64
		for range 3 {
			readers.Go(func() {
				last := tidemark.Seq(0)
				for {
					select {
					case <-stop:
						return
					default:
					}
					err := b.Store.View(context.Background(), func(v tidemark.View) error {
						s, err := v.State()
						if err != nil {
							return err
						}
						sums, err := v.Ranges(nil, 1, nil, nil, nil)
						if err != nil {
							return err
						}
						rows, _, err := v.Rows(nil, 1, nil, nil, 0)
						if err != nil {
							return err
						}
						if total := rows[0][1].Int64() + rows[1][1].Int64(); total != 100 || sums[0].Sum != s.Sum || s.Head < last {
							return fmt.Errorf("at %d after %d the total is %d, sums %x and %x", s.Head, last, total, sums[0].Sum, s.Sum)
						}
						last = s.Head
						reads.Add(1)
						return nil
					})
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		for i := range 200 {
			_, err := b.apply(update(1, row(1), 1, i%100), update(1, row(2), 1, 100-i%100))
			b.must(err)
		}
		close(stop)
		readers.Wait()
		if reads.Load() == 0 {
			b.Error("nobody read")
		}
	}},
	{"dirty and busy until sequenced", items, func(b *bench) {
		dirty := func() bool {
			d, err := b.Store.Dirty(context.Background())
			b.must(err)
			return d
		}
		if dirty() {
			b.Error("dirty at first")
		}
		b.exec("UPDATE item SET name = 'changed' WHERE id = 2")
		if !dirty() {
			b.Error("not dirty after a foreign write")
		}
		err := b.Store.View(context.Background(), func(tidemark.View) error { return nil })
		if tidemark.CodeOf(err) != tidemark.CodeBusy {
			b.Errorf("view says %v", err)
		}
		b.sequence()
		if dirty() {
			b.Error("dirty after the group")
		}
		b.exec("CREATE TABLE another (id INTEGER PRIMARY KEY)")
		if !dirty() {
			b.Error("not dirty after DDL")
		}
		b.sequence()
		b.want("item", "(1,'one',1.0) (2,'changed',2.0)")
	}},
}
