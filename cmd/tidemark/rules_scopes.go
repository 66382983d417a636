package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/rehearsal"
	"github.com/tidemarkdb/tidemark/internal/rules"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/scope"
)

// scopedKind is what check says of a kind of scope.
type scopedKind struct {
	Scope  string         `json:"scope"` // its name, with /KEY behind it where there are several
	Grant  string         `json:"grant"`
	Tables []scopedMember `json:"tables"`
}

type scopedMember struct {
	Table string `json:"table"`
	By    string `json:"by"`
	Where string `json:"where,omitempty"`
}

// droppedKey is a foreign key that copies do without.
type droppedKey struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
	Parent  string   `json:"parent"`
	Why     string   `json:"why"`
}

// scopeReport is what check says of scopes.
type scopeReport struct {
	Scopes  []scopedKind `json:"scopes,omitempty"`
	Without []string     `json:"in_no_scope,omitempty"`
	Dropped []droppedKey `json:"dropped_foreign_keys,omitempty"`
	Widely  []scope.Wide `json:"concerns_everybody,omitempty"`
}

// reportScopes says what is declared about scopes, and what lacks an index for it.
func reportScopes(s *tidemark.Schema, c *policy.Config) (*scopeReport, []rules.Advice, error) {
	if c == nil || c.Scopes == nil {
		return &scopeReport{}, nil, nil
	}
	d, err := policy.ScopesOf(c, s)
	if err != nil {
		return nil, nil, err
	}
	r := &scopeReport{}
	for _, k := range c.Scopes.List {
		r.Scopes = append(r.Scopes, kindOf(&k))
	}
	plan, _ := scope.Fit(s, d)
	for _, t := range s.Tables {
		if plan.Tables[t.ID] == nil && t.Out == "" && t.Name != tidemark.ConflictsTable {
			r.Without = append(r.Without, t.Name)
		}
	}
	for _, x := range plan.Loose {
		fk := &x.Table.ForeignKeys[x.Key]
		r.Dropped = append(r.Dropped, droppedKey{x.Table.Name, x.Table.ColumnNames(fk.Columns), fk.Parent, x.Why})
	}
	if r.Widely, err = scope.Widely(s, d); err != nil {
		return nil, nil, err
	}
	advice, err := scope.Advise(s, d)
	return r, advice, err
}

func kindOf(k *policy.Scope) scopedKind {
	out := scopedKind{Scope: k.Name.Value, Grant: strings.Join(strings.Fields(k.Grant.Value), " ")}
	for _, m := range k.Members {
		if len(m.Path) > 0 {
			out.Scope = tidemark.ScopeID(k.Name.Value, "KEY")
		}
		out.Tables = append(out.Tables, scopedMember{m.Table.Value, m.By.Value, strings.Join(strings.Fields(m.Where.Value), " ")})
	}
	return out
}

func printScopes(s *shell, r *scopeReport, file string) {
	if len(r.Scopes) == 0 {
		return
	}
	s.printf("Scopes of %s:\n\n", file)
	for _, k := range r.Scopes {
		s.printf("%s\n  grant  %s\n", clean(k.Scope), clean(k.Grant))
		for _, m := range k.Tables {
			s.printf("  table  %s by %s", clean(m.Table), clean(m.By))
			if m.Where != "" {
				s.printf(", where %s", clean(m.Where))
			}
			s.printf("\n")
		}
	}
	if len(r.Without) > 0 {
		s.printf("\nIn no scope, so on the server alone: %s\n", clean(strings.Join(r.Without, ", ")))
	}
	for i, x := range r.Dropped {
		if i == 0 {
			s.printf("\nCopies do without these foreign keys, the server keeps them:\n")
		}
		s.printf("  %s (%s) to %s: %s\n", clean(x.Table), clean(strings.Join(x.Columns, ", ")), clean(x.Parent), clean(x.Why))
	}
	for i, x := range r.Widely {
		if i == 0 {
			s.printf("\nWhat these tables hold decides about grants, and each change of it has those of everybody who is connected evaluated anew:\n")
		}
		s.printf("  %s, for %s: %s\n", clean(x.Table), clean(x.Scope), clean(x.Why))
	}
	if len(r.Widely) > 0 {
		s.printf("  next: write one SELECT for each table with COLUMN = :user in its WHERE, and JOIN the others to it\n")
	}
	s.printf("\n")
}

// mostRows is how many rows explain shows.
const mostRows = 20

// grantedKind is what one grant gives somebody.
type grantedKind struct {
	Kind   string   `json:"kind"`
	Scopes []string `json:"scopes"`
	Grant  string   `json:"grant"`
	Line   int      `json:"line"`
	Err    string   `json:"error,omitempty"`
}

// readRow is a row and where it is.
type readRow struct {
	Key    []value     `json:"key"`
	May    bool        `json:"may_read"`
	Scopes []readPlace `json:"scopes"`

	key []tidemark.Value
}

type readPlace struct {
	Kind    string `json:"kind"`
	Scope   string `json:"scope,omitempty"`
	Granted bool   `json:"granted"`
	Why     string `json:"why,omitempty"`
}

// explainScopes lists what somebody may read.
func (c *rulesExplainCommand) explainScopes(s *shell, r *rehearsal.Reader, config *policy.Config, p tidemark.Principal) error {
	all := []grantedKind{}
	for _, g := range r.Granted(p) {
		i := slices.IndexFunc(config.Scopes.List, func(k policy.Scope) bool { return k.Name.Value == g.Kind })
		d := &config.Scopes.List[i]
		k := grantedKind{Kind: g.Kind, Scopes: g.Scopes, Grant: strings.Join(strings.Fields(d.Grant.Value), " "), Line: d.Grant.At.Line}
		if k.Scopes == nil {
			k.Scopes = []string{}
		}
		if g.Err != nil {
			k.Err = oneLine(g.Err.Error())
		}
		all = append(all, k)
	}
	who := c.who()
	for _, k := range all {
		switch {
		case k.Err != "":
			s.printf("%s: error, so %s may read none: %s\n", k.Kind, clean(who), clean(k.Err))
		case len(k.Scopes) == 0:
			s.printf("%s: %s may read none\n", k.Kind, clean(who))
		default:
			s.printf("%s: %s may read %s\n", k.Kind, clean(who), clean(strings.Join(k.Scopes, ", ")))
		}
		s.printf("  grant  %s (line %d)\n", clean(k.Grant), k.Line)
	}
	return s.document(struct {
		As     string        `json:"as"`
		Grants []grantedKind `json:"grants"`
	}{c.As, all})
}

// explainRows says of rows whether somebody may read them, and why.
func (c *rulesExplainCommand) explainRows(s *shell, r *rehearsal.Reader, p tidemark.Principal) error {
	table, where, err := rehearsal.SplitRead(c.Read)
	if err != nil {
		return usageError("--read: "+err.Error(), "for example --read \"task WHERE id = 1\"")
	}
	seen, more, err := r.See(p, table, where, mostRows)
	if err != nil {
		if tidemark.CodeOf(err) == "" {
			return usageError("the condition fails: "+oneLine(err.Error()), "try it in sqlite3 first: SELECT * FROM "+rules.Bare(table)+" WHERE ...")
		}
		return err
	}
	rows, may := []readRow{}, 0
	for _, x := range seen {
		row := readRowOf(x)
		if rows = append(rows, row); row.May {
			may++
		}
		printReadRow(s, table, row)
	}
	who := c.who()
	switch {
	case len(rows) == 0:
		s.printf("there is no such row\n")
	case more:
		s.printf("there are more rows: add to the condition to see them\n")
	}
	if err := s.document(struct {
		As    string    `json:"as"`
		Table string    `json:"table"`
		Rows  []readRow `json:"rows"`
		More  bool      `json:"more"`
	}{c.As, table, rows, more}); err != nil || may == len(rows) {
		return err
	}
	what := "this row"
	if len(rows) > 1 {
		what = fmt.Sprintf("%d of these %d rows", len(rows)-may, len(rows))
	}
	return &ending{exit: exitRejected, code: tidemark.CodeForbidden, msg: who + " may not read " + what,
		hint: "tidemark rules explain " + quoteArg(c.File) + " --as ID lists the scopes that somebody may read"}
}

func readRowOf(x rehearsal.Seen) readRow {
	row := readRow{Key: values(x.Key), May: x.May, Scopes: []readPlace{}, key: x.Key}
	for _, p := range x.Places {
		place := readPlace{Kind: p.Kind, Scope: p.Scope, Granted: p.Granted}
		switch {
		case p.Scope == "" && p.Left:
			place.Why = "its condition, or NULL on the way to the key, leaves the row out"
		case p.Scope == "":
			place.Why = "NULL on the way to the key leaves the row out"
		case !p.Granted:
			place.Why = "the grant does not give it"
		}
		row.Scopes = append(row.Scopes, place)
	}
	return row
}

func printReadRow(s *shell, table string, row readRow) {
	verdict := "may be read"
	if !row.May {
		verdict = "may not be read"
	}
	s.printf("%s %s: %s\n", clean(table), keyText(row.key), verdict)
	for _, p := range row.Scopes {
		switch {
		case p.Granted:
			s.printf("  granted      %s\n", clean(p.Scope))
		case p.Scope != "":
			s.printf("  not granted  %s\n", clean(p.Scope))
		default:
			s.printf("  in no        %s: %s\n", p.Kind, p.Why)
		}
	}
	if len(row.Scopes) == 0 {
		s.printf("  its table is in no scope: its rows stay on the server\n")
	}
}

// who is who does something, for people.
func (c *rulesExplainCommand) who() string {
	if c.As == "" {
		return "nobody in particular"
	}
	return c.As
}

// explainReading answers where the question is about reading.
func (c *rulesExplainCommand) explainReading(s *shell, config *policy.Config, sc *tidemark.Schema, p tidemark.Principal) error {
	d, err := policy.ScopesOf(config, sc)
	if err != nil {
		return err
	}
	r, err := rehearsal.NewReader(c.File, sc, d)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	if c.Read == "" {
		return c.explainScopes(s, r, config, p)
	}
	return c.explainRows(s, r, p)
}

// isQuery reports whether SQL reads, and so should be asked by --read.
func isQuery(sql string) bool {
	toks := schema.Lex(sql)
	return len(toks) > 0 && (strings.EqualFold(toks[0].Text, "SELECT") || strings.EqualFold(toks[0].Text, "VALUES"))
}
