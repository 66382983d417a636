// Command tracker makes a project tracker to try rules on: a database, the rules
// that say who may write what in it, and their tests.
//
//	go run ./examples/tracker FOLDER
//	tidemark rules test FOLDER/tracker.sqlite FOLDER/rules-test.yaml
package main

import (
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	_ "github.com/ncruces/go-sqlite3/driver"
)

var (
	//go:embed schema.sql
	schema string
	//go:embed tidemark.yaml
	rules []byte
	//go:embed rules-test.yaml
	tests []byte
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: tracker FOLDER")
	}
	if err := write(os.Args[1]); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("next: tidemark rules test %[1]s/tracker.sqlite %[1]s/rules-test.yaml\n", os.Args[1])
}

// write makes the database and its files in a folder.
func write(folder string) error {
	path := filepath.Join(folder, "tracker.sqlite")
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s is there already", path)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		return err
	}
	_, err = db.Exec(schema)
	return errors.Join(err, db.Close(),
		os.WriteFile(filepath.Join(folder, "tidemark.yaml"), rules, 0o644),
		os.WriteFile(filepath.Join(folder, "rules-test.yaml"), tests, 0o644))
}
