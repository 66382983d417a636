package policy

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// units of durations; a month and a year are too uncertain to be one.
var units = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}

// longest keeps sums of times and durations within an int64 of milliseconds, by far.
const longest = 100 * 365 * 24 * time.Hour

// parseDuration reads 30d, 12h, 5m, 90s, 2w, and sums like 1d12h.
func parseDuration(s string) (time.Duration, error) {
	var sum time.Duration
	for rest := s; rest != "" || s == ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 || digits == len(rest) || digits > 9 || units[rest[digits]] == 0 {
			return 0, fmt.Errorf("%q is not a duration", s)
		}
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		unit := units[rest[digits]]
		if err != nil || n > int64(longest/unit) {
			return 0, fmt.Errorf("%s is longer than 100 years", s)
		}
		if sum += time.Duration(n) * unit; sum > longest {
			return 0, fmt.Errorf("%s is longer than 100 years", s)
		}
		rest = rest[digits+1:]
	}
	if sum == 0 {
		return 0, fmt.Errorf("%s is no time at all", s)
	}
	return sum, nil
}

// FormatDuration writes a duration as parseDuration reads it, in the largest units.
func FormatDuration(d time.Duration) string {
	var b strings.Builder
	for _, u := range []byte("dhms") {
		if n := d / units[u]; n > 0 {
			fmt.Fprintf(&b, "%d%c", n, u)
			d -= n * units[u]
		}
	}
	if b.Len() == 0 {
		return d.String()
	}
	return b.String()
}
