package server

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tidemarkdb/tidemark"
)

// keyServer publishes keys and counts how often it is asked.
type keyServer struct {
	*httptest.Server
	body  atomic.Pointer[string]
	asked atomic.Int64
}

func newKeyServer(t *testing.T) *keyServer {
	k := &keyServer{}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		k.asked.Add(1)
		if b := k.body.Load(); b != nil {
			_, _ = w.Write([]byte(*b))
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(k.Close)
	return k
}

func (k *keyServer) publish(keys map[string]ed25519.PublicKey) {
	var list []string
	for kid, key := range keys {
		list = append(list, fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":%q,"x":%q}`, kid, base64.RawURLEncoding.EncodeToString(key)))
	}
	body := `{"keys":[` + strings.Join(list, ",") + `]}`
	k.body.Store(&body)
}

func edToken(t *testing.T, key ed25519.PrivateKey, kid string) string {
	t.Helper()
	tok := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"sub": "ana", "exp": time.Now().Add(time.Hour).Unix()})
	tok.Header["kid"] = kid
	text, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestKeysThatAreFetchedAndRotated(t *testing.T) {
	public1, private1, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public2, private2, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := newKeyServer(t)
	tokens := testTokens(t, TokenOptions{JWKS: k.URL}) // which does not answer yet
	ctx := context.Background()
	if _, err := tokens.Authenticate(ctx, edToken(t, private1, "1")); tidemark.CodeOf(err) == "" || tidemark.CodeOf(err) == tidemark.CodeUnauthenticated {
		t.Fatalf("a token is blamed for keys that cannot be had: %v", err)
	}
	k.publish(map[string]ed25519.PublicKey{"1": public1})
	tokens = testTokens(t, TokenOptions{JWKS: k.URL})
	if p, err := tokens.Authenticate(ctx, edToken(t, private1, "1")); err != nil || p.ID != "ana" {
		t.Fatalf("%+v, %v", p, err)
	}
	k.publish(map[string]ed25519.PublicKey{"2": public2})
	if p, err := tokens.Authenticate(ctx, edToken(t, private2, "2")); err != nil || p.ID != "ana" {
		t.Fatalf("after the rotation: %+v, %v", p, err)
	}
	if _, err := tokens.Authenticate(ctx, edToken(t, private1, "1")); err == nil {
		t.Fatal("the old key is still good")
	}
	if _, err := tokens.Authenticate(ctx, edToken(t, private1, "2")); tidemark.CodeOf(err) != tidemark.CodeUnauthenticated {
		t.Fatalf("the old key under the new one's name: %v", err)
	}
	before := k.asked.Load()
	for i := range 500 {
		if _, err := tokens.Authenticate(ctx, edToken(t, private1, fmt.Sprint("storm", i))); err == nil {
			t.Fatal("taken")
		}
	}
	if n := k.asked.Load() - before; n > 1 {
		t.Errorf("500 unknown keys asked for the set %d times", n)
	}
}

func TestKeysOfAFileAreReadAgain(t *testing.T) {
	public1, private1, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	k := &keyServer{}
	k.publish(map[string]ed25519.PublicKey{"0": bytes.Repeat([]byte{1}, ed25519.PublicKeySize)})
	save := func() {
		if err := os.WriteFile(path, []byte(*k.body.Load()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save()
	tokens := testTokens(t, TokenOptions{JWKS: path})
	text := edToken(t, private1, "1")
	if _, err := tokens.Authenticate(context.Background(), text); tidemark.CodeOf(err) != tidemark.CodeUnauthenticated {
		t.Fatal(err)
	}
	k.publish(map[string]ed25519.PublicKey{"1": public1})
	save()
	if err := tokens.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Authenticate(context.Background(), text); err != nil {
		t.Fatal(err)
	}
	for _, o := range []TokenOptions{{JWKS: path + "x"}, {JWKS: "http://%"}, {Secrets: [][]byte{[]byte("short")}}, {}, {Secrets: [][]byte{testSecret}, Revoked: path}} {
		if _, err := NewTokens(o); tidemark.CodeOf(err) != tidemark.CodeUsage {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
