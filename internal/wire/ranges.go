package wire

import "github.com/tidemarkdb/tidemark"

// AskRanges asks for count and sum of the rows of a table in the ranges that
// the bounds cut: up to and including the first, then up to the second, ...,
// then everything behind the last.
type AskRanges struct {
	ID     int64
	Table  int
	After  []tidemark.Value // nil: from the first row
	Upto   []tidemark.Value // nil: to the last row
	Bounds [][]tidemark.Value
}

func (m *AskRanges) write(w *writer) {
	w.kind(kindAskRanges)
	w.int(m.ID)
	w.int(int64(m.Table))
	w.values(m.After)
	w.values(m.Upto)
	w.rows(m.Bounds)
}

func (m *AskRanges) read(a *array) {
	m.ID = a.int()
	m.Table = a.place()
	m.After = a.values()
	m.Upto = a.values()
	m.Bounds = a.rows()
}

// Ranges answers AskRanges, as of Seq. The server sends every batch up to Seq first.
type Ranges struct {
	ID   int64
	Seq  tidemark.Seq
	List []tidemark.RangeSum
}

func (m *Ranges) write(w *writer) {
	w.kind(kindRanges)
	w.int(m.ID)
	w.int(int64(m.Seq))
	w.list(len(m.List), func(in *writer, i int) {
		in.int(m.List[i].Count)
		in.sum(m.List[i].Sum)
	})
}

func (m *Ranges) read(a *array) {
	m.ID = a.int()
	m.Seq = a.seq()
	a.list(func(in *array) {
		m.List = append(m.List, tidemark.RangeSum{Count: in.int(), Sum: in.sum()})
	})
}
