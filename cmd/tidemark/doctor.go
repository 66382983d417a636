package main

import (
	"errors"

	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

type doctorCommand struct {
	File string `arg:"" help:"A served file, or a copy."`
}

// Help is shown below the command's one line.
func (doctorCommand) Help() string {
	return `Looks at structure, digest, log and bookkeeping of a served file, and at structure and state of a copy. Nothing is written. To compare a copy with its server use tidemark verify. Exits with 5 when there is damage.

Example:

    tidemark doctor shop.sqlite`
}

// diagnosis is what doctor prints with --json.
type diagnosis struct {
	Path     string           `json:"path"`
	Role     string           `json:"role"`
	Healthy  bool             `json:"healthy"`
	Findings []sqlite.Finding `json:"findings"`
}

// Run looks.
func (c *doctorCommand) Run(s *shell) error {
	role, err := roleOf(c.File)
	if err != nil {
		return err
	}
	var found []sqlite.Finding
	switch role {
	case meta.RoleServer:
		found, err = sqlite.Doctor(c.File)
	case meta.RoleReplica:
		found, err = replicaDoctor(c.File)
	default:
		return notAdopted(c.File)
	}
	if err != nil {
		return err
	}
	return c.report(s, role, found)
}

func (c *doctorCommand) report(s *shell, role string, found []sqlite.Finding) error {
	errs := 0
	var rows [][]string
	for _, f := range found {
		if f.Level == "error" {
			errs++
		}
		rows = append(rows, []string{f.Level, f.About, oneLine(f.Message)})
		if f.Hint != "" {
			rows = append(rows, []string{"", "", "next: " + f.Hint})
		}
	}
	s.table(rows)
	if err := s.document(diagnosis{c.File, role, errs == 0, found}); err != nil {
		return err
	}
	if errs > 0 {
		return &ending{exit: exitDiffers, code: "corrupt", msg: plural(errs, "error") + " found in " + c.File}
	}
	return nil
}

// replicaDoctor looks at a copy without asking the server.
func replicaDoctor(path string) (found []sqlite.Finding, err error) {
	db, err := lite.Open(path, lite.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	found, err = structure(db)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	st, err := statusOf(path)
	if err != nil {
		return nil, err
	}
	next := nextStep(path, st, 0)
	add := func(bad bool, level, about, message string) {
		f := sqlite.Finding{Level: "ok", About: about, Message: message}
		if bad {
			f.Level, f.Hint = level, next
		}
		found = append(found, f)
	}
	add(st.Repair != "", "error", "rows", "at seq "+seqText(st))
	add(st.Stopped != "", "error", "sync", stoppedText(st.Stopped))
	add(st.Suspended > 0, "warning", "pending", pendingText(st))
	add(st.Rejected > 0, "warning", "rejected", plural(st.Rejected, "changeset")+" kept")
	if st.Scoped {
		add(st.Filling > 0 || st.Unasked, "warning", "scopes", fillingText(st))
	}
	add(len(st.Out) > 0, "warning", "tables", plural(len(st.Out), "table")+" out of syncing")
	return found, nil
}

func fillingText(st client.Status) string {
	switch {
	case st.Unasked:
		return "the server was not asked yet for what the copy takes"
	case st.Filling > 0:
		return plural(st.Filling, "scope") + " not here yet"
	}
	return "all that are granted and taken are here"
}

func stoppedText(code string) string {
	if code == "" {
		return "not stopped"
	}
	return "stopped by the server's answer: " + code
}

// structure asks SQLite itself.
func structure(db *lite.DB) ([]sqlite.Finding, error) {
	var found []sqlite.Finding
	err := db.Each("PRAGMA main.integrity_check(20)", func(st *lite.Stmt) error {
		f := sqlite.Finding{Level: "ok", About: "structure", Message: st.Text(0)}
		if f.Message != "ok" {
			f.Level, f.Hint = "error", "clone the space anew, after tidemark sync has sent what is pending"
		}
		found = append(found, f)
		return nil
	})
	return found, err
}
