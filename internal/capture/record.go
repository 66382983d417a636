package capture

import (
	"strconv"
	"strings"
)

// record is one log record as a trigger writes it.
type record struct {
	op     int
	row    string // prefix of the row whose key it names: "NEW.", "OLD." or the table's
	coming bool   // instead: the key that NEW will have
	group  int
	mask   string
	cells  []string // SQL of the values behind the key; nil for a record without cells
	timed  bool     // with the time
}

// Where a column keeps the newest edit (PolicyLatestEdit), the time of the
// write stands above the bits of the mask. So no other table pays for it, and
// a log that an earlier build made has room for it.
const (
	timeShift = 16
	timeNow   = "65536 * CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER)"
)

func (m maker) keyValue(r record, c int) string {
	if r.coming {
		return m.newValue(c)
	}
	return r.row + m.column(c)
}

// addition is an INSERT into the log, in parts.
type addition struct{ cols, vals []string }

func (a *addition) add(col, val string) {
	a.cols = append(a.cols, col)
	a.vals = append(a.vals, val)
}

func (a *addition) target() string { return "INSERT INTO _tm_log (" + strings.Join(a.cols, ", ") + ")" }

// always writes the statement that adds the record in any case.
func (a *addition) always() string {
	return a.target() + " VALUES (" + strings.Join(a.vals, ", ") + ")"
}

// from writes the statement that adds a record for each row of a source, or
// under a condition: source begins with FROM or WHERE.
func (a *addition) from(source string) string {
	return a.target() + " SELECT " + strings.Join(a.vals, ", ") + " " + source
}

// additions are what a record takes in the log: itself and, for a wide key,
// the rest of the key behind it.
func (m maker) additions(r record) []addition {
	a := addition{}
	a.add("t", strconv.Itoa(m.t.ID))
	a.add("op", strconv.Itoa(r.op+opGroup*r.group))
	switch {
	case r.timed && r.cells != nil:
		a.add("m", "("+r.mask+") + "+timeNow)
	case r.timed:
		a.add("m", timeNow)
	case r.cells != nil:
		a.add("m", r.mask)
	}
	slot := 0
	put := func(value string) {
		a.add("v"+strconv.Itoa(slot), value)
		slot++
	}
	for _, c := range m.lay.inline {
		put(m.keyValue(r, c))
	}
	for _, cell := range r.cells {
		put(cell)
	}
	out := []addition{a}
	for g, rest := 0, m.lay.rest; len(rest) > 0; g++ {
		n := min(slots, len(rest))
		out = append(out, m.keyRest(r, g, rest[:n]))
		rest = rest[n:]
	}
	return out
}

func (m maker) keyRest(r record, g int, cols []int) addition {
	a := addition{}
	a.add("t", strconv.Itoa(m.t.ID))
	a.add("op", strconv.Itoa(opKeyRest+opGroup*g))
	for i, c := range cols {
		a.add("v"+strconv.Itoa(i), m.keyValue(r, c))
	}
	return a
}

// always writes the statements for records that are made in any case.
func (m maker) always(records ...record) []string {
	var steps []string
	for _, r := range records {
		for _, a := range m.additions(r) {
			steps = append(steps, a.always())
		}
	}
	return steps
}

// from writes the statements for records that are made from a source.
func (m maker) from(source string, records ...record) []string {
	var steps []string
	for _, r := range records {
		for _, a := range m.additions(r) {
			steps = append(steps, a.from(source))
		}
	}
	return steps
}

// image is the records of a whole row, one for each group.
func (m maker) image(op int, row string) []record {
	var out []record
	for g := range m.lay.groups {
		cells := []string{}
		for _, c := range m.lay.group(g) {
			cells = append(cells, row+m.column(c))
		}
		out = append(out, record{op: op, row: row, group: g, mask: strconv.Itoa(1<<len(cells) - 1), cells: cells})
	}
	return out
}

// imageWhere records the row of the table that meets the condition, if one
// does. It must not meet more: the rest of a wide key goes by its place.
func (m maker) imageWhere(where string) []string {
	return m.from("FROM "+m.table()+" WHERE "+where, m.image(opImage, m.prefix())...)
}
