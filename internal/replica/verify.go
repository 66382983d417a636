package replica

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// A verification compares count and sum of every table with the server's, and
// where they differ cuts the range in fanOut parts, again and again, until a
// part is small enough to be fetched whole. Rows are read as they are stored,
// so it also finds what capture never saw.
//
// The server sends every batch up to an answer's seq before the answer, so an
// answer normally speaks of the state that the replica has. One that does not
// is asked for again.
const (
	fanOut     = 16
	leafRows   = 64       // a range with no more rows than this, on either side, is fetched
	pageRows   = 256      // rows asked for at once
	askedMax   = 4        // questions on their way
	strayMax   = 8        // answers for another seq before the session begins anew
	movedMax   = 3        // after so many restarts ranges are repaired one by one
	repairMax  = 32 << 20 // bytes of rows held before they are written
	checkTries = 3        // verifications in a row that a session may fail to finish
)

// RangeRows are the server's rows of one range.
type RangeRows struct {
	Table       int
	After, Upto []tidemark.Value
	Rows        [][]tidemark.Value
	Scopes      [][]string // parallel to Rows, where scopes are declared
}

// comparer is what a verification asks of a replica.
type comparer interface {
	Schema() *tidemark.Schema
	ConfirmedRanges(table int, after, upto []tidemark.Value, bounds [][]tidemark.Value) ([]tidemark.RangeSum, error)
	splitKeys(table int, after, upto []tidemark.Value, parts int) ([][]tidemark.Value, error)
	// RepairAll puts the server's rows in place of the confirmed ones in one
	// transaction and returns how many differed.
	RepairAll(list []RangeRows, code tidemark.Code, now int64) (int, error)
	// Prove recomputes the sums from the stored rows, because every row was
	// just found equal to the server's, and takes the mark for repair away.
	Prove(now int64) error
	// Stop remembers the refusal that ended syncing, until the next Welcome.
	Stop(code tidemark.Code) error
}

// question is a range to be compared (rows false) or fetched.
type question struct {
	table       int
	after, upto []tidemark.Value
	bounds      [][]tidemark.Value
	rows        bool
	whole       bool // the first question about its table
}

// check is a running verification.
type check struct {
	code   tidemark.Code
	report VerifyReport
	todo   []question
	leaves []question // asked for when todo is empty, so that all can be repaired at one seq
	asked  map[int64]question
	strays int
	moves  int

	disturbed bool // a batch that came meanwhile could not be applied as it stands
	rounds    int  // comparisons begun anew because of that

	got    []RangeRows
	gotSeq tidemark.Seq
	bytes  int
}

// want asks for a verification as soon as the replica is at the head.
func (l *Loop) want(code tidemark.Code) {
	if !l.wanted || code == tidemark.CodeRecovered {
		l.wantCode = code
	}
	l.wanted = true
}

func verify(l *Loop, now int64, _ Event) error {
	l.checkFailures = 0 // those of earlier requests
	l.want(tidemark.CodeUncaptured)
	return l.decide(now, false)
}

func later(l *Loop, _ int64, _ Event) error {
	l.checkFailures = 0
	l.want(tidemark.CodeUncaptured)
	return nil
}

func (l *Loop) startCheck(now int64) error {
	c := &check{code: l.wantCode, asked: map[int64]question{}}
	c.todo = l.everything()
	l.check = c
	if len(c.todo) == 0 {
		return l.endCheck(now)
	}
	l.ask()
	return nil
}

func (l *Loop) everything() (todo []question) {
	for _, t := range l.e.Schema().Tables {
		if t.Out == "" {
			todo = append(todo, question{table: t.ID, whole: true})
		}
	}
	return todo
}

// ask sends the next questions.
func (l *Loop) ask() {
	c := l.check
	var msgs []wire.Up
	for len(c.asked) < askedMax && len(c.todo) > 0 {
		q := c.todo[0]
		c.todo = c.todo[1:]
		l.askID++
		c.asked[l.askID] = q
		msgs = append(msgs, q.message(l.askID))
	}
	if len(msgs) > 0 {
		l.send(msgs...)
	}
}

func (q question) message(id int64) wire.Up {
	if q.rows {
		return &wire.AskRows{ID: id, Table: q.table, After: q.after, Upto: q.upto, Limit: pageRows}
	}
	return &wire.AskRanges{ID: id, Table: q.table, After: q.after, Upto: q.upto, Bounds: q.bounds}
}

// answered finds the question of an answer. ok is false when there is nothing
// to do with the answer: it came twice, or speaks of another state.
func (l *Loop) answered(id int64, seq tidemark.Seq) (q question, ok bool) {
	c := l.check
	if q, ok = c.asked[id]; !ok {
		return q, false
	}
	delete(c.asked, id)
	if seq == l.seq {
		return q, true
	}
	c.strays++
	c.todo = append(c.todo, q)
	return q, false
}

func ranges(l *Loop, now int64, ev Event) error {
	a := ev.(Received).Msg.(*wire.Ranges)
	q, ok := l.answered(a.ID, a.Seq)
	if !ok {
		return l.proceed(now)
	}
	if q.rows || len(a.List) != len(q.bounds)+1 {
		return garbage(l, now, ev)
	}
	mine, err := l.e.ConfirmedRanges(q.table, q.after, q.upto, q.bounds)
	if err != nil {
		return err
	}
	if q.whole {
		l.check.report.Tables++
		l.check.report.Rows += a.List[0].Count
	}
	for i := range mine {
		if mine[i] == a.List[i] {
			continue
		}
		if err := l.descend(q.part(i), mine[i], a.List[i]); err != nil {
			return err
		}
	}
	return l.proceed(now)
}

// part is the i-th of the ranges that the bounds cut.
func (q question) part(i int) question {
	p := question{table: q.table, after: q.after, upto: q.upto}
	if i > 0 {
		p.after = q.bounds[i-1]
	}
	if i < len(q.bounds) {
		p.upto = q.bounds[i]
	}
	return p
}

func (l *Loop) descend(p question, mine, theirs tidemark.RangeSum) error {
	c := l.check
	if min(mine.Count, theirs.Count) > leafRows {
		bounds, err := l.e.splitKeys(p.table, p.after, p.upto, fanOut)
		if err != nil {
			return err
		}
		if len(bounds) > 0 {
			p.bounds = bounds
			c.todo = append(c.todo, p)
			return nil
		}
	}
	p.rows = true
	c.leaves = append(c.leaves, p)
	return nil
}

func rows(l *Loop, now int64, ev Event) error {
	a := ev.(Received).Msg.(*wire.Rows)
	q, ok := l.answered(a.ID, a.Seq)
	if !ok {
		return l.proceed(now)
	}
	t := l.e.Schema().Table(q.table)
	if !q.rows || t == nil || a.More && len(a.List) == 0 || !fit(t, a.List) || !l.belong(a) {
		return garbage(l, now, ev)
	}
	piece := RangeRows{Table: q.table, After: q.after, Upto: q.upto, Rows: a.List, Scopes: a.Scopes}
	if a.More {
		piece.Upto = t.KeyOf(a.List[len(a.List)-1])
		rest := q
		rest.after = piece.Upto
		l.check.leaves = append(l.check.leaves, rest)
	}
	if err := l.keep(piece, now); err != nil {
		return err
	}
	return l.proceed(now)
}

// belong reports whether it is said of all rows in which scopes they are, if there are any.
func (l *Loop) belong(a *wire.Rows) bool {
	if !l.e.Schema().Scoped() {
		return a.Scopes == nil
	}
	return len(a.Scopes) == len(a.List) && !slices.ContainsFunc(a.Scopes, func(of []string) bool { return len(of) == 0 })
}

func fit(t *tidemark.Table, rows [][]tidemark.Value) bool {
	for _, r := range rows {
		if len(r) != len(t.Columns) {
			return false
		}
	}
	return true
}

// keep holds fetched rows until all are there, so that readers never see a
// half repaired copy. Rows of an earlier seq are fetched again; where the
// server never rests, and where they are too many to hold, ranges are written
// as they come.
func (l *Loop) keep(piece RangeRows, now int64) error {
	c := l.check
	if len(c.got) > 0 && c.gotSeq != l.seq {
		c.moves++
		for _, p := range c.got {
			c.leaves = append(c.leaves, question{table: p.Table, after: p.After, upto: p.Upto, rows: true})
		}
		c.got, c.bytes = nil, 0
	}
	c.got, c.gotSeq = append(c.got, piece), l.seq
	for _, r := range piece.Rows {
		for _, v := range r {
			c.bytes += v.Size()
		}
	}
	if c.moves > movedMax || c.bytes > repairMax {
		return l.repair(now)
	}
	return nil
}

func (l *Loop) repair(now int64) error {
	c := l.check
	if len(c.got) == 0 {
		return nil
	}
	before, err := l.e.Status()
	if err != nil {
		return err
	}
	n, err := l.e.RepairAll(c.got, c.code, now)
	if err != nil {
		return err
	}
	after, err := l.e.Status()
	if err != nil {
		return err
	}
	c.report.Differed += n
	c.report.Saved += max(0, after.Rejected-before.Rejected)
	c.got, c.bytes = nil, 0
	return nil
}

// proceed asks what is left, fetches what differs once everything is compared,
// and ends the verification when nothing is left.
func (l *Loop) proceed(now int64) error {
	c := l.check
	if c.strays > strayMax {
		return l.anew(tidemark.CodeGap, fmt.Sprintf("answers of the server are not of checkpoint %d", l.seq))
	}
	if len(c.todo) == 0 && len(c.asked) == 0 {
		c.todo, c.leaves = c.leaves, nil
	}
	if len(c.todo) == 0 && len(c.asked) == 0 {
		if err := l.endCheck(now); err != nil {
			return err
		}
		return l.decide(now, true)
	}
	l.ask()
	return l.decide(now, true)
}

func (l *Loop) endCheck(now int64) error {
	if err := l.repair(now); err != nil {
		return err
	}
	c := l.check
	if todo := l.everything(); c.disturbed && c.rounds < checkTries && len(todo) > 0 {
		// What was compared before the batch came may differ since.
		c.disturbed = false
		c.rounds++
		c.report.Tables, c.report.Rows, c.todo = 0, 0, todo
		l.ask()
		return nil
	}
	if err := l.e.Prove(now); err != nil {
		return err
	}
	c.report.Seq = l.seq
	if l.fruitless++; c.report.Differed > 0 {
		l.fruitless = 0
	}
	l.check, l.wanted, l.checkFailures = nil, false, 0
	l.unsent = true
	l.notify(Note{Verify: &c.report})
	return nil
}

// splitKeys picks keys that cut a range of the local table in parts of about
// equal size.
func (r *Replica) splitKeys(table int, after, upto []tidemark.Value, parts int) ([][]tidemark.Value, error) {
	t := r.Schema().Table(table)
	if t == nil {
		return nil, nil
	}
	n := 0
	count := func([]tidemark.Value) error { n++; return nil }
	if err := row.Scan(r.db, t, after, upto, 0, count); err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, nil
	}
	step := (n + parts - 1) / parts
	var bounds [][]tidemark.Value
	i := 0
	err := row.Scan(r.db, t, after, upto, 0, func(values []tidemark.Value) error {
		if i++; i%step == 0 && i < n {
			bounds = append(bounds, t.KeyOf(values))
		}
		return nil
	})
	return bounds, err
}
