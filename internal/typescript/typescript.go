// Package typescript writes the tables and views of a schema as TypeScript
// types: Relations lists them, Write writes them. For each table come the type
// of its rows, the type of what an insert gives, and one type that names them
// all.
//
// Caveat. In a table that is not STRICT a column can hold values of another type
// than it declares; the types say what it declares.
package typescript

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Options of Write.
type Options struct {
	Source string // where the schema comes from, for the comment on top
	BigInt bool   // integers are bigint, for a database that was opened so
}

// Write writes the types.
func Write(w io.Writer, all []Relation, o Options) error {
	f := &file{o: o, taken: map[string]bool{"Tables": true, "TableName": true, "SqlValue": true}}
	for _, r := range all {
		f.relation(r)
	}
	f.tables()
	head := "// Written by `tidemark generate ts " + comment(o.Source) + "`. Do not edit: write it anew when the schema changes.\n\n"
	if f.anything {
		head += "import type { SqlValue } from \"@tidemark/client\";\n\n"
	}
	_, err := io.WriteString(w, head+f.text.String())
	return err
}

type file struct {
	o        Options
	text     strings.Builder
	taken    map[string]bool
	named    []named
	anything bool // some column can hold any value
}

type named struct{ relation, row, insert string }

func (f *file) relation(r Relation) {
	n := named{relation: r.Name, row: f.name(r)}
	f.printf("/** A row of %s%s. */\nexport interface %s {\n", comment(oneLine(r.Name)), remark(r), n.row)
	for _, c := range r.Columns {
		f.printf("  %s: %s;\n", property(c.Name), f.typeOf(c))
	}
	f.printf("}\n\n")
	if !r.View {
		n.insert = n.row + "Insert"
		f.insert(r, n.insert)
	}
	f.named = append(f.named, n)
}

func (f *file) insert(r Relation, name string) {
	f.printf("/** What an insert into %s gives. */\nexport interface %s {\n", comment(oneLine(r.Name)), name)
	for _, c := range r.Columns {
		switch {
		case c.Generated:
		case c.Optional:
			f.printf("  %s?: %s | undefined;\n", property(c.Name), f.typeOf(c))
		default:
			f.printf("  %s: %s;\n", property(c.Name), f.typeOf(c))
		}
	}
	f.printf("}\n\n")
}

// tables writes the type that names all others.
func (f *file) tables() {
	f.printf("/** All tables and views by their names. A view has no insert. */\nexport interface Tables {\n")
	for _, n := range f.named {
		insert := "never"
		if n.insert != "" {
			insert = n.insert
		}
		f.printf("  %s: { row: %s; insert: %s };\n", property(n.relation), n.row, insert)
	}
	f.printf("}\n\nexport type TableName = keyof Tables;\n")
}

func (f *file) printf(format string, args ...any) { fmt.Fprintf(&f.text, format, args...) }

func remark(r Relation) string {
	switch {
	case r.View:
		return ", a view"
	case r.Local:
		return ", which does not sync"
	}
	return ""
}

// name makes a name for the type of a relation's rows, which with Insert behind it is free too.
func (f *file) name(r Relation) string {
	var b strings.Builder
	up := true
	for _, c := range r.Name {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			up = true
			continue
		case up:
			c = unicode.ToUpper(c)
		}
		up = false
		b.WriteRune(c)
	}
	base := b.String()
	if base == "" || unicode.IsDigit([]rune(base)[0]) {
		base = "Table" + base
	}
	name := base
	for i := 2; f.taken[name] || f.taken[name+"Insert"]; i++ {
		name = base + strconv.Itoa(i)
	}
	f.taken[name], f.taken[name+"Insert"] = true, true
	return name
}

var identifier = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`)

// property writes the name of a property, in quotes where it needs them.
func property(name string) string {
	if identifier.MatchString(name) {
		return name
	}
	return quoted(name)
}

// quoted writes a string as JSON, which TypeScript reads as the same string.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings can always be written
	}
	return string(b)
}

func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == '\u2028' || c == '\u2029' {
			return ' '
		}
		return c
	}, s)
}

// comment keeps text from ending the comment that it stands in.
func comment(s string) string { return strings.ReplaceAll(oneLine(s), "*/", "* /") }
