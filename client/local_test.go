package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

const shopSQL = `
CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE album (id INTEGER PRIMARY KEY, title TEXT NOT NULL, artist INTEGER NOT NULL REFERENCES artist(id), year INT CHECK (year > 1900));
CREATE TABLE note (at TEXT, text TEXT);
INSERT INTO artist VALUES (1, 'Ada'), (2, 'Grace');
INSERT INTO album VALUES (1, 'First', 1, 1980), (2, 'Second', 2, 1990);
`

// localReplica makes a replica file without a server.
func localReplica(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "local.db")
	db, err := lite.Open(path, lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Script(shopSQL); err != nil {
		t.Fatal(err)
	}
	s, _, err := schema.Inspect(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	st := tidemark.SpaceState{Space: "shop", Incarnation: "i", Term: "t", SchemaHash: s.Hash}
	h, sums := digest.New(st.DigestKey), digest.Sums{}
	for _, table := range s.Tables {
		err := row.Scan(db, table, nil, nil, 0, func(r []tidemark.Value) error {
			sums.Add(h, table, r, 1)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	st.Sum = sums.Total(s)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := replica.Create(path, replica.CreateOptions{Server: "http://127.0.0.1:1/shop", State: st, Schema: s}); err != nil {
		t.Fatal(err)
	}
	return path
}

// open opens a replica whose integrity is checked when the test ends.
func open(t testing.TB, path string, o Options) *DB {
	t.Helper()
	db, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close %s: %v", path, err)
		}
		intact(t, path)
	})
	return db
}

// intact fails the test when SQLite finds the file damaged or a foreign key broken.
func intact(t testing.TB, path string) {
	t.Helper()
	db, err := lite.Open(path, lite.Options{})
	if err != nil {
		t.Error(err)
		return
	}
	defer db.Close()
	if msg, err := db.Text("PRAGMA integrity_check"); err != nil || msg != "ok" {
		t.Errorf("%s: %s %v", path, msg, err)
	}
	if bad, err := db.Get("PRAGMA foreign_key_check"); err != nil || bad != nil {
		t.Errorf("%s: broken foreign key %v %v", path, bad, err)
	}
}

func mustExec(t testing.TB, db *DB, sql string, args ...any) int64 {
	t.Helper()
	n, err := db.Exec(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func mustQuery(t testing.TB, db *DB, sql string, args ...any) string {
	t.Helper()
	res, err := db.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return text(res)
}

// text writes a result as rows of values.
func text(res *Result) string {
	var b strings.Builder
	for i, r := range res.Rows {
		if i > 0 {
			b.WriteString("; ")
		}
		for j, v := range r {
			if j > 0 {
				b.WriteString(",")
			}
			b.WriteString(v.String())
		}
	}
	return b.String()
}

func TestExecCountsItsOwnRows(t *testing.T) {
	db := open(t, localReplica(t), Options{})
	if n := mustExec(t, db, "UPDATE album SET year = year + 1"); n != 2 {
		t.Errorf("changed %d", n)
	}
	if n := mustExec(t, db, "UPDATE album SET year = 1 WHERE id = ?", 99); n != 0 {
		t.Errorf("changed %d", n)
	}
	if n := mustExec(t, db, "CREATE INDEX album_year ON album (year)"); n != 0 {
		t.Errorf("changed %d", n)
	}
	if got := mustQuery(t, db, "SELECT year FROM album ORDER BY id"); got != "1981; 1991" {
		t.Error(got)
	}
}

func TestOneTransactionIsOneChangeset(t *testing.T) {
	db := open(t, localReplica(t), Options{})
	err := db.Transaction(t.Context(), func(tx *Tx) error {
		for i := range 5 {
			if _, err := tx.Exec("INSERT INTO artist (name) VALUES (?)", fmt.Sprint("new ", i)); err != nil {
				return err
			}
		}
		res, err := tx.Query("SELECT count(*) FROM artist")
		if err == nil && text(res) != "7" {
			t.Errorf("inside: %s", text(res))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, db, "DELETE FROM artist WHERE name = 'new 3'")
	p, err := db.DryRun(t.Context())
	if tidemark.CodeOf(err) != tidemark.CodeOffline {
		t.Errorf("a dry run without a server: %v", err)
	}
	if len(p.Push) != 2 || len(p.Push[0].Changes) != 5 || len(p.Push[1].Changes) != 1 {
		t.Fatalf("%+v", p.Push)
	}
}

func TestTransactionsThatFailLeaveNothing(t *testing.T) {
	db := open(t, localReplica(t), Options{})
	insert := func(tx *Tx) error {
		_, err := tx.Exec("INSERT INTO artist (name) VALUES ('x')")
		return err
	}
	wrong := errors.New("wrong")
	cancelled, cancel := context.WithCancel(t.Context())
	for name, try := range map[string]func() error{
		"an error": func() error {
			return db.Transaction(t.Context(), func(tx *Tx) error { return errors.Join(insert(tx), wrong) })
		},
		"a panic": func() (err error) {
			defer func() { err = fmt.Errorf("%v", recover()) }()
			return db.Transaction(t.Context(), func(tx *Tx) error { _ = insert(tx); panic("!") })
		},
		"an end of the context": func() error {
			return db.Transaction(cancelled, func(tx *Tx) error { err := insert(tx); cancel(); return err })
		},
		"a rollback inside": func() error {
			return db.Transaction(t.Context(), func(tx *Tx) error {
				_ = insert(tx)
				_, err := tx.Exec("ROLLBACK")
				return err
			})
		},
		"a foreign key": func() error {
			return db.Transaction(t.Context(), func(tx *Tx) error {
				_ = insert(tx)
				_, err := tx.Exec("INSERT INTO album (title, artist) VALUES ('t', 999)")
				return err
			})
		},
	} {
		if err := try(); err == nil {
			t.Errorf("%s: no error", name)
		}
		if got := mustQuery(t, db, "SELECT count(*) FROM artist"); got != "2" {
			t.Fatalf("%s left %s artists", name, got)
		}
	}
	st, err := db.Status()
	if err != nil || st.Unsealed || st.Pending != 0 {
		t.Fatalf("%+v %v", st, err)
	}
}

func TestConstraintsHaveCodes(t *testing.T) {
	db := open(t, localReplica(t), Options{})
	for sql, code := range map[string]tidemark.Code{
		"INSERT INTO artist (name) VALUES ('Ada')":                   tidemark.CodeUnique,
		"INSERT INTO artist (name) VALUES (NULL)":                    tidemark.CodeNotNull,
		"INSERT INTO album VALUES (9, 't', 1, 1800)":                 tidemark.CodeCheck,
		"INSERT INTO album VALUES (9, 't', 77, 2000)":                tidemark.CodeForeignKey,
		"INSERT INTO artist (id, name) VALUES ('not a number', 'x')": tidemark.CodeType,
	} {
		if _, err := db.Exec(t.Context(), sql); tidemark.CodeOf(err) != code {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestQueryCannotWrite(t *testing.T) {
	db := open(t, localReplica(t), Options{})
	if _, err := db.Query(t.Context(), "DELETE FROM album"); tidemark.CodeOf(err) != tidemark.CodeReadOnly {
		t.Fatal(err)
	}
}

func TestContextInterruptsAQuery(t *testing.T) {
	db := open(t, localReplica(t), Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := db.Query(ctx, "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if got := mustQuery(t, db, "SELECT 1"); got != "1" {
		t.Fatal("the connection is spoilt")
	}
}

func TestContextEndsTheWaitForALock(t *testing.T) {
	path := localReplica(t)
	db := open(t, path, Options{})
	other, err := lite.Open(path, lite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Run("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := db.Exec(ctx, "DELETE FROM album"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if err := other.Run("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	mustExec(t, db, "DELETE FROM album")
}

func TestBesideDatabaseSQL(t *testing.T) {
	path := localReplica(t)
	db := open(t, path, Options{})
	std, err := driver.Open("file:" + path + "?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer std.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 50 {
			if _, err := std.Exec("INSERT INTO artist (name) VALUES (?)", fmt.Sprint("std ", i)); err != nil {
				t.Error(err)
			}
		}
	})
	for i := range 50 {
		mustExec(t, db, "INSERT INTO artist (name) VALUES (?)", fmt.Sprint("own ", i))
	}
	wg.Wait()
	if got := mustQuery(t, db, "SELECT count(*) FROM artist"); got != "102" {
		t.Fatal(got)
	}
	p, _ := db.DryRun(t.Context())
	n := 0
	for _, c := range p.Push {
		n += len(c.Changes)
	}
	if n != 100 {
		t.Fatalf("%d changes in %d changesets", n, len(p.Push))
	}
}

func TestAReplacedFileIsLeftAlone(t *testing.T) {
	path := localReplica(t)
	db, err := Open(path, Options{Poll: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Watch(t.Context(), "SELECT count(*) FROM artist", nil, func(*Result, error) {}); err != nil {
		t.Fatal(err)
	}
	mustExec(t, db, "INSERT INTO artist (name) VALUES ('in the log')")
	other := localReplica(t)
	raw, err := lite.Open(other, lite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Script("PRAGMA journal_mode = DELETE"); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	<-db.ended.Done()
	if _, err := db.Exec(t.Context(), "DELETE FROM artist"); tidemark.CodeOf(err) != tidemark.CodeFileReplaced {
		t.Errorf("write: %v", err)
	}
	if _, err := db.Query(t.Context(), "SELECT 1"); tidemark.CodeOf(err) != tidemark.CodeFileReplaced {
		t.Errorf("read: %v", err)
	}
	if _, err := db.Sync(t.Context()); tidemark.CodeOf(err) != tidemark.CodeFileReplaced {
		t.Errorf("sync: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != string(want) {
		t.Errorf("the new file was touched: %v", err)
	}
}

// Also where nobody polls.
func TestAWriteNoticesAReplacedFile(t *testing.T) {
	path := localReplica(t)
	db, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, db, "DELETE FROM album")
	if err := os.Rename(localReplica(t), path); err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(t.Context(), "DELETE FROM artist")
	codeIs(t, err, tidemark.CodeFileReplaced)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	db, err := Open(localReplica(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Watch(t.Context(), "SELECT 1", nil, func(*Result, error) {}); err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- db.Run(context.Background()) }()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	<-ran
	if err := db.Close(); err != nil {
		t.Fatal("closing twice:", err)
	}
	for name, err := range map[string]error{
		"exec":   func() error { _, err := db.Exec(t.Context(), "SELECT 1"); return err }(),
		"query":  func() error { _, err := db.Query(t.Context(), "SELECT 1"); return err }(),
		"status": func() error { _, err := db.Status(); return err }(),
		"sync":   func() error { _, err := db.Sync(t.Context()); return err }(),
	} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s of a closed replica: %v", name, err)
		}
	}
}
