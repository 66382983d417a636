package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/token"
	"github.com/tidemarkdb/tidemark/internal/tracker"
)

// desk makes a demo's secret in a folder and asks its desk for a token.
func desk(t *testing.T) (secret []byte, ask func(host, origin, body string) *http.Response) {
	t.Helper()
	c := &demoCommand{Dir: t.TempDir()}
	secret, err := c.secret()
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(c.secretPath())
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("the secret: %v, %v", fi, err)
	}
	if again, err := c.secret(); err != nil || string(again) != string(secret) {
		t.Fatalf("the second run has another secret, %v", err)
	}
	h := ownPage(&tokenDesk{secret: secret})
	return secret, func(host, origin, body string) *http.Response {
		r := httptest.NewRequest(http.MethodPost, "/demo/token", strings.NewReader(body))
		r.Host = host
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
}

func TestTheDemosPageGetsShortTokens(t *testing.T) {
	secret, ask := desk(t)
	v, err := token.NewVerifier(token.Options{Secrets: [][]byte{secret}})
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range tracker.People {
		for _, host := range []string{"127.0.0.1:7420", "localhost:7420", "[::1]:7420", "127.0.0.1", "[::1]"} {
			resp := ask(host, "http://"+host, `{"person": "`+who+`"}`)
			var got struct{ Token string }
			if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("%s at %s: %d %v, %v", who, host, resp.StatusCode, resp.Header, err)
			}
			p, err := v.Verify(context.Background(), time.Now(), got.Token)
			if err != nil || p.ID != who || time.Until(p.Expires) > tokenLife {
				t.Fatalf("%s at %s: %+v, %v", who, host, p, err)
			}
		}
	}
}

func TestNobodyElseGetsTokens(t *testing.T) {
	_, ask := desk(t)
	ana := `{"person": "ana"}`
	for _, c := range []struct {
		why, host, origin, body string
		status                  int
	}{
		{"another site", "127.0.0.1:7420", "https://evil.example", ana, http.StatusForbidden},
		{"another port", "127.0.0.1:7420", "http://127.0.0.1:8080", ana, http.StatusForbidden},
		{"a sandboxed page", "127.0.0.1:7420", "null", ana, http.StatusForbidden},
		{"no page", "127.0.0.1:7420", "", ana, http.StatusForbidden},
		{"a name that was pointed here", "evil.example:7420", "http://evil.example:7420", ana, http.StatusForbidden},
		{"a name without port", "evil.example", "http://evil.example", ana, http.StatusForbidden},
		{"no host", "", "http://", ana, http.StatusForbidden},
		{"somebody unknown", "localhost:7420", "http://localhost:7420", `{"person": "eve"}`, http.StatusNotFound},
		{"nobody", "localhost:7420", "http://localhost:7420", `{}`, http.StatusNotFound},
		{"a form", "localhost:7420", "http://localhost:7420", `person=ana`, http.StatusBadRequest},
		{"other claims", "localhost:7420", "http://localhost:7420", `{"person": "ana", "ttl": 1}`, http.StatusBadRequest},
		{"too much", "localhost:7420", "http://localhost:7420", `{"person": "` + strings.Repeat("a", 2000) + `"}`, http.StatusBadRequest},
	} {
		resp := ask(c.host, c.origin, c.body)
		var body [4096]byte
		n, _ := resp.Body.Read(body[:])
		if resp.StatusCode != c.status || strings.Contains(string(body[:n]), "eyJ") {
			t.Errorf("%s: %d %s", c.why, resp.StatusCode, body[:n])
		}
	}
}

func TestTheDemoStaysOnThisMachine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	for _, listen := range []string{"0.0.0.0:0", ":0", "192.0.2.1:7420"} {
		err := (&demoCommand{Dir: dir, Listen: listen}).Run(nil)
		if tidemark.CodeOf(err) != tidemark.CodeUsage {
			t.Errorf("%s: %v", listen, err)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("it made its folder all the same")
	}
}
