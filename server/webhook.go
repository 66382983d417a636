package server

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Defaults and bounds of a webhook.
const (
	DefaultWebhookTimeout = 5 * time.Second
	DefaultWebhookTries   = 3

	MinWebhookSecret = 32 // bytes

	webhookPause  = 100 * time.Millisecond // before the second try; doubles
	webhookAnswer = 64 << 10               // bytes of an answer that are read
	webhookAge    = 5 * time.Minute        // of a request that VerifyWebhook takes
)

// The headers of a webhook's request. The signature is "v1=" and the
// HMAC-SHA256, in hexadecimal, of the timestamp (Unix seconds), a dot, and the body.
const (
	WebhookTimestamp = "Tidemark-Timestamp"
	WebhookSignature = "Tidemark-Signature"
)

// WebhookOptions of NewWebhook.
type WebhookOptions struct {
	URL     string        // http or https; redirects are not followed
	Secret  []byte        // signs each request; at least MinWebhookSecret bytes
	Timeout time.Duration // of one try; default 5 s
	Tries   int           // before a call has failed; default 3
	// FailOpen accepts what the endpoint could not judge. By default it waits.
	FailOpen  bool
	Logger    *slog.Logger      // tells what FailOpen let through; default: none
	Transport http.RoundTripper // default: one of its own
}

// NewWebhook makes a Hook that asks an HTTP endpoint, which may accept or
// reject. docs/guide/hooks.md says what it gets and how it answers. Give the
// server a HookTimeout of at least WebhookOptions.Patience.
func NewWebhook(o WebhookOptions) (Hook, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, &tidemark.Error{
			Code: tidemark.CodeUsage, Op: "hook", Msg: fmt.Sprintf("%q is not the address of an endpoint", o.URL),
			Hint: "write it like https://app.example/hooks/tidemark",
		}
	}
	if len(o.Secret) < MinWebhookSecret {
		return nil, &tidemark.Error{
			Code: tidemark.CodeUsage, Op: "hook", Msg: fmt.Sprintf("a secret of %d bytes is too short to sign with", len(o.Secret)),
			Hint: fmt.Sprintf("take at least %d random bytes, such as those of: openssl rand -hex 32", MinWebhookSecret),
		}
	}
	o = o.withDefaults()
	w := &webhook{o: o, client: &http.Client{
		Transport:     o.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return w.judge, nil
}

func (o WebhookOptions) withDefaults() WebhookOptions {
	if o.Timeout <= 0 {
		o.Timeout = DefaultWebhookTimeout
	}
	if o.Tries <= 0 {
		o.Tries = DefaultWebhookTries
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Transport == nil {
		o.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: hooksAtOnce, IdleConnTimeout: 90 * time.Second,
		}
	}
	return o
}

// Patience is how long a call takes at most: all tries and the pauses between them.
func (o WebhookOptions) Patience() time.Duration {
	o = o.withDefaults()
	total, pause := time.Second, webhookPause
	for range o.Tries {
		total += o.Timeout + pause
		pause *= 2
	}
	return total
}

// webhook is a Hook that asks an endpoint.
type webhook struct {
	o      WebhookOptions
	client *http.Client
}

func (w *webhook) judge(ctx context.Context, call *HookCall) error {
	body, err := webhookBody(call)
	if err != nil {
		return err
	}
	a, err := w.ask(ctx, body)
	switch {
	case err == nil:
		return a.verdict(call)
	case w.o.FailOpen && !errors.Is(ctx.Err(), context.Canceled): // else the server stops
		w.o.Logger.Warn("the hook cannot be asked, and the changeset is let through", "space", call.Space, "replica", call.Replica, "n", call.N, "error", err)
		return nil
	}
	return err
}

// ask tries a few times.
func (w *webhook) ask(ctx context.Context, body []byte) (*webhookVerdict, error) {
	pause := webhookPause
	for try := 1; ; try++ {
		a, again, err := w.once(ctx, body)
		if err == nil || !again || try == w.o.Tries {
			return a, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, errors.Join(err, ctx.Err())
		}
		pause *= 2
	}
}

// once sends one request. again says that another one may help.
func (w *webhook) once(ctx context.Context, body []byte) (a *webhookVerdict, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.o.URL, bytes.NewReader(body))
	if err != nil {
		return nil, false, err
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "tidemark")
	req.Header.Set(WebhookTimestamp, at)
	req.Header.Set(WebhookSignature, signWebhook(w.o.Secret, at, body))
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, true, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, webhookAnswer+1))
	code := resp.StatusCode
	switch {
	case code == http.StatusRequestTimeout || code == http.StatusTooManyRequests || code >= 500:
		return nil, true, fmt.Errorf("%s answers %s", w.o.URL, resp.Status)
	case code >= 300 && code < 400:
		return nil, false, fmt.Errorf("%s answers %s: redirects are not followed, give the address that it leads to", w.o.URL, resp.Status)
	case code < 200 || code >= 300:
		return nil, false, fmt.Errorf("%s answers %s", w.o.URL, resp.Status)
	case err != nil:
		return nil, true, err
	case len(answer) > webhookAnswer:
		return nil, false, fmt.Errorf("%s answers more than %d bytes", w.o.URL, webhookAnswer)
	}
	if a, err = readWebhookVerdict(answer); err != nil {
		return nil, false, fmt.Errorf("%s answers what is neither {\"accept\":true} nor {\"reject\":{\"code\":...}}: %s", w.o.URL, err.Error())
	}
	return a, false, nil
}

func signWebhook(secret []byte, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(at))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// VerifyWebhook is for endpoints: it reports why a request does not come from a
// server that has the secret, or is older than five minutes.
func VerifyWebhook(secret []byte, h http.Header, body []byte, now time.Time) error {
	at, err := strconv.ParseInt(h.Get(WebhookTimestamp), 10, 64)
	if err != nil {
		return fmt.Errorf("the request has no %s", WebhookTimestamp)
	}
	if age := now.Sub(time.Unix(at, 0)); age > webhookAge || age < -webhookAge {
		return fmt.Errorf("the request is of another time: %v", time.Unix(at, 0).UTC())
	}
	if !hmac.Equal([]byte(signWebhook(secret, h.Get(WebhookTimestamp), body)), []byte(h.Get(WebhookSignature))) {
		return fmt.Errorf("the signature is not of this secret and body")
	}
	return nil
}

// webhookCall is the body of a request. Values are written as in the protocol.
type webhookCall struct {
	Version   int              `json:"version"`
	Space     string           `json:"space"`
	Replica   string           `json:"replica"`
	N         int64            `json:"n"`
	Hash      string           `json:"hash"`
	Try       int              `json:"try"`
	MadeAt    int64            `json:"made_at"`
	Principal webhookPrincipal `json:"principal"`
	Changes   []webhookChange  `json:"changes"`
}

type webhookPrincipal struct {
	ID     string         `json:"id"`
	Claims map[string]any `json:"claims,omitempty"`
}

type webhookChange struct {
	Table   string     `json:"table"`
	Op      string     `json:"op"`
	Key     webhookRow `json:"key"`
	Old     webhookRow `json:"old"`
	New     webhookRow `json:"new"`
	Columns []string   `json:"columns,omitempty"`
}

type webhookRow map[string]json.RawMessage

func webhookBody(call *HookCall) ([]byte, error) {
	b := webhookCall{
		Version: 1, Space: call.Space, Replica: call.Replica, N: call.N, Hash: call.Hash.String(), Try: call.Try,
		MadeAt: call.MadeAt.UnixMilli(), Principal: webhookPrincipal{call.Principal.ID, call.Principal.Claims},
		Changes: make([]webhookChange, len(call.Changes)),
	}
	for i, c := range call.Changes {
		b.Changes[i] = webhookChange{c.Table, c.Op.String(), webhookValues(c.Key), webhookValues(c.Old), webhookValues(c.New), c.Columns}
	}
	return json.Marshal(b)
}

func webhookValues(row HookRow) webhookRow {
	if row == nil {
		return nil
	}
	out := make(webhookRow, len(row))
	for name, v := range row {
		out[name] = wire.AppendValue(nil, v)
	}
	return out
}

// webhookVerdict is what an endpoint answers.
type webhookVerdict struct {
	Accept bool `json:"accept"`
	Reject *struct {
		Code    string   `json:"code"`
		Message string   `json:"message"`
		Change  *int     `json:"change"` // which of the changes; none: the changeset as a whole
		Columns []string `json:"columns"`
	} `json:"reject"`
}

func readWebhookVerdict(text []byte) (*webhookVerdict, error) {
	var a webhookVerdict
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, err
	}
	if a.Accept == (a.Reject != nil) {
		return nil, errors.New("it must be one of the two")
	}
	if a.Reject != nil {
		if err := Reject(a.Reject.Code, ""); !rejects(err) {
			return nil, err
		}
	}
	return &a, nil
}

// verdict turns the answer into what a Hook returns.
func (a *webhookVerdict) verdict(call *HookCall) error {
	r := a.Reject
	switch {
	case r == nil:
		return nil
	case r.Change != nil && *r.Change >= 0 && *r.Change < len(call.Changes):
		return call.Changes[*r.Change].Reject(r.Code, r.Message, r.Columns...)
	}
	return Reject(r.Code, r.Message)
}
