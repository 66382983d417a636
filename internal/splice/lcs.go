package splice

import "slices"

// mostDifferences bounds the search from either end. It counts tokens, so that
// it ends at the same place in every language and on every machine.
const mostDifferences = 100

// run says that n tokens from a in one list are those from b in the other.
type run struct{ a, b, n int }

// differences compares two lists of tokens, as spec/protocol.md says: from the
// front, and where the bound ends that search, what is left from the back. Offsets
// of the hunks are places in the lists.
func differences(a, b []string) []hunk {
	front := search(a, b, false)
	runs := front.runs()
	if a, b := a[front.x:], b[front.y:]; len(a) > 0 && len(b) > 0 {
		for _, r := range slices.Backward(search(a, b, true).runs()) {
			runs = append(runs, run{front.x + len(a) - r.a - r.n, front.y + len(b) - r.b - r.n, r.n})
		}
	}
	return between(runs, len(a), len(b))
}

// between returns what lies between the runs.
func between(runs []run, a, b int) (out []hunk) {
	x, y := 0, 0
	for _, r := range append(runs, run{a, b, 0}) {
		if x < r.a || y < r.b {
			out = append(out, hunk{x, r.a, y, r.b})
		}
		x, y = r.a+r.n, r.b+r.n
	}
	return out
}

// way is how far two lists were followed from one end with ever more differences (Myers, "An O(ND) Difference Algorithm and Its Variations", 1986).
// far[d][i] is the farthest place in a that d differences lead to on the diagonal
// x-y = 2i-d, or nowhere. Places are counted from that end.
type way struct {
	a, b     []string
	backward bool
	far      [][]int
	x, y     int // where it ends: at the end of both lists, or as far as the bound allows
}

const nowhere = -1

func search(a, b []string, backward bool) *way {
	w := &way{a: a, b: b, backward: backward}
	for d := 0; ; d++ {
		row := make([]int, d+1)
		w.far = append(w.far, row)
		for i := range row {
			k := 2*i - d
			x, _ := w.step(d, i)
			if x != nowhere {
				x += w.same(x, x-k)
			}
			row[i] = x
			if x == len(a) && x-k == len(b) {
				w.x, w.y = x, x-k
				return w
			}
		}
		if d == mostDifferences {
			w.x, w.y = w.farthest()
			return w
		}
	}
}

// same returns how many tokens both lists have in common from two places on.
func (w *way) same(x, y int) (n int) {
	if w.backward {
		a, b := w.a[:len(w.a)-x], w.b[:len(w.b)-y]
		for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
			n++
		}
		return n
	}
	a, b := w.a[x:], w.b[y:]
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// step is where the last of d differences leads to on a diagonal: one token of
// b more or, rather, one of a less.
func (w *way) step(d, i int) (x int, less bool) {
	if d == 0 {
		return 0, false
	}
	x = nowhere
	last, k := w.far[d-1], 2*i-d
	if i < d && last[i] != nowhere && last[i]-k <= len(w.b) {
		x = last[i]
	}
	if i > 0 && last[i-1] != nowhere && last[i-1] < len(w.a) && last[i-1]+1 >= x {
		return last[i-1] + 1, true
	}
	return x, false
}

// farthest is the place with the most tokens of both lists behind it; of several
// the one with the fewest of a.
func (w *way) farthest() (x, y int) {
	d := len(w.far) - 1
	for i, at := range w.far[d] {
		if k := 2*i - d; at != nowhere && at+at-k > x+y {
			x, y = at, at-k
		}
	}
	return x, y
}

// runs are the tokens that both lists have on the way, in order.
func (w *way) runs() (out []run) {
	d := len(w.far) - 1
	x := w.x
	for i := (w.x - w.y + d) / 2; d >= 0; d-- {
		from, less := w.step(d, i)
		k := 2*i - d
		if from < x {
			out = append(out, run{from, from - k, x - from})
		}
		x = from
		if less {
			x--
			i--
		}
	}
	slices.Reverse(out)
	return out
}
