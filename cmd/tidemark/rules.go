package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/guards"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/rehearsal"
	"github.com/tidemarkdb/tidemark/internal/rules"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

type rulesCommand struct {
	Check   rulesCheckCommand   `cmd:"" help:"Look for mistakes in the rules, and for indexes that they lack."`
	Test    rulesTestCommand    `cmd:"" help:"Run a file of tests: who may do what, and who may not."`
	Explain rulesExplainCommand `cmd:"" help:"Say why somebody may, or may not, do something."`
}

type rulesFile struct {
	File string `arg:"" help:"An SQLite file, served or to be served."`
	From string `name:"policies" placeholder:"FILE" help:"The file that declares the rules, instead of tidemark.yaml beside the database."`
}

// open reads the database's schema and the rules, which must fit it.
func (f *rulesFile) open() (*sqlite.Adoption, *policy.Config, error) {
	if err := mustBeThere(f.File); err != nil {
		return nil, nil, err
	}
	a, err := sqlite.Look(f.File)
	if err != nil {
		return nil, nil, err
	}
	if a.Role == meta.RoleReplica {
		return nil, nil, &ending{exit: exitRefused, code: tidemark.CodeWrongRole, msg: a.Path + " is a copy: its server has the rules", hint: "run the command on the server's file"}
	}
	c, err := loadPolicies(f.File, f.From)
	if err == nil {
		err = policy.CheckRules(c, a.Schema)
	}
	if err == nil {
		_, err = policy.ScopesOf(c, a.Schema)
	}
	return a, c, unusableFor(f.File, err)
}

type rulesCheckCommand struct{ rulesFile }

// Help is shown below the command's one line.
func (rulesCheckCommand) Help() string {
	return `It holds the rules and the scopes of tidemark.yaml against the database: names of tables and columns, paths, SQL that does not compile, what a rule or a grant must not read. It lists the tables that have no rules, those that are in no scope, the foreign keys that copies do without, and statements for indexes without which a whole table is read for each change. It reads no rows and changes nothing.

Example:

    tidemark rules check tracker.sqlite`
}

// ruledTable is what check says of a table.
type ruledTable struct {
	Table     string   `json:"table"`
	Insert    string   `json:"insert"`
	Update    string   `json:"update"`
	Delete    string   `json:"delete"`
	Immutable []string `json:"immutable,omitempty"`
	Set       []string `json:"set,omitempty"`
	Guard     string   `json:"guard,omitempty"`
	// Copies says what copies check of it by themselves.
	Copies []guards.Cover `json:"copies,omitempty"`
}

type ruleReport struct {
	File    string         `json:"file,omitempty"`
	Default string         `json:"default"` // for tables without rules, where principals are known
	Tables  []ruledTable   `json:"tables"`
	Without []string       `json:"without_rules"`
	Indexes []rules.Advice `json:"missing_indexes,omitempty"`

	scopeReport
}

// Run checks rules.
func (c *rulesCheckCommand) Run(s *shell) error {
	a, config, err := c.open()
	if err != nil {
		return err
	}
	r, err := reportRules(a, config)
	if err != nil {
		return err
	}
	printRules(s, r, a.Path)
	return s.document(r)
}

func reportRules(a *sqlite.Adoption, c *policy.Config) (*ruleReport, error) {
	r := &ruleReport{Default: tidemark.RuleNone, Tables: []ruledTable{}, Without: []string{}}
	if c != nil {
		r.File = c.Name
	}
	var d policy.Rules
	var covers []guards.Cover
	if c != nil && c.Rules != nil {
		d = *c.Rules
		if d.Default.Declared() {
			r.Default = d.Default.Value
		}
		compiled, err := policy.RulesOf(c, a.Schema, true)
		if err == nil {
			r.Indexes, err = rules.Advise(a.Schema, compiled)
		}
		if err == nil {
			covers, err = guards.Covered(policy.Overlay(c, a.Schema), compiled)
		}
		if err != nil {
			return nil, err
		}
	}
	scopes, advice, err := reportScopes(a.Schema, c)
	if err != nil {
		return nil, err
	}
	r.scopeReport, r.Indexes = *scopes, append(r.Indexes, advice...)
	for _, t := range a.Schema.Tables {
		if t.Out != "" || t.Name == tidemark.ConflictsTable {
			continue
		}
		i := slices.IndexFunc(d.Tables, func(r policy.TableRules) bool { return tidemark.SameName(r.Name.Value, t.Name) })
		if i < 0 {
			r.Without = append(r.Without, t.Name)
			continue
		}
		ruled := ruledAs(t.Name, &d.Tables[i])
		for _, x := range covers {
			if x.Table == t.Name {
				ruled.Copies = append(ruled.Copies, x)
			}
		}
		r.Tables = append(r.Tables, ruled)
	}
	return r, nil
}

func ruledAs(name string, d *policy.TableRules) ruledTable {
	word := func(s policy.Setting[string]) string {
		if !s.Declared() {
			return tidemark.RuleNone
		}
		return strings.Join(strings.Fields(s.Value), " ")
	}
	out := ruledTable{Table: name, Insert: word(d.Insert), Update: word(d.Update), Delete: word(d.Delete), Guard: d.Guard.Value}
	for _, c := range d.Immutable {
		out.Immutable = append(out.Immutable, c.Value)
	}
	for _, c := range d.Set {
		out.Set = append(out.Set, c.Column.Value+": "+c.Value.Value)
	}
	return out
}

func printRules(s *shell, r *ruleReport, path string) {
	printScopes(s, &r.scopeReport, r.File)
	if r.File == "" || len(r.Tables) == 0 {
		s.printf("No table has rules. A server with tokens lets nobody write what no rule allows; one without lets everybody write everything, until there is a section rules.\n")
		printIndexes(s, r.Indexes)
		return
	}
	s.printf("Rules of %s:\n\n", r.File)
	for _, t := range r.Tables {
		s.printf("%s\n  insert  %s\n  update  %s\n  delete  %s\n", clean(t.Table), clean(t.Insert), clean(t.Update), clean(t.Delete))
		if more := besides(t); more != "" {
			s.printf("  %s\n", clean(more))
		}
		if checked := inCopies(t.Copies); checked != "" {
			s.printf("  copies check  %s\n", clean(checked))
		}
	}
	for _, t := range r.Without {
		s.printf("\n%s has no rules: %s may write it", clean(t), map[string]string{tidemark.RuleNone: "nobody", tidemark.RulePublic: "everybody"}[r.Default])
	}
	if len(r.Without) > 0 {
		s.printf("\n")
	}
	printIndexes(s, r.Indexes)
	s.printf("\nnext: tidemark rules explain %s --as SOMEBODY 'UPDATE ...'\n", quoteArg(path))
}

func printIndexes(s *shell, missing []rules.Advice) {
	for _, x := range missing {
		what := clean(x.What)
		if x.Table != "" {
			what += " of " + clean(x.Table)
		}
		s.printf("\n%s reads all of %s for each change\n  next: %s\n", what, clean(x.Reads), x.Create)
	}
}

// inCopies says what copies check by themselves, in a line.
func inCopies(covers []guards.Cover) string {
	var list []string
	for _, x := range covers {
		list = append(list, x.Rule+": "+strings.Join(strings.Fields(strings.Join(x.Parts, ", ")), " "))
	}
	return strings.Join(list, "; ")
}

func besides(t ruledTable) string {
	var parts []string
	if len(t.Immutable) > 0 {
		parts = append(parts, "immutable "+strings.Join(t.Immutable, ", "))
	}
	if len(t.Set) > 0 {
		parts = append(parts, "sets "+strings.Join(t.Set, ", "))
	}
	if t.Guard == "effects" {
		parts = append(parts, "also what foreign keys do")
	}
	return strings.Join(parts, "; ")
}

type rulesTestCommand struct {
	rulesFile
	Tests string `arg:"" help:"The file of tests."`
}

// Help is shown below the command's one line.
func (rulesTestCommand) Help() string {
	return `A test says what is done, in SQL, or which rows are read, who may do it, and who may not. Each is tried for everybody that it names on a copy of the database, or on rows that the file gives; nothing stays. It exits with 5 when a test fails.

    people:
      root: { role: admin }        # what the token claims
    given: |
      INSERT INTO project VALUES (1, 'ana');
    tests:
      - name: only the owner renames a project
        do: UPDATE project SET name = 'x' WHERE id = 1
        allowed: [ana, root]
        denied: [bob, nobody]      # nobody: without a token
      - name: tasks are for those in the project
        read: task WHERE project = 1
        allowed: [ana]
        denied: [eve]

Example:

    tidemark rules test tracker.sqlite rules-test.yaml`
}

// Run runs tests of rules.
func (c *rulesTestCommand) Run(s *shell) error {
	a, config, err := c.open()
	if err != nil {
		return err
	}
	suite, err := rehearsal.Read(c.Tests)
	if err != nil {
		return err
	}
	results, err := suite.Run(c.File, a.Schema, config)
	if err != nil {
		return err
	}
	failed := 0
	for _, r := range results {
		if !r.Passed {
			failed++
			s.printf("FAIL  %s: %s should be %s: %s\n", clean(r.Test), clean(r.As), r.Want, clean(r.Why))
		}
	}
	if failed == 0 {
		s.printf("%s passed\n", plural(len(results), "test"))
	}
	if err := s.document(struct {
		Results []rehearsal.Result `json:"results"`
		Failed  int                `json:"failed"`
	}{results, failed}); err != nil || failed == 0 {
		return err
	}
	return &ending{exit: exitDiffers, code: tidemark.CodeConflict, msg: fmt.Sprintf("%d of %d tests failed", failed, len(results)),
		hint: "tidemark rules explain " + quoteArg(c.File) + " --as SOMEBODY SQL says which part of a rule decides"}
}

type rulesExplainCommand struct {
	rulesFile
	SQL    string `arg:"" optional:"" help:"What is done. Without it, and without --read: which scopes may be read."`
	As     string `placeholder:"ID" help:"Who does it: the subject of the token. Without it: nobody."`
	Read   string `placeholder:"ROWS" help:"Rows that are read instead: TABLE, or TABLE WHERE CONDITION."`
	Claims string `placeholder:"JSON" help:"What else the token claims, a JSON object."`
}

// Help is shown below the command's one line.
func (rulesExplainCommand) Help() string {
	return `It runs the SQL on a copy of the database, has the rules judge each row that it changes, and says which part of which rule decided. Nothing stays. It exits with 3 when the server would reject it.

With --read it says of rows in which scopes they are and which of these are granted; it exits with 3 when one of them may not be read. With neither it lists the scopes that somebody may read.

Examples:

    tidemark rules explain tracker.sqlite --as ana "UPDATE task SET title = 'x' WHERE id = 1"
    tidemark rules explain tracker.sqlite --as ana --read "task WHERE id = 1"
    tidemark rules explain tracker.sqlite --as ana`
}

// explained is a verdict for people and programs.
type explained struct {
	Table   string           `json:"table"`
	Op      string           `json:"op"`
	Key     []value          `json:"key"`
	Allowed bool             `json:"allowed"`
	Why     string           `json:"why,omitempty"`
	Rule    string           `json:"rule,omitempty"`
	Line    int              `json:"line,omitempty"`
	Parts   []explainedPart  `json:"parts,omitempty"`
	Old     map[string]value `json:"old,omitempty"`
	New     map[string]value `json:"new,omitempty"`

	key      []tidemark.Value
	old, now string
}

type explainedPart struct {
	SQL   string `json:"sql"`
	Value value  `json:"value"`
	True  bool   `json:"true"`
	Err   string `json:"error,omitempty"`
}

// Run explains.
func (c *rulesExplainCommand) Run(s *shell) error {
	a, config, err := c.open()
	if err != nil {
		return err
	}
	author := tidemark.Author{Principal: tidemark.Principal{ID: c.As}, Now: time.Now().UnixMilli()}
	if c.Claims != "" {
		if err := json.Unmarshal([]byte(c.Claims), &author.Principal.Claims); err != nil {
			return usageError("--claims is no JSON object", `write it like --claims '{"role": "admin"}'`)
		}
	}
	switch {
	case c.SQL != "" && c.Read != "":
		return usageError("there is both SQL and --read", "ask one after the other")
	case isQuery(c.SQL):
		return usageError("the SQL only reads", "ask with --read \"TABLE WHERE CONDITION\" who may read rows")
	case c.SQL == "":
		return c.explainReading(s, config, a.Schema, author.Principal)
	}
	st, err := rehearsal.Open(c.File, config)
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	var all []explained
	changes, err := st.Try(author, c.SQL, func(v rules.Verdict) { all = keepLast(all, explainOne(config, v)) })
	if err != nil && tidemark.CodeOf(err) == "" {
		return usageError("the SQL fails: "+oneLine(err.Error()), "try it in sqlite3 first")
	}
	who := c.who()
	for _, e := range all {
		printExplained(s, e)
	}
	switch {
	case len(changes) == 0:
		s.printf("it changes no row that syncs, so no rule is asked\n")
	case err == nil:
		s.printf("%s may do this\n", clean(who))
	}
	if derr := s.document(struct {
		As      string      `json:"as"`
		Allowed bool        `json:"allowed"`
		Changes []explained `json:"changes"`
	}{c.As, err == nil, all}); derr != nil || err == nil {
		return derr
	}
	hint := "nothing was changed"
	if len(all) == 0 && config != nil && config.Scopes != nil {
		hint = "nothing was changed, and no rule was asked; --read \"TABLE WHERE CONDITION\" says in which scopes rows are"
	}
	return &ending{exit: exitRejected, code: tidemark.CodeOf(err), msg: who + " may not do this: " + err.Error(), hint: hint}
}

// keepLast replaces what was said of the same row before: the store tries
// several orders.
func keepLast(all []explained, e explained) []explained {
	for i := range all {
		if all[i].Table == e.Table && all[i].Op == e.Op && slices.Equal(all[i].key, e.key) {
			all[i] = e
			return all
		}
	}
	return append(all, e)
}

func explainOne(c *policy.Config, v rules.Verdict) explained {
	e := explained{Table: v.Table.Name, Op: v.Op.String(), Key: values(v.Key), Allowed: v.Err == nil, key: v.Key}
	e.Old, e.old = rowOf(v.Table, v.Old)
	e.New, e.now = rowOf(v.Table, v.New)
	if v.Err != nil {
		e.Why = v.Err.Error()
	}
	if c == nil || c.Rules == nil {
		return e
	}
	for i := range c.Rules.Tables {
		d := &c.Rules.Tables[i]
		if !tidemark.SameName(d.Name.Value, v.Table.Name) {
			continue
		}
		rule := map[tidemark.Op]policy.Setting[string]{tidemark.Insert: d.Insert, tidemark.Update: d.Update, tidemark.Delete: d.Delete}[v.Op]
		e.Rule, e.Line = strings.Join(strings.Fields(rule.Value), " "), rule.At.Line
		if v.New != nil || v.Old != nil {
			e.Parts = partsOf(c.Rules, rule.Value, v)
		}
	}
	return e
}

// partsOf asks for each part of a rule that has to be true.
func partsOf(d *policy.Rules, rule string, v rules.Verdict) (parts []explainedPart) {
	if rule == "" || rule == tidemark.RuleNone || rule == tidemark.RulePublic {
		return nil
	}
	for _, sql := range rules.Conjuncts(rule) {
		p := explainedPart{SQL: strings.Join(strings.Fields(sql), " ")}
		full, err := d.Expand(sql)
		if err == nil {
			var is, truth tidemark.Value
			if is, err = v.Ask(full); err == nil {
				truth, err = v.Ask("((" + full + "\n) IS TRUE)")
			}
			p.Value, p.True = value(is), truth == tidemark.Int(1)
		}
		if err != nil {
			p.Err = oneLine(err.Error())
		}
		parts = append(parts, p)
	}
	return parts
}

func rowOf(t *tidemark.Table, row []tidemark.Value) (map[string]value, string) {
	if row == nil {
		return nil, ""
	}
	named := map[string]value{}
	var parts []string
	for i, v := range row {
		named[t.Columns[i].Name] = value(v)
		parts = append(parts, t.Columns[i].Name+" = "+short(v))
	}
	return named, strings.Join(parts, ", ")
}

func printExplained(s *shell, e explained) {
	verdict := "allowed"
	if !e.Allowed {
		verdict = "denied: " + e.Why
	}
	s.printf("%s %s %s: %s\n", e.Op, clean(e.Table), keyText(e.key), clean(verdict))
	if e.Rule != "" {
		s.printf("  rule   %s (line %d)\n", clean(e.Rule), e.Line)
	}
	if e.old != "" {
		s.printf("  OLD    %s\n", clean(e.old))
	}
	if e.now != "" {
		s.printf("  NEW    %s\n", clean(e.now))
	}
	for _, p := range e.Parts {
		said := "true "
		switch {
		case p.Err != "":
			said = "error: " + p.Err + ": "
		case tidemark.Value(p.Value).IsNull():
			said = "NULL "
		case !p.True:
			said = "false"
		}
		s.printf("  %s  %s\n", said, clean(p.SQL))
	}
	s.printf("\n")
}
