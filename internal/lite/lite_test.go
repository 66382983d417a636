package lite

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemarkdb/tidemark"
	_ "github.com/tidemarkdb/tidemark/internal/dice"
)

func open(t testing.TB) *DB {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), "a b#?%.sqlite"), Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if check, err := db.Text("PRAGMA integrity_check"); err != nil || check != "ok" {
			t.Errorf("integrity_check: %q, %v", check, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestValuesAreExact(t *testing.T) {
	db := open(t)
	if err := db.Script("CREATE TABLE v (id INTEGER PRIMARY KEY, x)"); err != nil {
		t.Fatal(err)
	}
	values := []tidemark.Value{
		tidemark.Null,
		tidemark.Int(math.MinInt64), tidemark.Int(math.MaxInt64), tidemark.Int(0),
		tidemark.Real(math.Copysign(0, -1)), tidemark.Real(1), tidemark.Real(math.Inf(1)), tidemark.Real(math.Inf(-1)),
		tidemark.Real(math.SmallestNonzeroFloat64), tidemark.Real(math.MaxFloat64),
		tidemark.Text(""), tidemark.Text("a\x00b"), tidemark.Text("\U0001F9ED e\u0301"), tidemark.Text("\xff\xfe"),
		tidemark.Blob([]byte{}), tidemark.Blob([]byte{0, 1, 255}), tidemark.Blob(make([]byte, 1<<20)),
	}
	for i, v := range values {
		if err := db.Run("INSERT INTO v VALUES (?1, ?2)", tidemark.Int(int64(i)), v); err != nil {
			t.Fatal(err)
		}
		row, err := db.Get("SELECT x FROM v WHERE id = ?1", tidemark.Int(int64(i)))
		if err != nil {
			t.Fatal(err)
		}
		if row[0] != v {
			t.Errorf("stored %v, read %v", v, row[0])
		}
	}
}

func TestLiteralReadsBack(t *testing.T) {
	db := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		var v tidemark.Value
		switch rapid.IntRange(0, 4).Draw(rt, "kind") {
		case 1:
			v = tidemark.Int(rapid.Int64Min(math.MinInt64+1).Draw(rt, "int"))
		case 2:
			v = tidemark.Real(rapid.Float64().Draw(rt, "real") + 0) // +0: no negative zero in SQL text
		case 3:
			v = tidemark.Text(rapid.String().Draw(rt, "text"))
		case 4:
			v = tidemark.Blob(rapid.SliceOf(rapid.Byte()).Draw(rt, "blob"))
		}
		row, err := db.Get("SELECT " + Literal(v))
		if err != nil {
			rt.Fatalf("%s: %v", Literal(v), err)
		}
		if row[0] != v {
			rt.Fatalf("wrote %s, read %v", Literal(v), row[0])
		}
	})
}

// FuzzQuote: whatever the name, SQLite takes the quoted form for that name and nothing else.
func FuzzQuote(f *testing.F) {
	for _, name := range []string{"a", `a"b`, "a]b", "a`b", "sel ect", "'; DROP TABLE x; --", "ключ", `""`, "[x]", "a.b", "\n"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" || strings.ContainsRune(name, 0) || strings.HasPrefix(strings.ToLower(name), "sqlite_") || !isUTF8(name) {
			return
		}
		db, err := Open(":memory:", Options{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if err := db.Run("CREATE TABLE " + Quote(name) + " (" + Quote(name) + " INTEGER PRIMARY KEY)"); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		got, err := db.Text("SELECT name FROM sqlite_master")
		if err != nil || got != name {
			t.Fatalf("made %q, found %q, %v", name, got, err)
		}
		if err := db.Run("INSERT INTO " + Quote(name) + " (" + Quote(name) + ") VALUES (7)"); err != nil {
			t.Fatal(err)
		}
	})
}

func isUTF8(s string) bool { return strings.ToValidUTF8(s, "?") == s }

func TestTransactionRollsBackOnErrorAndPanic(t *testing.T) {
	db := open(t)
	if err := db.Script("CREATE TABLE v (x)"); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	if err := db.Transaction(func() error {
		if err := db.Run("INSERT INTO v VALUES (1)"); err != nil {
			return err
		}
		return boom
	}); !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.Transaction(func() error {
			if err := db.Run("INSERT INTO v VALUES (2)"); err != nil {
				return err
			}
			panic("boom")
		})
	}()
	if db.InTransaction() {
		t.Fatal("a transaction was left open")
	}
	if n, err := db.Int("SELECT count(*) FROM v"); err != nil || n != 0 {
		t.Fatalf("%d rows, %v", n, err)
	}
}

func TestTransactionEndsWhenItsContextDoes(t *testing.T) {
	db := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	old := db.SetContext(ctx)
	err := db.Transaction(func() error {
		cancel()
		return db.Run("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c")
	})
	db.SetContext(old)
	if !Interrupted(err) {
		t.Fatalf("got %v", err)
	}
	if db.InTransaction() {
		t.Fatal("a transaction was left open")
	}
}

func TestSavepointUndoesOnlyItsPart(t *testing.T) {
	db := open(t)
	if err := db.Script("CREATE TABLE v (x UNIQUE)"); err != nil {
		t.Fatal(err)
	}
	err := db.Transaction(func() error {
		if err := db.Run("INSERT INTO v VALUES (1)"); err != nil {
			return err
		}
		err := db.Savepoint("s", func() error {
			if err := db.Run("INSERT INTO v VALUES (2)"); err != nil {
				return err
			}
			return db.Run("INSERT INTO v VALUES (1)")
		})
		if v := Violation(err); v == nil || v.Code != tidemark.CodeUnique {
			t.Errorf("got %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := db.Int("SELECT count(*) FROM v"); n != 1 {
		t.Fatalf("%d rows", n)
	}
}

func TestViolationKnowsEveryConstraint(t *testing.T) {
	db := open(t)
	if err := db.Script(`
		PRAGMA foreign_keys = ON;
		CREATE TABLE p (id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL, c CHECK (c > 0), r REFERENCES p(id));
		CREATE TABLE s (id TEXT PRIMARY KEY, i INTEGER) STRICT, WITHOUT ROWID;
		CREATE TRIGGER g BEFORE INSERT ON s WHEN new.id = 'no' BEGIN SELECT RAISE(ABORT, 'not this one'); END;
		INSERT INTO p VALUES (1, 1, 1, 1, NULL)`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sql     string
		code    tidemark.Code
		table   string
		columns string
	}{
		{"INSERT INTO p VALUES (2, 1, 1, 1, NULL)", tidemark.CodeUnique, "p", "u"},
		{"INSERT INTO p VALUES (1, 2, 1, 1, NULL)", tidemark.CodeUnique, "p", "id"},
		{"INSERT INTO p VALUES (2, 2, NULL, 1, NULL)", tidemark.CodeNotNull, "p", "n"},
		{"INSERT INTO p VALUES (2, 2, 1, 0, NULL)", tidemark.CodeCheck, "", ""},
		{"INSERT INTO p VALUES (2, 2, 1, 1, 9)", tidemark.CodeForeignKey, "", ""},
		{"INSERT INTO p VALUES ('x', 2, 1, 1, NULL)", tidemark.CodeType, "", ""},
		{"INSERT INTO s VALUES ('a', 'text')", tidemark.CodeType, "", ""},
		{"INSERT INTO s VALUES ('no', 1)", tidemark.CodeRaised, "", ""},
	} {
		v := Violation(db.Run(c.sql))
		if v == nil {
			t.Errorf("%s: no violation", c.sql)
			continue
		}
		if v.Code != c.code || v.Table != c.table || strings.Join(v.Columns, ",") != c.columns {
			t.Errorf("%s: got %s %q %v (%s)", c.sql, v.Code, v.Table, v.Columns, v.Msg)
		}
	}
	if v := Violation(db.Run("SELECT * FROM nothing")); v != nil {
		t.Errorf("a missing table is no violation: %v", v)
	}
}

func TestStatementInUseIsPreparedAnew(t *testing.T) {
	db := open(t)
	const sql = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 3) SELECT x FROM c"
	var pairs int
	err := db.Each(sql, func(*Stmt) error {
		return db.Each(sql, func(*Stmt) error { pairs++; return nil })
	})
	if err != nil || pairs != 9 {
		t.Fatalf("%d pairs, %v", pairs, err)
	}
}

func TestOpenRefusesWhatIsNotThere(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none.sqlite"), Options{}); err == nil {
		t.Fatal("opened a file that is not there")
	}
}

func TestOpenWaitsForTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.sqlite")
	db, err := Open(path, Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Script("CREATE TABLE v (x); BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		other, err := Open(path, Options{})
		if err == nil {
			_, err = other.Int("SELECT count(*) FROM v")
			_ = other.Close()
		}
		opened <- err
	}()
	if err := db.Run("COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	if err := db.Run("BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	if other, err := Open(path, Options{Busy: -1}); err == nil {
		_, err = other.Int("SELECT count(*) FROM v")
		_ = other.Close()
		if !Busy(err) {
			t.Fatalf("read a locked file: %v", err)
		}
	}
	if err := db.Run("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
