// Command todo is a small to-do list that works offline and syncs when it can.
// Every copy of it is an SQLite file; what one adds shows up in the others
// while `todo FILE watch` runs there.
//
//	sqlite3 list.sqlite "CREATE TABLE todo (id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0)"
//	tidemark serve list.sqlite
//	tidemark clone http://127.0.0.1:7420/list mine.db
//
//	go run ./examples/todo mine.db add "buy milk"
//	go run ./examples/todo mine.db list
//	go run ./examples/todo mine.db done 3f2a
//	go run ./examples/todo mine.db watch
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark/client"
)

const list = "SELECT id, title, done FROM todo ORDER BY done, title, id"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "todo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: todo FILE add TITLE | done ID | list | watch")
	}
	db, err := client.Open(args[0], client.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	switch rest := args[2:]; args[1] {
	case "add":
		return add(ctx, db, strings.Join(rest, " "))
	case "done":
		return done(ctx, db, strings.Join(rest, " "))
	case "list":
		r, err := db.Query(ctx, list)
		if err != nil {
			return err
		}
		show(w, r)
		return nil
	case "watch":
		return watch(ctx, w, db)
	}
	return fmt.Errorf("unknown command %s", args[1])
}

// add works offline: the row is there when it returns. Random keys never meet
// those of another copy.
func add(ctx context.Context, db *client.DB, title string) error {
	if title == "" {
		return fmt.Errorf("give a title")
	}
	if _, err := db.Exec(ctx, "INSERT INTO todo (id, title) VALUES (?, ?)", strings.ToLower(rand.Text()[:8]), title); err != nil {
		return err
	}
	return try(ctx, db)
}

func done(ctx context.Context, db *client.DB, id string) error {
	n, err := db.Exec(ctx, "UPDATE todo SET done = 1 WHERE id = ?", id)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("there is no %s", id)
	}
	return try(ctx, db)
}

// try syncs for a moment. Offline is not an error: the next command, or watch,
// sends what is pending.
func try(ctx context.Context, db *client.DB) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := db.Sync(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "todo: kept for later:", err)
	}
	return nil
}

// watch keeps the copy in sync and prints the list whenever a commit changed
// it, whoever committed.
func watch(ctx context.Context, w io.Writer, db *client.DB) error {
	stop, err := db.Watch(ctx, list, nil, func(r *client.Result, err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "todo:", err)
			return
		}
		_, _ = fmt.Fprintln(w, "---")
		show(w, r)
	})
	if err != nil {
		return err
	}
	defer stop()
	if err := db.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func show(w io.Writer, r *client.Result) {
	for _, row := range r.Rows {
		mark := " "
		if row[2].Int64() != 0 {
			mark = "x"
		}
		_, _ = fmt.Fprintf(w, "[%s] %s  %s\n", mark, row[0].Str(), row[1].Str())
	}
}
