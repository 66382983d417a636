package replica

import (
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func inRange(k int64, after, upto []tidemark.Value) bool {
	return (after == nil || k > after[0].Int64()) && (upto == nil || k <= upto[0].Int64())
}

func sumRanges(rows map[int64]int64, after, upto []tidemark.Value, bounds [][]tidemark.Value) []tidemark.RangeSum {
	q := question{after: after, upto: upto, bounds: bounds}
	list := make([]tidemark.RangeSum, len(bounds)+1)
	for i := range list {
		p := q.part(i)
		for k, v := range rows {
			if inRange(k, p.after, p.upto) {
				list[i].Count++
				list[i].Sum += uint64(k)*0x9e3779b97f4a7c15 ^ uint64(v)*0xc2b2ae3d27d4eb4f
			}
		}
	}
	return list
}

func keysIn(rows map[int64]int64, after, upto []tidemark.Value) []int64 {
	var keys []int64
	for k := range rows {
		if inRange(k, after, upto) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func cutKeys(rows map[int64]int64, after, upto []tidemark.Value, parts int) [][]tidemark.Value {
	keys := keysIn(rows, after, upto)
	step := (len(keys) + parts - 1) / parts
	var bounds [][]tidemark.Value
	for i := step; i > 0 && i < len(keys); i += step {
		bounds = append(bounds, []tidemark.Value{tidemark.Int(keys[i-1])})
	}
	return bounds
}

func putRange(rows map[int64]int64, p RangeRows) (differed int) {
	theirs := map[int64]int64{}
	for _, r := range p.Rows {
		theirs[r[0].Int64()] = r[1].Int64()
	}
	for _, k := range keysIn(rows, p.After, p.Upto) {
		if _, ok := theirs[k]; !ok {
			delete(rows, k)
			differed++
		}
	}
	for k, v := range theirs {
		if old, ok := rows[k]; !ok || old != v {
			rows[k] = v
			differed++
		}
	}
	return differed
}

// answer plays the server: its rows at its seq.
func answer(m wire.Up, rows map[int]map[int64]int64, seq tidemark.Seq) wire.Down {
	switch m := m.(type) {
	case *wire.AskRanges:
		return &wire.Ranges{ID: m.ID, Seq: seq, List: sumRanges(rows[m.Table], m.After, m.Upto, m.Bounds)}
	case *wire.AskRows:
		a := &wire.Rows{ID: m.ID, Seq: seq}
		for _, k := range keysIn(rows[m.Table], m.After, m.Upto) {
			if len(a.List) == m.Limit {
				a.More = true
				break
			}
			a.List = append(a.List, []tidemark.Value{tidemark.Int(k), tidemark.Int(rows[m.Table][k])})
		}
		return a
	}
	return nil
}

// converse answers until the loop asks no more and returns how many questions there were.
func converse(t *testing.T, l *testLoop, theirs map[int]map[int64]int64) (asked int) {
	t.Helper()
	for range 100000 {
		up := l.sent()
		if len(up) == 0 {
			return asked
		}
		for _, m := range up {
			if a := answer(m, theirs, l.seq); a != nil {
				asked++
				l.mustStep(t, down(a))
			}
		}
	}
	t.Fatal("the verification never ends")
	return 0
}

func lastReport(l *testLoop) *VerifyReport {
	for i := len(l.notes) - 1; i >= 0; i-- {
		if v := l.notes[i].Verify; v != nil {
			return v
		}
	}
	return nil
}

func verifying(t *testing.T, mine, theirs map[int64]int64) (*testLoop, map[int]map[int64]int64) {
	l := in(t, Idle)
	l.sent()
	l.copy.mine[1] = maps.Clone(mine)
	l.mustStep(t, Verify{})
	return l, map[int]map[int64]int64{1: theirs}
}

func manyRows(n int64) map[int64]int64 {
	rows := map[int64]int64{}
	for k := range n {
		rows[k] = k
	}
	return rows
}

func TestVerifyOfEqualCopiesIsOneQuestionPerTable(t *testing.T) {
	rows := manyRows(3000)
	l, theirs := verifying(t, rows, rows)
	if n := converse(t, l, theirs); n != 1 {
		t.Errorf("%d questions", n)
	}
	r := lastReport(l)
	if r == nil || r.Rows != 3000 || r.Tables != 1 || r.Differed != 0 || l.State() != Idle || l.copy.proved != 1 {
		t.Fatalf("%+v in %v", r, l.State())
	}
}

func TestVerifyFindsOneRowInFewQuestions(t *testing.T) {
	rows := manyRows(5000)
	mine := maps.Clone(rows)
	mine[4711] = -1
	l, theirs := verifying(t, mine, rows)
	n := converse(t, l, theirs)
	if r := lastReport(l); r.Differed != 1 || !maps.Equal(l.copy.mine[1], rows) {
		t.Fatalf("%+v", r)
	}
	if n > 6 {
		t.Errorf("%d questions for one row in 5000", n)
	}
}

func TestVerifyRepairsAnyDifference(t *testing.T) {
	seed := dice.Seed(t)
	for round := range uint64(dice.Times(60)) {
		rnd := rand.New(rand.NewPCG(seed, round))
		mine, theirs := map[int64]int64{}, map[int64]int64{}
		for k := range rnd.Int64N(3000) {
			theirs[k], mine[k] = k, k
		}
		for range rnd.IntN(1 + int(math.Pow(10, float64(rnd.IntN(4))))) {
			switch k := rnd.Int64N(4000); rnd.IntN(3) {
			case 0:
				delete(mine, k)
			case 1:
				mine[k] = rnd.Int64()
			case 2:
				delete(theirs, k)
			}
		}
		l, server := verifying(t, mine, theirs)
		converse(t, l, server)
		if !maps.Equal(l.copy.mine[1], theirs) || l.State() != Idle {
			t.Fatalf("seed %d round %d: not repaired, %v", seed, round, l.State())
		}
	}
}

// Commits that come between the questions do not spoil the comparison, and
// rows fetched before them are fetched again.
func TestVerifyWhileTheServerGoesOn(t *testing.T) {
	theirs := manyRows(2000)
	l, server := verifying(t, map[int64]int64{}, theirs)
	for k := range int64(200) {
		l.copy.mine[1][k*10] = k
	}
	for i := 0; l.State() == Verifying; i++ {
		if i > 10000 {
			t.Fatal("the verification never ends")
		}
		for _, m := range l.sent() {
			a := answer(m, server, l.seq)
			if a == nil {
				continue
			}
			l.mustStep(t, down(a))
			k, v := int64(i%3000), int64(i)
			if l.State() == Verifying && i < 500 {
				theirs[k] = v
				l.copy.mine[1][k] = v
				l.mustStep(t, down(&wire.Batch{From: l.seq, To: l.seq + 1}))
			}
		}
	}
	if !maps.Equal(l.copy.mine[1], theirs) {
		t.Fatal("not equal")
	}
}

func TestVerifyAsksAgainForAnswersOfAnotherState(t *testing.T) {
	rows := manyRows(10)
	l, theirs := verifying(t, rows, rows)
	for range 3 {
		for _, m := range l.sent() {
			l.mustStep(t, down(answer(m, theirs, l.seq+7)))
		}
	}
	if l.State() != Verifying {
		t.Fatal(l.State())
	}
	converse(t, l, theirs)
	if lastReport(l) == nil {
		t.Fatal("no report")
	}
	// But not for ever.
	l, theirs = verifying(t, rows, rows)
	for range 2 * strayMax {
		for _, m := range l.sent() {
			if a := answer(m, theirs, l.seq+7); a != nil {
				l.mustStep(t, down(a))
			}
		}
	}
	if l.State() != Dialing {
		t.Fatal(l.State())
	}
}

func TestVerifyBeginsAgainAfterALostConnection(t *testing.T) {
	rows := manyRows(10)
	l, theirs := verifying(t, rows, rows)
	l.mustStep(t, Disconnected{Err: errors.New("gone")}, Tick{}, Connected{}, down(&wire.Welcome{}))
	if l.State() != Verifying {
		t.Fatal(l.State())
	}
	converse(t, l, theirs)
	if lastReport(l) == nil {
		t.Fatal("no report")
	}
}

// A server that can never answer must not keep the replica from syncing.
func TestVerifyGivesUp(t *testing.T) {
	rows := manyRows(10)
	l, _ := verifying(t, rows, rows)
	l.copy.repair = "sums differ"
	for range checkTries {
		l.mustStep(t, Tick{}, Tick{}, Connected{}, down(&wire.Welcome{}))
	}
	if l.State() != Idle {
		t.Fatal(l.State())
	}
}

func TestSumsThatNeverAgreeDoNotVerifyForEver(t *testing.T) {
	rows := manyRows(10)
	l, theirs := verifying(t, rows, rows)
	converse(t, l, theirs)
	checks := 0
	for range 20 {
		l.copy.repair = "sums differ"
		l.mustStep(t, down(&wire.Batch{From: l.seq, To: l.seq + 1}))
		if l.State() == Verifying {
			checks++
			converse(t, l, theirs)
		}
	}
	if checks == 0 || checks > checkTries {
		t.Fatalf("%d verifications", checks)
	}
}

func TestVerifyRefusesAnswersThatDoNotFit(t *testing.T) {
	for name, bad := range map[string]wire.Down{
		"too few ranges":   &wire.Ranges{ID: 1},
		"rows for ranges":  &wire.Rows{ID: 1},
		"too many ranges":  &wire.Ranges{ID: 1, List: make([]tidemark.RangeSum, 2)},
		"a page of no row": &wire.Rows{ID: 1, More: true},
	} {
		l, _ := verifying(t, manyRows(3), manyRows(3))
		l.mustStep(t, down(bad))
		if l.State() != Backoff {
			t.Errorf("%s: %v", name, l.State())
		}
	}
}
