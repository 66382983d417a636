package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// edit is what an update does to a value, for JSON; spec/protocol.md says what
// the bodies mean. Where there is one, the values beside it are null.
type edit struct {
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body"`
}

var editKinds = map[tidemark.EditKind]string{
	tidemark.EditAdd: "add", tidemark.EditText: "text", tidemark.EditMembers: "members", tidemark.EditKeys: "keys",
}

// edits lists those of a change, one for each of its columns; nil when it has none.
func edits(c tidemark.Change) []*edit {
	if len(c.Edits) == 0 {
		return nil
	}
	out := make([]*edit, len(c.Edits))
	for i, e := range c.Edits {
		if e.Kind != tidemark.EditSet {
			out[i] = &edit{editKinds[e.Kind], json.RawMessage(e.Body)}
		}
	}
	return out
}

// editText writes an edit for people; what it cannot read it shows as it is.
func editText(column string, e tidemark.Edit) string {
	what := ""
	switch e.Kind {
	case tidemark.EditAdd:
		if less, ok := strings.CutPrefix(e.Body, "-"); ok {
			return column + " -= " + less
		}
		return column + " += " + e.Body
	case tidemark.EditText:
		what = splicesText(e.Body)
	case tidemark.EditMembers:
		what = membersText(e.Body)
	case tidemark.EditKeys:
		what = keysText(e.Body)
	}
	if what == "" {
		what = " edited by " + e.Body
	}
	return column + what
}

// mostParts bounds how much of one edit is shown.
const mostParts = 3

func splicesText(body string) string {
	e, err := splice.ParseEdit(body)
	patch := e.Patch
	if err != nil {
		if patch, err = splice.ParseBody(body); err != nil {
			return ""
		}
	}
	var parts []string
	for _, s := range patch {
		part := fmt.Sprintf("at %d", s.At)
		switch {
		case s.Deleted != "":
			part += " -" + short(tidemark.Text(s.Deleted))
		case s.Delete > 0:
			part += fmt.Sprintf(" -%d", s.Delete)
		}
		if s.Insert != "" {
			part += " +" + short(tidemark.Text(s.Insert))
		}
		parts = append(parts, part)
	}
	return list(parts)
}

func membersText(body string) string {
	var sides [][]json.RawMessage
	if json.Unmarshal([]byte(strings.TrimSpace(firstTwo(body))), &sides) != nil || len(sides) < 2 {
		return ""
	}
	var parts []string
	for i, sign := range []string{"+", "-"} {
		for _, m := range sides[i] {
			parts = append(parts, sign+shortText(string(m)))
		}
	}
	return list(parts)
}

// firstTwo cuts the spelling off that may stand behind the two lists.
func firstTwo(body string) string {
	var all []json.RawMessage
	if json.Unmarshal([]byte(body), &all) != nil || len(all) < 2 {
		return body
	}
	return "[" + string(all[0]) + "," + string(all[1]) + "]"
}

func keysText(body string) string {
	var all []json.RawMessage
	if json.Unmarshal([]byte(body), &all) != nil {
		return ""
	}
	var parts []string
	for _, raw := range all {
		var path []string
		var was, is []json.RawMessage
		if err := json.Unmarshal(raw, &[]any{&path, &was, &is}); err != nil {
			continue // the spelling of the whole
		}
		part := "." + strings.Join(path, ".")
		if len(is) == 0 {
			part = "-" + part
		} else {
			part += " = " + shortText(string(is[0]))
		}
		parts = append(parts, part)
	}
	return list(parts)
}

// list joins what was done to a value, the rest by its number.
func list(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	if n := len(parts); n > mostParts {
		parts = append(parts[:mostParts:mostParts], fmt.Sprintf("%d more", n-mostParts))
	}
	return " " + strings.Join(parts, ", ")
}
