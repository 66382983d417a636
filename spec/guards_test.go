package spec

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// guardCase is what README.md says of guards.json.
type guardCase struct {
	Name   string          `json:"name"`
	SQL    string          `json:"sql"`
	Schema json.RawMessage `json:"schema"`
	Steps  []struct {
		SQL     string   `json:"sql"`
		Refused string   `json:"refused"`
		Table   string   `json:"table"`
		Columns []string `json:"columns"`
	} `json:"steps"`
}

func testGuards(t *testing.T, text []byte) {
	cases(t, text, func(c *guardCase) string { return c.Name }, func(t *testing.T, c *guardCase) {
		db, err := lite.Open(":memory:", lite.Options{Create: true})
		check(t, err)
		defer func() { check(t, db.Close()) }()
		check(t, db.Script(c.SQL+`; CREATE TABLE _tm_meta (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
			INSERT INTO _tm_meta VALUES ('principal', 'ann'); CREATE TABLE _tm_pending_row (t, key, n)`))
		s, err := schema.Decode(c.Schema)
		check(t, err)
		check(t, capture.Install(db, capture.Main, s, false))
		for _, step := range c.Steps {
			err := db.Transaction(func() error { return db.Script(step.SQL) })
			check(t, capture.Clear(db, capture.Main))
			e := lite.Violation(err)
			switch {
			case step.Refused == "" && err != nil, step.Refused != "" && e == nil:
				t.Errorf("%s: %v, refused is to be %q", step.SQL, err, step.Refused)
			case e != nil && (e.Code != tidemark.CodeForbidden || e.Msg != step.Refused || e.Table != step.Table || !slices.Equal(e.Columns, step.Columns)):
				t.Errorf("%s: %+v", step.SQL, e)
			}
		}
	})
}
