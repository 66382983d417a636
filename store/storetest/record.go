package storetest

import (
	"reflect"

	"github.com/tidemarkdb/tidemark"
)

var recordTests = []test{
	{"outcomes", items, func(b *bench) {
		want := []tidemark.Outcome{
			{Name: tidemark.Name{Replica: "r", N: 1, Hash: tidemark.Hash{1, 2}}, Kind: tidemark.Accepted, Seq: 7},
			{Name: tidemark.Name{Replica: "r", N: 2}, Kind: tidemark.Rejected, Seq: 7, Code: tidemark.CodeUnique, Message: "no",
				Table: "item", Key: row("\xff\x00", []byte{0xff}, nil, 1.0), Columns: []string{"a", "b"}},
			{Name: tidemark.Name{Replica: "r", N: 3}, Kind: tidemark.Merged, Seq: 8,
				Lost: []tidemark.Cell{{Table: "item", Key: row(1), Column: "name"}, {Table: "item", Key: row("k")}},
				Over: []tidemark.Cell{{Table: "item", Key: row(1), Column: "n"}}, Renumbered: []tidemark.Renumbered{{Table: "item", From: 3, To: 4, Before: 2}}},
		}
		b.must(b.group(func(tx tidemark.Tx) error {
			for _, o := range want {
				if err := tx.SaveOutcome(o); err != nil {
					return err
				}
			}
			return tx.SaveOutcome(tidemark.Outcome{Name: tidemark.Name{Replica: "other", N: 2}, Kind: tidemark.Accepted, Seq: 9})
		}))
		err := b.group(func(tx tidemark.Tx) error { return tx.SaveOutcome(want[0]) })
		if err == nil {
			b.Error("an outcome was recorded twice")
		}
		b.view(func(v tidemark.View) {
			for i := range want {
				got, err := v.Outcome("r", want[i].N)
				b.must(err)
				if got == nil || !reflect.DeepEqual(*got, want[i]) {
					b.Errorf("got %+v, want %+v", got, want[i])
				}
			}
			if o, err := v.Outcome("r", 4); o != nil || err != nil {
				b.Errorf("%v %v", o, err)
			}
			list, err := v.Outcomes("r", 1, 1)
			b.must(err)
			if len(list) != 1 || list[0].N != 2 {
				b.Errorf("list %v", list)
			}
			if list, err = v.Outcomes("r", 0, 0); err != nil || len(list) != 3 {
				b.Errorf("list %v %v", list, err)
			}
		})
	}},
	{"replicas", items, func(b *bench) {
		r := tidemark.ReplicaState{ID: "r", Principal: "ada", Ticket: "t2", Previous: "t1", LastN: 5, Settled: 4, Seq: 3, Contact: 12345, Agent: "test/1"}
		b.must(b.group(func(tx tidemark.Tx) error { return tx.SaveReplica(r) }))
		r.Ticket, r.Previous = "t3", ""
		b.must(b.group(func(tx tidemark.Tx) error { return tx.SaveReplica(r) }))
		b.view(func(v tidemark.View) {
			got, err := v.Replica("r")
			b.must(err)
			if got == nil || *got != r {
				b.Errorf("got %+v", got)
			}
			if got, err := v.Replica("other"); got != nil || err != nil {
				b.Errorf("%v %v", got, err)
			}
		})
	}},
	{"terms", items, func(b *bench) {
		start := func(term string) {
			b.must(b.group(func(tx tidemark.Tx) error { return tx.StartTerm(term) }))
		}
		start("one")
		_, err := b.apply(insert(1, 3, "x", nil))
		b.must(err)
		start("two")
		start("three")
		_, err = b.apply(insert(1, 4, "x", nil))
		b.must(err)
		b.view(func(v tidemark.View) {
			for term, want := range map[string]tidemark.Seq{"one": 1, "two": 1, "three": 2} {
				if end, known, err := v.TermEnd(term); end != want || !known || err != nil {
					b.Errorf("term %s ends at %d (%v, %v), want %d", term, end, known, err, want)
				}
			}
			if _, known, err := v.TermEnd("four"); known || err != nil {
				b.Error("an unknown term is known", err)
			}
			if s, err := v.State(); err != nil || s.Term != "three" {
				b.Errorf("%v %v", s, err)
			}
		})
	}},
	{"the log keeps effects with before-images", items, func(b *bench) {
		_, err := b.apply(update(1, row(1), 1, "uno"), remove(1, 2))
		b.must(err)
		_, err = b.apply()
		b.must(err)
		var got []tidemark.LogEntry
		b.view(func(v tidemark.View) {
			b.must(v.Log(0, 0, func(e tidemark.LogEntry) error { got = append(got, e); return nil }))
			n := 0
			b.must(v.Log(1, 5, func(e tidemark.LogEntry) error { n++; return nil }))
			if n != 1 {
				b.Errorf("%d entries behind 1", n)
			}
		})
		if len(got) != 2 || got[0].Seq != 1 || got[1].Seq != 2 || got[0].Name.Replica != "r" || got[0].Schema == "" {
			b.Fatalf("log %+v", got)
		}
		b.wantEffects(got[0].Effects, "update 1 (1) [1] ('uno') was ('one')", "delete 1 (2) was (2,'two',2.0)")
		b.wantEffects(got[1].Effects)
	}},
	{"a seq that does not follow is an error", items, func(b *bench) {
		err := b.group(func(tx tidemark.Tx) error { return tx.Append(tidemark.LogEntry{Seq: 2}) })
		if err == nil {
			b.Error("appended with a gap")
		}
	}},
	{"the identity of a space lasts", items, func(b *bench) {
		before := b.state()
		if before.Incarnation == "" || before.DigestKey == [16]byte{} || before.SchemaHash == "" || before.Space == "" {
			b.Errorf("state %+v", before)
		}
		b.must(b.Reopen())
		if after := b.state(); after != before {
			b.Errorf("%+v became %+v", before, after)
		}
	}},
}
