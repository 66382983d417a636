package wire

import "github.com/tidemarkdb/tidemark"

// DecodeChanges reads what AppendChanges wrote. Changes of one run share their
// Cols; lists without elements come back as nil.
func DecodeChanges(b []byte) ([]tidemark.Change, error) {
	r := newReader(b)
	changes := r.changes()
	if err := r.finish(); err != nil {
		return nil, err
	}
	return changes, nil
}

func (r *reader) changes() []tidemark.Change {
	var changes []tidemark.Change
	var scratch []tidemark.Value
	for a := r.array(); a.next(); {
		run := r.array()
		table, form := run.place(), run.str()
		switch form {
		case formOdd:
			changes = append(changes, r.odd(table, &run))
			continue
		case formEdited:
			changes = append(changes, r.edited(table, &run))
			continue
		}
		d := decoder{table: table, form: form, flat: scratch[:0]}
		d.read(r, &run)
		if r.err != nil {
			return nil
		}
		changes = d.changes(changes)
		scratch = d.flat
	}
	return changes
}

// decoder reads one run. The values lie column by column in flat; their number
// is bounded by the bytes that spell them.
type decoder struct {
	table int
	form  string
	cols  []int
	flat  []tidemark.Value
	width int // columns
	n     int // changes
	keys  []tidemark.Value
}

func (d *decoder) read(r *reader, run *array) {
	switch d.form {
	case formInsert, formUpdate, formUpdateOld, formDeleteOld:
		d.cols = run.ints()
	case formDelete, formForget:
	default:
		r.fail("no such form of changes")
		return
	}
	for run.next() {
		d.column(r)
	}
	if d.width == 0 {
		d.n = 1
	}
	d.check(r)
}

// column reads one column: a value for one change, a list for several.
func (d *decoder) column(r *reader) {
	before := len(d.flat)
	if r.peek() == '[' {
		for a := r.array(); a.next(); {
			d.flat = append(d.flat, r.value())
		}
	} else {
		d.flat = append(d.flat, r.value())
	}
	n := len(d.flat) - before
	if d.width == 0 {
		d.n = n
	}
	if n != d.n || n == 0 {
		r.fail("columns of different lengths")
	}
	d.width++
}

// check compares the columns that are named with those that are there.
func (d *decoder) check(r *reader) {
	named := len(d.cols)
	switch d.form {
	case formUpdateOld:
		if 2*named > d.width {
			r.fail("columns are missing")
		}
	case formInsert, formDeleteOld:
		for _, at := range d.cols {
			if at >= d.width {
				r.fail("the key lies outside the row")
			}
		}
	}
	if named > d.width {
		r.fail("columns are missing")
	}
}

// changes turns columns into changes.
func (d *decoder) changes(out []tidemark.Change) []tidemark.Change {
	rows := make([]tidemark.Value, len(d.flat))
	for c := range d.width {
		for i := range d.n {
			rows[i*d.width+c] = d.flat[c*d.n+i]
		}
	}
	if d.form == formInsert || d.form == formDeleteOld {
		d.keys = make([]tidemark.Value, 0, d.n*len(d.cols))
	}
	for i := range d.n {
		out = append(out, d.change(cut(rows, i*d.width, d.width)))
	}
	return out
}

func (d *decoder) change(row []tidemark.Value) tidemark.Change {
	c := tidemark.Change{Table: d.table}
	m := len(d.cols)
	switch d.form {
	case formDelete:
		c.Op, c.Key = tidemark.Delete, row
	case formForget:
		c.Op, c.Key = tidemark.Forget, row
	case formUpdate:
		k := d.width - m
		c.Op, c.Cols = tidemark.Update, d.cols
		c.Key, c.New = cut(row, 0, k), cut(row, k, m)
	case formUpdateOld:
		k := d.width - 2*m
		c.Op, c.Cols = tidemark.Update, d.cols
		c.Key, c.New, c.Old = cut(row, 0, k), cut(row, k, m), cut(row, k+m, m)
	case formInsert:
		c.Op, c.Key, c.New = tidemark.Insert, d.keyIn(row), row
	case formDeleteOld:
		c.Op, c.Key, c.Old = tidemark.Delete, d.keyIn(row), row
	}
	return c
}

// keyIn copies the key out of a row, so that neither changes with the other.
func (d *decoder) keyIn(row []tidemark.Value) []tidemark.Value {
	start := len(d.keys)
	for _, at := range d.cols {
		d.keys = append(d.keys, row[at])
	}
	return cut(d.keys, start, len(d.cols))
}

// cut takes n values from i on, nil for none. Appending to it never reaches its neighbour.
func cut(vs []tidemark.Value, i, n int) []tidemark.Value {
	if n == 0 {
		return nil
	}
	return vs[i : i+n : i+n]
}

// edited reads an update in which edits stand for values.
func (r *reader) edited(table int, run *array) tidemark.Change {
	c := tidemark.Change{Table: table, Op: tidemark.Update, Cols: run.ints()}
	var values []tidemark.Value
	var edits []tidemark.Edit
	for run.next() {
		if r.peek() == '[' {
			values, edits = append(values, tidemark.Null), append(edits, r.edit())
		} else {
			values, edits = append(values, r.value()), append(edits, tidemark.Edit{})
		}
	}
	keys := len(values) - len(c.Cols)
	if keys < 0 || len(c.Cols) == 0 {
		r.fail("columns are missing")
		return c
	}
	c.Key, c.New, c.Edits = cut(values, 0, keys), cut(values, keys, len(c.Cols)), edits[keys:]
	for _, e := range edits[:keys] {
		if e.Kind != tidemark.EditSet {
			r.fail("an edit of a key")
		}
	}
	return c
}

// odd reads a change written in full.
func (r *reader) odd(table int, run *array) tidemark.Change {
	op := run.int()
	if op < int64(tidemark.Insert) || op > int64(tidemark.Delete) {
		r.fail("no such kind of change")
	}
	c := tidemark.Change{Table: table, Op: tidemark.Op(op)}
	c.Key = orNil(run.values())
	c.Cols = run.ints()
	c.New = orNil(run.values())
	c.Old = orNil(run.values())
	c.Edits = run.edits()
	c.MadeAt = run.int()
	run.close()
	if !editsFit(&c) {
		r.fail("edits that do not belong to values")
	}
	return c
}

// editsFit reports whether there is one edit for each value, and NULL for a
// value that an edit stands for.
func editsFit(c *tidemark.Change) bool {
	if len(c.Edits) == 0 {
		return true
	}
	if c.Op != tidemark.Update || len(c.Edits) != len(c.New) {
		return false
	}
	for i, e := range c.Edits {
		if e.Kind != tidemark.EditSet && !(c.New[i].IsNull() && (i >= len(c.Old) || c.Old[i].IsNull())) {
			return false
		}
	}
	return true
}

// edits reads what appendEdits wrote. What a body means is not looked at.
func (a *array) edits() []tidemark.Edit {
	if !a.next() {
		return nil
	}
	var edits []tidemark.Edit
	for l := a.r.array(); l.next(); {
		var e tidemark.Edit
		if a.r.peek() == 'n' {
			a.r.literal("null")
		} else {
			e = a.r.edit()
		}
		edits = append(edits, e)
	}
	return edits
}

// edit reads kind and body.
func (r *reader) edit() tidemark.Edit {
	in := r.array()
	e := tidemark.Edit{Kind: in.editKind()}
	if e.Body = string(in.raw()); e.Body == "" {
		r.fail("an edit without a body")
	}
	in.close()
	return e
}

func (a *array) editKind() tidemark.EditKind {
	s := a.str()
	if len(s) == 1 {
		switch k := tidemark.EditKind(s[0]); k {
		case tidemark.EditAdd, tidemark.EditText, tidemark.EditMembers, tidemark.EditKeys:
			return k
		}
	}
	a.r.fail("no such kind of edit")
	return tidemark.EditSet
}

func orNil(vs []tidemark.Value) []tidemark.Value {
	if len(vs) == 0 {
		return nil
	}
	return vs
}

// ints reads a list of positions, nil for none.
func (a *array) ints() []int {
	if !a.next() {
		return nil
	}
	var list []int
	for l := a.r.array(); l.next(); {
		list = append(list, a.r.place())
	}
	return list
}
