package hub_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// The scopes of the memory store: the note of an item lists, with commas, those
// that it is in, and an item named `grant ann: a b` lets ann read a and b.

// memoryFed is what the store keeps of a row and a scope.
type memoryFed struct {
	scope string
	row   memoryRow
	seq   tidemark.Seq
	live  bool
	died  bool // it left by dying
}

// scoped declares scopes.
func (m *memoryStore) scoped() *memoryStore {
	s := items()
	s.Scopes, s.Declared, s.Hash = []string{"a", "b", "c"}, "declared", "scoped"
	m.now.setSchema(s)
	return m
}

func scopesIn(row []tidemark.Value) []string {
	if len(row) < 3 || row[2].Str() == "" {
		return nil
	}
	return strings.Split(row[2].Str(), ",")
}

func grantIn(row []tidemark.Value) (who string, scopes []string) {
	if len(row) < 2 {
		return "", nil
	}
	rest, is := strings.CutPrefix(row[1].Str(), "grant ")
	if !is {
		return "", nil
	}
	who, list, _ := strings.Cut(rest, ":")
	return who, strings.Fields(list)
}

// follow keeps the feed.
func (x *memoryTx) follow(e tidemark.LogEntry) {
	if !x.books.schema.Scoped() {
		return
	}
	if x.concerned == nil {
		x.concerned = map[string]bool{}
	}
	for _, c := range e.Effects {
		id := x.id(c.Table, c.Key)
		r := x.books.rows[id]
		for _, row := range [][]tidemark.Value{x.books.effects[id].before, c.Old, c.New, r.values} {
			if who, _ := grantIn(row); who != "" {
				x.concerned[who] = true
			}
		}
		now := scopesIn(r.values)
		for _, scope := range now {
			f, was := x.books.feed[id+" "+scope]
			if !was || !f.live {
				f = memoryFed{scope: scope}
			}
			f.row, f.seq, f.live, f.died = r, e.Seq, true, false
			x.books.feed[id+" "+scope] = f
		}
		for name, f := range x.books.feed {
			if f.live && strings.HasPrefix(name, id+" ") && !slices.Contains(now, f.scope) {
				f.row, f.seq, f.live, f.died = r, e.Seq, false, r.values == nil
				x.books.feed[name] = f
			}
		}
	}
}

func (x *memoryTx) Granted(p tidemark.Principal) ([]string, error) {
	x.m.asked++
	set := map[string]bool{}
	for _, r := range x.books.rows {
		if who, scopes := grantIn(r.values); who != "" && who == p.ID {
			for _, scope := range scopes {
				set[scope] = true
			}
		}
	}
	if also, _ := p.Claims["also"].(string); also != "" {
		set[also] = true
	}
	return slices.Sorted(maps.Keys(set)), nil
}

func (x *memoryTx) Feed(after tidemark.ScopeCursor, from []tidemark.ScopeFrom, fn func(tidemark.ScopeCursor, tidemark.Change) bool) error {
	list := slices.Collect(maps.Values(x.books.feed))
	slices.SortFunc(list, func(a, b memoryFed) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), strings.Compare(a.scope, b.scope), cmp.Compare(a.row.table, b.row.table), strings.Compare(a.row.keyID, b.row.keyID))
	})
	for _, f := range list {
		i := slices.IndexFunc(from, func(s tidemark.ScopeFrom) bool { return s.Scope == f.scope })
		at := tidemark.ScopeCursor{Seq: f.seq, Scope: f.scope, Table: f.row.table, KeyID: f.row.keyID}
		if i < 0 || f.seq <= from[i].After || from[i].After < 0 && !f.live && f.seq <= from[i].Gone || after != (tidemark.ScopeCursor{}) && !behind(at, after) {
			continue
		}
		c := tidemark.Change{Table: f.row.table, Op: tidemark.Insert, Key: f.row.key, New: x.books.rows[x.id(f.row.table, f.row.key)].values}
		switch {
		case f.died:
			c.Op, c.New = tidemark.Delete, nil
		case !f.live:
			c.Op, c.New = tidemark.Forget, nil
		}
		if !fn(at, c) {
			return nil
		}
	}
	return nil
}

func behind(a, b tidemark.ScopeCursor) bool {
	return cmp.Or(cmp.Compare(a.Seq, b.Seq), strings.Compare(a.Scope, b.Scope), cmp.Compare(a.Table, b.Table), strings.Compare(a.KeyID, b.KeyID)) > 0
}

// sumOf is what the tests' replicas compute, too.
func sumOf(key []tidemark.Value, row []tidemark.Value) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, key, row)
	return h.Sum64()
}

func (x *memoryTx) ScopeSums(scopes []string) ([]uint64, error) {
	sums := make([]uint64, len(scopes))
	for i, scope := range scopes {
		for _, f := range x.books.feed {
			if f.scope == scope && f.live {
				sums[i] += sumOf(f.row.key, x.books.rows[x.id(f.row.table, f.row.key)].values)
			}
		}
	}
	return sums, nil
}

func (x *memoryTx) ScopesOf(table int, key []tidemark.Value) ([]tidemark.RowScope, error) {
	var out []tidemark.RowScope
	for name, f := range x.books.feed {
		if strings.HasPrefix(name, x.id(table, key)+" ") {
			out = append(out, tidemark.RowScope{Scope: f.scope, Live: f.live, Seq: f.seq})
		}
	}
	slices.SortFunc(out, func(a, b tidemark.RowScope) int { return strings.Compare(a.Scope, b.Scope) })
	return out, nil
}

// Parts tells rows that came from those that stayed by what was there when the
// group began.
func (x *memoryTx) Parts(after tidemark.Seq) ([]tidemark.ScopePart, error) {
	parts := map[string]*tidemark.ScopePart{}
	for _, name := range slices.Sorted(maps.Keys(x.books.feed)) {
		f := x.books.feed[name]
		if f.seq <= after {
			continue
		}
		p := parts[f.scope]
		if p == nil {
			p = &tidemark.ScopePart{Scope: f.scope}
			parts[f.scope] = p
		}
		was := x.m.now.feed[name].live
		c := tidemark.Change{Table: f.row.table, Key: f.row.key}
		switch {
		case f.live && was:
			c.Op = tidemark.Update
		case f.live:
			c.Op, c.New = tidemark.Insert, x.books.rows[x.id(f.row.table, f.row.key)].values
		case f.died:
			c.Op = tidemark.Delete
		default:
			c.Op = tidemark.Forget
		}
		p.Changes = append(p.Changes, c)
	}
	var out []tidemark.ScopePart
	for _, scope := range slices.Sorted(maps.Keys(parts)) {
		sums, _ := x.ScopeSums([]string{scope})
		parts[scope].Sum = sums[0]
		out = append(out, *parts[scope])
	}
	return out, nil
}

func (x *memoryTx) Concerned() (all bool, principals []string) {
	principals = slices.Sorted(maps.Keys(x.concerned))
	x.concerned = nil
	return false, principals
}
