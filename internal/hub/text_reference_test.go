package hub_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// list is an independent reference for what becomes of concurrent edits: the
// replicated growable array of Roh, Jeon, Kim and Lee ("Replicated abstract
// data types: Building blocks for collaborative applications", 2011), fed in
// the order of the server, whose seq is the timestamp. It knows characters by
// what they are, not by where they stand: one is inserted directly behind the
// character that its author saw in front of it, and one that is deleted stays as
// a tombstone. Replaying edits each on what its author had seen, as a graph of
// events, is what Gentle and Kleppmann do ("Collaborative Text Editing with
// Eg-walker: Better, Faster, Smaller", 2024); here the graph is what each author
// saw when it edited.
//
// Where nobody deletes, the server's text is the list's exactly. Where somebody
// deleted the character behind which another inserts, a server that keeps no
// tombstones may put characters that were inserted around that place at the same
// time in another order. The characters are the same, and no two that anybody
// saw confirmed change places.
type list struct {
	chars []rune
	gone  map[rune]bool
}

// event is one edit as its author saw it; every character is inserted once.
type event struct {
	seq     tidemark.Seq
	inserts []run
	deletes []rune
}

// run is text that was inserted behind a character; 0 is the beginning.
type run struct {
	behind rune
	text   []rune
}

func newList(text string) *list { return &list{chars: []rune(text), gone: map[rune]bool{}} }

func (l *list) take(e event) {
	for _, r := range e.inserts {
		at := 0
		if r.behind != 0 {
			at = slices.Index(l.chars, r.behind) + 1
		}
		l.chars = slices.Insert(l.chars, at, r.text...)
	}
	for _, c := range e.deletes {
		l.gone[c] = true
	}
}

func (l *list) text() string {
	return string(slices.DeleteFunc(slices.Clone(l.chars), func(c rune) bool { return l.gone[c] }))
}

// eventOf says what an edit does to a text, by character.
func eventOf(view []rune, p splice.Patch) event {
	var e event
	for _, s := range p {
		if s.Insert != "" {
			r := run{text: []rune(s.Insert)}
			if s.At > 0 {
				r.behind = view[s.At-1]
			}
			e.inserts = append(e.inserts, r)
		}
		e.deletes = append(e.deletes, view[s.At:s.At+s.Delete]...)
	}
	return e
}

// rehearsal lets authors edit at random, and writes down what each one saw.
type rehearsal struct {
	*desk
	rng     *rand.Rand
	next    rune
	deletes bool
	events  map[*author][]event
	seen    []string
}

func (r *rehearsal) fresh(n int) string {
	out := make([]rune, n)
	for i := range out {
		if r.next == 0xF8FF { // the end of one private area; the other one is astral
			r.next = 0xF0000
		}
		out[i] = r.next
		r.next++
	}
	return string(out)
}

func (r *rehearsal) edit(a *author) {
	view := []rune(a.shown())
	p := r.patch(view)
	r.seen = append(r.seen, string(view))
	a.edit(p)
	r.events[a] = append(r.events[a], eventOf(view, p))
	r.seen = append(r.seen, a.shown())
}

// patch draws one of a text.
func (r *rehearsal) patch(view []rune) (p splice.Patch) {
	for at, n := 0, 1+r.rng.IntN(2); n > 0; n-- {
		s := splice.Splice{At: at + r.rng.IntN(len(view)-at+1)}
		if r.deletes && r.rng.IntN(2) == 0 {
			s.Delete = min(r.rng.IntN(4), len(view)-s.At)
		}
		if s.Delete == 0 || r.rng.IntN(3) == 0 {
			s.Insert = r.fresh(1 + r.rng.IntN(3))
		}
		if p, at = append(p, s), s.At+s.Delete+1; at > len(view) {
			break
		}
	}
	return p
}

func (r *rehearsal) step() {
	a := r.authors[r.rng.IntN(len(r.authors))]
	switch r.rng.IntN(4) {
	case 0, 1:
		r.edit(a)
	case 2:
		a.push(1 + r.rng.IntN(3))
	default:
		a.read(1 + r.rng.IntN(4))
		r.seen = append(r.seen, a.text)
	}
}

// reference is what the list makes of it all.
func (r *rehearsal) reference(start string) *list {
	l := newList(start)
	var all []event
	for _, a := range r.authors {
		for i, e := range r.events[a] {
			o := a.outcome(int64(i + 1))
			if o.Kind != tidemark.Accepted {
				r.t.Fatalf("changeset %d ended %+v", i+1, o)
			}
			e.seq = o.Seq
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b event) int { return int(a.seq - b.seq) })
	for _, e := range all {
		l.take(e)
	}
	return l
}

// rehearse runs one random schedule to its end.
func rehearse(t *testing.T, seed uint64, deletes, forget bool) *rehearsal {
	r := &rehearsal{rng: rand.New(rand.NewPCG(seed, 3)), next: 0xE000, deletes: deletes, events: map[*author][]event{}}
	if seed%2 == 0 {
		r.next = 0xF8F0 // so that both areas meet
	}
	start := r.fresh(int(seed % 12))
	r.desk = newDesk(t, start, 2+int(seed%3))
	r.forget = forget
	for range 60 + int(seed%60) {
		r.step()
	}
	r.drain()
	l := r.reference(start)
	got, want := []rune(r.text()), []rune(l.text())
	if !deletes && string(got) != string(want) {
		t.Fatalf("seed %d: %+q, the reference has %+q", seed, string(got), string(want))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("seed %d: other characters: %+q, the reference has %+q", seed, string(got), string(want))
	}
	return r
}

// disorder counts pairs of neighbours in what authors saw that ended the other way round.
func (r *rehearsal) disorder() (n int) {
	place := map[rune]int{}
	for i, c := range []rune(r.text()) {
		place[c] = i + 1
	}
	for _, view := range r.seen {
		last := 0
		for _, c := range view {
			at := place[c]
			if at == 0 {
				continue
			}
			if at < last {
				n++
			}
			last = at
		}
	}
	return n
}

// rehearsals is how many random schedules a test runs.
func rehearsals() uint64 { return uint64(dice.Times(120)) }

func TestTextEqualsTheReference(t *testing.T) {
	for seed := range rehearsals() {
		r := rehearse(t, seed, false, false)
		if n := r.disorder(); n > 0 {
			t.Fatalf("seed %d: %d times the order is not what an author saw", seed, n)
		}
	}
}

// TestTextWithDeletionsHasTheReferencesCharacters also lets the hub forget its
// bridges: what it then makes of the cell's history must be the same.
func TestTextWithDeletionsHasTheReferencesCharacters(t *testing.T) {
	for seed := range rehearsals() {
		r := rehearse(t, seed, true, false)
		if again := rehearse(t, seed, true, true); again.text() != r.text() {
			t.Fatalf("seed %d: without its memory the hub makes %+q of it, not %+q", seed, again.text(), r.text())
		}
	}
}
