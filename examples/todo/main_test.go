package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/server"
)

func TestOneAddsTheOtherSees(t *testing.T) {
	address := serveList(t)
	mine, yours := clone(t, address), clone(t, address)

	// Yours is watched: it prints at once, and again for what mine adds.
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, w, []string{yours, "watch"})
		_ = w.Close()
	}()
	lines := bufio.NewScanner(r)
	await(t, lines, "---")
	todo(t, mine, "add", "buy", "milk")
	await(t, lines, "buy milk")

	id := strings.Fields(todo(t, mine, "list"))[2]
	todo(t, mine, "done", id)
	await(t, lines, "[x] "+id)
	cancel()
	go func() { _, _ = io.Copy(io.Discard, r) }()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestMistakes(t *testing.T) {
	mine := clone(t, serveList(t))
	for _, args := range [][]string{{mine}, {mine, "add"}, {mine, "done", "nothing"}, {mine, "frobnicate"}, {"nowhere.db", "list"}} {
		if err := run(t.Context(), io.Discard, args); err == nil {
			t.Errorf("%v went through", args)
		}
	}
}

func serveList(t *testing.T) (address string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "list.sqlite")
	db, err := lite.Open(file, lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Script("CREATE TABLE todo (id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0)")
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	srv, err := server.Open(file, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	return web.URL + "/list"
}

func clone(t *testing.T, address string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := client.Clone(t.Context(), address, path, client.CloneOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}

func todo(t *testing.T, args ...string) string {
	t.Helper()
	var b bytes.Buffer
	if err := run(t.Context(), &b, args); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// await reads on until a line holds text.
func await(t *testing.T, lines *bufio.Scanner, text string) {
	t.Helper()
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			return
		}
	}
	t.Fatalf("%q did not come: %v", text, lines.Err())
}
