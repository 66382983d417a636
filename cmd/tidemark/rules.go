package main

import (
	"fmt"
	"slices"
	"strings"

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

	declared bool // there is a section rules
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
		d, r.declared = *c.Rules, true
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
		s.printf("No table has rules. %s\n", r.unruled())
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

// unruled says who may write where no table has rules.
func (r *ruleReport) unruled() string {
	switch {
	case !r.declared:
		return "A server with tokens lets nobody write what no rule allows; one without lets everybody write everything, until there is a section rules."
	case r.Default == tidemark.RulePublic:
		return "Everybody may write everything: default is public."
	}
	return "Nobody may write anything: default is not public."
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
