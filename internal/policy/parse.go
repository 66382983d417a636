package policy

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// What a file may hold at most. The YAML parser's time grows with the square
// of the depth; no file that declares something comes near any of these.
const (
	maxFile     = 256 << 10
	maxLine     = 10_000
	maxBrackets = 5_000
)

// The policies by where they may stand.
var (
	columnPolicies = []tidemark.Policy{
		tidemark.PolicyLastWrite, tidemark.PolicyLatestEdit, tidemark.PolicyFirstWrite, tidemark.PolicyCounter,
		tidemark.PolicyMax, tidemark.PolicyMin, tidemark.PolicySet, tidemark.PolicyJSON, tidemark.PolicyText,
		tidemark.PolicyReject, tidemark.PolicyManual, tidemark.PolicyCustom,
	}
	// tablePolicies leave out custom: its function belongs to one column.
	tablePolicies = append([]tidemark.Policy{tidemark.PolicyAppendOnly}, columnPolicies[:len(columnPolicies)-1]...)
	// groupPolicies choose one of two values as they are.
	groupPolicies = []tidemark.Policy{
		tidemark.PolicyLastWrite, tidemark.PolicyLatestEdit, tidemark.PolicyFirstWrite, tidemark.PolicyReject, tidemark.PolicyManual,
	}
	rowPolicies    = []tidemark.RowPolicy{tidemark.DeleteWins, tidemark.UpdateWins, tidemark.RowManual}
	insertPolicies = []tidemark.InsertPolicy{tidemark.InsertMerge, tidemark.InsertReject, tidemark.InsertRenumber}
	keeps          = []string{tidemark.KeepLosers, tidemark.KeepNothing}
)

// Bounds of lease: a smaller block is used up at once, a larger one wastes ids.
const (
	leastLease = 16
	mostLease  = 1000
)

// Load reads a file. It returns nil when there is none.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Err: err, Msg: "the policies cannot be read", Hint: "make the file readable, or move it away"}
	}
	return Parse(text, path)
}

// Beside is where the policies of a database are looked for: for shop.sqlite in
// shop.tidemark.yaml, which is for one of several databases in a folder, else
// in tidemark.yaml.
func Beside(database string) string {
	dir, base := filepath.Split(database)
	own := filepath.Join(dir, strings.TrimSuffix(base, filepath.Ext(base))+"."+FileName)
	if _, err := os.Stat(own); err == nil {
		return own
	}
	return filepath.Join(dir, FileName)
}

// Parse reads the text of a file. name is what errors call it. An error's
// cause is Problems.
func Parse(text []byte, name string) (*Config, error) {
	r := &reader{log{file: name}}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !r.bounded(text) {
		return nil, r.found.asError()
	}
	r.lines = strings.Split(string(text), "\n")
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		r.syntax(err)
		return nil, r.found.asError()
	}
	c := &Config{Name: name, lines: r.lines}
	r.file(c, file)
	if err := r.found.asError(); err != nil {
		return nil, err
	}
	return c, nil
}

// bounded refuses texts that nobody wrote as a configuration.
func (r *reader) bounded(text []byte) bool {
	switch {
	case len(text) > maxFile:
		r.add(At{}, "say it shorter: columns without an entry take their table's policy", "the file has %d bytes, more than %d", len(text), maxFile)
	case bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > maxBrackets:
		r.add(At{}, "write blocks instead", "the file has more than %d brackets", maxBrackets)
	default:
		for i, line := range bytes.Split(text, []byte("\n")) {
			if len(line) > maxLine {
				r.add(At{Line: i + 1}, "break it", "the line has %d bytes, more than %d", len(line), maxLine)
				return false
			}
		}
		return true
	}
	return false
}

// syntax tells what the YAML parser found.
func (r *reader) syntax(err error) {
	var at At
	msg := err.Error()
	var y yaml.Error
	if errors.As(err, &y) {
		msg = y.GetMessage()
		if t := y.GetToken(); t != nil && t.Position != nil {
			at = At{t.Position.Line, t.Position.Column}
		}
	}
	hint := "correct the YAML: indent with spaces, two for each level, and write KEY: VALUE"
	if strings.Contains(msg, "already defined") {
		hint = "make one of both"
	}
	r.add(at, hint, "%s", msg)
}

// An entry says how one key of a mapping is read into D.
type entry[D any] struct {
	key  string
	read func(r *reader, d *D, f field)
}

var fileEntries = []entry[Config]{
	{"tables", (*reader).tables},
	{"rules", (*reader).rules},
	{"scopes", (*reader).scopes},
}

var tableEntries = []entry[Table]{
	{"policy", func(r *reader, t *Table, f field) { t.Policy = r.tablePolicy(f.value) }},
	{"columns", (*reader).columns},
	{"groups", (*reader).groups},
	{"on_delete", func(r *reader, t *Table, f field) { t.OnDelete = choice(r, f, "policy", rowPolicies) }},
	{"on_insert", func(r *reader, t *Table, f field) { t.OnInsert = choice(r, f, "policy", insertPolicies) }},
	{"on_unique", func(r *reader, t *Table, f field) { t.OnUnique = r.onUnique(f.value) }},
	{"references", (*reader).references},
	{"keep", func(r *reader, t *Table, f field) { t.Keep = choice(r, f, "choice", keeps) }},
	{"keep_for", func(r *reader, t *Table, f field) { t.KeepFor = r.duration(f) }},
	{"max_skew", func(r *reader, t *Table, f field) { t.MaxSkew = r.duration(f) }},
	{"lease", func(r *reader, t *Table, f field) { t.Lease = r.lease(f) }},
}

var groupEntries = []entry[Group]{
	{"columns", (*reader).members},
	{"policy", func(r *reader, g *Group, f field) { g.Policy = choice(r, f, "policy of a group", groupPolicies) }},
}

var ruleEntries = []entry[ruleForm]{
	{"policy", func(r *reader, d *ruleForm, f field) { d.policy = choice(r, f, "policy", columnPolicies) }},
	{"function", func(r *reader, d *ruleForm, f field) { d.function = r.scalar(f.value, "the name of a function") }},
}

var uniqueEntries = []entry[Setting[string]]{
	{"function", func(r *reader, d *Setting[string], f field) { *d = r.scalar(f.value, "the name of a function") }},
}

// ruleForm is a column's policy written as a mapping.
type ruleForm struct {
	policy   Setting[tidemark.Policy]
	function Setting[string]
}

// readEntries reads a mapping whose keys are fixed.
func readEntries[D any](r *reader, n ast.Node, what string, entries []entry[D], d *D) {
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = e.key
	}
	for _, f := range r.fields(n, what) {
		found := false
		for _, e := range entries {
			if e.key == f.key.Value {
				found = true
				e.read(r, d, f)
			}
		}
		if !found {
			r.add(f.key.At, meant(f.key.Value, keys, "the keys here are"), "unknown key %s", f.key.Value)
		}
	}
}

func (r *reader) file(c *Config, file *ast.File) {
	var bodies []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil {
			bodies = append(bodies, d.Body)
		}
	}
	if len(bodies) > 1 {
		r.add(at(bodies[1]), "make one of them, without ---", "the file has more than one YAML document")
	}
	if len(bodies) > 0 {
		readEntries(r, bodies[0], "the file", fileEntries, c)
	}
}

func (r *reader) tables(c *Config, f field) {
	seen := map[string]bool{}
	for _, e := range r.fields(f.value, "tables") {
		if r.again(seen, e.key, "table") {
			continue
		}
		t := Table{Name: e.key}
		readEntries(r, e.value, "a table", tableEntries, &t)
		c.Tables = append(c.Tables, t)
	}
}

// again tells of a name that is there already, to SQLite.
func (r *reader) again(seen map[string]bool, name Setting[string], what string) bool {
	id := schema.Fold(name.Value)
	if seen[id] {
		r.add(name.At, "make one of both; SQLite does not tell A from a in names", "%s %s is declared twice", what, name.Value)
	}
	was := seen[id]
	seen[id] = true
	return was
}

func (r *reader) tablePolicy(n ast.Node) Setting[tidemark.Policy] {
	if _, ok := n.(ast.MapNode); ok {
		r.add(at(n), "declare it for the columns: COLUMN: { policy: custom, function: NAME }", "the policy of a table is one word")
		return Setting[tidemark.Policy]{}
	}
	if w, _ := word(n); w == string(tidemark.PolicyCustom) {
		return Setting[tidemark.Policy]{tidemark.PolicyCustom, at(n)} // Apply says what to do
	}
	return choice(r, field{value: n}, "policy", tablePolicies)
}

func (r *reader) columns(t *Table, f field) {
	seen := map[string]bool{}
	for _, e := range r.fields(f.value, "columns") {
		if r.again(seen, e.key, "column") {
			continue
		}
		if rule := r.rule(e.value); rule.Declared() {
			t.Columns = append(t.Columns, Column{Name: e.key, Rule: rule})
		}
	}
}

// rule reads a column's policy: a word, or a mapping with a function.
func (r *reader) rule(n ast.Node) (rule Setting[Rule]) {
	var d ruleForm
	if _, ok := n.(ast.MapNode); ok {
		before := len(r.found)
		if readEntries(r, n, "a policy", ruleEntries, &d); len(r.found) > before {
			return rule
		}
	} else {
		d.policy = choice(r, field{value: n}, "policy", columnPolicies)
	}
	custom := d.policy.Value == tidemark.PolicyCustom
	switch {
	case !d.policy.Declared() && !d.function.Declared():
		if _, ok := n.(ast.MapNode); ok {
			r.add(at(n), "write policy: custom and function: NAME", "the policy is missing")
		}
	case !d.policy.Declared():
		r.add(d.function.At, "add policy: custom", "a function goes with the policy custom")
	case custom && !d.function.Declared():
		r.add(d.policy.At, "write { policy: custom, function: NAME }, with a function that the server registers", "custom needs a function")
	case !custom && d.function.Declared():
		r.add(d.function.At, "take it out, or use custom", "the policy %s takes no function", d.policy.Value)
	default:
		return Setting[Rule]{Rule{d.policy.Value, d.function}, d.policy.At}
	}
	return rule
}

func (r *reader) groups(t *Table, f field) {
	for _, n := range r.items(f.value, "groups") {
		g := Group{At: at(n)}
		before := len(r.found)
		readEntries(r, n, "a group", groupEntries, &g)
		switch {
		case len(r.found) > before:
		case len(g.Columns) == 0:
			r.add(g.At, "write columns: [FIRST, SECOND]", "the group has no columns")
		case len(g.Columns) == 1:
			r.add(g.Columns[0].At, "add the columns that belong to it, or declare its policy under columns", "a group of one column is none")
		default:
			t.Groups = append(t.Groups, g)
		}
	}
}

func (r *reader) members(g *Group, f field) {
	for _, n := range r.items(f.value, "columns of a group") {
		if s := r.scalar(n, "the name of a column"); s.Declared() {
			g.Columns = append(g.Columns, s)
		}
	}
}

// onUnique reads reject, or a mapping with a function.
func (r *reader) onUnique(n ast.Node) (s Setting[string]) {
	if _, ok := n.(ast.MapNode); ok {
		before := len(r.found)
		readEntries(r, n, "on_unique", uniqueEntries, &s)
		if !s.Declared() && len(r.found) == before {
			r.add(at(n), "write { function: NAME }", "the function is missing")
		}
		return s
	}
	word := r.scalar(n, "reject or { function: NAME }")
	if word.Declared() && word.Value != "reject" {
		r.add(word.At, "write reject, or { function: NAME } with a function that the server registers", "on_unique cannot be %s", word.Value)
		return s
	}
	return Setting[string]{At: word.At}
}

func (r *reader) references(t *Table, f field) {
	seen := map[string]bool{}
	for _, e := range r.fields(f.value, "references") {
		if r.again(seen, e.key, "reference") {
			continue
		}
		word := choice(r, e, "choice for a reference", []string{"reject", "set-null"})
		if word.Declared() {
			t.References = append(t.References, Reference{Column: e.key, SetNull: Setting[bool]{word.Value == "set-null", word.At}})
		}
	}
}
