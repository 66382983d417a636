package meta

import (
	"path/filepath"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

func open(t *testing.T) *lite.DB {
	t.Helper()
	db, err := lite.Open(filepath.Join(t.TempDir(), "m.sqlite"), lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if check, err := db.Text("PRAGMA integrity_check"); err != nil || check != "ok" {
			t.Errorf("integrity_check: %q, %v", check, err)
		}
		_ = db.Close()
	})
	return db
}

func TestFactsAndRole(t *testing.T) {
	db := open(t)
	if role, err := Adopted(db); err != nil || role != "" {
		t.Fatalf("a plain file has role %q, %v", role, err)
	}
	if err := Create(db, RoleReplica); err != nil {
		t.Fatal(err)
	}
	if role, err := Adopted(db); err != nil || role != RoleReplica {
		t.Fatalf("role %q, %v", role, err)
	}
	if err := Set(db, "a", "b"); err != nil {
		t.Fatal(err)
	}
	if got, err := Get(db, "a"); err != nil || got != "b" {
		t.Fatalf("fact %q, %v", got, err)
	}
	if got, err := Int(db, "none"); err != nil || got != 0 {
		t.Fatalf("absent fact %d, %v", got, err)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	db := open(t)
	if err := Create(db, RoleServer); err != nil {
		t.Fatal(err)
	}
	if err := SetInt(db, KeyFormat, Format+1); err != nil {
		t.Fatal(err)
	}
	_, err := Adopted(db)
	if tidemark.CodeOf(err) != tidemark.CodeNewerFormat || tidemark.HintOf(err) == "" {
		t.Fatalf("got %v", err)
	}
}

func TestDropLeavesNothing(t *testing.T) {
	db := open(t)
	if err := db.Script(`CREATE TABLE app (x); CREATE INDEX app_x ON app (x); INSERT INTO app VALUES (1)`); err != nil {
		t.Fatal(err)
	}
	if err := Create(db, RoleServer); err != nil {
		t.Fatal(err)
	}
	if err := db.Script(`
		CREATE TABLE _tm_other (x); CREATE INDEX _tm_other_x ON _tm_other (x);
		INSERT INTO _tm_other VALUES (1);
		CREATE TRIGGER _tm_1_insert AFTER INSERT ON app BEGIN INSERT INTO _tm_other VALUES (new.x); END;
		ANALYZE`); err != nil {
		t.Fatal(err)
	}
	if err := Drop(db); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Int("SELECT count(*) FROM sqlite_master WHERE name LIKE '\\_tm%' ESCAPE '\\'"); err != nil || n != 0 {
		t.Fatalf("%d objects left, %v", n, err)
	}
	if n, err := db.Int("SELECT count(*) FROM sqlite_stat1 WHERE tbl LIKE '\\_tm%' ESCAPE '\\'"); err != nil || n != 0 {
		t.Fatalf("%d statistics left, %v", n, err)
	}
	if n, err := db.Int("SELECT count(*) FROM app"); err != nil || n != 1 {
		t.Fatalf("%d rows of the app, %v", n, err)
	}
}
