package capture

import (
	"sort"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// RowChange is what a transaction did to one row. Before or After is nil when
// the row was not there. A row whose key changed has different keys in Before
// and After.
type RowChange struct {
	Table  *tidemark.Table
	Before []tidemark.Value
	After  []tidemark.Value
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
		p.marks = true
		if err := p.run(place, 0); err != nil {
			return err
		}
		out = p.done
		return nil
	})
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
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

	state map[rowID]image // as it was at the point that the pass has reached
	rest  []tidemark.Value
	done  []Segment // newest first

	// The segment that the pass is in.
	mark    *Mark
	floor   int64 // rowid of the own transaction's first record, 0 outside of one
	touched map[rowID]*touch
	moves   []move // newest first
	arrival rowID  // what the last opTo named

	defaults map[*tidemark.Table]image
}

// rowID names a row: its table and the KeyID of its key.
type rowID struct {
	table int
	key   string
}

// image is the state of a row; nil cells mean that it is absent.
type image []tidemark.Value

// touch is a row that the segment has records of.
type touch struct {
	table *tidemark.Table
	after image
	first int64 // the oldest record that names it
}

func newPass(db *lite.DB, s *tidemark.Schema) *pass {
	return &pass{db: db, s: s, state: map[rowID]image{}, defaults: map[*tidemark.Table]image{}, touched: map[rowID]*touch{}}
}

const readLog = `SELECT n, t, op, g, m, k1, k2, k3, k4,
	o0, o1, o2, o3, o4, o5, o6, o7, o8, o9, o10, o11, o12, o13, o14, o15
	FROM %LOG% WHERE n > ?1 ORDER BY n DESC`

// entry is a log record as it is read.
type entry struct {
	n     int64
	op    int
	group int
	mask  int64
	table *tidemark.Table
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
	n, op := s.Int(0), int(s.Int(2))
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
	t := p.s.Table(int(s.Int(1)))
	if t == nil || t.Out != "" {
		p.rest = nil
		return nil
	}
	e := entry{n: n, op: op, table: t, group: int(s.Int(3)), mask: s.Int(4)}
	if op == opKeyRest {
		p.rest = append(values(s, 9, min(groupSlots, max(0, len(t.Key)-keySlots-e.group*groupSlots))), p.rest...)
		return nil
	}
	e.key = append(values(s, 5, min(keySlots, len(t.Key))), p.rest...)
	p.rest = nil
	if len(e.key) != len(t.Key) {
		return damaged(n)
	}
	e.cells = values(s, 9, min(groupSlots, max(0, len(t.Columns)-e.group*groupSlots)))
	return p.apply(e)
}

func damaged(n int64) error {
	return &tidemark.Error{
		Code: tidemark.CodeCorrupt, Op: "read the capture log",
		Msg:  "record " + tidemark.Int(n).String() + " of _tm_log is incomplete",
		Hint: "something else wrote _tm_log; run tidemark verify on a copy of the file",
	}
}

func values(s *lite.Stmt, from, n int) []tidemark.Value {
	out := make([]tidemark.Value, n, n+groupSlots)
	for i := range out {
		out[i] = s.Value(from + i)
	}
	return out
}

func readMark(s *lite.Stmt, n int64) (*Mark, int64) {
	m := &Mark{First: s.Int(5), MadeAt: s.Int(7), Seen: tidemark.Seq(s.Int(8))}
	copy(m.Salt[:], s.Blob(6))
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
	p.mark, p.floor, p.moves = nil, 0, nil
	p.touched = map[rowID]*touch{}
}

// sortedTouches lists the touched rows by their oldest record.
func (p *pass) sortedTouches() []rowID {
	ids := make([]rowID, 0, len(p.touched))
	for id := range p.touched {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool {
		a, b := p.touched[ids[i]].first, p.touched[ids[j]].first
		if a != b {
			return a < b
		}
		return ids[i].table < ids[j].table || ids[i].table == ids[j].table && ids[i].key < ids[j].key
	})
	return ids
}
