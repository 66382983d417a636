package replica

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// TestRetryByPolicy: the world went on while the changeset lay rejected.
func TestRetryByPolicy(t *testing.T) {
	o, d := newBoard(t)
	d.commit("UPDATE card SET body = 'The quick brown fox jumps over the lazy dog and runs away.' WHERE id = 1")
	b := o.do("UPDATE card SET body = 'The quick brown fox jumps over the lazy dog and runs away.' WHERE id = 1")
	d.applyWell(b, d.acceptance(1, 1))
	d.commit(`UPDATE card SET votes = votes + 3, tags = '["a","b","c"]', attrs = '{"x":1,"y":2}',
		body = 'The quick brown fox jumps over the very lazy dog and runs away.' WHERE id = 1`)
	d.commit("UPDATE card SET title = 'kept' WHERE id = 1")
	d.settle(d.rejection(2, 1, tidemark.CodeForbidden))
	d.want("SELECT title, votes FROM card WHERE id = 1", "['kept' 10]")
	d.applyWell(o.do(`UPDATE card SET votes = 50, tags = '["z"]', attrs = '{"z":1}',
		body = 'Once: ' || body || ' The end.' WHERE id = 1`))
	views := d.r.Describe(d.rejected()[0].Changes)
	if e := views[0].Edit; e["votes"] != "+3" || e["tags"] != `add "c"` || e["attrs"] != "set /y = 2" || !strings.Contains(e["body"], "very lazy") {
		t.Fatalf("%+v", views)
	}
	n, err := d.r.Retry(1, false, 9)
	must(t, err)
	if n != 1 || len(d.rejected()) != 0 {
		t.Fatal(n)
	}
	d.want("SELECT votes, tags, attrs, body FROM card WHERE id = 1",
		`[53 '["z","c"]' '{"z":1,"y":2}' 'Once: The quick brown fox jumps over the very lazy dog and runs away. The end.']`)
	d.wantEdit(tidemark.EditAdd, "3")
}

func TestRetryOfATextThatIsGone(t *testing.T) {
	o, d := newBoard(t)
	d.commit("UPDATE card SET body = 'hello brave world' WHERE id = 1")
	d.settle(d.rejection(1, 0, tidemark.CodeForbidden))
	d.applyWell(o.do("UPDATE card SET body = 'something else' WHERE id = 1"))
	_, err := d.r.Retry(1, false, 2)
	if tidemark.CodeOf(err) != tidemark.CodeConflict || len(d.rejected()) != 1 {
		t.Fatal(err)
	}
	d.want("SELECT body FROM card WHERE id = 1", "['something else']")
}

func TestEditAndRetry(t *testing.T) {
	_, d := newBoard(t)
	d.commit("UPDATE card SET votes = votes + 3, title = 'bad' WHERE id = 1; INSERT INTO card (id, title) VALUES (5, 'five')")
	d.settle(d.rejection(1, 0, tidemark.CodeForbidden))
	key := func(n int64) []tidemark.Value { return []tidemark.Value{tidemark.Int(n)} }
	_, err := d.r.ReplaceAndRetry(1, []Replacement{{Table: "card", Key: key(2), Column: "title"}}, 2)
	if tidemark.CodeOf(err) != tidemark.CodeNotFound {
		t.Fatal(err)
	}
	_, err = d.r.ReplaceAndRetry(1, []Replacement{{Table: "card", Key: key(1), Column: "nothing"}}, 2)
	if tidemark.CodeOf(err) != tidemark.CodeUsage {
		t.Fatal(err)
	}
	n, err := d.r.ReplaceAndRetry(1, []Replacement{
		{Table: "card", Key: key(1), Column: "title", Value: tidemark.Text("good")},
		{Table: "card", Key: key(1), Column: "owner", Value: tidemark.Text("me")},
		{Table: "card", Key: key(5), Column: "id", Value: tidemark.Int(6)},
	}, 2)
	must(t, err)
	if n != 1 || len(d.rejected()) != 0 {
		t.Fatal(n)
	}
	d.want("SELECT group_concat(id || title || owner || votes) FROM card WHERE id <> 2", "['1goodme13']")
	d.want("SELECT title FROM card WHERE id = 6", "['five']")

	d.settle(d.rejection(2, 0, tidemark.CodeForbidden))
	if _, err = d.r.EditAndRetry(2, nil, 3); tidemark.CodeOf(err) != tidemark.CodeUsage {
		t.Fatal(err)
	}
	card := d.r.schema.Named("card").ID
	wrong := []tidemark.Change{{Table: card, Op: tidemark.Update, Key: key(1), Cols: []int{1}}}
	if _, err = d.r.EditAndRetry(2, wrong, 3); tidemark.CodeOf(err) != tidemark.CodeUsage {
		t.Fatal(err)
	}
	_, err = d.r.EditAndRetry(2, []tidemark.Change{{Table: card, Op: tidemark.Update, Key: key(1), Cols: []int{1}, New: []tidemark.Value{tidemark.Text("other")}}}, 3)
	must(t, err)
	d.want("SELECT title, votes FROM card WHERE id = 1", "['other' 10]")
	if len(d.rejected()) != 0 {
		t.Fatal("the record is still there")
	}
}

// TestAnchorsFindTheirPlace puts patches on texts that grew at both ends.
func TestAnchorsFindTheirPlace(t *testing.T) {
	for _, seed := range seeds(t, dice.Times(300)) {
		rng := rand.New(rand.NewPCG(seed, 3))
		word := func() string {
			return []string{"one ", "zwei ", "três ", "四 ", "", "a"}[rng.IntN(6)] + strings.Repeat("x", rng.IntN(3))
		}
		var parts []string
		for range rng.IntN(30) {
			parts = append(parts, word())
		}
		text := strings.Join(parts, "")
		for range 1 + rng.IntN(4) {
			if len(parts) > 0 {
				parts[rng.IntN(len(parts))] = word()
			}
		}
		edited := strings.Join(parts, "")
		p, err := anchored(splice.Diff(text, edited), text)
		must(t, err)
		got, err := p.Apply(text)
		must(t, err)
		if got != edited {
			t.Fatalf("seed %d: %q, want %q", seed, got, edited)
		}
		if got, ok := place(p, text); !ok || got != edited {
			t.Fatalf("seed %d: placed %q %v, want %q", seed, got, ok, edited)
		}
		if len(p) == 1 && p[0].Delete == len([]rune(text)) && text != "" {
			if got, ok := place(p, "§"+text+"§"); !ok || got != "§"+edited+"§" {
				t.Fatalf("seed %d: placed %q %v, want %q", seed, got, ok, edited)
			}
		}
	}
}
