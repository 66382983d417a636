// Command policies serves a small database whose edits merge by functions of
// its own: tidemark.yaml names them, and this program registers them.
//
//	go run ./examples/policies FOLDER
//	tidemark clone http://127.0.0.1:7420/office copy.db
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/server"
)

const schema = `
CREATE TABLE job (id INTEGER PRIMARY KEY, title TEXT, state TEXT NOT NULL DEFAULT 'new');
CREATE TABLE list (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE contact (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE COLLATE NOCASE, phone TEXT);
CREATE TABLE call (id INTEGER PRIMARY KEY, contact INTEGER NOT NULL REFERENCES contact (id), note TEXT);
`

const policies = `tables:
  job:
    columns:
      state: { policy: custom, function: forward }
  list: { on_unique: { function: rename } }
  contact: { on_unique: { function: same } }
`

// states are in the order in which a job goes through them.
var states = []tidemark.Value{tidemark.Text("new"), tidemark.Text("started"), tidemark.Text("done")}

// forward merges a state so that no job goes back: of two states the later one stays.
func forward(_, theirs, mine tidemark.Value) (tidemark.Value, error) {
	t, m := slices.Index(states, theirs), slices.Index(states, mine)
	switch {
	case m < 0:
		return theirs, fmt.Errorf("there is no state %s", mine)
	case t > m:
		return theirs, nil
	}
	return mine, nil
}

// rename gives a list whose name is taken its number behind the name, so that both stay.
func rename(c server.Clash) (server.Resolution, error) {
	name := slices.IndexFunc(c.Table.Columns, func(col tidemark.Column) bool { return col.Name == "name" })
	key := c.Table.KeyOf(c.Mine)[0]
	row := slices.Clone(c.Mine)
	row[name] = tidemark.Text(fmt.Sprintf("%s (%d)", row[name].Str(), key.Int64()))
	return server.Resolution{Row: row}, nil
}

// same says that two contacts with one email address are one contact.
func same(server.Clash) (server.Resolution, error) { return server.Resolution{Merge: true}, nil }

// open serves office.sqlite in a folder, which it makes with its policies.
func open(folder string) (*server.Server, error) {
	path := filepath.Join(folder, "office.sqlite")
	if err := os.WriteFile(filepath.Join(folder, "tidemark.yaml"), []byte(policies), 0o644); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, err
		}
	}
	return server.Open(path, server.Options{
		Merge:  map[string]server.MergeFunc{"forward": forward},
		Unique: map[string]server.UniqueFunc{"rename": rename, "same": same},
	})
}

// create makes the database as any program would.
func create(path string) error {
	db, err := sql.Open("sqlite3", "file:"+filepath.ToSlash(path))
	if err != nil {
		return err
	}
	_, err = db.Exec(schema)
	return errors.Join(err, db.Close())
}

// edit opens a copy that predicts as the server decides.
func edit(path string) (*client.DB, error) {
	return client.Open(path, client.Options{Merge: map[string]client.MergeFunc{"forward": forward}})
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: policies FOLDER")
	}
	srv, err := open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	web := &http.Server{Addr: "127.0.0.1:7420", Handler: srv, ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = srv.Shutdown(end)
		_ = web.Shutdown(end)
	}()
	if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
