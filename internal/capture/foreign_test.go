package capture

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// programs that write SQLite files without knowing Tidemark. Each runs the
// statements of a file, one a line, and goes on after errors.
var programs = map[string]func(db, script string) *exec.Cmd{
	"sqlite3": func(db, script string) *exec.Cmd {
		return exec.Command("sqlite3", "-batch", "-init", os.DevNull, db, ".read "+script)
	},
	"python3": func(db, script string) *exec.Cmd { return exec.Command("python3", "-c", pythonWriter, db, script) },
}

const pythonWriter = `
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in open(sys.argv[2]):
    try:
        c.execute(line)
    except sqlite3.Error as e:
        print("Error:", e, file=sys.stderr)
    except UnicodeDecodeError:
        pass
if c.in_transaction:
    c.execute("COMMIT")
`

// literal writes a value as plain ASCII, exactly.
func literal(v tidemark.Value) string {
	switch {
	case v.Kind() == tidemark.KindText && strings.ContainsFunc(v.Str(), func(r rune) bool { return r < ' ' || r > '~' }):
		return fmt.Sprintf("CAST(x'%x' AS TEXT)", v.Str())
	case v.Kind() == tidemark.KindReal && v.Float64() == 0 && math.Signbit(v.Float64()):
		return "(0.0 * -1.0)"
	case v == tidemark.Int(math.MinInt64):
		return "(-9223372036854775807 - 1)"
	}
	return v.String()
}

var parameter = regexp.MustCompile(`\?\d+`)

// line writes a statement with its arguments in place.
func (st statement) line() string {
	return parameter.ReplaceAllStringFunc(st.sql, func(p string) string {
		n, _ := strconv.Atoi(p[1:])
		return literal(st.args[n-1])
	}) + ";"
}

// script makes up a session of a program: transactions, savepoints, rollbacks.
func (r *recorder) script() string {
	var lines []string
	add := func(sql string) { lines = append(lines, sql) }
	add("PRAGMA synchronous = OFF;")
	add(fmt.Sprintf("PRAGMA foreign_keys = %d;", r.w.rng.IntN(2)))
	for range 10 {
		inside := r.w.rng.IntN(2) == 0
		if inside {
			add("BEGIN;")
		}
		for range 1 + r.w.rng.IntN(4) {
			nested := inside && r.w.rng.IntN(4) == 0
			if nested {
				add("SAVEPOINT sp;")
			}
			for _, st := range r.w.next() {
				add(st.line())
			}
			if nested && r.w.rng.IntN(2) == 0 {
				add("ROLLBACK TO sp;")
			}
		}
		if inside {
			add([]string{"COMMIT;", "COMMIT;", "ROLLBACK;"}[r.w.rng.IntN(3)])
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// TestOtherPrograms lets programs with their own SQLite write every kind of
// table, and checks that the log tells what they did.
func TestOtherPrograms(t *testing.T) {
	from, to := seeds(t, 1)
	for name, command := range programs {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Skipf("%s is not installed; make tools installs it on Debian", name)
			}
			for _, kind := range slices.Sorted(maps.Keys(kindsOfTables)) {
				for seed := from; seed < to; seed++ {
					t.Run(fmt.Sprintf("%s seed %d", kind, seed), func(t *testing.T) { foreignSession(t, kind, seed, command) })
				}
			}
		})
	}
}

func foreignSession(t *testing.T, kind string, seed uint64, command func(db, script string) *exec.Cmd) {
	r := newRecorder(t, kindsOfTables[kind], seed)
	file := filepath.Join(t.TempDir(), "script.sql")
	for range 2 {
		before := takeCopy(t, r.db, r.s)
		script := r.script()
		must(t, os.WriteFile(file, []byte(script), 0o600))
		r.trace = []string{script}
		complaints := run(t, command(r.db.Path(), file))
		after := takeCopy(t, r.db, r.s)
		rows, err := Net(r.db, Main, r.s, 0)
		must(t, err)
		if !r.replay(before, rows).equal(after) {
			r.fail("the log tells something else", rows)
		}
		if strings.Contains(complaints, "_tm_") || strings.Contains(complaints, "malformed") {
			t.Fatalf("capture got in the way: %s", complaints)
		}
		must(t, Clear(r.db, Main))
	}
}

// run returns what the program complained about; constraints make it complain often.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if err := cmd.Run(); err != nil && complaints.Len() == 0 {
		t.Fatal(err)
	}
	return complaints.String()
}
