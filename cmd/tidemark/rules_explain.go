package main

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/rehearsal"
	"github.com/tidemarkdb/tidemark/internal/rules"
)

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
