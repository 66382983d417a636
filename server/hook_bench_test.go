package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
)

// BenchmarkHook is BenchmarkThroughput without a hook, and with hooks that take
// no time, a round trip on loopback, and five milliseconds.
func BenchmarkHook(b *testing.B) {
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"accept":true}`)
	}))
	b.Cleanup(endpoint.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: hooksAtOnce}
	b.Cleanup(transport.CloseIdleConnections)
	web, err := NewWebhook(WebhookOptions{URL: endpoint.URL, Secret: hookSecret, Transport: transport})
	if err != nil {
		b.Fatal(err)
	}
	hooks := []struct {
		name string
		hook Hook
	}{
		{"none", nil},
		{"trivial", func(_ context.Context, call *HookCall) error {
			if call.Changes[0].New["name"] == tidemark.Text("") {
				return Reject("no_name", "an item needs a name")
			}
			return nil
		}},
		{"http", web},
		{"5ms", func(ctx context.Context, _ *HookCall) error {
			timer := time.NewTimer(5 * time.Millisecond)
			defer timer.Stop()
			select {
			case <-timer.C:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}},
	}
	for _, h := range hooks {
		for _, sessions := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/sessions=%d", h.name, sessions), func(b *testing.B) {
				benchThroughput(b, Options{Hook: h.hook}, sessions, 64)
			})
		}
	}
}
