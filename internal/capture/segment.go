package capture

import (
	"cmp"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/planted"
)

// RowChange is what a transaction did to one row. Before or After is nil when
// the row was not there. A row whose key changed has different keys in Before
// and After.
type RowChange struct {
	Table    *tidemark.Table
	Before   []tidemark.Value
	After    []tidemark.Value
	EditedAt int64 // when it was edited last, Unix milliseconds; 0 unless the table keeps that
}

// Segment is what one transaction did. Rows stand in the order in which the
// transaction first touched them.
type Segment struct {
	Mark *Mark // nil: made by another program
	Rows []RowChange
}

// Segments nets the log into transactions, oldest first: own transactions by
// their marks, what other programs wrote before, between and after them as one
// segment each. Rows that did not change in the end are left out, segments
// without rows too. It reads only.
func Segments(db *lite.DB, place Place, s *tidemark.Schema) ([]Segment, error) {
	var out []Segment
	err := inView(db, func() error {
		p := newPass(db, s)
		p.marks = !planted.Is(planted.LoseOwnMark)
		if err := p.run(place, 0); err != nil {
			return err
		}
		out = p.done
		return nil
	})
	slices.Reverse(out)
	return out, err
}

// Net nets the records behind the log's rowid after into one set of row
// changes, regardless of marks.
func Net(db *lite.DB, place Place, s *tidemark.Schema, after int64) ([]RowChange, error) {
	p := newPass(db, s)
	err := inView(db, func() error { return p.run(place, after) })
	if err != nil || len(p.done) == 0 {
		return nil, err
	}
	return p.done[0].Rows, nil
}

func inView(db *lite.DB, fn func() error) error {
	if db.InTransaction() {
		return fn()
	}
	return db.View(fn)
}

// pass reads the log backward.
type pass struct {
	db    *lite.DB
	s     *tidemark.Schema
	marks bool

	rows map[rowID]*rowState
	rest []tidemark.Value // of the key of the record that comes next
	done []Segment        // newest first

	// The segment that the pass is in.
	number  int
	mark    *Mark
	floor   int64   // rowid of the own transaction's first record, 0 outside of one
	touched []rowID // in it
	moves   []move  // newest first
	arrival rowID   // what the last opTo named

	layouts  map[int]*layout
	defaults map[int]image
}

// rowID names a row: its table and the KeyID of its key.
type rowID struct {
	table int
	key   string
}

// image is the state of a row; nil means that it is absent.
type image []tidemark.Value

// rowState is what the pass knows of a row.
type rowState struct {
	table *tidemark.Table
	now   image // at the point that the pass has reached

	// Since the pass came into this segment.
	segment int
	after   image // at the segment's end
	first   int64 // the oldest record that names the row
	at      int64 // when a column that keeps the newest edit was edited last, by the newest record that says so
	last    int64 // the same of all its columns
}

func newPass(db *lite.DB, s *tidemark.Schema) *pass {
	return &pass{db: db, s: s, rows: map[rowID]*rowState{}, layouts: map[int]*layout{}, defaults: map[int]image{}, number: 1}
}

const readLog = `SELECT n, t, op, m, v0, v1, v2, v3, v4, v5, v6, v7, v8, v9 FROM %LOG% WHERE n > ?1 ORDER BY n DESC`

// Columns of readLog.
const (
	atN = iota
	atTable
	atOp
	atMask
	atSlots
)

// entry is a log record as it is read.
type entry struct {
	n     int64
	op    int
	group int
	mask  int64
	at    int64 // when it was written, Unix milliseconds, where the table keeps that
	table *tidemark.Table
	lay   *layout
	key   []tidemark.Value
	cells []tidemark.Value
}

func (p *pass) run(place Place, after int64) error {
	err := p.db.Each(logQuery(place), func(s *lite.Stmt) error { return p.read(s) }, tidemark.Int(after))
	if err != nil {
		return err
	}
	p.close()
	return nil
}

// read takes one record.
func (p *pass) read(s *lite.Stmt) error {
	n, op := s.Int(atN), int(s.Int(atOp))
	if op == opMark {
		if p.marks {
			p.open(readMark(s, n))
		}
		return nil
	}
	if p.mark != nil && n < p.floor {
		p.open(nil, 0)
	}
	if op == opBlank {
		return nil
	}
	t := p.s.Table(int(s.Int(atTable)))
	if t == nil || t.Out != "" {
		p.rest = nil
		return nil
	}
	e := entry{n: n, op: op % opGroup, group: op / opGroup, table: t, lay: p.layout(t)}
	e.at, e.mask = s.Int(atMask)>>timeShift, s.Int(atMask)&(1<<timeShift-1)
	if e.op == opKeyRest {
		p.rest = append(values(s, 0, min(slots, max(0, len(e.lay.rest)-slots*e.group))), p.rest...)
		return nil
	}
	inline := len(e.lay.inline)
	e.key = append(values(s, 0, inline), p.rest...)
	p.rest = nil
	if len(e.key) != len(t.Key) {
		return damaged(n)
	}
	e.cells = values(s, inline, len(e.lay.group(e.group)))
	return p.apply(e)
}

func (p *pass) layout(t *tidemark.Table) *layout {
	l := p.layouts[t.ID]
	if l == nil {
		l = layoutOf(t)
		p.layouts[t.ID] = l
	}
	return l
}

func damaged(n int64) error {
	return &tidemark.Error{
		Code: tidemark.CodeCorrupt, Op: "read the capture log",
		Msg:  "record " + tidemark.Int(n).String() + " of _tm_log is incomplete",
		Hint: "something else wrote _tm_log; run tidemark verify on a copy of the file",
	}
}

// values reads n slots.
func values(s *lite.Stmt, from, n int) []tidemark.Value {
	if n <= 0 {
		return nil
	}
	out := make([]tidemark.Value, n)
	for i := range out {
		out[i] = s.Value(atSlots + from + i)
	}
	return out
}

func readMark(s *lite.Stmt, n int64) (*Mark, int64) {
	m := &Mark{First: s.Int(atSlots), MadeAt: s.Int(atSlots + 2), Seen: tidemark.Seq(s.Int(atSlots + 3))}
	copy(m.Salt[:], s.Blob(atSlots+1))
	return m, min(m.First, n)
}

// open ends the segment that the pass comes from and begins an older one.
func (p *pass) open(m *Mark, floor int64) {
	p.close()
	p.mark, p.floor = m, floor
}

// close nets the segment.
func (p *pass) close() {
	if rows := p.net(); len(rows) > 0 {
		p.done = append(p.done, Segment{Mark: p.mark, Rows: rows})
	}
	p.mark, p.floor, p.moves, p.touched = nil, 0, nil, nil
	p.number++
}

// sortTouched puts the segment's rows in the order of their oldest record.
func (p *pass) sortTouched() {
	slices.SortFunc(p.touched, func(a, b rowID) int {
		if c := cmp.Compare(p.rows[a].first, p.rows[b].first); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.key, b.key))
	})
}
