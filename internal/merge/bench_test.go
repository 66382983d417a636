package merge

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// example is a cell as an app would have it, with two edits of it.
type example struct {
	policy             tidemark.Policy
	base, theirs, mine tidemark.Value
}

func examples() []example {
	i, s := tidemark.Int, tidemark.Text
	members := func(n int, more string) tidemark.Value {
		var list []string
		for k := range n {
			list = append(list, fmt.Sprintf(`"label %d"`, k))
		}
		return s("[" + strings.Join(list, ",") + more + "]")
	}
	object := func(title, n string) tidemark.Value {
		return s(`{"title":"` + title + `","tags":["a","b"],"size":{"width":` + n + `,"height":20},"open":true,"notes":"` + strings.Repeat("word ", 20) + `"}`)
	}
	prose := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 20)
	return []example{
		{"last-write", i(1), i(2), i(3)},
		{"latest-edit", i(1), i(2), i(3)},
		{"first-write", i(1), i(2), i(3)},
		{"counter", i(10), i(15), i(7)},
		{"max", i(1), i(2), i(3)},
		{"min", i(1), i(2), i(3)},
		{"set", members(10, ""), members(10, `,"theirs"`), members(10, `,"mine"`)},
		{"json", object("a", "1"), object("b", "1"), object("a", "2")},
		{"text", s(prose), s(prose), s(prose + "more")},
		{"manual", i(1), i(2), i(3)},
		{"custom", i(1), i(2), i(3)},
	}
}

func newer(_, _, mine tidemark.Value) (tidemark.Value, error) { return mine, nil }

// BenchmarkMeet is a conflicting edit. last-write is what to compare with.
func BenchmarkMeet(b *testing.B) {
	for _, x := range examples() {
		if x.policy == tidemark.PolicyText {
			continue // is not decided here
		}
		b.Run(string(x.policy), func(b *testing.B) {
			m := Meeting{Policy: x.policy, Base: x.base, Based: true, Theirs: x.theirs, Mine: x.mine, Edit: Intent(x.policy, x.base, x.mine), Func: newer}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Meet(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkApply is an edit that meets nobody's.
func BenchmarkApply(b *testing.B) {
	for _, x := range examples() {
		b.Run(string(x.policy), func(b *testing.B) {
			e := Intent(x.policy, x.base, x.mine)
			b.ReportMetric(float64(len(e.Body)), "bytes/edit")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Apply(x.base, x.mine, e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkIntent is what sealing does for each changed column.
func BenchmarkIntent(b *testing.B) {
	for _, x := range examples() {
		b.Run(string(x.policy), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Intent(x.policy, x.base, x.mine)
			}
		})
	}
}
