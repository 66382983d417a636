package policy

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/rules"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// Rules is what a file declares about who may write what.
type Rules struct {
	At         At
	Default    Setting[string] // none or public, for tables that are not named
	Conditions []NamedCondition
	Tables     []TableRules
}

// NamedCondition is one that rules and other conditions use by its name.
type NamedCondition struct {
	Name   Setting[string]
	Params []string
	SQL    Setting[string]
}

// TableRules is what a file declares for one table.
type TableRules struct {
	Name                   Setting[string]
	Insert, Update, Delete Setting[string]
	Immutable              []Setting[string]
	Set                    []SetColumn
	Guard                  Setting[string] // guardWrites or guardEffects
}

// SetColumn is a column that the server sets.
type SetColumn struct {
	Column Setting[string]
	Value  Setting[string]
}

const (
	guardWrites  = "writes"
	guardEffects = "effects"
)

var (
	ruleDefaults = []string{tidemark.RuleNone, tidemark.RulePublic}
	guards       = []string{guardWrites, guardEffects}
)

var rulesEntries = []entry[Rules]{
	{"default", func(r *reader, d *Rules, f field) { d.Default = choice(r, f, "default", ruleDefaults) }},
	{"conditions", (*reader).conditions},
	{"tables", (*reader).ruledTables},
}

var tableRulesEntries = []entry[TableRules]{
	{"insert", func(r *reader, d *TableRules, f field) { d.Insert = r.condition(f.value) }},
	{"update", func(r *reader, d *TableRules, f field) { d.Update = r.condition(f.value) }},
	{"delete", func(r *reader, d *TableRules, f field) { d.Delete = r.condition(f.value) }},
	{"immutable", (*reader).immutable},
	{"set", (*reader).setColumns},
	{"guard", func(r *reader, d *TableRules, f field) { d.Guard = choice(r, f, "guard", guards) }},
}

func (r *reader) rules(c *Config, f field) {
	c.Rules = &Rules{At: f.key.At}
	readEntries(r, f.value, "rules", rulesEntries, c.Rules)
}

// condition reads none, public or SQL. What is empty is no condition.
func (r *reader) condition(n ast.Node) Setting[string] {
	s := r.scalar(n, "a condition: none, public, or SQL on OLD, NEW, :user, :claims and :now")
	if !s.Declared() {
		return s
	}
	s.Value = strings.TrimSpace(s.Value)
	switch word := strings.ToLower(s.Value); {
	case s.Value == "":
		r.add(s.At, "write none, public, or SQL on OLD, NEW, :user, :claims and :now", "the condition is empty")
		return Setting[string]{}
	case word != s.Value && slices.Contains(ruleDefaults, word):
		s.Value = word
	case word == "true" || word == "yes" || word == "false" || word == "no":
		r.add(s.At, "write public for everybody, none for nobody", "%s is no condition", s.Value)
		return Setting[string]{}
	}
	return s
}

func (r *reader) conditions(d *Rules, f field) {
	seen := map[string]bool{}
	for _, e := range r.fields(f.value, "conditions") {
		name, params, ok := rules.ParseName(e.key.Value)
		if !ok {
			r.add(e.key.At, "write NAME or NAME(PARAM, PARAM), and $PARAM in the condition", "%s is no name for a condition", e.key.Value)
			continue
		}
		if slices.Contains(ruleDefaults, strings.ToLower(name)) || reserved[strings.ToLower(name)] {
			r.add(e.key.At, "give it another name", "a condition cannot be called %s", name)
			continue
		}
		if r.again(seen, Setting[string]{name, e.key.At}, "condition") {
			continue
		}
		if sql := r.condition(e.value); sql.Declared() {
			if slices.Contains(ruleDefaults, sql.Value) {
				sql.Value = map[string]string{tidemark.RuleNone: "0", tidemark.RulePublic: "1"}[sql.Value]
			}
			d.Conditions = append(d.Conditions, NamedCondition{Setting[string]{name, e.key.At}, params, sql})
		}
	}
}

// reserved are names that mean something else in a condition.
var reserved = map[string]bool{
	"old": true, "new": true, "and": true, "or": true, "not": true, "in": true, "is": true, "null": true, "exists": true, "select": true,
	"from": true, "where": true, "case": true, "when": true, "then": true, "else": true, "end": true, "between": true, "like": true, "as": true,
	"join": true, "on": true, "union": true, "with": true, "cast": true, "collate": true, "values": true, "all": true, "distinct": true,
}

func (r *reader) ruledTables(d *Rules, f field) {
	seen := map[string]bool{}
	for _, e := range r.fields(f.value, "tables") {
		if r.again(seen, e.key, "table") {
			continue
		}
		t := TableRules{Name: e.key}
		before := len(r.found)
		readEntries(r, e.value, "the rules of a table", tableRulesEntries, &t)
		if !t.Insert.Declared() && !t.Update.Declared() && !t.Delete.Declared() && len(r.found) == before {
			r.add(e.key.At, "write insert, update and delete, each with none, public or a condition; what is left out is none", "table %s has no rule", e.key.Value)
		}
		d.Tables = append(d.Tables, t)
	}
}

func (r *reader) immutable(d *TableRules, f field) {
	for _, n := range r.items(f.value, "immutable columns") {
		if s := r.scalar(n, "the name of a column"); s.Declared() {
			d.Immutable = append(d.Immutable, s)
		}
	}
}

func (r *reader) setColumns(d *TableRules, f field) {
	seen := map[string]bool{}
	for _, e := range r.fields(f.value, "set") {
		if r.again(seen, e.key, "column") {
			continue
		}
		if v := r.scalar(e.value, ":now, :user, or SQL on :now, :user and :claims"); v.Declared() {
			d.Set = append(d.Set, SetColumn{e.key, v})
		}
	}
}

// RulesFor returns what a file declares about who may write, for any schema, as
// stores take it. authenticated says that principals are known: then nobody may
// write what is not declared, also without a file. Otherwise a file without
// rules, or none, lets everything pass.
func RulesFor(c *Config, authenticated bool) func(*tidemark.Schema) (*tidemark.Rules, error) {
	return func(s *tidemark.Schema) (*tidemark.Rules, error) { return RulesOf(c, s, authenticated) }
}

// RulesOf holds the rules of a file against a schema. The error says what does
// not fit; the rules are good in any case, and deny what is wrong.
func RulesOf(c *Config, s *tidemark.Schema, authenticated bool) (*tidemark.Rules, error) {
	if c == nil || c.Rules == nil {
		if authenticated {
			return &tidemark.Rules{}, nil
		}
		return nil, nil
	}
	l := log{file: c.Name, lines: c.lines}
	out := c.Rules.expand(&l)
	if len(s.Tables) > 0 {
		c.Rules.fit(&l, s, out)
	}
	return out, l.found.asError()
}

// named are the conditions as package rules wants them.
func (d *Rules) named() rules.Conditions {
	var out rules.Conditions
	for _, c := range d.Conditions {
		out = append(out, rules.Condition{Name: c.Name.Value, Params: c.Params, SQL: c.SQL.Value})
	}
	return out
}

// Expand writes out the named conditions in a piece of SQL.
func (d *Rules) Expand(sql string) (string, error) { return d.named().Expand(sql) }

// expand writes the named conditions out. What cannot be used becomes none.
func (d *Rules) expand(l *log) *tidemark.Rules {
	named := d.named()
	out := &tidemark.Rules{Public: d.Default.Value == tidemark.RulePublic}
	for i := range d.Tables {
		t := &d.Tables[i]
		r := tidemark.TableRules{Table: t.Name.Value, Effects: t.Guard.Value == guardEffects}
		for _, p := range []struct {
			from Setting[string]
			to   *string
		}{{t.Insert, &r.Insert}, {t.Update, &r.Update}, {t.Delete, &r.Delete}} {
			if !p.from.Declared() {
				continue
			}
			var err error
			if *p.to, err = named.Expand(p.from.Value); err != nil {
				l.add(p.from.At, hintFor(err), "table %s: %v", t.Name.Value, err)
				*p.to = tidemark.RuleNone
			}
		}
		for _, c := range t.Immutable {
			r.Immutable = append(r.Immutable, c.Value)
		}
		for _, c := range t.Set {
			r.Set = append(r.Set, tidemark.SetRule{Column: c.Column.Value, Value: c.Value.Value})
		}
		out.Tables = append(out.Tables, r)
	}
	return out
}

// fit tells what does not fit a schema.
func (d *Rules) fit(l *log, s *tidemark.Schema, r *tidemark.Rules) {
	for i := range d.Tables {
		findTable(l, s, &Table{Name: d.Tables[i].Name})
	}
	for _, c := range d.Conditions {
		if len(c.Params) == 0 && named(s, c.Name.Value) {
			l.add(c.Name.At, "give it a name that no table and no column has", "the condition %s could be taken for a table or column of that name", c.Name.Value)
		}
	}
	misfits, err := rules.Check(s, r)
	if err != nil {
		l.add(d.At, "tidemark check FILE says what of the schema cannot be used", "the rules cannot be checked: %v", err)
	}
	told := map[At]bool{}
	for _, m := range misfits {
		at := d.at(m)
		if c := d.guilty(m, at); c != nil {
			if !told[c.SQL.At] {
				l.add(c.SQL.At, hintFor(m.Err), "condition %s: %v", c.Name.Value, m.Err)
			}
			told[c.SQL.At] = true
		} else if at.Line > 0 {
			l.add(at, hintFor(m.Err), "%v", m)
		}
	}
}

// guilty finds the condition that names what a misfit is about, where the rule
// that uses it does not; nil when there is none, or several.
func (d *Rules) guilty(m rules.Misfit, at At) (found *NamedCondition) {
	_, about, ok := strings.Cut(m.Err.Error(), ": ")
	if !ok || strings.ContainsAny(about, " \n") || mentions(d.text(at), about) {
		return nil
	}
	for i := range d.Conditions {
		if !mentions(d.Conditions[i].SQL.Value, about) {
			continue
		}
		if found != nil {
			return nil
		}
		found = &d.Conditions[i]
	}
	return found
}

// text is the rule that stands at a place.
func (d *Rules) text(at At) string {
	for i := range d.Tables {
		for _, s := range []Setting[string]{d.Tables[i].Insert, d.Tables[i].Update, d.Tables[i].Delete} {
			if s.At == at {
				return s.Value
			}
		}
	}
	return ""
}

// mentions reports whether SQL has a name, such as m.person, in it.
func mentions(sql, name string) bool {
	var names []string
	for _, t := range schema.Lex(sql) {
		names = append(names, schema.Fold(t.Text))
	}
	return strings.Contains(" "+strings.Join(names, " ")+" ", " "+strings.ReplaceAll(schema.Fold(name), ".", " . ")+" ")
}

// named reports whether a table or a column has a name.
func named(s *tidemark.Schema, name string) bool {
	for _, o := range s.Objects {
		if (o.Type == "table" || o.Type == "view") && schema.Fold(o.Name) == schema.Fold(name) {
			return true
		}
	}
	return slices.ContainsFunc(s.Tables, func(t *tidemark.Table) bool { return t.Place(name) >= 0 })
}

// at is where the file says what does not fit; zero where that is told already.
func (d *Rules) at(m rules.Misfit) At {
	i := slices.IndexFunc(d.Tables, func(t TableRules) bool { return t.Name.Value == m.Table })
	if i < 0 || m.What == "" {
		return At{}
	}
	t := &d.Tables[i]
	switch m.What {
	case rules.OnInsert:
		return t.Insert.At
	case rules.OnUpdate:
		return t.Update.At
	case rules.OnDelete:
		return t.Delete.At
	case rules.OnSet:
		for _, c := range t.Set {
			if c.Column.Value == m.Column {
				return c.Value.At
			}
		}
	}
	for _, c := range t.Immutable {
		if c.Value == m.Column {
			return c.At
		}
	}
	return t.Name.At
}

// hintFor says what to do about a rule that cannot be used.
func hintFor(err error) string {
	switch msg := err.Error(); {
	case strings.Contains(msg, "no such column: NEW.") || strings.Contains(msg, "no such column: OLD."):
		return "only stored columns are there, by the names that they have in the table"
	case strings.Contains(msg, "no such table"):
		return "name a table of this database, or a condition under conditions:"
	case strings.Contains(msg, "no such column"):
		return "columns of the row that is judged are called NEW.column and OLD.column"
	}
	return "docs/guide/rules.md shows what a condition can say"
}

// CheckRules is RulesOf for those who want the error alone.
func CheckRules(c *Config, s *tidemark.Schema) error {
	_, err := RulesOf(c, s, false)
	return err
}
