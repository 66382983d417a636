package spec

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// captureCase is what README.md says of capture.json.
type captureCase struct {
	Name     string       `json:"name"`
	SQL      []string     `json:"sql"`
	Latest   []string     `json:"latest_edit,omitempty"`
	ReadOnly bool         `json:"read_only,omitempty"`
	Triggers []string     `json:"triggers"`
	Writes   []localWrite `json:"writes,omitempty"`
}

// localWrite is one transaction: its salt in hexadecimal, its changes as they are
// encoded, their hash.
type localWrite struct {
	SQL  string `json:"sql"`
	Salt string `json:"salt"`
	Body string `json:"body"`
	Hash string `json:"hash"`
}

func testCapture(t *testing.T, text []byte) {
	cases(t, text, func(c *captureCase) string { return c.Name }, func(t *testing.T, c *captureCase) {
		got := captured(t, c)
		for i, want := range c.Triggers {
			if i >= len(got.Triggers) || got.Triggers[i] != want {
				t.Fatalf("trigger %d\ngot  %q\nwant %s", i, got.Triggers[min(i, len(got.Triggers)):], want)
			}
		}
		if len(got.Triggers) != len(c.Triggers) {
			t.Fatalf("more triggers: %s", got.Triggers[len(c.Triggers)])
		}
		for i, want := range c.Writes {
			if got.Writes[i] != want {
				t.Errorf("got  %+v\nwant %+v", got.Writes[i], want)
			}
		}
	})
}

// captured is the case as this code makes it.
func captured(t *testing.T, c *captureCase) captureCase {
	t.Helper()
	db, err := lite.Open(t.TempDir()+"/x.db", lite.Options{Create: true})
	check(t, err)
	defer func() { check(t, db.Close()) }()
	check(t, db.Script("PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;"+strings.Join(c.SQL, ";\n")))
	s, _, err := schema.Inspect(db, nil)
	check(t, err)
	for _, name := range c.Latest {
		table, column, _ := strings.Cut(name, ".")
		of := s.Named(table)
		of.Columns[of.Place(column)].Policy = tidemark.PolicyLatestEdit
	}
	check(t, capture.Install(db, capture.Main, s, c.ReadOnly))
	out := captureCase{}
	const made = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, 4) = '_tm_' ORDER BY name"
	check(t, db.Each(made, func(s *lite.Stmt) error { out.Triggers = append(out.Triggers, s.Text(0)); return nil }))
	for _, w := range c.Writes {
		out.Writes = append(out.Writes, w.made(t, db, s))
	}
	return out
}

// made runs a write as one transaction of the app.
func (w localWrite) made(t *testing.T, db *lite.DB, s *tidemark.Schema) localWrite {
	t.Helper()
	m := capture.Mark{MadeAt: 1, Seen: 1}
	unhex(t, w.Salt, m.Salt[:])
	check(t, db.Transaction(func() (err error) {
		if m.First, err = capture.Begin(db); err != nil {
			return err
		}
		if err = db.Script(w.SQL); err != nil {
			return err
		}
		_, err = capture.End(db, m)
		return err
	}))
	segments, err := capture.Segments(db, capture.Main, s)
	check(t, err)
	if len(segments) != 1 || segments[0].Mark == nil || *segments[0].Mark != m {
		t.Fatalf("%s: %+v", w.SQL, segments)
	}
	body := wire.AppendChanges(nil, capture.Changes(segments[0].Rows), false)
	check(t, capture.Clear(db, capture.Main))
	hash := wire.HashOf(m.Salt, body)
	return localWrite{SQL: w.SQL, Salt: w.Salt, Body: string(body), Hash: hex.EncodeToString(hash[:])}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
