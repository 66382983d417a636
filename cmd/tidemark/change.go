package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// value is an SQLite value in JSON, in the exact form of spec/protocol.md.
type value tidemark.Value

// MarshalJSON implements json.Marshaler.
func (v value) MarshalJSON() ([]byte, error) { return wire.AppendValue(nil, tidemark.Value(v)), nil }

func values(list []tidemark.Value) []value {
	if list == nil {
		return nil
	}
	out := make([]value, len(list))
	for i, v := range list {
		out[i] = value(v)
	}
	return out
}

// change is a change with names instead of places, for JSON.
type change struct {
	Table   string   `json:"table"`
	Op      string   `json:"op"`
	Key     []value  `json:"key"`
	Columns []string `json:"columns,omitempty"`
	New     []value  `json:"new,omitempty"`
	Old     []value  `json:"old,omitempty"`
	Edits   []*edit  `json:"edits,omitempty"`
}

var _ json.Marshaler = value{}

func named(s *tidemark.Schema, changes []tidemark.Change) []change {
	out := make([]change, len(changes))
	for i, c := range changes {
		out[i] = change{
			Table: tableName(s, c.Table), Op: c.Op.String(), Key: values(c.Key),
			Columns: columnNames(s, c), New: values(c.New), Old: values(c.Old),
			Edits: edits(c),
		}
	}
	return out
}

func tableName(s *tidemark.Schema, id int) string {
	if t := s.Table(id); t != nil {
		return t.Name
	}
	return fmt.Sprintf("table %d", id)
}

// columnNames names the columns that New, or for a delete Old, has values for.
func columnNames(s *tidemark.Schema, c tidemark.Change) []string {
	places := c.Cols
	if c.Op != tidemark.Update {
		places = places[:0:0]
		for i := range max(len(c.New), len(c.Old)) {
			places = append(places, i)
		}
	}
	names := make([]string, len(places))
	t := s.Table(c.Table)
	for i, p := range places {
		if names[i] = fmt.Sprintf("column %d", p); t != nil && p < len(t.Columns) {
			names[i] = t.Columns[p].Name
		}
	}
	return names
}

// describe writes a change on one line for people.
func describe(s *tidemark.Schema, c tidemark.Change) string {
	head := fmt.Sprintf("%s %s %s", c.Op, tableName(s, c.Table), keyText(c.Key))
	names := columnNames(s, c)
	var parts []string
	switch c.Op {
	case tidemark.Update:
		for i, v := range c.New {
			if e := c.EditOf(i); e.Kind != tidemark.EditSet {
				parts = append(parts, editText(names[i], e))
				continue
			}
			part := names[i] + " = " + short(v)
			if i < len(c.Old) {
				part += " (was " + short(c.Old[i]) + ")"
			}
			parts = append(parts, part)
		}
	case tidemark.Insert:
		for i, v := range c.New {
			parts = append(parts, names[i]+" = "+short(v))
		}
	}
	if len(parts) == 0 {
		return clean(head)
	}
	return clean(head + ": " + strings.Join(parts, ", "))
}

func keyText(key []tidemark.Value) string {
	parts := make([]string, len(key))
	for i, v := range key {
		parts[i] = short(v)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// short writes a value so that it fits on a line with others.
func short(v tidemark.Value) string { return shortText(v.String()) }

func shortText(s string) string {
	s = clean(s)
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// touched names the tables of changes.
func touched(s *tidemark.Schema, changes []tidemark.Change) []string {
	names := []string{}
	for _, c := range changes {
		if n := tableName(s, c.Table); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// summary says what changes touch: "3 rows in Album, Track".
func summary(s *tidemark.Schema, changes []tidemark.Change) string {
	if len(changes) == 0 {
		return "nothing"
	}
	return clean(plural(len(changes), "row") + " in " + strings.Join(touched(s, changes), ", "))
}
