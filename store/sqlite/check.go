package sqlite

import (
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// Adoption is what Check says of a file.
type Adoption struct {
	Path       string             `json:"path"`
	Role       string             `json:"role"` // "", "server" or "replica"
	Report     *schema.Report     `json:"report"`
	Violations []schema.Violation `json:"violations,omitempty"`

	// Schema is what would sync. In a copy it is the server's, with the policies
	// that came from there; otherwise it has none.
	Schema *tidemark.Schema `json:"-"`
}

// Check says what serving the file would do; it writes nothing.
func Check(path string) (*Adoption, error) {
	a := &Adoption{Path: path}
	err := look(path, func(db *lite.DB) (err error) {
		if err = a.look(db); err == nil {
			a.Violations, err = schema.Violations(db, a.Schema, 0)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Look is Check without reading rows: it says nothing of violations.
func Look(path string) (*Adoption, error) {
	a := &Adoption{Path: path}
	if err := look(path, a.look); err != nil {
		return nil, err
	}
	return a, nil
}

// look runs fn on one state of a file that is only read.
func look(path string, fn func(*lite.DB) error) error {
	if err := present(path, Options{}); err != nil && tidemark.CodeOf(err) != tidemark.CodeReadOnly {
		return err
	}
	db, err := lite.Open(path, lite.Options{ReadOnly: true})
	if err != nil {
		return explainOpen(path, "check", err)
	}
	defer func() { _ = db.Close() }()
	return explainOpen(path, "check", db.View(func() error { return fn(db) }))
}

func (a *Adoption) look(db *lite.DB) (err error) {
	if a.Role, err = meta.Adopted(db); err != nil {
		return err
	}
	ids := map[string]int{}
	if a.Role == "" {
		if err := conflictsFree(db, a.Path); err != nil {
			return err
		}
	} else if ids, err = capture.IDs(db); err != nil {
		return err
	}
	if a.Schema, a.Report, err = schema.Inspect(db, ids); err != nil || a.Role != meta.RoleReplica {
		return err
	}
	body, err := meta.Value(db, meta.KeySchemaBody)
	if err != nil {
		return err
	}
	server, err := schema.Decode(body.Bytes())
	if err == nil {
		a.Schema = keepPolicies(server, a.Schema)
	}
	return err
}

// Detach takes all bookkeeping off a served file: its dump is afterwards what
// it would have been without Tidemark.
func Detach(path string) error { return detach(path, lite.Options{}) }

func detach(path string, o lite.Options) error {
	db, err := openServed(path, o, "detach")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	mode, err := meta.Get(db, meta.KeyJournalMode)
	if err != nil {
		return explainOpen(path, "detach", err)
	}
	if err := alone(db, path); err != nil {
		return explainOpen(path, "detach", err)
	}
	if err := meta.Drop(db); err != nil {
		return explainOpen(path, "detach", err)
	}
	now, err := db.Text("PRAGMA main.journal_mode")
	if err != nil {
		return explainOpen(path, "detach", err)
	}
	if mode != "" && !strings.EqualFold(now, mode) {
		return &tidemark.Error{
			Code: tidemark.CodeBusy, Op: "detach", Msg: "the bookkeeping is gone, but the journal mode is still " + now,
			Hint: "close the other programs that have the file open and run: sqlite3 FILE 'PRAGMA journal_mode=" + mode + "'",
		}
	}
	return nil
}

// alone makes sure that nobody else has the file open, a running server above
// all: nobody else may when a database leaves WAL mode.
func alone(db *lite.DB, path string) error {
	mode, err := db.Text("PRAGMA main.journal_mode = DELETE")
	if err != nil && !lite.Busy(err) {
		return err
	}
	if err == nil && mode == "delete" {
		return nil
	}
	return &tidemark.Error{
		Code: tidemark.CodeBusy, Op: "detach", Msg: "another program has " + path + " open",
		Hint: "stop the server and close the other programs first; nothing was changed",
	}
}
