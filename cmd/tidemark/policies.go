package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

type policiesCommand struct {
	File   string `arg:"" help:"An SQLite file, served or to be served; or a copy."`
	Action string `arg:"" optional:"" enum:"show,init" default:"show" help:"show or init (${default})."`
	From   string `name:"policies" placeholder:"FILE" help:"With show: the file that declares them, instead of tidemark.yaml beside the database."`
}

// Help is shown below the command's one line.
func (policiesCommand) Help() string {
	return `show says for every column what becomes of two edits that met, and which line of tidemark.yaml says so. It reads no rows; tidemark check shows the same with all else.

init writes a tidemark.yaml beside the file, with all its tables and columns, in which everything is a comment: take the # away from what you change. A file that is there is never touched.

Examples:

    tidemark policies shop.sqlite
    tidemark policies shop.sqlite init`
}

// Run shows policies, or makes a file for them.
func (c *policiesCommand) Run(s *shell) error {
	if err := mustBeThere(c.File); err != nil {
		return err
	}
	a, err := sqlite.Look(c.File)
	if err != nil {
		return err
	}
	if c.Action == "init" {
		return initPolicies(s, a)
	}
	d, err := policiesOf(a, c.From)
	printPolicies(s, d)
	if jerr := s.document(d); jerr != nil {
		return jerr
	}
	return err
}

// initPolicies writes a file that declares nothing yet.
func initPolicies(s *shell, a *sqlite.Adoption) error {
	if a.Role == meta.RoleReplica {
		return &ending{exit: exitRefused, code: tidemark.CodeWrongRole, msg: a.Path + " is a copy: its server declares the policies",
			hint: "run the command on the server's file"}
	}
	path := policy.Beside(a.Path)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	switch {
	case errors.Is(err, fs.ErrExist):
		base := filepath.Base(a.Path)
		return &tidemark.Error{Code: tidemark.CodeExists, Msg: path + " is there already",
			Hint: "edit it, or move it away first; what holds for " + base + " alone stands in " + strings.TrimSuffix(base, filepath.Ext(base)) + "." + policy.FileName}
	case err != nil:
		return &tidemark.Error{Code: tidemark.CodeReadOnly, Err: err, Hint: "make the folder writable"}
	}
	_, err = f.Write(policy.Draft(filepath.Base(a.Path), a.Schema))
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	s.printf("%s is written: everything in it is a comment\n\nnext: edit it, then tidemark policies %s\n", path, quoteArg(a.Path))
	return s.document(struct {
		File string `json:"file"`
	}{path})
}

// declared is what check says of policies; with --json as it stands.
type declared struct {
	File     string              `json:"file,omitempty"` // none: nothing is declared
	Tables   []policy.TableFacts `json:"tables"`
	Suspects []schema.Suspect    `json:"undeclared_references,omitempty"` // to tables whose rows can get other keys
	Problems policy.Problems     `json:"problems,omitempty"`
	Scopes   []string            `json:"scopes,omitempty"` // kinds; none: every copy has everything

	ofServer bool // a copy goes by what its server declares
	unusable bool // the file that declares them, or a part of it
}

// policiesOf holds the policies of a file against its schema. The error says
// what does not fit; the rest is explained nevertheless.
func policiesOf(a *sqlite.Adoption, file string) (*declared, error) {
	d := &declared{ofServer: a.Role == meta.RoleReplica}
	s := a.Schema
	var c *policy.Config
	var err error
	switch {
	case d.ofServer && file != "":
		err = usageError(a.Path+" is a copy: its server declares the policies", "leave --policies out, or name the server's file")
	case !d.ofServer:
		if c, err = loadPolicies(a.Path, file); err == nil {
			if s, err = policy.Apply(c, a.Schema, policy.Functions{Any: true}); err == nil {
				err = policy.CheckRules(c, a.Schema)
			}
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
	d.Scopes = s.Scopes
	_ = errors.As(err, &d.Problems)
	d.unusable = err != nil
	return d, unusableFor(a.Path, err)
}

// loadPolicies reads the file that was given, or the one beside the database.
func loadPolicies(database, file string) (*policy.Config, error) {
	if file == "" {
		return policy.Load(policy.Beside(database))
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, &tidemark.Error{Code: tidemark.CodeNotFound, Msg: "there is no file " + file,
			Hint: "tidemark policies " + quoteArg(database) + " init writes one to begin with"}
	}
	return policy.Load(file)
}

func printPolicies(s *shell, d *declared) {
	switch {
	case d.ofServer:
		s.printf("Policies, as the server declares them:\n\n")
	case d.File == "" && d.unusable:
		s.printf("Policies: the defaults, because the file that declares others cannot be used.\n\n")
	case d.unusable:
		s.printf("Policies of %s, as far as they can be used:\n\n", d.File)
	case d.File == "":
		s.printf("Policies: the defaults. Others would be declared in %s beside the file.\n\n", policy.FileName)
	default:
		s.printf("Policies of %s:\n\n", d.File)
	}
	rows := [][]string{{"TABLE", "COLUMN", "MERGES BY", "FROM"}}
	for _, t := range d.Tables {
		for _, f := range t.Columns {
			rows = append(rows, []string{t.Table, f.Column, mergesBy(t, f), from(d.File, f.From, f.Line)})
		}
		for _, f := range t.Rows {
			if f.From != policy.FromDefault || f.Name == "on_delete" || f.Name == "on_insert" || f.Loose {
				rows = append(rows, []string{t.Table, "(rows)", f.Name + ": " + f.Value, because(from(d.File, f.From, f.Line), f.Why)})
			}
		}
	}
	s.table(rows)
	switch {
	case len(d.Scopes) == 0:
	case d.ofServer:
		s.printf("\nScopes: %s. tidemark scopes FILE says which of them this copy has.\n", strings.Join(d.Scopes, ", "))
	default:
		s.printf("\nScopes: %s. tidemark rules check FILE says which rows are in them.\n", strings.Join(d.Scopes, ", "))
	}
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

// unusable says of which database the policies cannot be used.
type unusable struct {
	database string
	err      error
}

func (u *unusable) Error() string { return u.err.Error() }
func (u *unusable) Unwrap() error { return u.err }

// unusableFor names the database in an error that is about policies.
func unusableFor(database string, err error) error {
	if err == nil {
		return nil
	}
	return &unusable{database, err}
}

// problems prints what is wrong with policies, each with its line.
func (s *shell) problems(err error, ps policy.Problems) {
	var u *unusable
	if errors.As(err, &u) {
		_, _ = fmt.Fprintf(s.err, "tidemark: the policies cannot be used for %s\n", clean(u.database))
	} else {
		_, _ = fmt.Fprintln(s.err, "tidemark: the policies cannot be used")
	}
	_, _ = io.WriteString(s.err, ps.Error()+"\n")
}
