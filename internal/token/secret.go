package token

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// NewSecret makes a shared secret as it stands in a file: 43 letters of
// base64url and a line break. The letters are the secret, not what they encode,
// so that every library for tokens takes it as it is.
func NewSecret(rand io.Reader) (string, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(rand, b); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b) + "\n", nil
}

// ParseSecret reads a shared secret from the text of a file: one line.
func ParseSecret(text []byte) ([]byte, error) {
	s := strings.TrimRight(string(text), "\r\n")
	switch {
	case strings.ContainsAny(s, "\r\n"):
		return nil, usage("a secret is one line of text", "make one with `tidemark token keygen`")
	case len(s) < MinSecret:
		return nil, usage(fmt.Sprintf("the secret has %d bytes, less than %d can be guessed", len(s), MinSecret), "make one with `tidemark token keygen`")
	}
	return []byte(s), nil
}

// Issue signs a token with a shared secret. claims may hold anything; sub, iat
// and exp are set.
func Issue(secret []byte, sub string, claims map[string]any, now time.Time, ttl time.Duration) (string, error) {
	if !IsID(sub) {
		return "", usage("sub must name somebody", fmt.Sprintf("1 to %d bytes of text without control characters", MaxSubject))
	}
	if ttl <= 0 {
		return "", usage("the token would be over at once", "give a time to live, like 1h")
	}
	all := jwt.MapClaims{}
	for k, v := range claims {
		all[k] = v
	}
	all["sub"], all["iat"], all["exp"] = sub, now.Unix(), now.Add(ttl).Unix()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, all).SignedString(secret)
}
