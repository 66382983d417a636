package hub

import "slices"

// Lists of scopes are sorted, without duplicates, and never changed.

// common lists what two sorted lists share, without copying where that is the second.
func common(a, b []string) []string {
	out := make([]string, 0, min(len(a), len(b)))
	for i, k := 0, 0; i < len(a) && k < len(b); {
		switch {
		case a[i] < b[k]:
			i++
		case a[i] > b[k]:
			k++
		default:
			out = append(out, b[k])
			i, k = i+1, k+1
		}
	}
	if len(out) == len(b) {
		return b
	}
	return out
}

// without lists what of a sorted list is not in another.
func without(a, b []string) []string {
	var out []string
	k := 0
	for _, x := range a {
		for k < len(b) && b[k] < x {
			k++
		}
		if k == len(b) || b[k] != x {
			out = append(out, x)
		}
	}
	return out
}

// joined merges two sorted lists that share nothing.
func joined(a, b []string) []string {
	out := make([]string, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

func has(list []string, scope string) bool {
	_, ok := slices.BinarySearch(list, scope)
	return ok
}
