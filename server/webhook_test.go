package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
)

var hookSecret = []byte(strings.Repeat("s3cr3t-", 5))

// endpoint is an HTTP server that a webhook asks.
type endpoint struct {
	t     *testing.T
	http  *httptest.Server
	asked atomic.Int64
	last  atomic.Value // body of the newest request
}

// newEndpoint answers requests that are signed as they should be.
func newEndpoint(t *testing.T, answer func(w http.ResponseWriter, n int64, body []byte)) *endpoint {
	e := &endpoint{t: t}
	e.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = VerifyWebhook(hookSecret, r.Header, body, time.Now())
		}
		if err != nil || r.Method != http.MethodPost {
			http.Error(w, fmt.Sprint(err), http.StatusUnauthorized)
			return
		}
		e.last.Store(body)
		answer(w, e.asked.Add(1), body)
	}))
	t.Cleanup(e.http.Close)
	return e
}

func (e *endpoint) hook(change func(*WebhookOptions)) Hook {
	e.t.Helper()
	transport := &http.Transport{}
	e.t.Cleanup(transport.CloseIdleConnections)
	o := WebhookOptions{URL: e.http.URL, Secret: hookSecret, Transport: transport}
	if change != nil {
		change(&o)
	}
	hook, err := NewWebhook(o)
	if err != nil {
		e.t.Fatal(err)
	}
	return hook
}

// pinnedSignature was made by another program.
const pinnedSignature = "7944fe1e4f3578abf0392679d2fc58ae7e0a904bf6c6a531ab53c66405b793c5"

// item1 is a call about an update of one item.
func item1() *HookCall {
	table := &tidemark.Table{ID: 1, Name: "item", Key: []int{0}, Columns: []tidemark.Column{{Name: "id"}, {Name: "name"}}}
	id := tidemark.Int(1<<53 + 1)
	return &HookCall{
		Space: "shop", Replica: "r", N: 7, Try: 1, MadeAt: time.UnixMilli(1),
		Principal: tidemark.Principal{ID: "ana", Claims: map[string]any{"role": "admin"}},
		Changes: []*HookChange{{
			Table: "item", Op: tidemark.Update, Columns: []string{"name"}, of: &hub.Proposed{Table: table, Key: []tidemark.Value{id}},
			Key: HookRow{"id": id}, Old: HookRow{"id": id, "name": tidemark.BlobString("\x00\x01")}, New: HookRow{"id": id, "name": text("x")},
		}},
	}
}

func TestAWebhookAcceptsAndRejects(t *testing.T) {
	e := newEndpoint(t, func(w http.ResponseWriter, _ int64, body []byte) {
		var call struct {
			Changes []struct {
				Op  string
				New map[string]any
			}
		}
		if err := json.Unmarshal(body, &call); err != nil {
			t.Error(err)
		}
		if len(call.Changes) == 1 && call.Changes[0].Op == "insert" && call.Changes[0].New["name"] == "bad" {
			fmt.Fprint(w, `{"reject":{"code":"bad_name","message":"no","change":0,"columns":["NAME","colour"]}}`)
			return
		}
		fmt.Fprint(w, `{"accept":true,"more":1}`)
	})
	withHook(t, func(t *testing.T, tune tuning) {
		d := newDeck(t, Options{Hook: e.hook(nil)}, tune)
		v := d.newDevice()
		v.dial()
		v.send(v.push(insertItem(1, "bad")))
		if o := v.outcome(); o.Code != "app:bad_name" || o.Message != "no" || o.Table != "item" || fmt.Sprint(o.Key, o.Columns) != "[1] [name]" {
			t.Fatalf("%+v", o)
		}
		v.send(v.push(insertItem(1, "good")))
		if o := v.outcome(); o.Kind != tidemark.Accepted {
			t.Fatalf("%+v", o)
		}
	})
}

func TestWhatAWebhookSends(t *testing.T) {
	e := newEndpoint(t, func(w http.ResponseWriter, _ int64, _ []byte) { fmt.Fprint(w, `{"accept":true}`) })
	if err := e.hook(nil)(context.Background(), item1()); err != nil {
		t.Fatal(err)
	}
	want := `{"version":1,"space":"shop","replica":"r","n":7,"hash":"00000000000000000000000000000000","try":1,"made_at":1,` +
		`"principal":{"id":"ana","claims":{"role":"admin"}},"changes":[{"table":"item","op":"update","key":{"id":{"i":"9007199254740993"}},` +
		`"old":{"id":{"i":"9007199254740993"},"name":{"b":"AAE"}},"new":{"id":{"i":"9007199254740993"},"name":"x"},"columns":["name"]}]}`
	if got := string(e.last.Load().([]byte)); got != want {
		t.Fatalf("\n%s\n%s", got, want)
	}
}

// Whatever an endpoint answers that is no verdict, nothing is let through, and
// it is not asked for ever.
func TestAnEndpointThatIsWrong(t *testing.T) {
	tests := []struct {
		name   string
		answer func(w http.ResponseWriter)
		asked  int64
		says   string
	}{
		{"redirect", func(w http.ResponseWriter) {
			w.Header().Set("Location", "/")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, 1, "redirects are not followed"},
		{"nothing", func(http.ResponseWriter) {}, 1, "neither"},
		{"no content", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }, 1, "neither"},
		{"no JSON", func(w http.ResponseWriter) { fmt.Fprint(w, "ok") }, 1, "neither"},
		{"neither", func(w http.ResponseWriter) { fmt.Fprint(w, "{}") }, 1, "neither"},
		{"null", func(w http.ResponseWriter) { fmt.Fprint(w, "null") }, 1, "neither"},
		{"both", func(w http.ResponseWriter) { fmt.Fprint(w, `{"accept":true,"reject":{"code":"a"}}`) }, 1, "neither"},
		{"no code", func(w http.ResponseWriter) { fmt.Fprint(w, `{"reject":{"message":"no"}}`) }, 1, "neither"},
		{"a code of ours", func(w http.ResponseWriter) { fmt.Fprint(w, `{"reject":{"code":"Unique!"}}`) }, 1, "neither"},
		{"huge", func(w http.ResponseWriter) { _, _ = w.Write(bytes.Repeat([]byte(" "), webhookAnswer+100)) }, 1, "more than"},
		{"forbidden", func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }, 1, "403"},
		{"failing", func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, 3, "502"},
		{"too many", func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }, 3, "429"},
		{"cut", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 3, "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := newEndpoint(t, func(w http.ResponseWriter, _ int64, _ []byte) { tt.answer(w) })
			err := e.hook(nil)(context.Background(), item1())
			if meant(err) == nil || rejects(meant(err)) || !strings.Contains(err.Error(), tt.says) || e.asked.Load() != tt.asked {
				t.Fatalf("%v after %d requests", err, e.asked.Load())
			}
			var logs syncBuffer
			open := e.hook(func(o *WebhookOptions) {
				o.FailOpen, o.Tries, o.Logger = true, 1, slog.New(slog.NewTextHandler(&logs, nil))
			})
			if err := open(context.Background(), item1()); err != nil || !contains(&logs, "let through") {
				t.Fatalf("fail open: %v", err)
			}
		})
	}
}

// A rejection is a verdict, also where failures let everything through.
func TestFailOpenStillRejects(t *testing.T) {
	e := newEndpoint(t, func(w http.ResponseWriter, _ int64, _ []byte) { fmt.Fprint(w, `{"reject":{"code":"no"}}`) })
	err := e.hook(func(o *WebhookOptions) { o.FailOpen = true })(context.Background(), item1())
	if tidemark.CodeOf(err) != "app:no" {
		t.Fatal(err)
	}
}

func TestAnEndpointWithAnotherSecret(t *testing.T) {
	e := newEndpoint(t, func(w http.ResponseWriter, _ int64, _ []byte) { fmt.Fprint(w, `{"accept":true}`) })
	hook := e.hook(func(o *WebhookOptions) { o.Secret = bytes.Repeat([]byte("x"), 40) })
	if err := hook(context.Background(), item1()); err == nil || !strings.Contains(err.Error(), "401") || e.asked.Load() != 0 {
		t.Fatalf("%v", err)
	}
}

func TestAnEndpointThatHangs(t *testing.T) {
	release := make(chan struct{})
	e := newEndpoint(t, func(http.ResponseWriter, int64, []byte) { <-release })
	hook := e.hook(func(o *WebhookOptions) { o.Timeout, o.Tries = 500*time.Millisecond, 2 })
	err := hook(context.Background(), item1())
	close(release)
	if err == nil || e.asked.Load() != 2 {
		t.Fatalf("%v after %d requests", err, e.asked.Load())
	}
}

// Down, then up: what waited is judged, in order, and nothing was let through.
func TestAnEndpointThatIsDownForAWhile(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	e := newEndpoint(t, func(w http.ResponseWriter, _ int64, _ []byte) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"accept":true}`)
	})
	withHook(t, func(t *testing.T, tune tuning) {
		down.Store(true)
		asked := e.asked.Load()
		d := newDeck(t, Options{Hook: e.hook(func(o *WebhookOptions) { o.Tries = 1 })}, tune)
		v := d.newDevice()
		v.dial()
		v.send(v.push(insertItem(1, "one")))
		v.send(v.push(insertItem(2, "two")))
		eventually(t, "it is asked again and again", func() bool { return e.asked.Load() >= asked+8 })
		if head := d.space().State().Head; head != 0 {
			t.Fatalf("something was let through: head %d", head)
		}
		down.Store(false)
		v.reach(2)
	})
}

func TestVerifyWebhook(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	body := []byte(`{"a":1}`)
	at := strconv.FormatInt(now.Unix(), 10)
	// As of: printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac SECRET
	good := http.Header{WebhookTimestamp: {at}, WebhookSignature: {"v1=" + pinnedSignature}}
	if err := VerifyWebhook(hookSecret, good, body, now.Add(4*time.Minute)); err != nil {
		t.Fatal(err)
	}
	bad := map[string]error{
		"late":      VerifyWebhook(hookSecret, good, body, now.Add(6*time.Minute)),
		"early":     VerifyWebhook(hookSecret, good, body, now.Add(-6*time.Minute)),
		"body":      VerifyWebhook(hookSecret, good, []byte(`{"a":2}`), now),
		"secret":    VerifyWebhook([]byte("other"), good, body, now),
		"nothing":   VerifyWebhook(hookSecret, http.Header{}, body, now),
		"signature": VerifyWebhook(hookSecret, http.Header{WebhookTimestamp: {at}, WebhookSignature: {pinnedSignature}}, body, now),
		"time":      VerifyWebhook(hookSecret, http.Header{WebhookTimestamp: {"1700000001"}, WebhookSignature: good[WebhookSignature]}, body, now),
	}
	for name, err := range bad {
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestWebhookOptions(t *testing.T) {
	for _, address := range []string{"", "app.example/hook", "ftp://app.example", "http://", "file:///etc/passwd"} {
		if _, err := NewWebhook(WebhookOptions{URL: address, Secret: hookSecret}); tidemark.CodeOf(err) != tidemark.CodeUsage || tidemark.HintOf(err) == "" {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := NewWebhook(WebhookOptions{URL: "https://app.example", Secret: []byte("short")}); tidemark.CodeOf(err) != tidemark.CodeUsage {
		t.Error(err)
	}
	if p := (WebhookOptions{}).Patience(); p < DefaultWebhookTries*DefaultWebhookTimeout {
		t.Error(p)
	}
}
