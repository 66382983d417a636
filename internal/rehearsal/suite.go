package rehearsal

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/policy"
)

// Nobody is what tests call the principal of a server without authentication.
const Nobody = "nobody"

// Suite is a file of tests of rules.
type Suite struct {
	// People names who does something and what their tokens claim. Others may
	// be named in tests as well; they claim nothing.
	People map[string]map[string]any `yaml:"people"`
	// Given fills empty tables before each test. Without it tests begin with
	// the rows of the database.
	Given string    `yaml:"given"`
	Now   time.Time `yaml:"now"` // what the server's clock says; default 2026-01-01
	Tests []Test    `yaml:"tests"`
}

// Test is one thing that some may do and others may not.
type Test struct {
	Name    string   `yaml:"name"`
	Given   string   `yaml:"given"` // SQL that runs before, by the server
	Do      string   `yaml:"do"`    // SQL; :user is who does it
	Read    string   `yaml:"read"`  // instead: TABLE WHERE CONDITION, rows that one may hold
	Allowed []string `yaml:"allowed"`
	Denied  []string `yaml:"denied"`
}

// Result is what came of one test for one principal.
type Result struct {
	Test   string `json:"test"`
	As     string `json:"as"`
	Want   string `json:"want"` // allowed or denied
	Passed bool   `json:"passed"`
	Why    string `json:"why,omitempty"` // it did not pass
}

// Read reads a file of tests.
func Read(path string) (*Suite, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeNotFound, Err: err, Hint: "give the path of a file of tests; docs/guide/rules.md shows one"}
	}
	s := &Suite{}
	if err := yaml.UnmarshalWithOptions(text, s, yaml.Strict()); err != nil {
		return nil, wrong(path, yaml.FormatError(err, false, true))
	}
	if len(s.Tests) == 0 {
		return nil, wrong(path, "it has no tests")
	}
	for i := range s.Tests {
		t := &s.Tests[i]
		if t.Name == "" {
			t.Name = fmt.Sprintf("test %d", i+1)
		}
		switch {
		case t.Do == "" && t.Read == "":
			return nil, wrong(path, t.Name+" does nothing: do or read is missing")
		case t.Do != "" && t.Read != "":
			return nil, wrong(path, t.Name+" has both do and read: make two tests of it")
		case len(t.Allowed)+len(t.Denied) == 0:
			return nil, wrong(path, t.Name+" expects nothing: allowed and denied are missing")
		}
		for _, who := range t.Allowed {
			if slices.Contains(t.Denied, who) {
				return nil, wrong(path, t.Name+": "+who+" is both allowed and denied")
			}
		}
	}
	if s.Now.IsZero() {
		s.Now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return s, nil
}

func wrong(path, msg string) error {
	return &tidemark.Error{Code: tidemark.CodeUsage, Msg: path + ": " + msg, Hint: "docs/guide/rules.md shows a file of tests"}
}

// Run runs all tests under the rules of a file. database and schema are those
// of the file that is to be served.
func (s *Suite) Run(database string, sc *tidemark.Schema, c *policy.Config) ([]Result, error) {
	var all []Result
	var shared *Stage
	defer func() {
		if shared != nil {
			_ = shared.Close()
		}
	}()
	for i := range s.Tests {
		t := &s.Tests[i]
		st := shared
		if st == nil || t.Given != "" {
			var err error
			if st, err = s.stage(database, sc, c, t.Given); err != nil {
				return all, &tidemark.Error{Code: tidemark.CodeUsage, Msg: t.Name + ": its rows cannot be made", Err: err, Hint: "correct given"}
			}
		}
		results, err := s.results(st, t, c)
		if err != nil {
			return all, &tidemark.Error{Code: tidemark.CodeUsage, Msg: t.Name + ": " + err.Error(), Hint: tidemark.HintOf(err)}
		}
		all = append(all, results...)
		if t.Given == "" {
			shared = st
		} else if err := st.Close(); err != nil {
			return all, err
		}
	}
	return all, nil
}

func (s *Suite) stage(database string, sc *tidemark.Schema, c *policy.Config, more string) (*Stage, error) {
	if s.Given != "" {
		return New(sc, s.Given+"\n;"+more, c)
	}
	if more != "" {
		return nil, errors.New("a test has rows of its own only where given fills all tables")
	}
	return Open(database, c)
}

func (s *Suite) results(st *Stage, t *Test, c *policy.Config) (all []Result, err error) {
	try := s.result
	if t.Read != "" {
		r, err := st.reader(c)
		if err != nil {
			return nil, err
		}
		defer func() { _ = r.Close() }()
		table, where, err := SplitRead(t.Read)
		if err != nil {
			return nil, err
		}
		try = func(_ *Stage, t *Test, who, want string) Result { return s.read(r, t, table, where, who, want) }
	}
	for _, who := range t.Allowed {
		all = append(all, try(st, t, who, "allowed"))
	}
	for _, who := range t.Denied {
		all = append(all, try(st, t, who, "denied"))
	}
	return all, nil
}

// reader looks at the rows of a stage.
func (s *Stage) reader(c *policy.Config) (*Reader, error) {
	d, err := policy.ScopesOf(c, s.schema)
	if err != nil {
		return nil, err
	}
	return NewReader(s.path, s.schema, d)
}

// read tries whether somebody may read rows: all of them, or none.
func (s *Suite) read(r *Reader, t *Test, table, where, who, want string) Result {
	out := Result{Test: t.Name, As: who, Want: want}
	rows, _, err := r.See(s.Author(who).Principal, table, where, 0)
	may := 0
	for _, row := range rows {
		if row.May {
			may++
		}
	}
	switch {
	case err != nil:
		out.Why = err.Error()
	case len(rows) == 0:
		out.Why = "there is no such row"
	case want == "allowed" && may == len(rows), want == "denied" && may == 0:
		out.Passed = true
	default:
		out.Why = fmt.Sprintf("%s may read %d of %d rows", who, may, len(rows))
	}
	return out
}

func (s *Suite) result(st *Stage, t *Test, who, want string) Result {
	r := Result{Test: t.Name, As: who, Want: want}
	changes, err := st.Try(s.Author(who), t.Do, nil)
	denied := tidemark.CodeOf(err) == tidemark.CodeForbidden
	switch {
	case denied:
		r.Passed, r.Why = want == "denied", err.Error()
	case err != nil:
		r.Why = err.Error()
	case len(changes) == 0:
		r.Why = "it changes no row that syncs, so no rule was asked"
	default:
		r.Passed, r.Why = want == "allowed", "the rules allow it"
	}
	if r.Passed {
		r.Why = ""
	}
	return r
}

// Author is somebody by the name that tests use.
func (s *Suite) Author(who string) tidemark.Author {
	a := tidemark.Author{Principal: tidemark.Principal{ID: who, Claims: s.People[who]}, Now: s.Now.UnixMilli()}
	if who == Nobody {
		a.Principal.ID = ""
	}
	return a
}
