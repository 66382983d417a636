package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
)

// rowsIn counts what is here.
func rowsIn(sc client.Scope) string {
	if !sc.Ready && sc.Rows == 0 {
		return "-"
	}
	return grouped(sc.Rows)
}

// scopeState says where a scope stands.
func scopeState(sc client.Scope, st client.Status) string {
	text := ""
	switch {
	case sc.Ready && !sc.Wanted && st.Unasked:
		text = "leaves with the next sync"
	case sc.Ready && !sc.Wanted:
		text = "here, as in every copy"
	case sc.Ready:
		text = "here"
	case sc.Listed:
		text = "coming"
	case st.Unasked:
		text = "the server was not asked yet"
	default:
		text = "not granted"
	}
	if sc.Priority != 0 {
		text += ", priority " + strconv.FormatInt(sc.Priority, 10)
	}
	return text
}

// scopeNews is what happened to a scope, for JSON.
type scopeNews struct {
	Scope  string `json:"scope"`
	State  string `json:"state"`            // gained, ready, lost
	Rows   int    `json:"rows"`             // ready: that it has; lost: that left the copy
	Reason string `json:"reason,omitempty"` // lost: not_granted, dropped
}

func scopeNewsOf(n client.ScopeNews) scopeNews {
	out := scopeNews{Scope: n.Scope, State: n.State, Rows: n.Rows}
	if n.State == client.ScopeLost {
		out.Reason = "not_granted"
		if n.Unwanted {
			out.Reason = "dropped"
		}
	}
	return out
}

func newsOf(list []client.ScopeNews) []scopeNews {
	var out []scopeNews
	for _, n := range list {
		out = append(out, scopeNewsOf(n))
	}
	return out
}

// tellScopes prints what happened to scopes, but for those that only begin to come.
func tellScopes(s *shell, list []client.ScopeNews) {
	for _, n := range list {
		if n.State != client.ScopeGained {
			s.printf("%s\n", scopeText(n))
		}
	}
}

// scopeText says what happened to a scope.
func scopeText(n client.ScopeNews) string {
	name := clean(n.Scope)
	switch {
	case n.State == client.ScopeReady:
		return fmt.Sprintf("%s is here: %s", name, plural(n.Rows, "row"))
	case n.State == client.ScopeGained:
		return name + " is coming"
	}
	if n.Rows > 0 {
		name = plural(n.Rows, "row") + " of " + name
	}
	if n.Unwanted {
		return name + " left this copy: you dropped it"
	}
	return name + " left this copy: you are no longer granted it"
}

// strayText says that rows left although no scope was lost.
func strayText(n int) string {
	them := "them"
	if n == 1 {
		them = "it"
	}
	return plural(n, "row") + " left this copy: no scope that it holds has " + them + " any more"
}

// leftApart counts rows that left otherwise than with a scope that was lost.
func leftApart(left map[string]int, news []client.ScopeNews) (n int) {
	for _, some := range left {
		n += some
	}
	for _, sc := range news {
		if sc.State == client.ScopeLost {
			n -= sc.Rows
		}
	}
	return n
}

// scopesText names the scopes of a copy for status, the first of many.
func scopesText(list []client.Scope, st client.Status) string {
	const most = 8
	var words []string
	for _, sc := range list[:min(len(list), most)] {
		word := sc.Scope
		if state := scopeState(sc, st); state != "here" {
			word += " (" + state + ")"
		}
		words = append(words, word)
	}
	if more := len(list) - most; more > 0 {
		words = append(words, "and "+grouped(int64(more))+" more")
	}
	if len(words) == 0 {
		return "none is granted"
	}
	return strings.Join(words, ", ")
}

// loosened names the foreign keys that a copy goes without, because it may hold
// a row and not the one that it refers to.
func loosened(sch *tidemark.Schema) []string {
	var out []string
	for _, t := range sch.Tables {
		for _, fk := range t.ForeignKeys {
			if fk.Loose && t.Out == "" {
				out = append(out, clean(fmt.Sprintf("%s (%s) to %s", t.Name, strings.Join(t.ColumnNames(fk.Columns), ", "), fk.Parent)))
			}
		}
	}
	return out
}
