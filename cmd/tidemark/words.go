package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// size writes a size for people.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, u := float64(n), 0
	for f >= 1000 && u < len(units)-1 {
		f, u = f/1024, u+1
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[u])
}

// plural writes a number with its noun.
func plural[N int | int64](n N, noun string) string {
	s := grouped(int64(n)) + " " + noun
	if n != 1 {
		s += "s"
	}
	return s
}

// grouped writes a number with a comma at each thousand.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// clock writes a moment, given in Unix milliseconds; 0 is one that nobody noted.
func clock(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(ms).Format(time.DateTime)
}

// ago writes how long a moment is past, roughly.
func ago(ms, now int64) string {
	if ms == 0 {
		return "never"
	}
	d := time.Duration(now-ms) * time.Millisecond
	switch {
	case d < time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// quoteArg writes a path as it must be typed in a shell.
func quoteArg(s string) string {
	if strings.HasPrefix(s, "-") {
		s = "./" + s // or it would be taken for a flag
	}
	plain := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:+,%@=-", r)
	}) < 0
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// oneLine keeps a message greppable: joined errors come on several lines.
func oneLine(msg string) string {
	return clean(strings.Join(strings.FieldsFunc(msg, func(r rune) bool { return r == '\n' || r == '\r' }), "; "))
}

// clean takes control characters out of what comes from data, so that a name or
// a value cannot move the cursor or break a line.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '·'
		}
		return r
	}, s)
}

// shortID is enough of a replica's name for people to tell it from others.
func shortID(id string) string { return id[:min(len(id), 8)] }
