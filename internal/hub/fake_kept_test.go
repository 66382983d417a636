package hub_test

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// kept is what a memoryStore keeps beside rows and log.
type kept struct {
	cut       tidemark.Seq // the log begins behind it
	times     map[string]int64
	texts     map[string][]tidemark.TextStep
	refused   map[string]int64
	renumber  map[string][]tidemark.Renumbered
	leases    map[string][]tidemark.Lease
	highest   map[int]int64
	histories *int // how many effects were read
}

func newKept() kept {
	return kept{
		times: map[string]int64{}, texts: map[string][]tidemark.TextStep{}, refused: map[string]int64{},
		renumber: map[string][]tidemark.Renumbered{}, leases: map[string][]tidemark.Lease{}, highest: map[int]int64{}, histories: new(int),
	}
}

func (k kept) copy() kept {
	k.times, k.texts, k.refused = maps.Clone(k.times), maps.Clone(k.texts), maps.Clone(k.refused)
	k.renumber, k.leases, k.highest = maps.Clone(k.renumber), maps.Clone(k.leases), maps.Clone(k.highest)
	return k
}

func (x *memoryTx) cell(table int, key []tidemark.Value, col int) string {
	return fmt.Sprintf("%s.%d", x.id(table, key), col)
}

func (x *memoryTx) History(table int, key []tidemark.Value, after tidemark.Seq, fn func(tidemark.RowEffect) bool) (bool, error) {
	id := x.id(table, key)
	for _, e := range slices.Backward(x.books.log) {
		if e.Seq <= max(after, x.books.kept.cut) {
			break
		}
		for _, c := range e.Effects {
			if x.id(c.Table, c.Key) != id {
				continue
			}
			*x.books.kept.histories++
			if !fn(tidemark.RowEffect{Seq: e.Seq, Name: e.Name, Author: e.Author, At: e.At, Change: c}) {
				return true, nil
			}
		}
	}
	return after >= x.books.kept.cut, nil
}

func (x *memoryTx) Texts(table int, key []tidemark.Value, col int, after tidemark.Seq) ([]tidemark.TextStep, error) {
	var out []tidemark.TextStep
	for _, s := range x.books.kept.texts[x.cell(table, key, col)] {
		if s.Seq > after {
			out = append(out, s)
		}
	}
	return out, nil
}

func (x *memoryTx) SaveText(table int, key []tidemark.Value, col int, s tidemark.TextStep) error {
	id := x.cell(table, key, col)
	x.books.kept.texts[id] = append(slices.Clone(x.books.kept.texts[id]), s)
	return nil
}

func (x *memoryTx) DropTexts(table int, key []tidemark.Value) error {
	for col := range x.books.schema.Table(table).Columns {
		delete(x.books.kept.texts, x.cell(table, key, col))
	}
	return nil
}

func (x *memoryTx) EditTime(table int, key []tidemark.Value, col int) (int64, error) {
	return x.books.kept.times[x.cell(table, key, col)], nil
}

func (x *memoryTx) SaveEditTime(table int, key []tidemark.Value, col int, at int64) error {
	x.books.kept.times[x.cell(table, key, col)] = at
	return nil
}

func (x *memoryTx) Refused(replica string, table int, key []tidemark.Value) (int64, error) {
	return x.books.kept.refused[replica+" "+x.id(table, key)], nil
}

func (x *memoryTx) SaveRefused(replica string, n int64, table int, key []tidemark.Value) error {
	x.books.kept.refused[replica+" "+x.id(table, key)] = n
	return nil
}

func (x *memoryTx) Renumberings(replica string) ([]tidemark.Renumbered, error) {
	return x.books.kept.renumber[replica], nil
}

func (x *memoryTx) SaveRenumbering(replica string, r tidemark.Renumbered) error {
	x.books.kept.renumber[replica] = append(slices.Clone(x.books.kept.renumber[replica]), r)
	return nil
}

func (x *memoryTx) Leases(replica string) ([]tidemark.Lease, error) {
	return x.books.kept.leases[replica], nil
}

func (x *memoryTx) NextID(table int) (int64, error) {
	top := x.books.kept.highest[table]
	for _, r := range x.books.rows {
		if r.table == table {
			top = max(top, r.key[0].Int64())
		}
	}
	return top + 1, nil
}

func (x *memoryTx) Lease(replica string, table, size int) (tidemark.Lease, error) {
	first, err := x.NextID(table)
	l := tidemark.Lease{Table: table, First: first, Last: first + int64(size) - 1}
	x.books.kept.highest[table] = l.Last
	x.books.kept.leases[replica] = append(slices.Clone(x.books.kept.leases[replica]), l)
	return l, err
}

// nameTaken refuses the one of two items that this transaction wrote.
func (x *memoryTx) nameTaken(r memoryRow, other []tidemark.Value) error {
	mine := r.key
	if _, wrote := x.books.effects[x.id(1, mine)]; !wrote {
		mine, other = other, mine
	}
	return &tidemark.Error{Code: tidemark.CodeUnique, Msg: "name is taken", Table: "item", Key: mine, Other: other, Columns: []string{"name"}}
}

// orphans judges declared references to integer keys.
func (x *memoryTx) orphans() error {
	for _, id := range slices.Sorted(maps.Keys(x.books.rows)) {
		r := x.books.rows[id]
		if r.values == nil {
			continue
		}
		for _, fk := range x.books.schema.Table(r.table).ForeignKeys {
			parent := x.books.schema.Named(fk.Parent)
			v := r.values[fk.Columns[0]]
			if v.IsNull() || x.books.rows[x.id(parent.ID, []tidemark.Value{v})].values != nil {
				continue
			}
			return &tidemark.Error{
				Code: tidemark.CodeForeignKey, Msg: "no such parent", Table: x.books.schema.Table(r.table).Name, Key: r.key,
				Columns: []string{x.books.schema.Table(r.table).Columns[fk.Columns[0]].Name},
			}
		}
	}
	return nil
}
