package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// declared is what check says of policies; with --json as it stands.
type declared struct {
	File     string              `json:"file,omitempty"` // none: nothing is declared
	Tables   []policy.TableFacts `json:"tables"`
	Suspects []schema.Suspect    `json:"undeclared_references,omitempty"` // to tables whose rows can get other keys
	Problems policy.Problems     `json:"problems,omitempty"`

	ofServer bool // a copy goes by what its server declares
}

// policiesOf holds the policies of a file against its schema. The error says
// what does not fit; the rest is explained nevertheless.
func policiesOf(a *sqlite.Adoption, file string) (*declared, error) {
	d := &declared{ofServer: a.Role == meta.RoleReplica}
	s := a.Schema
	var c *policy.Config
	var err error
	if !d.ofServer {
		if c, err = loadPolicies(a.Path, file); err == nil {
			s, err = policy.Apply(c, a.Schema, policy.Functions{Any: true})
		} else {
			s = policy.Overlay(nil, a.Schema)
		}
	}
	if c != nil {
		d.File = c.Name
	}
	d.Tables = policy.Explain(c, s)
	for _, x := range schema.Suspects(s) {
		if t := s.Named(x.Parent); t != nil && t.Policy.OnInsert == tidemark.InsertRenumber {
			d.Suspects = append(d.Suspects, x)
		}
	}
	_ = errors.As(err, &d.Problems)
	return d, err
}

// loadPolicies reads the file that was given, or the one beside the database.
func loadPolicies(database, file string) (*policy.Config, error) {
	if file == "" {
		return policy.Load(policy.Beside(database))
	}
	if err := mustBeThere(file); err != nil {
		return nil, err
	}
	return policy.Load(file)
}

func printPolicies(s *shell, d *declared) {
	switch {
	case d.ofServer:
		s.printf("\nPolicies, as the server declares them:\n\n")
	case d.File == "":
		s.printf("\nPolicies: the defaults. Others would be declared in %s beside the file.\n\n", policy.FileName)
	default:
		s.printf("\nPolicies of %s:\n\n", d.File)
	}
	rows := [][]string{{"TABLE", "COLUMN", "MERGES BY", "FROM"}}
	for _, t := range d.Tables {
		for _, f := range t.Columns {
			rows = append(rows, []string{t.Table, f.Column, mergesBy(t, f), from(d.File, f.From, f.Line)})
		}
		for _, f := range t.Rows {
			if f.From != policy.FromDefault || f.Name == "on_delete" || f.Name == "on_insert" {
				rows = append(rows, []string{t.Table, "(rows)", f.Name + ": " + f.Value, because(from(d.File, f.From, f.Line), f.Why)})
			}
		}
	}
	s.table(rows)
	for _, x := range d.Suspects {
		s.printf("\n%s.%s looks like a reference to %s, but is not declared as one: when a row of %s gets another key, it does not follow.\n  next: declare REFERENCES %s, or on_insert: reject for %s\n",
			clean(x.Table), clean(x.Column), clean(x.Parent), clean(x.Parent), clean(x.Parent), clean(x.Parent))
	}
}

// mergesBy says in a few words what becomes of two edits of a column.
func mergesBy(t policy.TableFacts, f policy.ColumnFact) string {
	switch {
	case f.Key:
		return "(primary key)"
	case f.Policy == "":
		return "never edited"
	case f.Function != "":
		return string(f.Policy) + " " + f.Function
	case f.Group == "":
		return string(f.Policy)
	}
	var others []string
	for _, o := range t.Columns {
		if o.Group == f.Group && o.Column != f.Column {
			others = append(others, o.Column)
		}
	}
	return string(f.Policy) + ", as one with " + strings.Join(others, ", ")
}

func from(file string, o policy.Origin, line int) string {
	switch {
	case line > 0:
		return fmt.Sprintf("%s (%s:%d)", o, file, line)
	case o == policy.FromDefault:
		return "default"
	}
	return string(o)
}

func because(origin, why string) string {
	if why == "" {
		return origin
	}
	return origin + ": " + why
}

// problems prints what is wrong with policies, each with its line.
func (s *shell) problems(ps policy.Problems) {
	_, _ = fmt.Fprintln(s.err, "tidemark: the policies cannot be used")
	_, _ = io.WriteString(s.err, ps.Error()+"\n")
}
