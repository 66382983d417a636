package main

import (
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
)

// office serves the database and opens two copies of it. At the end each is
// compared with the server row by row.
func office(t *testing.T) (a, b *client.DB) {
	t.Helper()
	srv, err := open(t.TempDir())
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
	return copied(t, web.URL+"/office"), copied(t, web.URL+"/office")
}

func copied(t *testing.T, address string) *client.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := client.Clone(t.Context(), address, path, client.CloneOptions{}); err != nil {
		t.Fatal(err)
	}
	db, err := edit(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func exec(t *testing.T, db *client.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// exchange syncs the copies, a first, and proves that they are equal.
func exchange(t *testing.T, a, b *client.DB) {
	t.Helper()
	for _, db := range []*client.DB{a, b, a} {
		if res, err := db.Sync(t.Context()); err != nil || res.Rejected > 0 {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	for _, db := range []*client.DB{a, b} {
		if rep, err := db.Verify(t.Context()); err != nil || rep.Differed > 0 {
			t.Fatalf("%+v, %v", rep, err)
		}
	}
}

func all(t *testing.T, db *client.DB, query string) string {
	t.Helper()
	res, err := db.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, r := range res.Rows {
		rows = append(rows, strings.Trim(fmt.Sprint(r), "[]"))
	}
	return strings.Join(rows, "; ")
}

func want(t *testing.T, query, want string, copies ...*client.DB) {
	t.Helper()
	for _, db := range copies {
		if got := all(t, db, query); got != want {
			t.Errorf("%s of %s: %s, want %s", query, db.Path(), got, want)
		}
	}
}

func TestAJobNeverGoesBack(t *testing.T) {
	a, b := office(t)
	exec(t, a, "INSERT INTO job (id, title) VALUES (1, 'paint')")
	exchange(t, a, b)
	exec(t, a, "UPDATE job SET state = 'done' WHERE id = 1")
	exec(t, b, "UPDATE job SET state = 'started' WHERE id = 1")
	exchange(t, a, b)
	want(t, "SELECT state FROM job", "'done'", a, b)
	want(t, "SELECT policy, winner, theirs, mine FROM tm_conflicts", "'custom' 'theirs' 'done' 'started'", a, b)
	exec(t, b, "UPDATE job SET state = 'new' WHERE id = 1") // having seen it: a decision, not a conflict
	exchange(t, a, b)
	want(t, "SELECT state FROM job", "'new'", a, b)
}

// What the function refuses rejects the changeset.
func TestAnUnknownStateIsRejected(t *testing.T) {
	a, b := office(t)
	exec(t, a, "INSERT INTO job (id, title) VALUES (1, 'paint')")
	exchange(t, a, b)
	exec(t, a, "UPDATE job SET state = 'done' WHERE id = 1")
	exec(t, b, "UPDATE job SET state = 'lost' WHERE id = 1")
	for _, db := range []*client.DB{a, b} {
		if _, err := db.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	list, err := b.Rejected()
	if err != nil || len(list) != 1 || list[0].Code != tidemark.CodeConflict || !strings.Contains(list[0].Message, "there is no state 'lost'") {
		t.Fatalf("%+v, %v", list, err)
	}
	want(t, "SELECT state FROM job", "'done'", b)
	if err := b.Discard(t.Context(), list[0].ID); err != nil {
		t.Fatal(err)
	}
	exchange(t, a, b)
}

func TestATakenNameIsNumbered(t *testing.T) {
	a, b := office(t)
	exec(t, a, "INSERT INTO list (name) VALUES ('shopping')")
	exec(t, b, "INSERT INTO list (name) VALUES ('shopping')")
	exchange(t, a, b)
	want(t, "SELECT id, name FROM list ORDER BY id", "1 'shopping'; 2 'shopping (2)'", a, b)
}

func TestTwoContactsOfOneAddressBecomeOne(t *testing.T) {
	a, b := office(t)
	exec(t, a, "INSERT INTO contact (email) VALUES ('ada@example.org')")
	exec(t, a, "INSERT INTO call (contact, note) VALUES (1, 'from a')")
	exec(t, b, "INSERT INTO contact (email) VALUES ('bob@example.org')")
	exec(t, b, "INSERT INTO contact (email, phone) VALUES ('Ada@example.org', '12345')")
	exec(t, b, "INSERT INTO call (contact, note) VALUES (2, 'from b')")
	exchange(t, a, b)
	want(t, "SELECT lower(email), phone FROM contact ORDER BY 1", "'ada@example.org' '12345'; 'bob@example.org' NULL", a, b)
	want(t, "SELECT note, lower(email) FROM call JOIN contact ON contact.id = contact ORDER BY note",
		"'from a' 'ada@example.org'; 'from b' 'ada@example.org'", a, b)
}
