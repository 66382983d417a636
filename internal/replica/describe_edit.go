package replica

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// describeEdit says for people what an edit does to the value that it meets:
// "+3", "add "c", remove "b"", "set /x/y = 1, remove /z", "at 6 insert "brave "".
// It is "" for an edit that sets a value.
func describeEdit(e tidemark.Edit) string {
	s, ok := "", false
	switch e.Kind {
	case tidemark.EditSet:
		return ""
	case tidemark.EditAdd:
		if s, ok = e.Body, true; !strings.HasPrefix(s, "-") {
			s = "+" + s
		}
	case tidemark.EditMembers:
		s, ok = describeMembers(e.Body)
	case tidemark.EditKeys:
		s, ok = describeKeys(e.Body)
	case tidemark.EditText:
		s, ok = describeText(e.Body)
	}
	if !ok {
		return e.Body
	}
	return s
}

func describeMembers(body string) (string, bool) {
	var all []json.RawMessage
	if json.Unmarshal([]byte(body), &all) != nil || len(all) < 2 {
		return "", false
	}
	var parts []string
	for i, verb := range []string{"add ", "remove "} {
		var members []json.RawMessage
		if json.Unmarshal(all[i], &members) != nil {
			return "", false
		}
		for _, m := range members {
			parts = append(parts, verb+string(m))
		}
	}
	return strings.Join(parts, ", "), true
}

func describeKeys(body string) (string, bool) {
	var all []json.RawMessage
	if json.Unmarshal([]byte(body), &all) != nil {
		return "", false
	}
	var parts []string
	for _, one := range all {
		var item []json.RawMessage
		if json.Unmarshal(one, &item) != nil || len(item) != 3 {
			continue // the object as it was left, behind the keys
		}
		var path []string
		var value []json.RawMessage
		if json.Unmarshal(item[0], &path) != nil || json.Unmarshal(item[2], &value) != nil {
			return "", false
		}
		at := "/" + strings.Join(path, "/")
		if len(value) == 0 {
			parts = append(parts, "remove "+at)
			continue
		}
		parts = append(parts, "set "+at+" = "+string(value[0]))
	}
	return strings.Join(parts, ", "), true
}

func describeText(body string) (string, bool) {
	p, err := parsePatch(body)
	if err != nil {
		return "", false
	}
	var parts []string
	for _, s := range p {
		at := "at " + strconv.Itoa(s.At)
		if s.Delete > 0 {
			at += " delete " + strconv.Itoa(s.Delete)
			if s.Deleted != "" {
				at += " (" + strconv.Quote(s.Deleted) + ")"
			}
		}
		if s.Insert != "" {
			at += " insert " + strconv.Quote(s.Insert)
		}
		parts = append(parts, at)
	}
	return strings.Join(parts, ", "), true
}

// parsePatch reads the patch of an edit of a text, as it is sent or as it is kept.
func parsePatch(body string) (splice.Patch, error) {
	if e, err := splice.ParseEdit(body); err == nil {
		return e.Patch, nil
	}
	return splice.ParseBody(body)
}
