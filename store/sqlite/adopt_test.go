package sqlite

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
)

// ugly is a database that nobody should have made.
const ugly = `
PRAGMA user_version = 42; PRAGMA application_id = 4711; PRAGMA page_size = 1024;
CREATE TABLE "select" ("group" INTEGER PRIMARY KEY, "or""der" TEXT, [from where] BLOB, ` + "`back``tick`" + ` REAL DEFAULT 1e3);
CREATE TABLE "ünï 漢字 😀" ("a'b" TEXT COLLATE NOCASE, "" INT, PRIMARY KEY ("a'b", "")) WITHOUT ROWID;
CREATE TABLE gen (id INTEGER PRIMARY KEY AUTOINCREMENT, a INT, b INT AS (a * 2), c TEXT AS (a || '!') STORED UNIQUE) STRICT;
CREATE TABLE nokey (a, b, c);
CREATE TABLE "a.b" (x BLOB PRIMARY KEY, y TEXT UNIQUE, CHECK (y <> 'no'));
CREATE UNIQUE INDEX "ex""pr" ON "a.b" (lower(y), abs(length(y))) WHERE y IS NOT NULL;
CREATE VIEW "v'iew" AS SELECT "or""der" AS o FROM "select";
CREATE TRIGGER "tr""ig" AFTER UPDATE OF "or""der" ON "select" WHEN NEW."group" > 0 BEGIN INSERT INTO nokey VALUES (NEW."group", OLD."or""der", 'trig'); END;
CREATE TRIGGER ins INSTEAD OF INSERT ON "v'iew" BEGIN INSERT INTO "select" ("or""der") VALUES (NEW.o); END;
INSERT INTO "select" VALUES (-9223372036854775808, 'min', x'', -0.0), (9223372036854775807, 'max', x'00ff00', 9e999), (0, char(0) || 'nul', NULL, -9e999);
INSERT INTO "ünï 漢字 😀" VALUES ('A', 1), ('b', 9007199254740993), ('c', 1.5);
INSERT INTO gen (a) VALUES (1), (2); DELETE FROM gen WHERE id = 2;
INSERT INTO nokey VALUES (1, 2, 3), (1, 2, 3);
INSERT INTO "a.b" VALUES (x'0001', 'A'), (zeroblob(3000), NULL), ('text', 'B'), (5, 'five');
ANALYZE;`

func files(t *testing.T) map[string]string {
	return map[string]string{
		"empty":   makeFile(t, "VACUUM"),
		"ugly":    makeFile(t, ugly),
		"wal":     makeFile(t, "PRAGMA journal_mode = wal;"+ugly),
		"utf16":   makeFile(t, "PRAGMA encoding = 'UTF-16le';"+ugly),
		"vacuum":  makeFile(t, "PRAGMA auto_vacuum = FULL;"+ugly),
		"chinook": chinook(t),
	}
}

func TestDetachLeavesTheFileAsItWas(t *testing.T) {
	for name, path := range files(t) {
		t.Run(name, func(t *testing.T) {
			before := dumps(t, path)
			s, err := Open(path, Options{Space: "app", Rand: fixed()})
			if err != nil {
				t.Fatal(err)
			}
			sequence(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := Detach(path); err != nil {
				t.Fatal(err)
			}
			after := dumps(t, path)
			for i := range before {
				if before[i] != after[i] {
					t.Errorf("the dump changed:%s", difference(before[i], after[i]))
				}
			}
			if err := Detach(path); tidemark.CodeOf(err) != tidemark.CodeNotAdopted {
				t.Errorf("a second detach says %v", err)
			}
		})
	}
}

func TestAdoptionLeavesWhatIsTheAppsAlone(t *testing.T) {
	for name, path := range files(t) {
		t.Run(name, func(t *testing.T) {
			before := own(dump(t, path))
			s := openStore(t, path)
			sequence(t, s)
			if after := own(dump(t, path)); after != before {
				t.Errorf("the app's part changed:%s", difference(before, after))
			}
			if st := s.last.Load(); st.head != 0 {
				t.Errorf("adoption took seq %d", st.head)
			}
			if err := sound(path); err != nil {
				t.Error(err)
			}
		})
	}
}

// difference shows the lines that only one side has.
func difference(a, b string) string {
	split := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == 0x1e })
	}
	count := map[string]int{}
	for _, line := range split(a) {
		count[line]--
	}
	for _, line := range split(b) {
		count[line]++
	}
	out := ""
	for line, n := range count {
		if n != 0 {
			out += fmt.Sprintf("\n%+d %.300s", n, line)
		}
	}
	return out
}

func TestDetachTakesStatisticsOfTheBookkeepingAlong(t *testing.T) {
	path := makeFile(t, ugly)
	s := openStore(t, path)
	sequence(t, s)
	shell(t, path, "ANALYZE")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Detach(path); err != nil {
		t.Fatal(err)
	}
	if d := dump(t, path); strings.Contains(d, "_tm_") {
		t.Error("there are traces left:", d[max(0, strings.Index(d, "_tm_")-50):])
	}
}

// dumps describes a file by the sqlite3 program, where there is one, and by
// our own means, which do not depend on it.
func dumps(t *testing.T, path string) []string {
	t.Helper()
	out := []string{dump(t, path)}
	if program, err := exec.LookPath("sqlite3"); err == nil {
		b, err := exec.Command(program, path, ".dump").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		out = append(out, string(b))
	}
	return out
}

// own cuts the bookkeeping and the table of conflicts out of a dump.
func own(dump string) string {
	var keep []string
	for _, line := range strings.Split(dump, "\x1e") {
		if !strings.Contains(line, "_tm_") && !strings.Contains(line, "tm_conflicts") && !strings.HasPrefix(line, "journal_mode") {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "\n")
}

func dump(t *testing.T, path string) string {
	t.Helper()
	db, err := lite.Open(path, lite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var lines []string
	query := func(sql string) (rows []string) {
		err := db.Each(sql, func(s *lite.Stmt) error {
			var parts []string
			for _, v := range s.Row(0) {
				parts = append(parts, v.String())
			}
			rows = append(rows, strings.Join(parts, "|"))
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return rows
	}
	for _, p := range []string{"journal_mode", "encoding", "page_size", "auto_vacuum", "user_version", "application_id"} {
		lines = append(lines, p+" "+query("PRAGMA " + p)[0])
	}
	lines = append(lines, query("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")...)
	var names []string
	err = db.Each("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", func(s *lite.Stmt) error {
		names = append(names, s.Text(0))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if meta.Own(name) {
			continue
		}
		for _, row := range query("SELECT * FROM " + lite.Quote(name)) {
			lines = append(lines, name+": "+row)
		}
	}
	return strings.Join(lines, "\x1e")
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	noise := make([]byte, 8192)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	served := makeFile(t, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	openStore(t, served)
	newer := makeFile(t, "CREATE TABLE _tm_meta (k TEXT PRIMARY KEY, v); INSERT INTO _tm_meta VALUES ('format', 99)")
	replica := makeFile(t, "CREATE TABLE _tm_meta (k TEXT PRIMARY KEY, v); INSERT INTO _tm_meta VALUES ('format', 1), ('role', 'replica')")
	readOnly := makeFile(t, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	if err := os.Chmod(readOnly, 0o444); err != nil {
		t.Fatal(err)
	}
	orphans := makeFile(t, `PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;
		CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p, n CHECK (n > 0));
		INSERT INTO c VALUES (1, 7, 1), (2, NULL, -1)`)
	damaged := makeFile(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 5000) INSERT INTO t SELECT i, hex(randomblob(20)) FROM n")
	tear(t, damaged)
	for _, c := range []struct {
		path string
		code tidemark.Code
	}{
		{filepath.Join(dir, "nowhere"), tidemark.CodeNoSpace},
		{dir, tidemark.CodeNotSQLite},
		{write("text", []byte(strings.Repeat("this is not a database, but a letter. ", 300))), tidemark.CodeNotSQLite},
		{write("noise", noise), tidemark.CodeEncrypted},
		{newer, tidemark.CodeNewerFormat},
		{replica, tidemark.CodeWrongRole},
		{readOnly, tidemark.CodeReadOnly},
		{orphans, tidemark.CodeViolations},
		{damaged, tidemark.CodeCorrupt},
	} {
		before, _ := os.ReadFile(c.path)
		s, err := Open(c.path, Options{Space: "app", Rand: fixed()})
		if err == nil {
			_ = s.Close()
		}
		if tidemark.CodeOf(err) != c.code || tidemark.HintOf(err) == "" {
			t.Errorf("%s: %v (hint %q), want code %s", c.path, err, tidemark.HintOf(err), c.code)
		}
		if after, _ := os.ReadFile(c.path); string(after) != string(before) {
			t.Errorf("%s was changed", c.path)
		}
	}
	if _, err := Open(served, Options{Space: "other"}); tidemark.CodeOf(err) != tidemark.CodeWrongSpace {
		t.Errorf("another space's file: %v", err)
	}
}

// tear overwrites the middle of a file.
func tear(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for page := int64(5); page < 20; page++ {
		if _, err := f.WriteAt([]byte(strings.Repeat("garbage!", 64)), page*4096); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCreateMakesAnEmptySpace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.sqlite")
	s, err := Open(path, Options{Space: "new", Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sequence(t, s)
	shell(t, path, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
	if w := sequence(t, s); w.Moved == nil || len(w.Changes) != 1 {
		t.Errorf("work %+v", w)
	}
}

func TestAcceptedViolations(t *testing.T) {
	path := makeFile(t, `PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;
		CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p, n CHECK (n > 0));
		INSERT INTO c VALUES (1, 7, 1), (2, 8, 1), (3, NULL, -1)`)
	a, err := Check(path)
	if err != nil || len(a.Violations) != 3 || a.Role != "" {
		t.Fatalf("check: %+v %v", a, err)
	}
	s, err := Open(path, Options{Space: "app", AcceptViolations: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	apply := func(changes ...tidemark.Change) error {
		return s.Group(context.Background(), func(tx tidemark.Tx) error {
			if _, err := tx.Foreign(); err != nil {
				return err
			}
			return tx.Savepoint(func() error {
				if err := errors.Join(tx.WriteAll(changes), tx.Settle(changes)); err != nil {
					return err
				}
				effects, err := tx.Effects()
				if err != nil {
					return err
				}
				return tx.Append(tidemark.LogEntry{Effects: effects})
			})
		})
	}
	set := func(id, col, value int64) tidemark.Change {
		return tidemark.Change{Table: 2, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(id)}, Cols: []int{int(col)}, New: []tidemark.Value{tidemark.Int(value)}}
	}
	if a.Report.Tables[0].Table == "c" {
		t.Fatal("tables are numbered in another order")
	}
	// One old orphan is mended in the very changeset that makes a new one:
	// the count of violations stays what it was.
	mend := set(1, 1, 0)
	mend.New[0] = tidemark.Null
	bad := tidemark.Change{Table: 2, Op: tidemark.Insert, Key: []tidemark.Value{tidemark.Int(9)}, New: []tidemark.Value{tidemark.Int(9), tidemark.Int(99), tidemark.Int(1)}}
	if err := apply(mend, bad); tidemark.CodeOf(err) != tidemark.CodeForeignKey {
		t.Errorf("a new orphan hid behind an old one: %v", err)
	}
	if err := apply(set(2, 2, 5)); err != nil {
		t.Errorf("an old orphan cannot be edited: %v", err)
	}
	// Another program may edit the row that breaks the CHECK, too.
	shell(t, path, "PRAGMA ignore_check_constraints = ON; UPDATE c SET p = NULL WHERE id = 3")
	if w := sequence(t, s); w.Refused != nil {
		t.Error(w.Refused)
	}
	if err := apply(mend); err != nil {
		t.Error(err)
	}
}

func TestTwoServersOnOneFile(t *testing.T) {
	path := makeFile(t, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	start := func(s *Store, term string) error {
		return s.Group(context.Background(), func(tx tidemark.Tx) error { return tx.StartTerm(term) })
	}
	a, b := openStore(t, path), openStore(t, path)
	if err := errors.Join(start(a, "a"), start(b, "b")); err != nil {
		t.Fatal(err)
	}
	err := a.Group(context.Background(), func(tx tidemark.Tx) error { _, err := tx.Foreign(); return err })
	if tidemark.CodeOf(err) != tidemark.CodeBusy {
		t.Errorf("the first server goes on: %v", err)
	}
	sequence(t, b)
}

func TestDetachWhileServed(t *testing.T) {
	path := makeFile(t, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	s := openStore(t, path)
	sequence(t, s)
	start := time.Now()
	if err := detach(path, lite.Options{Busy: -1}); tidemark.CodeOf(err) != tidemark.CodeBusy {
		t.Errorf("detached under a server: %v after %v", err, time.Since(start))
	}
	shell(t, path, "INSERT INTO t VALUES (1)")
	if w := sequence(t, s); len(w.Changes) != 1 {
		t.Errorf("work %+v", w)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	err := s.View(context.Background(), func(tidemark.View) error { return nil })
	if tidemark.CodeOf(err) != tidemark.CodeShutdown {
		t.Errorf("view after close: %v", err)
	}
	err = s.Group(context.Background(), func(tidemark.Tx) error { return nil })
	if tidemark.CodeOf(err) != tidemark.CodeShutdown {
		t.Errorf("group after close: %v", err)
	}
}

func TestMigrate(t *testing.T) {
	path := makeFile(t, `CREATE TABLE a (id INTEGER PRIMARY KEY, x INT, y INT); CREATE TABLE b (id INTEGER PRIMARY KEY, a REFERENCES a ON DELETE CASCADE);
		CREATE TABLE c (id INTEGER PRIMARY KEY, n INT);
		INSERT INTO a VALUES (1, 1, 1), (2, 2, 2); INSERT INTO b VALUES (1, 1); INSERT INTO c VALUES (1, 1), (2, 2)`)
	s := openStore(t, path)
	sequence(t, s)
	shell(t, path, "UPDATE c SET n = 10 WHERE id = 1") // not sequenced when the script runs
	move, err := Migrate(path, `ALTER TABLE a DROP COLUMN y; ALTER TABLE c ADD COLUMN m INT DEFAULT 3;
		UPDATE c SET n = 20, m = 4 WHERE id = 2; CREATE TABLE d (id INTEGER PRIMARY KEY); INSERT INTO d VALUES (1)`)
	if err != nil {
		t.Fatal(err)
	}
	if len(move.Added) != 1 || len(move.Widened) != 1 || move.Out["a"] == "" {
		t.Errorf("move %+v", move)
	}
	w := sequence(t, s)
	var got []string
	for _, c := range w.Changes {
		got = append(got, fmt.Sprint(c.Table, c.Op, c.New))
	}
	if want := "[3 insert [1 10 3] 3 insert [2 20 4] 5 insert [1]]"; fmt.Sprint(got) != want {
		t.Errorf("changes %v, want %v", got, want)
	}
	if w.Moved == nil || w.Moved.Schema.Hash != move.Schema.Hash {
		t.Errorf("the move found is not the move told: %+v, %+v", w.Moved, move)
	}
	shell(t, path, "UPDATE c SET m = 5 WHERE id = 1")
	if w := sequence(t, s); len(w.Changes) != 1 {
		t.Errorf("capture is not back: %+v", w)
	}
	for script, code := range map[string]tidemark.Code{
		"UPDATE c SET n = 7; nonsense":    tidemark.CodeUsage,
		"UPDATE c SET n = 7; COMMIT":      tidemark.CodeUsage,
		"INSERT INTO b VALUES (77, 1234)": tidemark.CodeViolations,
	} {
		if _, err := Migrate(path, script); tidemark.CodeOf(err) != code {
			t.Errorf("%s: %v", script, err)
		}
	}
	if err := sound(path); err != nil {
		t.Error(err)
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	for about, script := range map[string]string{
		"log":         "INSERT INTO _tm_changeset (seq, replica, effects) VALUES (5, 'x', '[]')",
		"digest":      "UPDATE _tm_digest SET sum = sum + 1",
		"bookkeeping": "CREATE TABLE _tm_strange (a)",
		"rejected":    "INSERT INTO _tm_rejected (code) VALUES ('check')",
		"capture":     "ALTER TABLE t ADD COLUMN z",
	} {
		path := makeFile(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'x')")
		s := openStore(t, path)
		sequence(t, s)
		if err := sound(path); err != nil {
			t.Fatal(err)
		}
		shell(t, path, script)
		found, err := Doctor(path)
		if err != nil {
			t.Fatal(err)
		}
		hit := false
		for _, f := range found {
			hit = hit || f.About == about && f.Level != "ok"
		}
		if !hit {
			t.Errorf("%s: found only %+v", script, found)
		}
	}
}

func TestDoctorFollowsRowsThroughTheLog(t *testing.T) {
	for _, script := range []string{
		"UPDATE _tm_changeset SET prevs = x'00' WHERE seq = 3", // never before
		"UPDATE _tm_changeset SET prevs = x'02' WHERE seq = 3", // at seq 1
		"UPDATE _tm_changeset SET prevs = x'' WHERE seq = 3",
		"UPDATE _tm_changeset SET prevs = x'80' WHERE seq = 3",
		"UPDATE _tm_changeset SET prevs = x'63' WHERE seq = 3", // before the first
		"UPDATE _tm_row SET seq = 2 WHERE seq = 3",
	} {
		path := makeFile(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'x'), (2, 'y')")
		s := openStore(t, path)
		sequence(t, s)
		for i, id := range []int{2, 1, 1} {
			shell(t, path, fmt.Sprintf("UPDATE t SET a = '%d' WHERE id = %d", i, id))
			sequence(t, s)
		}
		if err := sound(path); err != nil {
			t.Fatal(err)
		}
		shell(t, path, script)
		found, err := Doctor(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(found, func(f Finding) bool { return f.About == "log" && f.Level == "error" }) {
			t.Errorf("%s: found only %+v", script, found)
		}
	}
}
