package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/token"
)

type tokenCommand struct {
	Keygen keygenCommand `cmd:"" help:"Make a secret to sign tokens with."`
	Issue  issueCommand  `cmd:"" help:"Make a token, to try things out."`
	Show   showCommand   `cmd:"" help:"Show what a token says, and whether it is good."`
}

type keygenCommand struct {
	Out string `short:"o" placeholder:"FILE" help:"Write it into this file, which only you can read, and which must not be there yet."`
}

// Help is shown below the command's one line.
func (keygenCommand) Help() string {
	return `The secret is the line of text as it stands: every library for tokens takes it so. Whoever has it can be anybody.

Example:

    tidemark token keygen -o secret
    tidemark serve shop.sqlite --auth-secret secret`
}

// Run makes a secret.
func (c *keygenCommand) Run(s *shell) error {
	text, err := token.NewSecret(rand.Reader)
	if err != nil {
		return err
	}
	if c.Out == "" {
		s.printf("%s", text)
		return s.document(map[string]string{"secret": strings.TrimSpace(text)})
	}
	f, err := os.OpenFile(c.Out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &tidemark.Error{Code: tidemark.CodeExists, Msg: c.Out + " is there already", Hint: "choose another name: tokens signed with the secret that is there would be good no more"}
	}
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return &tidemark.Error{Code: tidemark.CodeUsage, Err: err, Msg: "the secret cannot be written"}
	}
	s.printf("%s: a new secret, for serve --auth-secret and token issue --key\n", c.Out)
	return s.document(map[string]string{"file": c.Out})
}

type issueCommand struct {
	Sub      string            `required:"" placeholder:"NAME" help:"Whose token it is."`
	Claims   map[string]string `name:"claim" mapsep:"none" placeholder:"K=V" help:"Something else that it says; may be repeated. V that is JSON is taken as JSON, else as text."`
	TTL      time.Duration     `name:"ttl" default:"1h" placeholder:"TIME" help:"How long it is good (${default})."`
	Issuer   string            `placeholder:"ISS" help:"What serve wants by --auth-issuer."`
	Audience string            `placeholder:"AUD" help:"What serve wants by --auth-audience."`
	Key      string            `required:"" env:"TIDEMARK_AUTH_SECRET" placeholder:"FILE" help:"The secret to sign it with."`
}

// Help is shown below the command's one line.
func (issueCommand) Help() string {
	return `For trying things out, and for programs of your own. In production whoever signs people in makes their tokens.

Example:

    tidemark token issue --sub ana --claim role=admin --ttl 8h --key secret >ana.token
    tidemark clone http://127.0.0.1:7420/shop shop.db --token-file ana.token`
}

// Run makes a token.
func (c *issueCommand) Run(s *shell) error {
	secret, err := readSecret(c.Key)
	if err != nil {
		return err
	}
	claims := map[string]any{}
	for k, v := range c.Claims {
		if json.Unmarshal([]byte(v), new(any)) == nil {
			claims[k] = json.RawMessage(v)
		} else {
			claims[k] = v
		}
	}
	if c.Issuer != "" {
		claims["iss"] = c.Issuer
	}
	if c.Audience != "" {
		claims["aud"] = c.Audience
	}
	text, err := token.Issue(secret, c.Sub, claims, time.Now(), c.TTL)
	if err != nil {
		return err
	}
	s.printf("%s\n", text)
	return s.document(map[string]string{"token": text})
}

type showCommand struct {
	Token string `arg:"" help:"The token, or the path of a file with it; - reads standard input."`
	Key   string `placeholder:"FILE" help:"Say whether it is good under this secret."`
}

// shown is what token show prints with --json.
type shown struct {
	Header  json.RawMessage `json:"header"`
	Claims  json.RawMessage `json:"claims"`
	Expires string          `json:"expires,omitempty"`
	Good    *bool           `json:"good,omitempty"` // with --key
	Reason  string          `json:"reason,omitempty"`
}

// Run shows a token. Without a key nothing of it is believed.
func (c *showCommand) Run(s *shell) error {
	text, err := c.read(s)
	if err != nil {
		return err
	}
	d, err := pieces(text)
	if err != nil {
		return err
	}
	s.printf("header  %s\nclaims  %s\n", clean(string(d.Header)), clean(string(d.Claims)))
	if p, _ := token.Peek(text); !p.Expires.IsZero() {
		d.Expires = p.Expires.UTC().Format(time.RFC3339)
		word := "ends"
		if p.Expires.Before(time.Now()) {
			word = "ended"
		}
		s.printf("%s  %s\n", word, d.Expires)
	}
	if c.Key != "" {
		if err := c.judge(s, text, &d); err != nil {
			return err
		}
	}
	if err := s.document(d); err != nil || d.Good == nil || *d.Good {
		return err
	}
	return &ending{exit: exitError, code: tidemark.CodeUnauthenticated, msg: d.Reason}
}

func (c *showCommand) judge(s *shell, text string, d *shown) error {
	secret, err := readSecret(c.Key)
	if err != nil {
		return err
	}
	v, err := token.NewVerifier(token.Options{Secrets: [][]byte{secret}, Leeway: -1})
	if err != nil {
		return err
	}
	_, err = v.Verify(context.Background(), time.Now(), text)
	good := err == nil
	if d.Good = &good; good {
		s.printf("good under this secret\n")
	} else {
		d.Reason = oneLine(err.Error())
	}
	return nil
}

func (c *showCommand) read(s *shell) (string, error) {
	if c.Token == "-" {
		b := make([]byte, token.MaxSize+2)
		n, err := s.in.Read(b)
		if err != nil {
			return "", usageError("no token came", "give it as an argument")
		}
		return strings.TrimSpace(string(b[:n])), nil
	}
	f, err := os.Open(c.Token)
	if err != nil {
		return c.Token, nil
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, token.MaxSize+2))
	return strings.TrimSpace(string(b)), err
}

// pieces takes a token apart.
func pieces(text string) (d shown, err error) {
	parts := strings.Split(text, ".")
	bad := usageError("this is not a token", "it has three parts with points between them")
	if len(parts) != 3 || len(text) > token.MaxSize {
		return d, bad
	}
	for i, into := range []*json.RawMessage{&d.Header, &d.Claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || !json.Valid(b) {
			return d, bad
		}
		*into = b
	}
	return d, nil
}
