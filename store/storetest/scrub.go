package storetest

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// scrubAll runs scrubs until the end and appends what each found.
func (b *bench) scrubAll(limit int) (missed []tidemark.Change) {
	b.Helper()
	cursor := ""
	for step := 0; ; step++ {
		b.must(b.group(func(tx tidemark.Tx) error {
			found, next, err := b.Store.Scrub(context.Background(), tx, cursor, limit)
			if err != nil {
				return err
			}
			cursor, missed = next, append(missed, found...)
			if len(found) == 0 {
				return nil
			}
			return tx.Append(tidemark.LogEntry{Name: tidemark.Name{Replica: tidemark.FileReplica}, Effects: found})
		}))
		if cursor == "" {
			return missed
		}
		if step > 10000 {
			b.Fatal("the scrub does not end")
		}
	}
}

var scrubTests = []test{
	{"nothing to find", items + family, func(b *bench) {
		for _, limit := range []int{1, 2, 1000} {
			if missed := b.scrubAll(limit); len(missed) != 0 {
				b.Errorf("found %v", missed)
			}
		}
	}},
	{"rows that capture missed", items + family, func(b *bench) {
		for limit := range 4 {
			b.must(b.Smuggle(fmt.Sprintf(`UPDATE item SET name = 'smuggled%[1]d' WHERE id = 1; INSERT INTO item VALUES (7%[1]d, 'new', NULL);
				DELETE FROM grandchild WHERE id = (SELECT min(id) FROM grandchild)`, limit)))
			var got []string
			for _, c := range b.scrubAll(limit + 1) {
				got = append(got, fmt.Sprint(c.Op, c.Table, show(c.Key)))
			}
			if len(got) != 3 && limit < 3 {
				b.Errorf("limit %d: found %s", limit, strings.Join(got, ", "))
			}
			if missed := b.scrubAll(100); len(missed) != 0 {
				b.Errorf("found again %v", missed)
			}
		}
		b.want("item", "(1,'smuggled3',1.0) (2,'two',2.0) (70,'new',NULL) (71,'new',NULL) (72,'new',NULL) (73,'new',NULL)")
	}},
	{"a missed row is fed to replicas", items, func(b *bench) {
		b.must(b.Smuggle("DELETE FROM item WHERE id = 2; UPDATE item SET name = 'x' WHERE id = 1"))
		b.scrubAll(10)
		got, _ := b.since(tidemark.Cursor{})
		b.same(got, []string{"1 insert 1 (1,'x',1.0)", "1 delete 1 (2) was ()"})
	}},
	{"a changeset on a missed row keeps the digest right", items, func(b *bench) {
		b.must(b.Smuggle("DELETE FROM item WHERE id = 2; UPDATE item SET name = 'x' WHERE id = 1; INSERT INTO item VALUES (9, 'nine', 9)"))
		_, err := b.apply(update(1, row(1), 2, 7.0), insert(1, 2, "back", nil), remove(1, 9))
		b.must(err)
		b.scrubAll(10)
	}},
	{"a damaged cursor is refused", items, func(b *bench) {
		err := b.group(func(tx tidemark.Tx) error {
			_, _, err := b.Store.Scrub(context.Background(), tx, "nonsense", 5)
			return err
		})
		if tidemark.CodeOf(err) != tidemark.CodeUsage {
			b.Errorf("got %v", err)
		}
	}},
}
