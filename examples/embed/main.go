// Command embed is a Go program with a page of its own that also serves its
// SQLite file to copies: three lines make the server, and it is an ordinary
// http.Handler from there on.
//
//	go run ./examples/embed app.sqlite
//	tidemark clone http://127.0.0.1:8080/sync/app copy.db
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/tidemarkdb/tidemark/server"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: embed FILE")
	}
	srv, err := server.Open(os.Args[1], server.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = srv.Close() }()
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", handler(srv)))
}

// handler puts the spaces beside the program's own pages.
func handler(srv http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/sync/", http.StripPrefix("/sync", srv))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "the program's own page")
	})
	return mux
}
