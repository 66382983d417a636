// Command hooks shows both kinds of hook on a small purchase ledger.
//
//	go run ./examples/hooks serve FOLDER
//
// serves a database with a Go function as its hook, and
//
//	go run ./examples/hooks endpoint SECRET
//	tidemark serve ledger.sqlite --hook http://127.0.0.1:7430/judge --hook-secret SECRET
//
// is an endpoint that judges for a server of its own.
package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/server"
)

const schema = `
CREATE TABLE purchase (
	id INTEGER PRIMARY KEY,
	what TEXT NOT NULL,
	amount INTEGER NOT NULL CHECK (amount > 0),
	approved_by TEXT,
	booked_by TEXT
);
CREATE TABLE audit (id INTEGER PRIMARY KEY, purchase INTEGER NOT NULL, amount INTEGER NOT NULL, by TEXT);
`

// limit is what one may spend without asking.
const limit = 1000

const needsApproval = "needs_approval"

// judge is the Go hook: it rejects, sets columns and adds rows.
func judge(_ context.Context, call *server.HookCall) error {
	for _, c := range call.Changes {
		if c.Table != "purchase" || c.Op == tidemark.Delete {
			continue
		}
		amount := c.New["amount"].Int64()
		if amount > limit && c.New["approved_by"].IsNull() {
			return c.Reject(needsApproval, fmt.Sprintf("%s costs %d: above %d somebody must approve it", c.New["what"].Str(), amount, limit), "approved_by")
		}
		c.Set("what", tidemark.Text(strings.TrimSpace(c.New["what"].Str())))
		if c.Op == tidemark.Insert || c.New["amount"] != c.Old["amount"] {
			c.Set("booked_by", tidemark.Text(call.Principal.ID))
			call.Insert("audit", server.HookRow{"purchase": c.New["id"], "amount": c.New["amount"], "by": tidemark.Text(call.Principal.ID)})
		}
	}
	return nil
}

// endpoint is the same check behind HTTP, in a program that knows nothing of
// package server but the signature, which is eight lines in any language.
func endpoint(secret []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<20))
		if err == nil {
			err = server.VerifyWebhook(secret, r.Header, body, time.Now())
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		var call struct {
			Changes []struct {
				Table string
				New   struct {
					What       string
					Amount     int64
					ApprovedBy *string `json:"approved_by"`
				}
			}
		}
		if err := json.Unmarshal(body, &call); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer := map[string]any{"accept": true}
		for i, c := range call.Changes {
			if c.Table == "purchase" && c.New.Amount > limit && c.New.ApprovedBy == nil {
				answer = map[string]any{"reject": map[string]any{
					"code": needsApproval, "message": fmt.Sprintf("%s costs %d: above %d somebody must approve it", c.New.What, c.New.Amount, limit),
					"change": i, "columns": []string{"approved_by"},
				}}
				break
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	})
}

// open serves ledger.sqlite in a folder, which it makes.
func open(folder string, o server.Options) (*server.Server, error) {
	path := filepath.Join(folder, "ledger.sqlite")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, err
		}
	}
	return server.Open(path, o)
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

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: hooks serve FOLDER, or hooks endpoint SECRETFILE")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch os.Args[1] {
	case "serve":
		srv, err := open(os.Args[2], server.Options{Hook: judge})
		if err != nil {
			log.Fatal(err)
		}
		serve(ctx, "127.0.0.1:7420", srv, srv.Shutdown)
	case "endpoint":
		secret, err := os.ReadFile(os.Args[2])
		if err != nil {
			log.Fatal(err)
		}
		serve(ctx, "127.0.0.1:7430", endpoint(bytes.TrimSpace(secret)), func(context.Context) error { return nil })
	default:
		log.Fatalf("no such command: %s", os.Args[1])
	}
}

// serve answers until the context ends.
func serve(ctx context.Context, address string, h http.Handler, shutdown func(context.Context) error) {
	web := &http.Server{Addr: address, Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = shutdown(end)
		_ = web.Shutdown(end)
	}()
	if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
