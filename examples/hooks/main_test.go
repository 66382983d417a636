package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/server"
)

// The guide shows this program's code.
func TestTheGuideShowsThisCode(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guide/hooks.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(guide), "```go\n")
	if len(blocks) < 3 {
		t.Fatal("the guide shows no code")
	}
	for _, b := range blocks[1:] {
		code, _, _ := strings.Cut(b, "```")
		if !strings.Contains(string(program), code) {
			t.Errorf("main.go does not have this:\n%s", code)
		}
	}
}

// ledger serves the database with a hook and opens a copy of it.
func ledger(t *testing.T, o server.Options) *client.DB {
	t.Helper()
	srv, err := open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := client.Clone(t.Context(), web.URL+"/ledger", path, client.CloneOptions{}); err != nil {
		t.Fatal(err)
	}
	db, err := client.Open(path, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if rep, err := db.Verify(context.Background()); err != nil || rep.Differed > 0 {
			t.Errorf("%+v, %v", rep, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func exec(t *testing.T, db *client.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func sync(t *testing.T, db *client.DB) *client.SyncResult {
	t.Helper()
	res, err := db.Sync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func want(t *testing.T, db *client.DB, query, want string) {
	t.Helper()
	res, err := db.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, r := range res.Rows {
		rows = append(rows, strings.Trim(fmt.Sprint(r), "[]"))
	}
	if got := strings.Join(rows, "; "); got != want {
		t.Errorf("%s: %s, want %s", query, got, want)
	}
}

// rejected expects one rejected changeset, for want of an approval.
func rejected(t *testing.T, db *client.DB) {
	t.Helper()
	list, err := db.Rejected()
	if err != nil || len(list) != 1 || list[0].Code != "app:needs_approval" || !strings.Contains(list[0].Message, "yacht costs 90000") || list[0].Table != "purchase" {
		t.Fatalf("%+v, %v", list, err)
	}
	if name, ok := list[0].Code.App(); !ok || name != needsApproval {
		t.Fatalf("%q", list[0].Code)
	}
	if err := db.Discard(t.Context(), list[0].ID); err != nil {
		t.Fatal(err)
	}
}

func TestAFunctionAsHook(t *testing.T) {
	db := ledger(t, server.Options{Hook: judge})
	exec(t, db, "INSERT INTO purchase (what, amount) VALUES (' pencils ', 12)")
	exec(t, db, "INSERT INTO purchase (what, amount) VALUES ('yacht', 90000)")
	exec(t, db, "INSERT INTO purchase (what, amount, approved_by) VALUES ('car', 9000, 'ada')")
	if res := sync(t, db); res.Rejected != 1 {
		t.Fatalf("%+v", res)
	}
	rejected(t, db)
	want(t, db, "SELECT id, what, amount, booked_by FROM purchase", "1 'pencils' 12 ''; 3 'car' 9000 ''")
	want(t, db, "SELECT purchase, amount FROM audit ORDER BY id", "1 12; 3 9000")
	want(t, db, "SELECT policy, mine, theirs FROM tm_conflicts", "'hook' ' pencils ' 'pencils'")
	exec(t, db, "UPDATE purchase SET approved_by = 'ada' WHERE id = 1")
	sync(t, db)
	want(t, db, "SELECT count(*) FROM audit", "2")
}

func TestAnEndpointAsHook(t *testing.T) {
	secret := []byte(strings.Repeat("not so secret ", 3))
	web := httptest.NewServer(endpoint(secret))
	t.Cleanup(web.Close)
	hook, err := server.NewWebhook(server.WebhookOptions{URL: web.URL, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	db := ledger(t, server.Options{Hook: hook})
	exec(t, db, "INSERT INTO purchase (what, amount) VALUES ('pencils', 12)")
	exec(t, db, "INSERT INTO purchase (what, amount) VALUES ('yacht', 90000)")
	if res := sync(t, db); res.Rejected != 1 {
		t.Fatalf("%+v", res)
	}
	rejected(t, db)
	want(t, db, "SELECT id, what FROM purchase", "1 'pencils'")
}
