package main

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/token"
	"github.com/tidemarkdb/tidemark/server"
)

// tokenFlags say who one is to a server.
type tokenFlags struct {
	Token     string `env:"TIDEMARK_TOKEN" placeholder:"TOKEN" help:"Who you are; better in the environment (TIDEMARK_TOKEN) or in a file: others see command lines."`
	TokenFile string `env:"TIDEMARK_TOKEN_FILE" placeholder:"FILE" help:"A file with the token; it is read again when a newer one is needed."`
}

func (f tokenFlags) source() client.TokenSource {
	switch {
	case f.TokenFile != "":
		return client.TokenFile(f.TokenFile)
	case f.Token != "":
		return client.StaticToken(f.Token)
	}
	return nil
}

// guardFlags say whom a server lets in, and how much of each.
type guardFlags struct {
	Secrets    []string      `name:"auth-secret" sep:"none" env:"TIDEMARK_AUTH_SECRET" placeholder:"FILE" help:"Ask for tokens signed (HS256) with the secret in this file; see tidemark token. Given twice, both are good."`
	JWKS       string        `name:"auth-jwks" env:"TIDEMARK_AUTH_JWKS" placeholder:"URL|FILE" help:"Ask for tokens signed (RS256, ES256, EdDSA) with a key of this set."`
	Issuer     string        `name:"auth-issuer" env:"TIDEMARK_AUTH_ISSUER" placeholder:"ISS" help:"Take only tokens with exactly this iss."`
	Audience   string        `name:"auth-audience" env:"TIDEMARK_AUTH_AUDIENCE" placeholder:"AUD" help:"Take only tokens with exactly this aud."`
	Leeway     time.Duration `name:"auth-leeway" env:"TIDEMARK_AUTH_LEEWAY" default:"30s" placeholder:"TIME" help:"How far the clocks of who signs tokens and of this server may differ (${default})."`
	Algorithms []string      `name:"auth-algorithm" placeholder:"ALG" help:"Take only tokens signed so; may be repeated (all for which there are keys)."`
	Revoked    string        `name:"auth-revoked" env:"TIDEMARK_AUTH_REVOKED" placeholder:"FILE" help:"A list of what is no longer good, lines like 'sub: ana' and 'jti: 17'; read again when it changes."`

	Rate        float64 `name:"max-rate" placeholder:"N" help:"Changesets a second of one principal, on average (500 with tokens, no bound without; -1: none)."`
	Throughput  bytes   `name:"max-throughput" placeholder:"SIZE" help:"Bytes a second that one principal may send, on average (8MiB with tokens)."`
	Connections int     `name:"max-connections" placeholder:"N" help:"Connections of one principal at a time (100 with tokens; -1: no bound)."`

	Cert string `name:"tls-cert" env:"TIDEMARK_TLS_CERT" placeholder:"FILE" help:"Speak HTTPS with this certificate (PEM, its chain included); read again at SIGHUP."`
	Key  string `name:"tls-key" env:"TIDEMARK_TLS_KEY" placeholder:"FILE" help:"The certificate's private key."`

	tokens *server.Tokens
	cert   *certificate
}

// asks reports whether tokens are asked for.
func (f *guardFlags) asks() bool { return len(f.Secrets) > 0 || f.JWKS != "" }

func (f *guardFlags) scheme() string {
	if f.Cert != "" {
		return "https://"
	}
	return "http://"
}

func (f *guardFlags) quota() server.Quota {
	return server.Quota{Changesets: f.Rate, Bytes: float64(f.Throughput), Connections: f.Connections}
}

// check finds flags that go with none of the others.
func (f *guardFlags) check() error {
	switch {
	case (f.Cert == "") != (f.Key == ""):
		return usageError("--tls-cert and --tls-key go together", "give both")
	case !f.asks() && (f.Issuer != "" || f.Audience != "" || f.Revoked != "" || len(f.Algorithms) > 0):
		return usageError("there is no key by which tokens could be judged", "add --auth-secret FILE or --auth-jwks URL")
	}
	return nil
}

// auth reads the keys. Without any there is nobody to ask.
func (f *guardFlags) auth(s *shell) (server.Authenticator, error) {
	if !f.asks() {
		return nil, nil
	}
	o := server.TokenOptions{
		JWKS: f.JWKS, Algorithms: f.Algorithms, Issuer: f.Issuer, Audience: f.Audience, Leeway: f.Leeway, Revoked: f.Revoked, Logger: s.log,
	}
	if o.Leeway == 0 {
		o.Leeway = -1
	}
	for _, path := range f.Secrets {
		secret, err := readSecret(path)
		if err != nil {
			return nil, err
		}
		o.Secrets = append(o.Secrets, secret)
	}
	var err error
	f.tokens, err = server.NewTokens(o)
	return f.tokens, err
}

func readSecret(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Err: err, Msg: "the secret cannot be read", Hint: "make one with tidemark token keygen -o " + quoteArg(path)}
	}
	secret, err := token.ParseSecret(b)
	if err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Msg: path + ": " + err.Error(), Hint: tidemark.HintOf(err)}
	}
	return secret, nil
}

// secure puts TLS around a listener where there is a certificate.
func (f *guardFlags) secure(l net.Listener) (net.Listener, error) {
	if f.Cert == "" {
		return l, nil
	}
	f.cert = &certificate{cert: f.Cert, key: f.Key}
	if err := f.cert.read(); err != nil {
		return nil, err
	}
	// HTTP/1.1 alone: WebSockets begin with it.
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: f.cert.get}), nil
}

// reload reads keys, lists and certificate again.
func (f *guardFlags) reload() error {
	var errs []error
	if f.tokens != nil {
		errs = append(errs, f.tokens.Reload())
	}
	if f.cert != nil {
		errs = append(errs, f.cert.read())
	}
	return errors.Join(errs...)
}

func (f *guardFlags) close() error {
	if f.tokens == nil {
		return nil
	}
	return f.tokens.Close()
}

// certificate is one in files, of which the last that could be read counts.
type certificate struct {
	cert, key string
	now       atomic.Pointer[tls.Certificate]
}

func (c *certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return &tidemark.Error{Code: tidemark.CodeUsage, Err: err, Msg: "the certificate cannot be used", Hint: "give PEM files, of a certificate with its chain and of its private key"}
	}
	c.now.Store(&pair)
	return nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now.Load(), nil }
