package wire

import "github.com/tidemarkdb/tidemark"

// Outcomes brings the fates of changesets of this replica. Each settles in the
// transaction that brings the replica to the outcome's seq.
type Outcomes struct {
	List []tidemark.Outcome
}

// Beat is what a server says to a line that is silent otherwise, encoded: that
// nothing happened. Browsers do not show pings to a page, which would not learn
// that its line is dead.
var Beat = AppendDown(nil, &Outcomes{})

// IsBeat reports whether a message says no more than that the line is there.
func IsBeat(m Down) bool {
	o, is := m.(*Outcomes)
	return is && len(o.List) == 0
}

func (m *Outcomes) write(w *writer) {
	w.kind(kindOutcomes)
	w.list(len(m.List), func(in *writer, i int) { writeOutcome(in, &m.List[i]) })
}

func (m *Outcomes) read(a *array) {
	a.list(func(in *array) { m.List = append(m.List, readOutcome(in)) })
}

// AppendOutcome encodes one outcome, the form in which it is stored, too.
func AppendOutcome(b []byte, o *tidemark.Outcome) []byte {
	w := writer{b: b}
	writeOutcome(&w, o)
	return w.end()
}

// DecodeOutcome reads what AppendOutcome wrote.
func DecodeOutcome(b []byte) (*tidemark.Outcome, error) {
	r := newReader(b)
	a := r.array()
	o := readOutcome(&a)
	a.close()
	if err := r.finish(); err != nil {
		return nil, err
	}
	return &o, nil
}

func writeOutcome(w *writer, o *tidemark.Outcome) {
	w.int(o.N)
	w.bin(o.Hash[:])
	w.int(int64(o.Seq))
	if o.Kind == tidemark.Accepted { // what nearly all are
		w.str("")
	} else {
		w.str(string(o.Kind))
	}
	w.str(o.Replica)
	w.str(string(o.Code))
	w.str(o.Message)
	w.str(o.Table)
	w.values(o.Key)
	w.strs(o.Columns)
	writeCells(w, o.Lost)
	writeCells(w, o.Over)
	w.list(len(o.Renumbered), func(in *writer, i int) {
		r := &o.Renumbered[i]
		in.str(r.Table)
		in.values([]tidemark.Value{tidemark.Int(r.From), tidemark.Int(r.To)})
		in.int(int64(r.Before))
	})
}

func writeCells(w *writer, cells []tidemark.Cell) {
	w.list(len(cells), func(in *writer, i int) {
		in.str(cells[i].Table)
		in.values(cells[i].Key)
		in.str(cells[i].Column)
	})
}

func readOutcome(a *array) tidemark.Outcome {
	var o tidemark.Outcome
	o.N = a.int()
	a.bin(o.Hash[:])
	o.Seq = a.seq()
	o.Kind = a.kind()
	o.Replica = a.str()
	o.Code = tidemark.Code(a.str())
	o.Message = a.str()
	o.Table = a.str()
	o.Key = a.values()
	o.Columns = a.strs()
	o.Lost = a.cells()
	o.Over = a.cells()
	a.list(func(in *array) {
		r := tidemark.Renumbered{Table: in.str()}
		r.From, r.To = in.pair()
		r.Before = in.seq()
		o.Renumbered = append(o.Renumbered, r)
	})
	return o
}

// pair reads two integers of 64 bits.
func (a *array) pair() (first, second int64) {
	vs := a.values()
	if a.r.err == nil && (len(vs) != 2 || vs[0].Kind() != tidemark.KindInt || vs[1].Kind() != tidemark.KindInt) {
		a.r.fail("expected two integers")
	}
	if a.r.err != nil {
		return 0, 0
	}
	return vs[0].Int64(), vs[1].Int64()
}

func (a *array) cells() (cells []tidemark.Cell) {
	a.list(func(in *array) {
		cells = append(cells, tidemark.Cell{Table: in.str(), Key: in.values(), Column: in.str()})
	})
	return cells
}

// kind reads how a changeset ended. A word that is not known is an error: what
// a fate means cannot be guessed.
func (a *array) kind() tidemark.OutcomeKind {
	switch k := tidemark.OutcomeKind(a.str()); k {
	case "", tidemark.Accepted:
		return tidemark.Accepted
	case tidemark.Merged, tidemark.Rejected:
		return k
	}
	a.r.fail("no such outcome")
	return ""
}

func (w *writer) strs(list []string) {
	w.sep()
	w.b = appendStrings(w.b, list)
	w.set(len(list) == 0)
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

func (a *array) strs() []string {
	if !a.next() {
		return nil
	}
	var list []string
	for l := a.r.array(); l.next(); {
		list = append(list, a.r.str())
	}
	return list
}
