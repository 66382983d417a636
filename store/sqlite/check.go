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
}

// Check says what serving the file would do; it writes nothing.
func Check(path string) (*Adoption, error) {
	if err := present(path, Options{}); err != nil && tidemark.CodeOf(err) != tidemark.CodeReadOnly {
		return nil, err
	}
	db, err := lite.Open(path, lite.Options{ReadOnly: true})
	if err != nil {
		return nil, explainOpen(path, "check", err)
	}
	defer func() { _ = db.Close() }()
	a := &Adoption{Path: path}
	err = db.View(func() error {
		if a.Role, err = meta.Adopted(db); err != nil {
			return err
		}
		ids := map[string]int{}
		if a.Role != "" {
			if ids, err = capture.IDs(db); err != nil {
				return err
			}
		}
		var sc *tidemark.Schema
		if sc, a.Report, err = schema.Inspect(db, ids); err != nil {
			return err
		}
		a.Violations, err = schema.Violations(db, sc, 0)
		return err
	})
	if err != nil {
		return nil, explainOpen(path, "check", err)
	}
	return a, nil
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
