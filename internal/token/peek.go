package token

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"
)

// Peeked is what a token claims. Nobody has checked it.
type Peeked struct {
	Subject string
	Expires time.Time // zero when it does not say
}

// Peek reads a token without a key. It reports false for what is no JSON Web
// Token, or says nothing of whom it is.
func Peek(text string) (p Peeked, ok bool) {
	parts := strings.Split(text, ".")
	if len(text) > MaxSize || len(parts) != 3 {
		return p, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return p, false
	}
	var claims map[string]any // not a struct: names of fields would be compared without regard to case
	if json.Unmarshal(payload, &claims) != nil {
		return p, false
	}
	p.Subject, _ = claims["sub"].(string)
	if exp, is := claims["exp"].(float64); is && exp > 0 && exp < 1<<50 {
		whole, part := math.Modf(exp)
		p.Expires = time.Unix(int64(whole), int64(part*1e9))
	}
	return p, IsID(p.Subject)
}
