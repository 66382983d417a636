package splice

import "slices"

// TransformMoved is Transform(p, guess, true) where guess was found by comparing
// two texts that should be equal: a prediction, and what really came of it. Such
// texts differ in the order of what was inserted at the same time, and guess
// says of a character that went elsewhere that one was deleted and another one
// inserted. What p deletes of such characters it deletes where they are now.
func TransformMoved(p, guess Patch) (p1, guess1 Patch) {
	p1, guess1 = Transform(p, guess, true)
	var out builder
	for _, at := range followed(p, guess) {
		out.retain(at - out.at)
		out.remove(part{remove, 1, ""})
	}
	gone, _ := Transform(out.patch(), p1, true)
	return Compose(p1, gone), Compose(guess1, gone)
}

// followed lists where, behind guess, the characters are that guess moves and p
// deletes, in order.
func followed(p, guess Patch) []int {
	from, to := guess.deletions(), guess.insertions()
	removed := map[int]bool{}
	for _, s := range p {
		for i := range s.Delete {
			removed[s.At+i] = true
		}
	}
	var out []int
	for r, places := range from {
		if len(places) != len(to[r]) {
			continue // not all of them are there again: they did not just move
		}
		for i, at := range places {
			if removed[at] {
				out = append(out, to[r][i])
			}
		}
	}
	slices.Sort(out)
	return out
}

// deletions tells for each character where the patch deletes it, in the text before it.
func (p Patch) deletions() map[rune][]int {
	out := map[rune][]int{}
	for _, s := range p {
		at := s.At
		for _, r := range s.Deleted {
			out[r] = append(out[r], at)
			at++
		}
	}
	return out
}

// insertions tells for each character where the patch inserts it, in the text behind it.
func (p Patch) insertions() map[rune][]int {
	out := map[rune][]int{}
	moved := 0
	for _, s := range p {
		at := s.At + moved
		for _, r := range s.Insert {
			out[r] = append(out[r], at)
			at++
		}
		moved = at - s.At - s.Delete
	}
	return out
}
