package wire

import "github.com/tidemarkdb/tidemark"

// AskRows asks for the rows of one range, by key order.
type AskRows struct {
	ID    int64
	Table int
	After []tidemark.Value
	Upto  []tidemark.Value
	Limit int
}

func (m *AskRows) write(w *writer) {
	w.kind(kindAskRows)
	w.int(m.ID)
	w.int(int64(m.Table))
	w.values(m.After)
	w.values(m.Upto)
	w.int(int64(m.Limit))
}

func (m *AskRows) read(a *array) {
	m.ID = a.int()
	m.Table = a.place()
	m.After = a.values()
	m.Upto = a.values()
	m.Limit = a.place()
}

// Rows answers AskRows, as of Seq. More says that the limit cut it.
type Rows struct {
	ID   int64
	Seq  tidemark.Seq
	More bool
	List [][]tidemark.Value

	Scopes [][]string // parallel to List: which of the session's scopes a row is in; nil where none are declared
}

func (m *Rows) write(w *writer) {
	w.kind(kindRows)
	w.int(m.ID)
	w.int(int64(m.Seq))
	w.bool(m.More)
	w.rows(m.List)
	w.lists(m.Scopes)
}

func (m *Rows) read(a *array) {
	m.ID = a.int()
	m.Seq = a.seq()
	m.More = a.bool()
	m.List = a.rows()
	m.Scopes = a.lists()
}

// lists writes a list of lists of strings.
func (w *writer) lists(lists [][]string) {
	w.sep()
	w.b = append(w.b, '[')
	for i, list := range lists {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendStrings(w.b, list)
	}
	w.b = append(w.b, ']')
	w.set(len(lists) == 0)
}

func (a *array) lists() (lists [][]string) {
	if !a.next() {
		return nil
	}
	for l := a.r.array(); l.next(); {
		var list []string
		for in := a.r.array(); in.next(); {
			list = append(list, a.r.str())
		}
		lists = append(lists, list)
	}
	return lists
}

// rows writes a list of rows or keys.
func (w *writer) rows(list [][]tidemark.Value) {
	w.sep()
	w.b = append(w.b, '[')
	for i, row := range list {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = AppendValues(w.b, row)
	}
	w.b = append(w.b, ']')
	w.set(len(list) == 0)
}

func (a *array) rows() [][]tidemark.Value {
	if !a.next() {
		return nil
	}
	var list [][]tidemark.Value
	for l := a.r.array(); l.next(); {
		list = append(list, a.r.values())
	}
	return list
}
