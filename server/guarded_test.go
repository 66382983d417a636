package server

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/token"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

var testSecret = []byte(strings.Repeat("s", token.MinSecret))

// tokenFor makes a token that is good for a while.
func tokenFor(t testing.TB, who string, life time.Duration, more ...any) string {
	t.Helper()
	c := jwt.MapClaims{"sub": who, "exp": float64(time.Now().Add(life).UnixMilli()) / 1000}
	for i := 0; i < len(more); i += 2 {
		c[more[i].(string)] = more[i+1]
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func testTokens(t testing.TB, o TokenOptions) *Tokens {
	t.Helper()
	if o.JWKS == "" {
		o.Secrets = [][]byte{testSecret}
	}
	tokens, err := NewTokens(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tokens.Close() })
	return tokens
}

func newGuardedDeck(t *testing.T, o TokenOptions, q Quota, tune tuning) *deck {
	t.Helper()
	return newDeck(t, Options{Auth: testTokens(t, o), Quota: q, Policies: everybodyMayWrite(t)}, tune)
}

// everybodyMayWrite is a file of rules that leave all to tokens.
func everybodyMayWrite(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tidemark.yaml")
	if err := os.WriteFile(path, []byte("rules:\n  default: public\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func bearerOf(text string) http.Header { return http.Header{"Authorization": {"Bearer " + text}} }

// request asks for an address and returns the answer's status and code.
func (d *deck) request(method, path string, header http.Header, body string) (int, tidemark.Code, *http.Response) {
	d.t.Helper()
	req, err := http.NewRequest(method, d.http.URL+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := d.http.Client().Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	var e errorJSON
	_ = json.NewDecoder(resp.Body).Decode(&e)
	return resp.StatusCode, e.Error.Code, resp
}

// signIn opens a WebSocket with a token in its header.
func (v *device) signIn(text string) {
	v.d.t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}}
	conn, _, err := dialer.Dial("ws"+strings.TrimPrefix(v.d.url("/ws"), "http"), bearerOf(text))
	if err != nil {
		v.d.t.Fatal(err)
	}
	v.conn, v.up, v.down = conn, wire.Shorthand{}, wire.Shorthand{}
	v.d.t.Cleanup(func() { _ = conn.Close() })
}
