package hub_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// trace is a recorded editing session, from github.com/josephg/editing-traces.
type trace struct {
	EndContent string
	NumAgents  int
	Txns       []struct {
		Parents []int // concurrent traces: the transactions that its author had seen last
		Agent   int
		Patches []trick
	}
}

// trick is one splice of a transaction: [at, delete, insert], on the text that the one before it left.
type trick splice.Splice

func (s *trick) UnmarshalJSON(b []byte) error {
	fields := []any{&s.At, &s.Delete, &s.Insert}
	return json.Unmarshal(b, &fields)
}

func readTrace(t testing.TB, name string) *trace {
	t.Helper()
	dir := os.Getenv("TIDEMARK_DATA")
	if dir == "" {
		dir = "../../../shared/data"
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Skip("set TIDEMARK_DATA to a folder with the recorded editing sessions: ", err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	tr := &trace{NumAgents: 1}
	if err := json.NewDecoder(z).Decode(tr); err != nil {
		t.Fatal(err)
	}
	return tr
}

// patch is what transactions [from, to) do, one after the other.
func (tr *trace) patch(from, to int) splice.Patch {
	var list []splice.Patch
	for _, x := range tr.Txns[from:to] {
		for _, s := range x.Patches {
			if s.Delete > 0 || s.Insert != "" {
				list = append(list, splice.Patch{splice.Splice(s)})
			}
		}
	}
	return splice.ComposeAll(list)
}

// readUpTo reads what the server sent until the author is at a seq.
func (a *author) readUpTo(seq tidemark.Seq) {
	for a.seq < seq && len(a.mail) > 0 {
		a.read(1)
	}
}

// known lists for each transaction the newest one of each author that it builds on.
func (tr *trace) known() [][2]int {
	known := make([][2]int, len(tr.Txns))
	for i, x := range tr.Txns {
		known[i] = [2]int{-1, -1}
		for _, p := range x.Parents {
			for g := range known[i] {
				known[i][g] = max(known[i][g], known[p][g])
			}
		}
		known[i][x.Agent] = i
	}
	return known
}

// replay lets authors type, each on what it had seen, one changeset for each transaction.
func (tr *trace) replay(d *desk, known [][2]int, txns int) {
	d.t.Helper()
	first := d.store.head + 1
	for i, x := range tr.Txns[:txns] {
		a := d.authors[x.Agent]
		if tr.NumAgents > 1 {
			a.readUpTo(first + tidemark.Seq(known[i][1-x.Agent]))
		}
		a.edit(tr.patch(i, i+1))
		a.push(1)
	}
	d.drain()
}

// TestAnHourOfTwoTyping replays a session of two people who typed at the same
// time, each on what it saw then. The text that they had in the end comes out
// exactly, on the server and for both.
func TestAnHourOfTwoTyping(t *testing.T) {
	tr := readTrace(t, "trace-friendsforever.json.gz")
	if testing.Short() {
		tr.Txns = tr.Txns[:2000]
	}
	d := newDesk(t, "", tr.NumAgents)
	tr.replay(d, tr.known(), len(tr.Txns))
	if !testing.Short() && d.text() != tr.EndContent {
		p := splice.Diff(tr.EndContent, d.text())
		t.Fatalf("the text is not the recorded one: %d differences, the first %+v", len(p), p[0])
	}
}

// TestALongTextOfOne replays the whole of a paper's writing, with many
// keystrokes in one changeset, and its beginning with one in each.
func TestALongTextOfOne(t *testing.T) {
	tr := readTrace(t, "trace-automerge-paper.json.gz")
	for _, c := range []struct{ txns, each, ahead int }{{len(tr.Txns), 100, 10}, {20_000, 1, 50}, {3_000, 1, 1}} {
		if testing.Short() && c.each == 1 {
			c.txns /= 10
		}
		t.Run(fmt.Sprintf("%d by %d", c.txns, c.each), func(t *testing.T) {
			d := newDesk(t, "", 2)
			for i, n := 0, 0; i < c.txns; i, n = i+c.each, n+1 {
				d.authors[0].edit(tr.patch(i, min(i+c.each, c.txns)))
				if n%c.ahead == c.ahead-1 {
					d.authors[0].push(c.ahead)
					d.authors[0].read(1 << 30)
					d.authors[1].read(1 << 30)
				}
			}
			d.drain()
			want := tr.EndContent
			if c.txns < len(tr.Txns) {
				want = apply(t, tr.patch(0, c.txns), "")
			}
			if d.text() != want {
				t.Fatal("the text is not the recorded one")
			}
		})
	}
}

// BenchmarkTyping types into texts of several sizes, through the hub.
func BenchmarkTyping(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			line := "The quick brown fox jumps over the lazy dog.\n"
			text := make([]byte, 0, size+len(line))
			for len(text) < size {
				text = append(text, line...)
			}
			d := newDesk(b, string(text), 1)
			a := d.authors[0]
			at := size / 2
			for b.Loop() { // the hub only: what the author reads is counted elsewhere
				a.edit(insertText(at, "x"))
				a.push(1)
				a.mail = nil
				at++
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "characters/s")
			b.ReportMetric(float64(a.bytes)/float64(b.N), "bytes/keystroke")
		})
	}
}
