package policy

import (
	"slices"
	"strconv"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// reader turns YAML nodes into a Config and collects what is wrong.
type reader struct{ log }

// field is one pair of a mapping.
type field struct {
	key   Setting[string]
	value ast.Node
}

// at is where a node stands: for a mapping its first key.
func at(n ast.Node) At {
	switch n := n.(type) {
	case nil:
		return At{}
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return at(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return at(n.Key)
	}
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return At{1, 1}
	}
	return At{t.Position.Line, t.Position.Column}
}

// fields lists the pairs of a mapping; nothing there is no pair.
func (r *reader) fields(n ast.Node, what string) []field {
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		r.unfit(n, what+" needs lines of the form KEY: VALUE")
		return nil
	}
	out := make([]field, 0, len(pairs))
	for _, p := range pairs {
		if key, ok := r.key(p.Key); ok {
			out = append(out, field{key, p.Value})
		}
	}
	return out
}

// key reads a key as it is written: a table may be called 1 or null.
func (r *reader) key(n ast.MapKeyNode) (Setting[string], bool) {
	if s, ok := word(n); ok {
		return Setting[string]{s, at(n)}, true
	}
	r.unfit(n, "a key is a plain name")
	return Setting[string]{}, false
}

// items lists what a sequence holds.
func (r *reader) items(n ast.Node, what string) []ast.Node {
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.SequenceNode:
		return n.Values
	}
	r.unfit(n, what+" are a list: [A, B], or lines that begin with -")
	return nil
}

// scalar reads one word. What is not there is a problem too.
func (r *reader) scalar(n ast.Node, what string) Setting[string] {
	s, ok := word(n)
	if _, null := n.(*ast.NullNode); null || ok && s == "" {
		r.add(at(n), "write "+what+" here, or take the line out", "the value is missing")
		return Setting[string]{}
	}
	if !ok {
		r.unfit(n, "here goes "+what)
		return Setting[string]{}
	}
	return Setting[string]{s, at(n)}
}

// word is a scalar as it is written.
func word(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// unfit tells that a node is not what belongs here.
func (r *reader) unfit(n ast.Node, msg string) {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode, *ast.MappingKeyNode:
		r.add(at(n), "write it out", "anchors, aliases, tags and keys with ? or << are not read here")
	default:
		r.add(at(n), "the guide shows a complete file: docs/guide/policies.md", "%s", msg)
	}
}

// choice reads a word that is one of a list.
func choice[T ~string](r *reader, f field, what string, of []T) Setting[T] {
	s := r.scalar(f.value, "one of "+join(of))
	if !s.Declared() {
		return Setting[T]{}
	}
	if !slices.Contains(of, T(s.Value)) {
		names := make([]string, len(of))
		for i, o := range of {
			names[i] = string(o)
		}
		r.add(s.At, meant(s.Value, names, "there are"), "%s is no %s", s.Value, what)
		return Setting[T]{}
	}
	return Setting[T]{T(s.Value), s.At}
}

func join[T ~string](list []T) string {
	out := ""
	for i, s := range list {
		if i > 0 {
			out += ", "
		}
		out += string(s)
	}
	return out
}

func (r *reader) duration(f field) (d Setting[time.Duration]) {
	s := r.scalar(f.value, "a duration such as 30d, 12h or 5m")
	if !s.Declared() {
		return d
	}
	v, err := parseDuration(s.Value)
	if err != nil {
		r.add(s.At, "write a number and a unit: 30d, 12h, 5m, 90s, 2w", "%v", err)
		return d
	}
	return Setting[time.Duration]{v, s.At}
}

func (r *reader) lease(f field) (d Setting[int]) {
	s := r.scalar(f.value, "the number of ids in a block")
	if !s.Declared() {
		return d
	}
	n, err := strconv.Atoi(s.Value)
	if err != nil || n < leastLease || n > mostLease {
		r.add(s.At, "100 suits most tables", "a lease is a number of ids from %d to %d, not %s", leastLease, mostLease, s.Value)
		return d
	}
	return Setting[int]{n, s.At}
}
