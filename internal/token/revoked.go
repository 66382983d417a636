package token

import (
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// List says what is no longer good, although its time is not over.
type List struct {
	subs, jtis map[string]bool
}

// ParseRevoked reads a list: a line is `sub: ID` or `jti: ID`, empty, or begins
// with #.
func ParseRevoked(text string) (*List, error) {
	l := &List{subs: map[string]bool{}, jtis: map[string]bool{}}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		kind, id, ok := strings.Cut(line, ":")
		id = strings.TrimSpace(id)
		switch {
		case ok && kind == "sub" && id != "":
			l.subs[id] = true
		case ok && kind == "jti" && id != "":
			l.jtis[id] = true
		default:
			return nil, usage(fmt.Sprintf("line %d of the list of what is revoked cannot be read", i+1), "write `sub: ID` for a principal, `jti: ID` for one token")
		}
	}
	return l, nil
}

// Has reports whether a principal, or its token, is on the list.
func (l *List) Has(p tidemark.Principal) bool {
	return l != nil && (l.subs[p.ID] || p.Token != "" && l.jtis[p.Token])
}
