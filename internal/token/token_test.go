package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/tidemarkdb/tidemark"
)

var (
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	secret = []byte(strings.Repeat("s", MinSecret))
)

// keyring is a set of public keys with its private halves.
type keyring struct {
	rsa     *rsa.PrivateKey
	weak    *rsa.PrivateKey
	ecdsa   *ecdsa.PrivateKey
	p384    *ecdsa.PrivateKey
	edwards ed25519.PrivateKey
	set     []byte
}

func newKeyring(t testing.TB) *keyring {
	t.Helper()
	k := &keyring{}
	var err error
	must := func(e error) {
		if e != nil {
			t.Fatal(e)
		}
	}
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.weak, err = rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	k.ecdsa, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	_, k.edwards, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	store := jwkset.NewMemoryStorage()
	for id, key := range map[string]crypto.PublicKey{
		"rsa": k.rsa.Public(), "weak": k.weak.Public(), "ec": k.ecdsa.Public(), "p384": k.p384.Public(), "ed": k.edwards.Public(),
	} {
		j, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: id, USE: jwkset.UseSig}})
		must(err)
		must(store.KeyWrite(context.Background(), j))
	}
	j, err := jwkset.NewJWKFromKey(k.edwards.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "enc", USE: jwkset.UseEnc}})
	must(err)
	must(store.KeyWrite(context.Background(), j))
	j, err = jwkset.NewJWKFromKey(secret, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "oct"}, Marshal: jwkset.JWKMarshalOptions{Private: true}})
	must(err)
	must(store.KeyWrite(context.Background(), j))
	k.set, err = store.JSONPrivate(context.Background())
	must(err)
	return k
}

func claims(more ...any) jwt.MapClaims {
	c := jwt.MapClaims{"sub": "ana", "exp": noon.Add(time.Hour).Unix(), "iss": "https://id.example", "aud": "tidemark"}
	for i := 0; i < len(more); i += 2 {
		if c[more[i].(string)] = more[i+1]; more[i+1] == nil {
			delete(c, more[i].(string))
		}
	}
	return c
}

func signed(t testing.TB, m jwt.SigningMethod, key any, kid string, c jwt.MapClaims) string {
	t.Helper()
	tok := jwt.NewWithClaims(m, c)
	if kid != "" {
		tok.Header["kid"] = kid
	}
	text, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func verifier(t testing.TB, o Options) *Verifier {
	t.Helper()
	v, err := NewVerifier(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func refused(t *testing.T, name string, err error) {
	t.Helper()
	var r *Refused
	if tidemark.CodeOf(err) != tidemark.CodeUnauthenticated || !errors.As(err, &r) || r.Reason == "" {
		t.Errorf("%s: %v", name, err)
	}
}

func TestGoodTokens(t *testing.T) {
	k := newKeyring(t)
	keys, err := ParseKeys(k.set)
	if err != nil {
		t.Fatal(err)
	}
	other := []byte(strings.Repeat("o", MinSecret))
	v := verifier(t, Options{Secrets: [][]byte{other, secret}, Keys: keys, Issuer: "https://id.example", Audience: "tidemark"})
	for name, text := range map[string]string{
		"HS256":               signed(t, jwt.SigningMethodHS256, secret, "", claims("role", "admin")),
		"HS256, other secret": signed(t, jwt.SigningMethodHS256, other, "whatever", claims("role", "admin")),
		"RS256":               signed(t, jwt.SigningMethodRS256, k.rsa, "rsa", claims("role", "admin")),
		"RS256 without kid":   signed(t, jwt.SigningMethodRS256, k.rsa, "", claims("role", "admin")),
		"ES256":               signed(t, jwt.SigningMethodES256, k.ecdsa, "ec", claims("role", "admin")),
		"EdDSA":               signed(t, jwt.SigningMethodEdDSA, k.edwards, "ed", claims("role", "admin")),
		"a list of audiences": signed(t, jwt.SigningMethodEdDSA, k.edwards, "ed", claims("role", "admin", "aud", []string{"x", "tidemark"})),
		"just expired":        signed(t, jwt.SigningMethodEdDSA, k.edwards, "ed", claims("role", "admin", "exp", noon.Add(-29*time.Second).Unix())),
		"good in a moment":    signed(t, jwt.SigningMethodEdDSA, k.edwards, "ed", claims("role", "admin", "nbf", noon.Add(29*time.Second).Unix())),
	} {
		p, err := v.Verify(context.Background(), noon, text)
		if err != nil || p.ID != "ana" || p.Claims["role"] != "admin" || p.Expires.IsZero() {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if got, ok := Peek(text); !ok || got.Subject != "ana" || !got.Expires.Equal(p.Expires) {
			t.Errorf("%s: peeked %+v", name, got)
		}
	}
	p, err := v.Verify(context.Background(), noon, signed(t, jwt.SigningMethodHS256, secret, "", claims("jti", "7", "n", 1<<60)))
	if text, jerr := json.Marshal(p.Claims["n"]); err != nil || jerr != nil || p.Token != "7" || string(text) != "1152921504606846976" {
		t.Errorf("%+v, %s, %v", p, text, err)
	}
}

// none makes tokens that the library would not: by hand.
func byHand(header, payload string, signature []byte) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(header)) + "." + e([]byte(payload)) + "." + e(signature)
}

func TestHostileTokens(t *testing.T) {
	k := newKeyring(t)
	keys, err := ParseKeys(k.set)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(k.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	body := `{"sub":"ana","exp":1900000000,"iss":"https://id.example","aud":"tidemark"}`
	good := signed(t, jwt.SigningMethodRS256, k.rsa, "rsa", claims())
	parts := strings.Split(good, ".")
	both := Options{Secrets: [][]byte{secret}, Keys: keys, Issuer: "https://id.example", Audience: "tidemark"}
	public := Options{Keys: keys, Issuer: both.Issuer, Audience: both.Audience}
	shared := Options{Secrets: both.Secrets, Issuer: both.Issuer, Audience: both.Audience}
	hs := func(more ...any) string { return signed(t, jwt.SigningMethodHS256, secret, "", claims(more...)) }
	for name, c := range map[string]struct {
		o    Options
		text string
	}{
		"nothing":                      {both, ""},
		"no token":                     {both, "hello"},
		"points":                       {both, ".."},
		"a header alone":               {both, parts[0] + ".."},
		"no signature":                 {both, parts[0] + "." + parts[1] + "."},
		"alg none":                     {both, byHand(`{"alg":"none","typ":"JWT"}`, body, nil)},
		"alg None":                     {both, byHand(`{"alg":"None"}`, body, nil)},
		"alg empty":                    {both, byHand(`{"alg":""}`, body, nil)},
		"no alg":                       {both, byHand(`{"typ":"JWT"}`, body, nil)},
		"alg a number":                 {both, byHand(`{"alg":5}`, body, nil)},
		"the public key as a secret":   {both, signed(t, jwt.SigningMethodHS256, publicPEM, "rsa", claims())},
		"its DER as a secret":          {public, signed(t, jwt.SigningMethodHS256, der, "rsa", claims())},
		"a secret of the set":          {public, signed(t, jwt.SigningMethodHS256, secret, "oct", claims())},
		"a key for encryption":         {both, signed(t, jwt.SigningMethodEdDSA, k.edwards, "enc", claims())},
		"an algorithm not taken":       {both, signed(t, jwt.SigningMethodHS384, secret, "", claims())},
		"PS256":                        {both, signed(t, jwt.SigningMethodPS256, k.rsa, "rsa", claims())},
		"RS256 where only HS256":       {shared, good},
		"a key of another kind":        {both, signed(t, jwt.SigningMethodRS256, k.rsa, "ec", claims())},
		"a weak key":                   {both, signed(t, jwt.SigningMethodRS256, k.weak, "weak", claims())},
		"an unknown key":               {both, signed(t, jwt.SigningMethodRS256, k.rsa, "nobody's", claims())},
		"kid no text":                  {both, byHand(`{"alg":"RS256","kid":["rsa"]}`, body, []byte("x"))},
		"kid huge":                     {both, byHand(`{"alg":"RS256","kid":"`+strings.Repeat("k", 5000)+`"}`, body, []byte("x"))},
		"a key of its own":             {both, byHand(`{"alg":"ES256","jwk":{"kty":"EC"}}`, body, []byte("x"))},
		"crit":                         {both, critical(t)},
		"another's signature":          {both, parts[0] + "." + strings.Split(hs("sub", "eve"), ".")[1] + "." + parts[2]},
		"a changed claim":              {both, parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(body, "ana", "eve", 1))) + "." + parts[2]},
		"padding":                      {both, good + "=="},
		"something behind it":          {both, good + ".x"},
		"huge":                         {both, hs("x", strings.Repeat("x", MaxSize))},
		"another secret":               {both, signed(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), "", claims())},
		"an empty secret":              {both, signed(t, jwt.SigningMethodHS256, []byte{}, "", claims())},
		"expired":                      {both, hs("exp", noon.Add(-31*time.Second).Unix())},
		"without end":                  {both, hs("exp", nil)},
		"exp a text":                   {both, hs("exp", "1900000000")},
		"exp beyond time":              {both, hs("exp", 1e18)},
		"exp beyond everything":        {both, hs("exp", 1e300)},
		"not good yet":                 {both, hs("nbf", noon.Add(31*time.Second).Unix())},
		"another issuer":               {both, hs("iss", "https://id.example/")},
		"no issuer":                    {both, hs("iss", nil)},
		"another audience":             {both, hs("aud", "tidemark2")},
		"audiences of others":          {both, hs("aud", []string{"a", "b"})},
		"no audience":                  {both, hs("aud", nil)},
		"nobody":                       {both, hs("sub", nil)},
		"an empty name":                {both, hs("sub", "")},
		"a name that is a number":      {both, hs("sub", 5)},
		"a name with a line break":     {both, hs("sub", "ana\nben")},
		"a long name":                  {both, hs("sub", strings.Repeat("a", MaxSubject+1))},
		"claims that are a list":       {both, byHand(`{"alg":"HS256"}`, `[]`, []byte("x"))},
		"claims that are no JSON":      {both, byHand(`{"alg":"HS256"}`, `{`, []byte("x"))},
		"an encrypted token (5 parts)": {both, "a.b.c.d.e"},
	} {
		p, err := verifier(t, c.o).Verify(context.Background(), noon, c.text)
		if err == nil {
			t.Errorf("%s: taken for %+v", name, p)
			continue
		}
		refused(t, name, err)
	}
}

func critical(t *testing.T) string {
	tok := jwt.NewWithClaims(jwt.SigningMethodHS256, claims())
	tok.Header["crit"] = []string{"b64"}
	text, err := tok.SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Of a token with a bad signature nothing is told but that.
func TestABadSignatureTellsNothingOfTheClaims(t *testing.T) {
	v := verifier(t, Options{Secrets: [][]byte{secret}, Issuer: "https://id.example"})
	forged := []byte(strings.Repeat("x", 32))
	var told []string
	for _, c := range []jwt.MapClaims{claims(), claims("exp", 1), claims("iss", "x"), claims("sub", nil)} {
		_, err := v.Verify(context.Background(), noon, signed(t, jwt.SigningMethodHS256, forged, "", c))
		refused(t, "forged", err)
		told = append(told, err.Error())
	}
	for _, s := range told[1:] {
		if s != told[0] {
			t.Errorf("%q and %q", s, told[0])
		}
	}
}

func TestReasons(t *testing.T) {
	v := verifier(t, Options{Secrets: [][]byte{secret}})
	for reason, text := range map[string]string{
		Missing: "", Bad: "x", Expired: signed(t, jwt.SigningMethodHS256, secret, "", claims("exp", 1)),
	} {
		_, err := v.Verify(context.Background(), noon, text)
		var r *Refused
		if !errors.As(err, &r) || r.Reason != reason {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

func TestAlgorithmsCanBeNarrowed(t *testing.T) {
	k := newKeyring(t)
	keys, err := ParseKeys(k.set)
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, Options{Keys: keys, Algorithms: []string{"EdDSA"}})
	if _, err := v.Verify(context.Background(), noon, signed(t, jwt.SigningMethodEdDSA, k.edwards, "ed", claims())); err != nil {
		t.Error(err)
	}
	_, err = v.Verify(context.Background(), noon, signed(t, jwt.SigningMethodRS256, k.rsa, "rsa", claims()))
	refused(t, "RS256", err)
	for _, o := range []Options{
		{}, {Secrets: [][]byte{[]byte("short")}}, {Keys: keys, Algorithms: []string{"HS256"}}, {Keys: keys, Algorithms: []string{"none"}},
	} {
		if _, err := NewVerifier(o); tidemark.CodeOf(err) != tidemark.CodeUsage {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// When the keys cannot be had the token is not to blame: nobody has to sign in.
func TestKeysThatCannotBeHad(t *testing.T) {
	k := newKeyring(t)
	v := verifier(t, Options{Keys: func(context.Context, map[string]any) ([]any, error) { return nil, ErrKeys }})
	_, err := v.Verify(context.Background(), noon, signed(t, jwt.SigningMethodRS256, k.rsa, "rsa", claims()))
	if tidemark.CodeOf(err) != tidemark.CodeBusy {
		t.Error(err)
	}
}

func TestIssuedTokensAreGood(t *testing.T) {
	text, err := NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSecret([]byte(text))
	if err != nil || len(s) < MinSecret {
		t.Fatalf("%d bytes, %v", len(s), err)
	}
	issued, err := Issue(s, "ana", map[string]any{"role": "admin", "exp": 5}, noon, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, Options{Secrets: [][]byte{s}, Leeway: -1})
	p, err := v.Verify(context.Background(), noon.Add(59*time.Second), issued)
	if err != nil || p.ID != "ana" || p.Claims["role"] != "admin" {
		t.Fatalf("%+v, %v", p, err)
	}
	_, err = v.Verify(context.Background(), noon.Add(time.Minute), issued)
	refused(t, "after its end", err)
	for _, text := range []string{"", "short\n", strings.Repeat("a", 40) + "\n" + strings.Repeat("b", 40)} {
		if _, err := ParseSecret([]byte(text)); tidemark.CodeOf(err) != tidemark.CodeUsage {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRevoked(t *testing.T) {
	l, err := ParseRevoked("# who left\nsub: ana\n\n  jti:7  \nsub: a:b\n")
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[*tidemark.Principal]bool{
		{ID: "ana"}: true, {ID: "ben"}: false, {ID: "ben", Token: "7"}: true, {ID: "7"}: false, {ID: "a:b"}: true, {}: false,
	} {
		if l.Has(*p) != want {
			t.Errorf("%+v", p)
		}
	}
	for _, text := range []string{"ana", "sub:", "mail: x"} {
		if _, err := ParseRevoked(text); tidemark.CodeOf(err) != tidemark.CodeUsage {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzPeekAndVerify(f *testing.F) {
	v, err := NewVerifier(Options{Secrets: [][]byte{secret}})
	if err != nil {
		f.Fatal(err)
	}
	good, err := Issue(secret, "ana", nil, noon, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(byHand(`{"alg":"none"}`, `{"sub":"ana"}`, nil))
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := Peek(text)
		who, err := v.Verify(context.Background(), noon, text)
		if err == nil && (!ok || p.Subject != who.ID) {
			t.Fatalf("verified %+v, peeked %+v", who, p)
		}
		if err == nil && text != good && !strings.HasPrefix(good, text[:strings.LastIndexByte(text, '.')]) {
			t.Fatalf("a forged token was taken: %q", text)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	k := newKeyring(b)
	keys, err := ParseKeys(k.set)
	if err != nil {
		b.Fatal(err)
	}
	v := verifier(b, Options{Secrets: [][]byte{secret}, Keys: keys, Issuer: "https://id.example", Audience: "tidemark"})
	for name, text := range map[string]string{
		"HS256": signed(b, jwt.SigningMethodHS256, secret, "", claims("role", "admin")),
		"RS256": signed(b, jwt.SigningMethodRS256, k.rsa, "rsa", claims("role", "admin")),
		"ES256": signed(b, jwt.SigningMethodES256, k.ecdsa, "ec", claims("role", "admin")),
		"EdDSA": signed(b, jwt.SigningMethodEdDSA, k.edwards, "ed", claims("role", "admin")),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(context.Background(), noon, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
