package e2e

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark/client"
)

// A runner commits one transaction; it reports false when the transaction was
// rolled back (a constraint of the table, a lock), and an error when it cannot know.
type runner interface {
	run(statements []string) (committed bool, err error)
	close()
}

// library writes through package client.
type library struct{ db *client.DB }

func (l *library) run(statements []string) (bool, error) {
	err := l.db.Transaction(context.Background(), func(tx *client.Tx) error {
		for _, s := range statements {
			if _, err := tx.Exec(s); err != nil {
				return err
			}
		}
		return nil
	})
	return err == nil, nil
}

func (l *library) close() { _ = l.db.Close() }

// shell is a long-lived program that takes one transaction per line block and
// answers "ok" or "no". Both sqlite3 and Python are driven this way.
type shell struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	format func(statements []string) string
}

func (s *shell) run(statements []string) (bool, error) {
	if _, err := io.WriteString(s.in, s.format(statements)); err != nil {
		return false, err
	}
	for s.out.Scan() {
		switch s.out.Text() {
		case "tm-ok":
			return true, nil
		case "tm-no":
			return false, nil
		}
	}
	return false, fmt.Errorf("the program ended: %w", cmp.Or(s.out.Err(), io.ErrUnexpectedEOF))
}

func (s *shell) close() {
	_ = s.in.Close()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func startShell(t *testing.T, format func([]string) string, name string, args ...string) *shell {
	t.Helper()
	cmd := exec.Command(name, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sc := bufio.NewScanner(out)
	sc.Buffer(nil, 16<<20)
	return &shell{cmd: cmd, in: in, out: sc, format: format}
}

// sqliteShell drives the sqlite3 program. It says "tm-ok" when the audit row is
// there after COMMIT: after an error the shell goes on with the next line, so
// a failed statement is just left out of the transaction, as happens to people.
func sqliteShell(t *testing.T, path string, foreignKeys bool) runner {
	s := startShell(t, func(statements []string) string {
		audit := strings.SplitN(statements[0], "'", 3)[1]
		return "BEGIN IMMEDIATE;\n" + strings.Join(statements, ";\n") + ";\nCOMMIT;\nROLLBACK;\n" +
			"SELECT CASE WHEN count(*) THEN 'tm-ok' ELSE 'tm-no' END FROM audit WHERE id = '" + audit + "';\n"
	}, "sqlite3", "-batch", path)
	_, _ = io.WriteString(s.in, fmt.Sprintf(".timeout 20000\nPRAGMA foreign_keys = %v;\n", foreignKeys))
	s.cmd.Stderr = nil
	return s
}

const pythonWriter = `
import sqlite3, sys, json
db = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
db.execute("PRAGMA foreign_keys = " + sys.argv[2])
for line in sys.stdin:
    try:
        db.execute("BEGIN IMMEDIATE")
        for s in json.loads(line):
            db.execute(s)
        db.execute("COMMIT")
        print("tm-ok", flush=True)
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        print("tm-no", flush=True)
`

func python(t *testing.T, path string, foreignKeys bool) runner {
	return startShell(t, func(statements []string) string { return jsonLine(statements) },
		"python3", "-c", pythonWriter, path, fmt.Sprint(foreignKeys))
}
