package splice

import (
	"strings"
	"testing"
)

var page = strings.Repeat("The quick brown fox jumps over the lazy dog, 12 times a day.\n", 1<<20/61)

func BenchmarkKeystroke1MB(b *testing.B) {
	at := len(page) / 2
	after := page[:at] + "x" + page[at:]
	p := Diff(page, after)
	b.Run("diff", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		for b.Loop() {
			Diff(page, after)
		}
	})
	b.Run("apply", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		b.ReportAllocs()
		for b.Loop() {
			_, _ = p.Apply(page)
		}
	})
	b.Run("body", func(b *testing.B) {
		b.ReportMetric(float64(len(p.Body(false))), "bytes/keystroke")
		for b.Loop() {
			_, _ = ParseEdit(Edit{Patch: p}.Body())
		}
	})
}

func BenchmarkDiffOfVeryDifferent1MB(b *testing.B) {
	other := strings.Repeat("Sphinx of black quartz, judge my vow; pack 5 dozen liquor jugs.\n", len(page)/64)
	noise := []rune(page)
	for i := range noise {
		noise[i] = rune('a' + i*i%23)
	}
	for name, after := range map[string]string{"other": other, "noise": string(noise), "upper": strings.ToUpper(page)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(page)))
			for b.Loop() {
				Diff(page, after)
			}
		})
	}
}

func BenchmarkTransform(b *testing.B) {
	one, other := Patch{{At: 500, Insert: "x"}}, Patch{{At: 400, Delete: 3, Insert: "yes"}}
	b.ReportAllocs()
	for b.Loop() {
		Transform(one, other, false)
	}
}

// BenchmarkComposeTyping composes ten thousand keystrokes.
func BenchmarkComposeTyping(b *testing.B) {
	list := make([]Patch, 10000)
	for i := range list {
		list[i] = Patch{{At: i % 5000, Insert: "x"}}
	}
	for b.Loop() {
		ComposeAll(list)
	}
}
