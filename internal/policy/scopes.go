package policy

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/scope"
)

// Scopes is what a file declares about who holds which rows.
type Scopes struct {
	At   At
	List []Scope
}

// Scope is a kind of scope.
type Scope struct {
	Name    Setting[string]
	Grant   Setting[string] // none, public, or a query
	Members []Member
}

// Member is a table in a kind of scope.
type Member struct {
	Table Setting[string]
	By    Setting[string] // as it is written
	Path  []string        // empty for all
	Where Setting[string]
}

var scopeEntries = []entry[Scope]{
	{"grant", func(r *reader, d *Scope, f field) { d.Grant = r.grant(f.value) }},
	{"tables", (*reader).scopedTables},
}

var memberEntries = []entry[Member]{
	{"by", func(r *reader, d *Member, f field) { r.by(d, f.value) }},
	{"where", func(r *reader, d *Member, f field) { d.Where = r.scalar(f.value, "a condition on the table's columns") }},
}

const nameHint = "use letters, digits, _ and -, a letter first: the scopes are then called NAME/KEY"

// scopes reads the section. One that declares nothing would keep every row on the server.
func (r *reader) scopes(c *Config, f field) {
	c.Scopes = &Scopes{At: f.key.At}
	before := len(r.found)
	seen := map[string]bool{}
	for _, e := range r.fields(f.value, "scopes") {
		switch {
		case strings.EqualFold(e.key.Value, scope.All):
			r.add(e.key.At, "give it another name", "a scope cannot be called %s: that is everything, where no scopes are declared", e.key.Value)
		case !scope.ValidName(e.key.Value):
			r.add(e.key.At, nameHint, "%s is no name for a scope", e.key.Value)
		case !r.again(seen, e.key, "scope"):
			r.scope(c.Scopes, e)
		}
	}
	if len(c.Scopes.List) == 0 && len(r.found) == before {
		r.add(f.key.At, "take it out: without scopes every copy has everything", "scopes declares no scope")
	}
}

func (r *reader) scope(d *Scopes, e field) {
	k := Scope{Name: e.key}
	before := len(r.found)
	if readEntries(r, e.value, "a scope", scopeEntries, &k); len(r.found) > before {
		return
	}
	name := k.Name.Value
	switch {
	case !k.Grant.Declared():
		r.add(k.Name.At, "write grant: a query for the keys that :user may read, or public, or none", "scope %s has no grant: nobody could read it", name)
	case len(k.Members) == 0:
		r.add(k.Name.At, "write tables: and below it TABLE: COLUMN, with the column that holds the key", "scope %s has no tables", name)
	case r.mixed(&k):
	case k.keyed() && k.Grant.Value == tidemark.GrantPublic:
		r.add(k.Grant.At, "write the query for the keys that everybody may read, or make it a scope without a key: TABLE: all", "scope %s has a key, so public does not say which of them", name)
	default:
		d.List = append(d.List, k)
	}
}

// keyed reports whether there are several scopes of the kind.
func (k *Scope) keyed() bool { return len(k.Members[0].Path) > 0 }

// mixed tells where some tables have a key and some have none.
func (r *reader) mixed(k *Scope) bool {
	i := slices.IndexFunc(k.Members, func(m Member) bool { return len(m.Path) == 0 != !k.keyed() })
	if i >= 0 {
		r.add(k.Members[i].By.At, "make two scopes: one whose tables have a key, and one whose tables are all",
			"scope %s has a key by table %s, and none by table %s", k.Name.Value, keyedOne(k, true), keyedOne(k, false))
	}
	return i >= 0
}

// keyedOne names a table with a key, or one without.
func keyedOne(k *Scope, keyed bool) string {
	for _, m := range k.Members {
		if len(m.Path) > 0 == keyed {
			return m.Table.Value
		}
	}
	return ""
}

// grant reads none, public or a query. What is empty is no grant.
func (r *reader) grant(n ast.Node) Setting[string] {
	s := r.scalar(n, "none, public, or a query for the keys that :user may read")
	s.Value = strings.TrimSpace(s.Value)
	switch word := strings.ToLower(s.Value); {
	case !s.Declared():
	case word == "":
		r.add(s.At, "write none, public, or a query for the keys that :user may read", "the grant is empty")
		return Setting[string]{}
	case slices.Contains(ruleDefaults, word):
		s.Value = word
	case word == "true" || word == "yes" || word == "false" || word == "no" || word == "all":
		r.add(s.At, "write public for everybody, none for nobody", "%s is no grant", s.Value)
		return Setting[string]{}
	}
	return s
}

func (r *reader) scopedTables(d *Scope, f field) {
	seen := map[string]bool{}
	for _, e := range r.fields(f.value, "the tables of a scope") {
		if id := schema.Fold(e.key.Value); seen[id] {
			r.add(e.key.At, "a table is in a kind of scope by one path: make another kind for the other", "table %s is in the scope twice", e.key.Value)
			continue
		}
		seen[schema.Fold(e.key.Value)] = true
		m := Member{Table: e.key}
		before := len(r.found)
		if _, ok := e.value.(ast.MapNode); ok {
			readEntries(r, e.value, "a table of a scope", memberEntries, &m)
			if !m.By.Declared() && len(r.found) == before {
				r.add(at(e.value), "add by: COLUMN, or by: all", "by is missing: nothing says which scope a row of %s is in", e.key.Value)
			}
		} else {
			r.by(&m, e.value)
		}
		if len(r.found) == before {
			d.Members = append(d.Members, m)
		}
	}
}

// by reads the way to the key: columns with dots between them, or all. Quotes
// keep a column of that name, or a dot in one, from being taken for it.
func (r *reader) by(m *Member, n ast.Node) {
	const what = "the column that holds the key, or COLUMN.COLUMN where the first is a foreign key, or all"
	if m.By = r.scalar(n, what); !m.By.Declared() || m.By.Value == scope.All {
		return
	}
	path, ok := splitPath(m.By.Value)
	if !ok {
		r.add(m.By.At, "write "+what, "%s is no way to a key", m.By.Value)
	}
	m.Path = path
}

// splitPath splits at dots that are not inside quotes.
func splitPath(text string) (path []string, ok bool) {
	for rest := text; ; {
		rest = strings.TrimLeft(rest, " ")
		name, after := "", ""
		if end := closing(rest); end > 0 {
			name, after = schema.Lex(rest[:end])[0].Name, strings.TrimLeft(rest[end:], " ")
			if after != "" && after[0] != '.' {
				return nil, false
			}
		} else {
			if i := strings.IndexByte(rest, '.'); i >= 0 {
				rest, after = rest[:i], rest[i:]
			}
			if name = strings.TrimSpace(rest); name == "" {
				return nil, false
			}
		}
		if path = append(path, name); after == "" {
			return path, true
		}
		rest = after[1:]
	}
}

// closing is where the quoted name ends that a text begins with, or 0.
func closing(text string) int {
	if text == "" || !strings.ContainsRune("\"`[", rune(text[0])) {
		return 0
	}
	x := schema.Lex(text)[0]
	if last := text[x.End-1]; x.End < 2 || last != map[byte]byte{'"': '"', '`': '`', '[': ']'}[text[0]] {
		return 0
	}
	return x.End
}

// ScopesFor returns what a file declares about scopes, for any schema, as stores take it.
func ScopesFor(c *Config) func(*tidemark.Schema) (*tidemark.Scopes, error) {
	return func(s *tidemark.Schema) (*tidemark.Scopes, error) { return ScopesOf(c, s) }
}

// ScopesOf holds the scopes of a file against a schema; nil when it declares
// none. The error says what does not fit; that is left out, so that its rows stay on
// the server, or is granted to nobody.
func ScopesOf(c *Config, s *tidemark.Schema) (*tidemark.Scopes, error) {
	if c == nil || c.Scopes == nil {
		return nil, nil
	}
	l := log{file: c.Name, lines: c.lines}
	fit := c.fitScopes(&l, s)
	return fit, l.found.asError()
}

// fitScopes returns what fits, and tells the rest.
func (c *Config) fitScopes(l *log, s *tidemark.Schema) *tidemark.Scopes {
	d := c.Scopes.declared(l, c.Rules)
	fit, misfits, err := scope.Check(s, d)
	if err != nil {
		l.add(c.Scopes.At, "tidemark check FILE says what of the schema cannot be used", "the scopes cannot be checked: %v", err)
		for i := range d.List {
			d.List[i].Members, d.List[i].Grant = nil, tidemark.GrantNone
		}
		return d
	}
	if len(s.Tables) == 0 {
		return fit // a database without tables is to get them yet
	}
	for _, m := range misfits {
		hint := m.Hint
		if m.Word != "" {
			hint = meant(m.Word, m.Known, m.Of)
		}
		l.add(c.Scopes.at(m), hint, "%v", m)
	}
	return fit
}

// declared is the section in the words of package tidemark, named conditions
// written out.
func (d *Scopes) declared(l *log, r *Rules) *tidemark.Scopes {
	out := &tidemark.Scopes{}
	for i := range d.List {
		k := &d.List[i]
		s := tidemark.Scope{Name: k.Name.Value, Keyed: k.keyed(), Grant: k.Grant.Value}
		if r != nil && !slices.Contains(ruleDefaults, s.Grant) {
			grant, err := r.Expand(s.Grant)
			if err != nil {
				l.add(k.Grant.At, hintFor(err), "scope %s: %v", s.Name, err)
				grant = tidemark.GrantNone
			}
			s.Grant = grant
		}
		for _, m := range k.Members {
			s.Members = append(s.Members, tidemark.Member{Table: m.Table.Value, Path: m.Path, Where: m.Where.Value})
		}
		out.List = append(out.List, s)
	}
	return out
}

// at is where the file says what does not fit.
func (d *Scopes) at(m scope.Misfit) At {
	for i := range d.List {
		k := &d.List[i]
		if k.Name.Value != m.Kind {
			continue
		}
		if m.What == scope.OnGrant {
			return k.Grant.At
		}
		for _, x := range k.Members {
			switch {
			case x.Table.Value != m.Table:
			case m.What == scope.OnTable:
				return x.Table.At
			case m.What == scope.OnWhere:
				return x.Where.At
			default:
				return x.By.At
			}
		}
	}
	return d.At
}

// layScopes writes into a schema which kinds of scopes there are, and which
// foreign keys copies do without.
func (c *Config) layScopes(l *log, s *tidemark.Schema) {
	fit := c.fitScopes(l, s)
	plan, _ := scope.Fit(s, fit)
	scope.Lay(s, fit, plan)
}
