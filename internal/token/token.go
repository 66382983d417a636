// Package token judges JSON Web Tokens (RFC 7519) and makes them for
// development. It asks nobody and reads no clock: keys and the time come in.
//
// NewVerifier comes first; its Verify says whose a token is. ParseSecret reads
// a shared secret, ParseRevoked a list of what is no longer good. Peek reads
// what a token claims without believing it: a replica looks whether a token is
// its own principal's before it sends anything. Issue makes a token, for
// people who try things on their own machine.
//
// Caveats. Which algorithms are taken is said by the Verifier's options, never
// by the token. An error says what is wrong with the claims of a token only
// when its signature is good, and nothing about keys ever.
package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tidemarkdb/tidemark"
)

// Bounds of what is looked at.
const (
	MaxSize    = 16 << 10 // bytes of a token
	MaxSubject = 200      // bytes of a principal's ID
	MinSecret  = 32       // bytes of a shared secret
	minRSA     = 2048     // bits of an RSA key
)

// DefaultLeeway is how far the clocks of who signs and who judges may differ.
const DefaultLeeway = 30 * time.Second

// Options of NewVerifier.
type Options struct {
	Secrets    [][]byte      // for HS256; any of them, so that one can follow another
	Keys       Keys          // for RS256, ES256 and EdDSA
	Algorithms []string      // what is taken; default all for which there are keys
	Issuer     string        // exact iss; "" for any
	Audience   string        // must be aud, or one of them; "" for any
	Leeway     time.Duration // default DefaultLeeway; less than 0: none
}

// Keys finds the public keys that may be a token's, by its header.
type Keys func(ctx context.Context, header map[string]any) ([]any, error)

// Verifier judges tokens. It may be used from several goroutines.
type Verifier struct {
	opts       Options
	algorithms []string
}

const (
	symmetric = "HS256"
	rsaAlg    = "RS256"
	ecdsaAlg  = "ES256"
	edwards   = "EdDSA"
)

// NewVerifier refuses options by which no token could be judged safely.
func NewVerifier(o Options) (*Verifier, error) {
	for _, s := range o.Secrets {
		if len(s) < MinSecret {
			return nil, usage(fmt.Sprintf("the secret has %d bytes, less than %d can be guessed", len(s), MinSecret), "make one with `tidemark token keygen`")
		}
	}
	var known []string
	if len(o.Secrets) > 0 {
		known = append(known, symmetric)
	}
	if o.Keys != nil {
		known = append(known, rsaAlg, ecdsaAlg, edwards)
	}
	if len(known) == 0 {
		return nil, usage("no key by which tokens could be judged", "give a shared secret, or a set of public keys")
	}
	v := &Verifier{opts: o, algorithms: known}
	if len(o.Algorithms) > 0 {
		for _, a := range o.Algorithms {
			if !slices.Contains(known, a) {
				return nil, usage(fmt.Sprintf("tokens signed with %q cannot be taken", a), "with these keys there are "+strings.Join(known, ", "))
			}
		}
		v.algorithms = o.Algorithms
	}
	switch {
	case o.Leeway == 0:
		v.opts.Leeway = DefaultLeeway
	case o.Leeway < 0:
		v.opts.Leeway = 0
	}
	return v, nil
}

// Leeway is how far clocks may differ.
func (v *Verifier) Leeway() time.Duration { return v.opts.Leeway }

func usage(msg, hint string) error {
	return &tidemark.Error{Code: tidemark.CodeUsage, Op: "token", Msg: msg, Hint: hint}
}

// Verify says whose a token is. An error is a *tidemark.Error: unauthenticated,
// or another one when the keys cannot be had now.
func (v *Verifier) Verify(ctx context.Context, now time.Time, text string) (tidemark.Principal, error) {
	switch {
	case text == "":
		return tidemark.Principal{}, refuse(Missing, "no token came", "send one in the Authorization header, as Bearer TOKEN, or in the first message")
	case len(text) > MaxSize:
		return tidemark.Principal{}, refuse(Bad, fmt.Sprintf("the token is larger than %d bytes", MaxSize), "")
	}
	claims := jwt.MapClaims{}
	t, err := v.parser(now).ParseWithClaims(text, claims, func(t *jwt.Token) (any, error) { return v.key(ctx, t) })
	if err != nil {
		return tidemark.Principal{}, v.explain(err, claims)
	}
	if t == nil || !t.Valid {
		return tidemark.Principal{}, refuse(Bad, "the token is not good", "")
	}
	return principal(claims)
}

func (v *Verifier) parser(now time.Time) *jwt.Parser {
	opts := []jwt.ParserOption{
		jwt.WithValidMethods(v.algorithms), jwt.WithExpirationRequired(), jwt.WithLeeway(v.opts.Leeway),
		jwt.WithTimeFunc(func() time.Time { return now }), jwt.WithStrictDecoding(), jwt.WithJSONNumber(),
	}
	if v.opts.Issuer != "" {
		opts = append(opts, jwt.WithIssuer(v.opts.Issuer))
	}
	if v.opts.Audience != "" {
		opts = append(opts, jwt.WithAudience(v.opts.Audience))
	}
	return jwt.NewParser(opts...)
}

// ErrKeys is wrapped by Keys to say that the keys, not the token, are to blame.
var ErrKeys = errors.New("the keys cannot be had")

// key finds the key for a token of an algorithm that is taken. Secrets are for
// HS256 alone and public keys are never taken for secrets, whatever the header
// says.
func (v *Verifier) key(ctx context.Context, t *jwt.Token) (any, error) {
	if len(t.Header) > 20 {
		return nil, errors.New("too much in the header")
	}
	if _, critical := t.Header["crit"]; critical {
		return nil, errors.New("the header asks for what is not known here")
	}
	alg := t.Method.Alg()
	if alg == symmetric {
		set := jwt.VerificationKeySet{}
		for _, s := range v.opts.Secrets {
			set.Keys = append(set.Keys, s)
		}
		return set, nil
	}
	keys, err := v.opts.Keys(ctx, t.Header)
	if err != nil {
		return nil, err
	}
	set := jwt.VerificationKeySet{}
	for _, k := range keys {
		if err = fits(alg, k); err == nil {
			set.Keys = append(set.Keys, k)
		}
	}
	if len(set.Keys) == 0 {
		return nil, errors.Join(err, errors.New("no key fits"))
	}
	return set, nil
}

// fits refuses keys of another kind than the algorithm's, and weak ones.
func fits(alg string, key any) error {
	ok := false
	switch k := key.(type) {
	case *rsa.PublicKey:
		ok = alg == rsaAlg && k.N.BitLen() >= minRSA
	case *ecdsa.PublicKey:
		ok = alg == ecdsaAlg && k.Curve == elliptic.P256()
	case ed25519.PublicKey:
		ok = alg == edwards && len(k) == ed25519.PublicKeySize
	}
	if !ok {
		return fmt.Errorf("a key of type %T is none for %s", key, alg)
	}
	return nil
}

// farthest is the end of the year 9999: beyond it times do not fit everywhere.
const farthest = 253402300799

// principal reads who the claims of a good token are about.
func principal(claims jwt.MapClaims) (tidemark.Principal, error) {
	sub, err := claims.GetSubject()
	if err != nil || !IsID(sub) {
		return tidemark.Principal{}, refuse(Bad, "the token does not say who it is of (sub)",
			fmt.Sprintf("sub must be 1 to %d bytes of text without control characters", MaxSubject))
	}
	exp, err := claims.GetExpirationTime()
	if err != nil || exp == nil || exp.Unix() > farthest {
		return tidemark.Principal{}, refuse(Bad, "the token does not say when it ends (exp)", "")
	}
	p := tidemark.Principal{ID: sub, Claims: claims, Expires: exp.Time}
	p.Token, _ = claims["jti"].(string)
	return p, nil
}

// IsID reports whether a principal can be called so.
func IsID(s string) bool {
	return s != "" && len(s) <= MaxSubject && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// Reasons for which tokens are refused, for metrics.
const (
	Missing = "missing"
	Bad     = "bad"
	Expired = "expired"
	Revoked = "revoked"
)

// Refused is why a token is not good.
type Refused struct {
	Reason string
	err    error
}

func (r *Refused) Error() string { return r.err.Error() }
func (r *Refused) Unwrap() error { return r.err }

func refuse(reason, msg, hint string) error {
	return &Refused{reason, &tidemark.Error{Code: tidemark.CodeUnauthenticated, Op: "sign in", Msg: msg, Hint: hint}}
}

// RefuseRevoked is why a token that was good is not any more.
func RefuseRevoked() error {
	return refuse(Revoked, "the token was revoked", "sign in again")
}

// explain turns an error of the library into one of ours. What is said of the
// claims is said only when the signature was good, which is looked at first.
func (v *Verifier) explain(err error, claims jwt.MapClaims) error {
	switch {
	case errors.Is(err, ErrKeys):
		return &tidemark.Error{Code: tidemark.CodeBusy, Op: "sign in", Err: err, Msg: "tokens cannot be judged now", Hint: "try again later"}
	case errors.Is(err, jwt.ErrTokenMalformed):
		return refuse(Bad, "what came is not a token", "send a JSON Web Token in its compact form, three parts with points between them")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return refuse(Bad, "the token was not signed with a key and an algorithm that this server takes", "")
	case errors.Is(err, jwt.ErrTokenExpired):
		at := ""
		if exp, err := claims.GetExpirationTime(); err == nil && exp != nil {
			at = " at " + exp.UTC().Format(time.RFC3339)
		}
		return refuse(Expired, "the token expired"+at, "bring a new one")
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return refuse(Bad, "the token is not good yet (nbf)", "compare the clocks of this server and of who signs the tokens")
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return refuse(Bad, "the token is of another issuer (iss)", "")
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return refuse(Bad, "the token is meant for somebody else (aud)", "")
	}
	return refuse(Bad, "a claim that the token must have is missing or no good", "it needs sub and exp")
}
