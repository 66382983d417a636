package policy

import (
	"slices"
	"strings"
)

// nearest returns the one of names that a person who wrote word may have meant, or "".
func nearest(word string, names []string) string {
	best, least := "", 1+max(1, min(3, len([]rune(word))/3))
	for _, name := range names {
		if d := distance(plain(word), plain(name)); d < least {
			best, least = name, d
		}
	}
	return best
}

// plain takes away what people mix up without a thought.
func plain(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
}

// distance counts the characters to insert, delete or replace to make b of a,
// two neighbours that changed places as one (optimal string alignment).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > 64 || len(t) > 64 {
		return 64
	}
	before, last, row := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(t)]
}

// meant is the next step for a word that is none of names.
func meant(word string, names []string, kind string) string {
	if name := nearest(word, names); name != "" {
		return "did you mean " + name + "?"
	}
	if len(names) == 0 {
		return ""
	}
	sorted := slices.Clone(names)
	if len(sorted) > 20 {
		sorted = append(sorted[:20:20], "...")
	}
	return kind + ": " + strings.Join(sorted, ", ")
}
