package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"golang.org/x/time/rate"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/token"
)

// TokenOptions of NewTokens. At least one of Secrets and JWKS is needed.
type TokenOptions struct {
	Secrets    [][]byte      // for HS256, at least 32 bytes each; any of them is good, so that one can follow another
	JWKS       string        // address or path of a set of public keys, for RS256, ES256 and EdDSA
	Algorithms []string      // what is taken; default all for which there are keys
	Issuer     string        // iss must be exactly this; "" for any
	Audience   string        // aud must be, or have, exactly this; "" for any
	Leeway     time.Duration // how far clocks may differ; default 30 s, less than 0: none
	Revoked    string        // path of a list of `sub: ID` and `jti: ID` lines, read again when it changes
	HTTP       *http.Client  // for the set of keys; default one with a limit of 10 s
	Logger     *slog.Logger  // default: none
}

// Tokens judges JSON Web Tokens. It is the Authenticator that most servers need.
type Tokens struct {
	verifier *token.Verifier
	log      *slog.Logger
	stop     context.CancelFunc
	keys     *file[token.Keys]  // nil unless the set of keys is a file
	revoked  *file[*token.List] // nil without a list
}

// Bounds of a set of keys that is fetched.
const (
	keysSize  = 1 << 20
	keysLimit = 10 * time.Second
	keysEvery = time.Hour
	// An unknown key's name has the set fetched at most this often: a storm of
	// such tokens must not become one of requests.
	keysRate = 30 * time.Second
)

// NewTokens reads the keys. A set of keys that cannot be fetched now is fetched
// later, as it is when a token names a key that is not in it.
func NewTokens(o TokenOptions) (*Tokens, error) {
	t := &Tokens{log: o.Logger}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	t.stop = stop
	keys, err := t.keysOf(ctx, o)
	if err == nil {
		t.verifier, err = token.NewVerifier(token.Options{
			Secrets: o.Secrets, Keys: keys, Algorithms: o.Algorithms, Issuer: o.Issuer, Audience: o.Audience, Leeway: o.Leeway,
		})
	}
	if err == nil && o.Revoked != "" {
		t.revoked, err = watchFile(o.Revoked, t.log, func(b []byte) (*token.List, error) { return token.ParseRevoked(string(b)) })
	}
	if err != nil {
		stop()
		return nil, err
	}
	return t, nil
}

func (t *Tokens) keysOf(ctx context.Context, o TokenOptions) (token.Keys, error) {
	switch {
	case o.JWKS == "":
		return nil, nil
	case strings.HasPrefix(o.JWKS, "https://"), strings.HasPrefix(o.JWKS, "http://"):
		return t.fetched(ctx, o)
	}
	f, err := watchFile(o.JWKS, t.log, token.ParseKeys)
	if err != nil {
		return nil, err
	}
	t.keys = f
	return func(ctx context.Context, header map[string]any) ([]any, error) { return f.get()(ctx, header) }, nil
}

// fetched keeps a set of keys that is somewhere else.
func (t *Tokens) fetched(ctx context.Context, o TokenOptions) (token.Keys, error) {
	c := o.HTTP
	if c == nil {
		c = &http.Client{Timeout: keysLimit}
	}
	bounded := *c
	bounded.Transport = &bound{c.Transport}
	failed := func(_ context.Context, err error) {
		t.log.Error("the set of keys cannot be fetched", "address", o.JWKS, "error", err)
	}
	s, err := jwkset.NewStorageFromHTTP(o.JWKS, jwkset.HTTPClientStorageOptions{
		Client: &bounded, Ctx: ctx, HTTPTimeout: keysLimit, RefreshInterval: keysEvery,
		NoErrorReturnFirstHTTPReq: true, RefreshErrorHandler: failed,
	})
	if err == nil {
		s, err = jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
			HTTPURLs:          map[string]jwkset.Storage{o.JWKS: s},
			RefreshUnknownKID: rate.NewLimiter(rate.Every(keysRate), 1),
			RateLimitWaitMax:  keysLimit, // for turn and answer together
		})
	}
	if err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Op: "serve", Err: err, Msg: "the address of the set of keys is no good", Hint: "it is like https://id.example/.well-known/jwks.json"}
	}
	keys := token.KeysOf(s)
	return func(ctx context.Context, header map[string]any) ([]any, error) {
		list, err := keys(ctx, header)
		if len(list) > 0 {
			return list, err
		}
		// That a key is not there is known only of a set that was just fetched:
		// else the token may be good, and is worth another try.
		all, aerr := s.KeyReadAll(ctx)
		if aerr != nil || len(all) == 0 || err != nil && !errors.Is(err, jwkset.ErrKeyNotFound) {
			return nil, errors.Join(token.ErrKeys, err)
		}
		return nil, err
	}, nil
}

// bound keeps answers small.
type bound struct{ next http.RoundTripper }

func (b *bound) RoundTrip(r *http.Request) (*http.Response, error) {
	next := b.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, keysSize), resp.Body}
	}
	return resp, err
}

// Authenticate implements Authenticator.
func (t *Tokens) Authenticate(ctx context.Context, text string) (tidemark.Principal, error) {
	p, err := t.verifier.Verify(ctx, time.Now(), text)
	if err != nil {
		return tidemark.Principal{}, err
	}
	if t.Revoked(p) {
		return tidemark.Principal{}, token.RefuseRevoked()
	}
	return p, nil
}

// Leeway is how long a connection outlives its token.
func (t *Tokens) Leeway() time.Duration { return t.verifier.Leeway() }

// Revoked implements Revoker.
func (t *Tokens) Revoked(p tidemark.Principal) bool {
	return t.revoked != nil && t.revoked.get().Has(p)
}

// Reload reads files of keys and of what is revoked again, without waiting
// until it is seen that they changed. Where one cannot be read, what was in it
// before stays.
func (t *Tokens) Reload() error {
	var errs []error
	if t.keys != nil {
		errs = append(errs, t.keys.read())
	}
	if t.revoked != nil {
		errs = append(errs, t.revoked.read())
	}
	return errors.Join(errs...)
}

// Close ends what fetches keys now and then.
func (t *Tokens) Close() error {
	t.stop()
	return nil
}

// file is what a small file says. It is read again when it has changed.
type file[T any] struct {
	path  string
	log   *slog.Logger
	parse func([]byte) (T, error)

	mu     sync.Mutex
	value  T
	stamp  stamp
	looked time.Time
}

type stamp struct {
	at   time.Time
	size int64
}

// lookEvery is how often it is asked whether a file has changed.
const lookEvery = time.Second

func watchFile[T any](path string, log *slog.Logger, parse func([]byte) (T, error)) (*file[T], error) {
	f := &file[T]{path: path, log: log, parse: parse}
	return f, f.read()
}

func (f *file[T]) read() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readLocked()
}

// readLocked keeps what was there when the file cannot be read.
func (f *file[T]) readLocked() error {
	f.looked = time.Now()
	info, err := os.Stat(f.path)
	if err == nil {
		f.stamp = stamp{info.ModTime(), info.Size()}
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(f.path)
	}
	if err != nil {
		return &tidemark.Error{Code: tidemark.CodeUsage, Op: "serve", Err: err, Msg: f.path + " cannot be read"}
	}
	v, err := f.parse(b)
	if err != nil {
		return &tidemark.Error{Code: tidemark.CodeUsage, Op: "serve", Msg: f.path + ": " + err.Error(), Hint: tidemark.HintOf(err)}
	}
	f.value = v
	return nil
}

// get returns what the file says, at most lookEvery old.
func (f *file[T]) get() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) >= lookEvery {
		f.looked = time.Now()
		info, err := os.Stat(f.path)
		if err != nil || (stamp{info.ModTime(), info.Size()}) != f.stamp {
			if err := f.readLocked(); err != nil {
				f.log.Error("a file that changed cannot be used, what it said before holds", "error", err)
			}
		}
	}
	return f.value
}
