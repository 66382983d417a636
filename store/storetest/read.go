package storetest

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// since collects what lies behind a cursor.
func (b *bench) since(from tidemark.Cursor) (out []string, ends []tidemark.Cursor) {
	b.Helper()
	b.view(func(v tidemark.View) {
		b.must(v.Since(from, func(at tidemark.Cursor, c tidemark.Change) bool {
			out = append(out, fmt.Sprint(at.Seq, " ", describe(c)))
			ends = append(ends, at)
			return true
		}))
	})
	return out, ends
}

func (b *bench) same(got, want []string) {
	b.Helper()
	if !slices.Equal(got, want) {
		b.Errorf("got\n\t%q\nwant\n\t%q", got, want)
	}
}

const shelf = `CREATE TABLE book (a TEXT COLLATE NOCASE, b INT, t TEXT, PRIMARY KEY (a, b));
INSERT INTO book VALUES ('A', 1, 'x'), ('a', 2, 'y'), ('B', 1, 'z'), ('c', -5, 'w');`

var readTests = []test{
	{"since streams newest states by seq", items, func(b *bench) {
		_, err := b.apply(update(1, row(2), 1, "zwei"))
		b.must(err)
		_, err = b.apply(insert(1, 3, "drei", nil), insert(1, 4, "vier", nil))
		b.must(err)
		_, err = b.apply(remove(1, 3), update(1, row(2), 1, "deux"))
		b.must(err)
		all := []string{"0 insert 1 (1,'one',1.0)", "2 insert 1 (4,'vier',NULL)", "3 insert 1 (2,'deux',2.0)", "3 delete 1 (3) was ()"}
		got, ends := b.since(tidemark.Cursor{Seq: -1})
		b.same(got, all)
		for i, at := range ends {
			got, _ := b.since(at)
			b.same(got, all[i+1:])
		}
		got, _ = b.since(tidemark.Cursor{})
		b.same(got, all[1:])
		got, _ = b.since(tidemark.Cursor{Seq: 2})
		b.same(got, all[2:])
		got, _ = b.since(tidemark.Cursor{Seq: 3})
		b.same(got, nil)
	}},
	{"since can be stopped", items, func(b *bench) {
		n := 0
		b.view(func(v tidemark.View) {
			b.must(v.Since(tidemark.Cursor{Seq: -1}, func(tidemark.Cursor, tidemark.Change) bool { n++; return false }))
		})
		if n != 1 {
			b.Errorf("fn was called %d times", n)
		}
	}},
	{"since finds keys whatever their spelling", shelf, func(b *bench) {
		got, _ := b.since(tidemark.Cursor{Seq: -1})
		slices.Sort(got)
		b.same(got, []string{"0 insert 1 ('A',1,'x')", "0 insert 1 ('B',1,'z')", "0 insert 1 ('a',2,'y')", "0 insert 1 ('c',-5,'w')"})
	}},
	{"rows by key order, in slices", shelf, func(b *bench) {
		b.view(func(v tidemark.View) {
			rows, more, err := v.Rows(nil, 1, nil, nil, 3)
			b.must(err)
			if len(rows) != 3 || !more || show(rows[1]) != "('a',2,'y')" {
				b.Errorf("%v %v", rows, more)
			}
			rows, more, err = v.Rows(nil, 1, rows[2][:2], nil, 3)
			b.must(err)
			if len(rows) != 1 || more {
				b.Errorf("%v %v", rows, more)
			}
			rows, _, err = v.Rows(nil, 1, row("a", 1), row("B", 1), 0)
			b.must(err)
			if len(rows) != 2 {
				b.Errorf("%v", rows)
			}
		})
	}},
	{"ranges add up", shelf, func(b *bench) {
		b.view(func(v tidemark.View) {
			whole, err := v.Ranges(nil, 1, nil, nil, nil)
			b.must(err)
			parts, err := v.Ranges(nil, 1, nil, nil, [][]tidemark.Value{row("a", 1), row("a", 99), row("b", 0)})
			b.must(err)
			var n int64
			var sum uint64
			counts := []int64{}
			for _, p := range parts {
				n, sum, counts = n+p.Count, sum+p.Sum, append(counts, p.Count)
			}
			if !slices.Equal(counts, []int64{1, 1, 0, 2}) || n != whole[0].Count || sum != whole[0].Sum {
				b.Errorf("parts %v of %v", parts, whole)
			}
			inner, err := v.Ranges(nil, 1, row("a", 1), row("b", 1), nil)
			b.must(err)
			if inner[0].Count != 2 {
				b.Errorf("inner %v", inner)
			}
		})
	}},
	{"an unknown table is an error", items, func(b *bench) {
		b.view(func(v tidemark.View) {
			if _, _, err := v.Rows(nil, 9, nil, nil, 1); tidemark.CodeOf(err) != tidemark.CodeSchema {
				b.Errorf("got %v", err)
			}
		})
	}},
	{"schemas by hash", items, func(b *bench) {
		old := b.state().SchemaHash
		b.exec("ALTER TABLE item ADD COLUMN more TEXT")
		b.sequence()
		b.view(func(v tidemark.View) {
			for _, hash := range []string{old, v.Schema().Hash} {
				if body, err := v.SchemaBody(hash); err != nil || len(body) == 0 {
					b.Errorf("schema %s: %d bytes, %v", hash, len(body), err)
				}
			}
			if body, err := v.SchemaBody("nothing"); body != nil || err != nil {
				b.Errorf("%q %v", body, err)
			}
		})
	}},
}
