package client_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"

	_ "github.com/ncruces/go-sqlite3/driver"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/server"
)

var ctx = context.Background()

// check ends an example that went wrong.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// plain runs SQL in a file as any other program does.
func plain(path, statement string) {
	db, err := sql.Open("sqlite3", "file:"+filepath.ToSlash(path)+"?_pragma=busy_timeout(5000)")
	check(err)
	_, err = db.Exec(statement)
	check(err)
	check(db.Close())
}

// served serves a small file. end stops the server and removes everything.
func served() (address, file, folder string, end func()) {
	folder, err := os.MkdirTemp("", "tidemark-example-")
	check(err)
	file = filepath.Join(folder, "tasks.sqlite")
	plain(file, `CREATE TABLE task (id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL UNIQUE, done INTEGER NOT NULL DEFAULT 0);
		INSERT INTO task (id, title) VALUES ('a', 'buy milk')`)
	srv, err := server.Open(file, server.Options{})
	check(err)
	web := httptest.NewServer(srv)
	return web.URL + "/tasks", file, folder, func() {
		check(srv.Close())
		web.Close()
		check(os.RemoveAll(folder))
	}
}

// copied is a copy of what served serves.
func copied() (db *client.DB, file string, end func()) {
	address, file, folder, stop := served()
	path := filepath.Join(folder, "copy.db")
	check(client.Clone(ctx, address, path, client.CloneOptions{}))
	db, err := client.Open(path, client.Options{})
	check(err)
	return db, file, func() { check(db.Close()); stop() }
}

// Code in docs/guide/embedding.md and in the README stands in the examples
// below; a test compares them.

func Example() {
	address, _, folder, end := served()
	defer end()
	path := filepath.Join(folder, "tasks.db")

	err := client.Clone(ctx, address, path, client.CloneOptions{})
	if err != nil {
		log.Fatal(err)
	}
	db, err := client.Open(path, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	n, err := db.Exec(ctx, "UPDATE task SET done = 1 WHERE id = ?", "a")
	if err != nil {
		log.Fatal(err)
	}
	res, err := db.Sync(ctx)
	if tidemark.CodeOf(err) == tidemark.CodeOffline {
		fmt.Println("kept for later")
	} else if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "row changed,", res.Accepted, "changeset accepted")
	// Output: 1 row changed, 1 changeset accepted
}

func ExampleDB_Transaction() {
	db, _, end := copied()
	defer end()

	err := db.Transaction(ctx, func(tx *client.Tx) error {
		if _, err := tx.Exec("INSERT INTO task (id, title) VALUES (?, ?)", "b", "call home"); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE task SET done = 1 WHERE id = ?", "a")
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	r, err := db.Query(ctx, "SELECT title, done FROM task ORDER BY id")
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range r.Rows {
		fmt.Println(row[0].Str(), row[1].Int64())
	}
	// Output:
	// buy milk 1
	// call home 0
}

func ExampleDB_Watch() {
	db, file, end := copied()
	defer end()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := make(chan int64, 100)
	show := func(r *client.Result) { seen <- r.Rows[0][0].Int64() }

	go db.Run(ctx)
	stop, err := db.Watch(ctx, "SELECT count(*) FROM task", nil, func(r *client.Result, err error) {
		if err != nil {
			log.Print(err)
			return
		}
		show(r)
	})
	if err != nil {
		log.Fatal(err)
	}
	defer stop()

	fmt.Println(<-seen)
	plain(file, "INSERT INTO task (id, title) VALUES ('b', 'call home')") // into the served file
	fmt.Println(<-seen)
	// Output:
	// 1
	// 2
}

func ExampleDB_Rejected() {
	db, file, end := copied()
	defer end()
	plain(file, "INSERT INTO task (id, title) VALUES ('b', 'call home')") // into the served file
	_, err := db.Exec(ctx, "INSERT INTO task (id, title) VALUES ('c', 'call home')")
	check(err)
	_, err = db.Sync(ctx)
	check(err)

	list, err := db.Rejected()
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range list {
		fmt.Println(r.Code, r.Table, r.Columns)
		if err := db.Discard(ctx, r.ID); err != nil { // or db.Retry(ctx, r.ID, false)
			log.Fatal(err)
		}
	}
	// Output: unique task [title]
}

func ExampleDB_Conflicts() {
	db, file, end := copied()
	defer end()
	plain(file, "UPDATE task SET title = 'buy oat milk' WHERE id = 'a'") // into the served file
	_, err := db.Exec(ctx, "UPDATE task SET title = 'buy soy milk' WHERE id = 'a'")
	check(err)
	_, err = db.Sync(ctx)
	check(err)

	list, err := db.Conflicts(ctx, client.ConflictFilter{})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range list {
		fmt.Println(c.State, c.Table, c.Key[0], c.Column, c.Theirs, c.Mine)
		res, err := db.RestoreLoser(ctx, c.ID) // or db.Resolve(ctx, c.ID, client.Mine)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(res.Cells[0].Was, "is", res.Cells[0].Now)
	}
	// Output:
	// kept task 'a' title 'buy oat milk' 'buy soy milk'
	// 'buy soy milk' is 'buy oat milk'
}

func ExampleDB_Undo() {
	db, file, end := copied()
	defer end()
	_, err := db.Exec(ctx, "UPDATE task SET title = 'sell milk', done = 1 WHERE id = 'a'")
	check(err)
	_, err = db.Sync(ctx)
	check(err)
	plain(file, "UPDATE task SET done = 0 WHERE id = 'a'") // into the served file
	_, err = db.Sync(ctx)
	check(err)

	undone, err := db.Undo(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, left := range undone.Left {
		fmt.Println("left:", left.Table, left.Key, left.Column, left.Why)
	}
	r, err := db.Query(ctx, "SELECT title FROM task")
	check(err)
	fmt.Println(r.Rows[0][0].Str())
	// Output:
	// left: task ['a'] done it was changed since
	// buy milk
}

func ExampleOptions_onEvent() {
	address, file, folder, end := served()
	defer end()
	path := filepath.Join(folder, "copy.db")
	check(client.Clone(ctx, address, path, client.CloneOptions{}))

	hear := func(ev client.Event) {
		switch {
		case ev.Conflict != nil:
			fmt.Println("to be decided:", ev.Conflict.Table, ev.Conflict.Key, ev.Conflict.Column)
		case ev.Outcome == nil:
		case ev.Outcome.Kind == tidemark.Rejected:
			fmt.Println("rejected:", ev.Outcome.Message)
		case ev.Outcome.Kind == tidemark.Merged:
			fmt.Println("lost:", len(ev.Outcome.Lost), "overwrote:", len(ev.Outcome.Over))
		}
	}
	db, err := client.Open(path, client.Options{OnEvent: hear})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	plain(file, "UPDATE task SET title = 'buy oat milk' WHERE id = 'a'") // into the served file
	_, err = db.Exec(ctx, "UPDATE task SET title = 'buy soy milk' WHERE id = 'a'")
	check(err)
	_, err = db.Sync(ctx)
	check(err)
	// Output: lost: 0 overwrote: 1
}

func Example_databaseSQL() {
	db, _, end := copied()
	defer end()

	other, err := sql.Open("sqlite3", "file:"+db.Path()+"?_pragma=busy_timeout(5000)&_pragma=foreign_keys(on)")
	if err != nil {
		log.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(ctx, "UPDATE task SET title = 'buy oat milk' WHERE id = 'a'"); err != nil {
		log.Fatal(err)
	}
	res, err := db.Sync(ctx) // finds what the other connection wrote
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Accepted, "changeset accepted")
	// Output: 1 changeset accepted
}

// Without an Output comment it is compiled and not run.
func Example_readme() {
	db, err := client.Open("a.db", client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	go db.Run(ctx) // sync in the background
	if _, err := db.Exec(ctx, "UPDATE Track SET Name = ? WHERE TrackId = ?", "High Water", 2); err != nil {
		log.Fatal(err)
	}
	stop, err := db.Watch(ctx, "SELECT Name FROM Track ORDER BY TrackId LIMIT 5", nil,
		func(r *client.Result, err error) { fmt.Println(r, err) })
	if err != nil {
		log.Fatal(err)
	}
	defer stop()
}

// named takes a token for the name of who brings it: enough for an example.
type named struct{}

func (named) Authenticate(_ context.Context, token string) (tidemark.Principal, error) {
	return tidemark.Principal{ID: token}, nil
}

// servedTeam serves a file with scopes.
func servedTeam() (address, folder string, end func()) {
	folder, err := os.MkdirTemp("", "tidemark-example-")
	check(err)
	check(os.WriteFile(filepath.Join(folder, "tidemark.yaml"), []byte(`
scopes:
  project:
    grant: SELECT project FROM member WHERE person = :user
    tables: { task: project }
`), 0o600))
	file := filepath.Join(folder, "team.sqlite")
	plain(file, `CREATE TABLE member (project TEXT NOT NULL, person TEXT NOT NULL, PRIMARY KEY (person, project));
		CREATE TABLE task (id TEXT PRIMARY KEY NOT NULL, project TEXT NOT NULL);
		INSERT INTO member VALUES ('site', 'eli'), ('van', 'eli');
		INSERT INTO task VALUES ('draw', 'site'), ('buy', 'site'), ('oil', 'van'), ('secret', 'other')`)
	srv, err := server.Open(file, server.Options{Auth: named{}})
	check(err)
	web := httptest.NewServer(srv)
	return web.URL + "/team", folder, func() {
		check(srv.Close())
		web.Close()
		check(os.RemoveAll(folder))
	}
}

func ExampleDB_Subscribe() {
	address, folder, end := servedTeam()
	defer end()
	path := filepath.Join(folder, "eli.db")
	token := client.StaticToken("eli")

	hear := func(ev client.Event) {
		if ev.Scope != nil {
			fmt.Println(ev.Scope.Scope, ev.Scope.State, ev.Scope.Rows) // gained, ready or lost
		}
	}
	o := client.CloneOptions{Token: token, Scopes: []client.Want{{Scope: "project/site"}}}
	if err := client.Clone(ctx, address, path, o); err != nil {
		log.Fatal(err)
	}
	db, err := client.Open(path, client.Options{Token: token, OnEvent: hear})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if err := db.Subscribe(ctx, client.Want{Scope: "project/van", Priority: -1}); err != nil {
		log.Fatal(err)
	}
	if err := db.Ready(ctx, "project/van"); err != nil {
		log.Fatal(err) // forbidden when it is not granted
	}
	r, err := db.Query(ctx, "SELECT count(*) FROM task")
	check(err)
	fmt.Println(r.Rows[0][0], "tasks")
	// Output:
	// project/van gained 0
	// project/van ready 1
	// 3 tasks
}
