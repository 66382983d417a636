package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"regexp"
	"strings"
)

// code is one entry of spec/errors.json.
type code struct {
	Code    string `json:"code"`
	Go      string `json:"go"`   // name of the constant, made from the code unless given
	Kind    string `json:"kind"` // rejection, session or operation
	HTTP    int    `json:"http"` // status of an HTTP answer that carries it, 0 where none does
	Meaning string `json:"meaning"`
	Do      string `json:"do"`
}

// kinds in the order in which they are written.
var kinds = []struct{ name, comment string }{
	{"rejection", "Codes of rejected changesets. Some of them also answer a session or a request."},
	{"session", "Codes of refusals that end or delay a session. None of these is an outcome."},
	{"operation", "Codes of operations on files and of requests. None of these is an outcome."},
}

var wellFormed = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// parse reads the list and checks that it says everything of every code.
func parse(text []byte) ([]code, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var codes []code
	if err := d.Decode(&codes); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i := range codes {
		c := &codes[i]
		if c.Go == "" {
			c.Go = constant(c.Code)
		}
		if err := c.check(); err != nil {
			return nil, err
		}
		if seen[c.Code] || seen[c.Go] {
			return nil, fmt.Errorf("%s is there twice", c.Code)
		}
		seen[c.Code], seen[c.Go] = true, true
	}
	return codes, nil
}

func (c *code) check() error {
	switch {
	case !wellFormed.MatchString(c.Code):
		return fmt.Errorf("%q is not a code", c.Code)
	case c.Meaning == "" || c.Do == "":
		return fmt.Errorf("%s needs a meaning and what to do", c.Code)
	case c.HTTP != 0 && (c.HTTP < 400 || c.HTTP > 599):
		return fmt.Errorf("%s: %d is not the status of an error", c.Code, c.HTTP)
	}
	for _, k := range kinds {
		if k.name == c.Kind {
			return nil
		}
	}
	return fmt.Errorf("%s: no such kind %q", c.Code, c.Kind)
}

// constant turns foreign_key into CodeForeignKey.
func constant(code string) string {
	name := "Code"
	for _, word := range strings.Split(code, "_") {
		switch word {
		case "sqlite":
			name += "SQLite"
		default:
			name += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return name
}

// goSource writes codes.go.
func goSource(codes []code) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(`// Code generated from spec/errors.json by internal/gen; DO NOT EDIT.

package tidemark

// Code is a stable error code; spec/errors.json says what each means and what to do.
type Code string
`)
	for _, k := range kinds {
		fmt.Fprintf(&b, "\n// %s\nconst (\n", k.comment)
		for _, c := range codes {
			if c.Kind == k.name {
				fmt.Fprintf(&b, "%s Code = %q\n", c.Go, c.Code)
			}
		}
		b.WriteString(")\n")
	}
	return format.Source(b.Bytes())
}

// tsSource writes codes.ts: a type only, since every byte of the client counts.
func tsSource(codes []code) []byte {
	var b bytes.Buffer
	b.WriteString(`// Generated from spec/errors.json by internal/gen; do not edit.

/** A stable error code; spec/errors.json says what each means and what to do. */
export type Code =
`)
	var lines []string
	for _, k := range kinds {
		comment := "  // " + k.comment + "\n"
		for _, c := range codes {
			if c.Kind == k.name {
				lines = append(lines, fmt.Sprintf("%s  | %q", comment, c.Code))
				comment = ""
			}
		}
	}
	b.WriteString(strings.Join(lines, "\n") + ";\n")
	b.WriteString(`
/** A code of the app's own, by which a hook of the server rejects: "app:" and a name. */
export type AppCode = ` + "`app:${string}`" + `;
`)
	return b.Bytes()
}
