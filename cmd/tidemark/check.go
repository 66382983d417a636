package main

import (
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

type checkCommand struct {
	File     string `arg:"" help:"An SQLite file."`
	Policies string `placeholder:"FILE" help:"The file that declares how edits merge, instead of tidemark.yaml beside the database."`
}

// Help is shown below the command's one line.
func (checkCommand) Help() string {
	return `Lists every table with whether it can sync, why not, and what to do about it; every trigger with where it will fire; every row that breaks a constraint of its own table; and by what policy concurrent edits of every column merge. Nothing is written. Exits with 6 when tidemark serve would refuse the file, with 2 when its policies cannot be used.

Triggers fire in one of three ways:
  origin      it writes synced tables: fires where the write happened, nowhere else; what it wrote syncs
  everywhere  it writes only tables that do not sync, such as a full-text index: fires on every copy
  guard       it only raises errors: fires where the write happened, and on the server

Example:

    tidemark check shop.sqlite
    tidemark check shop.sqlite --policies draft.yaml`
}

// checked is what check prints with --json.
type checked struct {
	*sqlite.Adoption
	Servable bool      `json:"servable"`
	Policies *declared `json:"policies"`
}

// Run checks.
func (c *checkCommand) Run(s *shell) error {
	if err := mustBeThere(c.File); err != nil {
		return err
	}
	a, err := sqlite.Check(c.File)
	if err != nil {
		return err
	}
	d, refusal := policiesOf(a, c.Policies)
	printAdoption(s, c.File, a)
	s.printf("\n")
	printPolicies(s, d)
	if r := refusalOf(c.File, a); r != nil {
		refusal = r
	}
	if err := s.document(checked{a, refusal == nil, d}); err != nil {
		return err
	}
	if refusal != nil {
		return refusal
	}
	s.printf("\nnext: tidemark serve %s\n", quoteArg(c.File))
	return nil
}

func printAdoption(s *shell, path string, a *sqlite.Adoption) {
	roles := map[string]string{"": "an ordinary SQLite file", meta.RoleServer: "served by Tidemark", meta.RoleReplica: "a copy of a served space"}
	s.printf("%s is %s\n\n", path, roles[a.Role])
	if a.Report == nil {
		return
	}
	printVerdicts(s, a.Report.Tables)
	printTriggers(s, a.Report.Triggers)
	printViolations(s, a.Violations)
}

func printVerdicts(s *shell, tables []schema.Verdict) {
	if len(tables) == 0 {
		s.printf("It has no tables.\n")
		return
	}
	rows := [][]string{{"TABLE", "SYNCS", ""}}
	for _, v := range tables {
		row := []string{v.Table, "yes", ""}
		if !v.Syncs {
			row = []string{v.Table, "no", v.Reason}
		}
		rows = append(rows, row)
		if v.Hint != "" {
			rows = append(rows, []string{"", "", "next: " + v.Hint})
		}
		for _, note := range v.Notes {
			rows = append(rows, []string{"", "", "note: " + note})
		}
	}
	s.table(rows)
}

func printTriggers(s *shell, triggers []schema.Trigger) {
	if len(triggers) == 0 {
		return
	}
	rows := [][]string{{"TRIGGER", "ON", "FIRES", "WRITES"}}
	for _, t := range triggers {
		rows = append(rows, []string{t.Name, t.Table, string(t.Class), strings.Join(t.Writes, ", ")})
	}
	s.printf("\n")
	s.table(rows)
}

func printViolations(s *shell, list []schema.Violation) {
	if len(list) == 0 {
		s.printf("\nEvery row keeps the constraints of its table.\n")
		return
	}
	rows := [][]string{{"TABLE", "KEY", "BREAKS", ""}}
	for _, v := range list {
		rows = append(rows, []string{v.Table, v.KeyText, v.Constraint, v.Detail})
	}
	s.printf("\n")
	s.table(rows)
}

// refusalOf says why tidemark serve would refuse the file, or nil.
func refusalOf(path string, a *sqlite.Adoption) error {
	switch {
	case a.Role == meta.RoleReplica:
		return &ending{exit: exitRefused, code: tidemark.CodeWrongRole, msg: path + " is a copy of a served space and cannot be served itself",
			hint: "tidemark detach " + quoteArg(path) + " makes it an ordinary file"}
	case len(a.Violations) > 0 && a.Role == "":
		return &ending{exit: exitRefused, code: tidemark.CodeViolations, msg: plural(len(a.Violations), "row") + " in " + path + " break constraints of their own tables",
			hint: "mend them, or serve them as they are: tidemark serve --accept-violations " + quoteArg(path)}
	}
	return nil
}
