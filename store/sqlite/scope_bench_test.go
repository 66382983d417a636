package sqlite

import (
	"context"
	"fmt"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// shops is benchTable with 10,000 items in 100 shops, 1,000 notes on them, and 1,000
// people who are members of shops.
const shops = `CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE item (id INTEGER PRIMARY KEY, shop INT REFERENCES shop, price REAL, note TEXT);
CREATE TABLE remark (id INTEGER PRIMARY KEY, item INT REFERENCES item, price REAL, note TEXT);
CREATE INDEX remark_item ON remark (item);
CREATE TABLE member (person TEXT, shop INT REFERENCES shop, PRIMARY KEY (person, shop)) WITHOUT ROWID;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO shop SELECT i, 'shop ' || i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
INSERT INTO item SELECT i, i % 100 + 1, i * 1.5, 'a note on item ' || i FROM n;
INSERT INTO remark SELECT id, id, 1.0, 'a remark' FROM item;
INSERT INTO member SELECT 'p' || id, id % 100 + 1 FROM item WHERE id <= 1000;
INSERT INTO member SELECT 'p' || id, (id + 7) % 100 + 1 FROM item WHERE id <= 1000;`

const (
	benchItem   = 2
	benchRemark = 3
)

func shopScopes(*tidemark.Schema) (*tidemark.Scopes, error) {
	return &tidemark.Scopes{List: []tidemark.Scope{{
		Name: "shop", Keyed: true, Grant: "SELECT shop FROM member WHERE person = :user", Members: []tidemark.Member{
			{Table: "shop", Path: []string{"id"}}, {Table: "item", Path: []string{"shop"}}, {Table: "remark", Path: []string{"item", "shop"}},
		},
	}}}, nil
}

func openShops(b *testing.B, scopes func(*tidemark.Schema) (*tidemark.Scopes, error)) *Store {
	b.Helper()
	path := b.TempDir() + "/bench.sqlite"
	db, err := lite.Open(path, lite.Options{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if err := db.Script(shops); err != nil {
		b.Fatal(err)
	}
	s, err := Open(path, Options{Space: "bench", Scopes: scopes})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// BenchmarkScopes writes changesets of one row, a hundred to a group, as a hub does: with
// and without scopes, by a column of their own and by a path, staying and moving.
//
// CPU by profile, of what it takes without scopes: an insert 1.86 times, 1.54 where all
// are in one scope, an update 1.6. Of what an insert takes more, nearly half is
// written at COMMIT, because a hundred scopes have their newest entries on a hundred
// pages of the index that a feed is read by; a third finds the scope and writes the
// entry; a fifth reads the parts for the listeners, which nothing without scopes does.
func BenchmarkScopes(b *testing.B) {
	key := func(n int64) []tidemark.Value { return []tidemark.Value{tidemark.Int(n%10000 + 1)} }
	set := func(table, col int, n int64, v tidemark.Value) tidemark.Change {
		return tidemark.Change{Table: table, Op: tidemark.Update, Key: key(n), Cols: []int{col}, New: []tidemark.Value{v}}
	}
	for _, c := range []struct {
		name   string
		scopes func(*tidemark.Schema) (*tidemark.Scopes, error)
		change func(n int64) tidemark.Change
	}{
		{"unscoped update", nil, func(n int64) tidemark.Change { return set(benchItem, 2, n, tidemark.Real(float64(n)+.5)) }},
		{"update", shopScopes, func(n int64) tidemark.Change { return set(benchItem, 2, n, tidemark.Real(float64(n)+.5)) }},
		{"update by a path", shopScopes, func(n int64) tidemark.Change { return set(benchRemark, 2, n, tidemark.Real(float64(n)+.5)) }},
		{"unscoped insert", nil, inserted(benchItem)},
		{"insert", shopScopes, inserted(benchItem)},
		{"insert into one scope", shopScopes, insertedIn(benchItem, 1)},
		{"insert by a path", shopScopes, inserted(benchRemark)},
		{"unscoped move", nil, func(n int64) tidemark.Change { return set(benchItem, 1, n, tidemark.Int(n%97+1)) }},
		{"move with a dependant", shopScopes, func(n int64) tidemark.Change { return set(benchItem, 1, n, tidemark.Int(n%97+1)) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := openShops(b, c.scopes)
			n := int64(0)
			b.ResetTimer()
			for n < int64(b.N) {
				err := s.Group(context.Background(), func(tx tidemark.Tx) error {
					if _, err := tx.Foreign(); err != nil {
						return err
					}
					before, err := tx.State()
					if err != nil {
						return err
					}
					for k := 0; k < 100 && n < int64(b.N); k++ {
						n++
						if err := benchChange(tx, c.change(n)); err != nil {
							return err
						}
					}
					_, err = tx.Parts(before.Head)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func inserted(table int) func(int64) tidemark.Change { return insertedIn(table, 100) }

// insertedIn spreads the rows over so many shops.
func insertedIn(table int, shops int64) func(int64) tidemark.Change {
	return func(n int64) tidemark.Change {
		row := []tidemark.Value{tidemark.Int(n + 20000), tidemark.Int(n%shops + 1), tidemark.Real(1.5), tidemark.Text("a note")}
		return tidemark.Change{Table: table, Op: tidemark.Insert, Key: row[:1], New: row}
	}
}

func benchChange(tx tidemark.Tx, c tidemark.Change) error {
	return tx.Savepoint(func() error {
		changes := []tidemark.Change{c}
		if err := tx.WriteAll(changes); err != nil {
			return err
		}
		if err := tx.Settle(changes); err != nil {
			return err
		}
		effects, err := tx.Effects()
		if err != nil {
			return err
		}
		s, err := tx.State()
		if err != nil {
			return err
		}
		name := tidemark.Name{Replica: "r", N: int64(s.Head) + 1}
		if err := tx.Append(tidemark.LogEntry{Name: name, Effects: effects}); err != nil {
			return err
		}
		return tx.SaveOutcome(tidemark.Outcome{Name: name, Kind: tidemark.Accepted, Seq: s.Head + 1})
	})
}

// BenchmarkScopeFeed reads everything that is in some scopes, per row, and what is new in
// many scopes when there is little. A row takes 1.0 to 1.5 times what it takes
// without scopes (BenchmarkSinceRow), most of it to read the row itself; a scope
// without anything new 3 µs.
func BenchmarkScopeFeed(b *testing.B) {
	all := func(scopes int, after tidemark.Seq) (from []tidemark.ScopeFrom) {
		for i := range scopes {
			from = append(from, tidemark.ScopeFrom{Scope: fmt.Sprintf("shop/%d", i), After: after})
		}
		return from
	}
	for _, c := range []struct {
		name          string
		scopes, cases int
		after         tidemark.Seq
	}{{"rows of 1 scope", 2, 0, -1}, {"rows of 100 scopes", 101, 0, -1}, {"nothing new in 100 scopes", 101, 1, 1}} {
		b.Run(c.name, func(b *testing.B) {
			s := openShops(b, shopScopes)
			from, n := all(c.scopes, c.after), 0
			b.ResetTimer()
			for n < b.N {
				err := s.View(context.Background(), func(v tidemark.View) error {
					n += c.cases
					return v.Feed(tidemark.ScopeCursor{}, from, func(tidemark.ScopeCursor, tidemark.Change) bool {
						n++
						return n < b.N
					})
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSinceRow is what a row costs without scopes.
func BenchmarkSinceRow(b *testing.B) {
	s := openShops(b, nil)
	b.ResetTimer()
	for n := 0; n < b.N; {
		err := s.View(context.Background(), func(v tidemark.View) error {
			return v.Since(tidemark.Cursor{Seq: -1}, func(tidemark.Cursor, tidemark.Change) bool {
				n++
				return n < b.N
			})
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGranted asks which scopes a principal has.
func BenchmarkGranted(b *testing.B) {
	s := openShops(b, shopScopes)
	b.ResetTimer()
	err := s.View(context.Background(), func(v tidemark.View) error {
		for n := range b.N {
			list, err := v.Granted(tidemark.Principal{ID: fmt.Sprint("p", n%1000+1)})
			if err != nil || len(list) == 0 {
				return fmt.Errorf("%v, %w", list, err)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRedeclare takes all rows out of their scopes and puts them into others.
func BenchmarkRedeclare(b *testing.B) {
	s := openShops(b, shopScopes)
	b.ResetTimer()
	for n := range b.N {
		name := fmt.Sprint("shop", n)
		err := s.SetScopes(func(sc *tidemark.Schema) (*tidemark.Scopes, error) {
			d, err := shopScopes(sc)
			d.List[0].Name = name
			return d, err
		})
		if err != nil {
			b.Fatal(err)
		}
		err = s.Group(context.Background(), func(tx tidemark.Tx) error {
			if _, err := tx.Foreign(); err != nil {
				return err
			}
			return tx.Append(tidemark.LogEntry{Name: tidemark.Name{Replica: tidemark.FileReplica}})
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(20100*b.N)/b.Elapsed().Seconds(), "rows/s")
}
