package server_test

import (
	"context"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/tidemarkdb/tidemark/server"
)

// Code in docs/guide/embedding.md and in the README stands in the examples
// below; a test compares them.

func Example() {
	srv, err := server.Open("app.sqlite", server.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	log.Fatal(http.ListenAndServe("127.0.0.1:7420", srv))
}

// A server beside a program's own pages, which ends in an orderly way.
func ExampleServer_Shutdown() {
	srv, err := server.New(server.Options{Dir: "spaces"})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/sync/", http.StripPrefix("/sync", srv))
	web := &http.Server{Addr: "127.0.0.1:8080", Handler: mux}
	go web.ListenAndServe()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	srv.Shutdown(ctx) // before the http.Server, which does not know of WebSockets
	web.Shutdown(ctx)
}

// A server that asks for tokens which a sign-in service signs. The code stands
// in docs/guide/auth.md.
func ExampleNewTokens() {
	tokens, err := server.NewTokens(server.TokenOptions{
		JWKS: "https://id.example/.well-known/jwks.json", Issuer: "https://id.example/", Audience: "tidemark",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer tokens.Close()
	srv, err := server.Open("app.sqlite", server.Options{Auth: tokens})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	log.Fatal(http.ListenAndServe("127.0.0.1:7420", srv))
}
