package twin

import (
	"fmt"
	"slices"
	"strings"
)

// compare compares everything that two devices store.
func (r *run) compare(a, b *machine) string {
	r.stats.Dumps++
	one, err := a.dev.dump()
	a.w.must(err, "reading a copy")
	two, err := b.dev.dump()
	b.w.must(err, "reading a copy")
	names := map[string]bool{}
	for n := range one {
		names[n] = true
	}
	for n := range two {
		names[n] = true
	}
	for _, n := range sorted(names) {
		if text := diff(fmt.Sprintf("device %d, %s: ", a.number, n), one[n], two[n]); text != "" {
			return text
		}
	}
	return ""
}

// converged compares the app's tables of all devices of a world, those of both
// kinds with each other.
func (r *run) converged() string {
	w := r.worlds[1]
	first, err := w.server.tables()
	w.must(err, "reading the served file")
	for _, d := range w.devices {
		if d.state != "idle" || d.changed {
			continue // one that was stopped, or has other tables, is not expected to follow
		}
		here, err := d.dev.dump()
		w.must(err, "reading a copy")
		want := first
		if w.scoped {
			want, err = w.server.visible(d)
			w.must(err, "reading what a device may see")
		}
		for name, rows := range want {
			if text := diff(fmt.Sprintf("server and device %d, %s: ", d.number, name), rows, here[name]); text != "" {
				return text
			}
		}
	}
	return ""
}

// tables reads the app's tables of the served file.
func (s *server) tables() (map[string][]string, error) {
	all, err := dumpAll(s.shell)
	out := map[string][]string{}
	for _, t := range s.hub.Schema().Tables {
		if t.Out == "" {
			out[t.Name] = all[t.Name]
		}
	}
	return out, err
}

// diff shows the first line in which two lists differ, with what went before.
func diff(what string, a, b []string) string {
	if slices.Equal(a, b) {
		return ""
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	at := func(list []string) string {
		if i < len(list) {
			return list[i]
		}
		return "(nothing more)"
	}
	before := ""
	if i > 0 {
		before = "after: " + cut(a[i-1]) + "\n"
	}
	one, two := around(at(a), at(b))
	return fmt.Sprintf("%s%sone: %s\ntwo: %s", before, what, one, two)
}

// around cuts two long lines to what is near their first difference.
func around(a, b string) (string, string) {
	const near = 400
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i <= near/2 {
		return cut(a), cut(b)
	}
	i -= near / 2
	return "... " + cut(a[i:]), "... " + cut(b[i:])
}

func cut(s string) string {
	const most = 1500
	if len(s) > most {
		return s[:most] + " ..."
	}
	return strings.ToValidUTF8(s, "?")
}

func sorted(set map[string]bool) []string {
	var list []string
	for s := range set {
		list = append(list, s)
	}
	slices.Sort(list)
	return list
}
