package wire

import "github.com/tidemarkdb/tidemark"

// Outcomes brings the fates of changesets of this replica. Each settles in the
// transaction that brings the replica to the outcome's seq.
type Outcomes struct {
	List []tidemark.Outcome
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
	w.list(len(o.Lost), func(in *writer, i int) {
		in.str(o.Lost[i].Table)
		in.values(o.Lost[i].Key)
		in.str(o.Lost[i].Column)
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
	a.list(func(in *array) {
		o.Lost = append(o.Lost, tidemark.Cell{Table: in.str(), Key: in.values(), Column: in.str()})
	})
	return o
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
	w.b = append(w.b, '[')
	for i, s := range list {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendString(w.b, s)
	}
	w.b = append(w.b, ']')
	w.set(len(list) == 0)
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
