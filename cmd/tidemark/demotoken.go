package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/token"
	"github.com/tidemarkdb/tidemark/internal/tracker"
)

func (c *demoCommand) secretPath() string { return filepath.Join(c.Dir, "secret") }

// secret is what the demo's tokens are signed with, made by the first run.
func (c *demoCommand) secret() ([]byte, error) {
	path := c.secretPath()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		text, err := token.NewSecret(rand.Reader)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, &tidemark.Error{Code: tidemark.CodeUsage, Op: "demo", Err: err, Hint: "give a folder that you can write to: tidemark demo DIR"}
		}
	}
	return readSecret(path)
}

// tokenDesk gives the demo's page tokens: POST /demo/token with {"person": "ana"}
// answers with one for Ana. It asks for no password: the demo shows what people
// may do, not how they sign in.
type tokenDesk struct {
	secret []byte
}

// tokenLife is short, so that the page shows how sessions go on with newer ones.
const tokenLife = 10 * time.Minute

func (d *tokenDesk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Person string `json:"person"`
	}
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10))
	body.DisallowUnknownFields()
	if err := body.Decode(&ask); err != nil {
		http.Error(w, `write it like {"person": "ana"}`, http.StatusBadRequest)
		return
	}
	if !slices.Contains(tracker.People, ask.Person) {
		http.Error(w, "there is nobody of this name in the demo: "+strings.Join(tracker.People, ", "), http.StatusNotFound)
		return
	}
	text, err := token.Issue(d.secret, ask.Person, nil, time.Now(), tokenLife)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]string{"token": text}) // an error is one of the connection
}

// ownPage lets through what the demo's own page asks for. Another site cannot
// ask in its name: a browser says where a POST comes from. Nor can one whose name
// its owner lets point to this machine: such a name is not one of this machine.
func ownPage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopback(withPort(r.Host)) || r.Method == http.MethodPost && !sameOrigin(r) {
			http.Error(w, "only the demo's own page may ask for this", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withPort is a host as loopback takes it; browsers leave the port 80 away.
func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err != nil {
		return net.JoinHostPort(strings.Trim(host, "[]"), "80")
	}
	return host
}

func sameOrigin(r *http.Request) bool {
	u, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && u.Scheme == "http" && strings.EqualFold(u.Host, r.Host)
}
