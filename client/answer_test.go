package client

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
)

// An answer that switches protocols has the connection itself as its body, and
// whoever sent it may never say a word on it.
func TestASwitchOfProtocolsIsNotReadToItsEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"))
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	told := make(chan error, 1)
	go func() {
		told <- getJSON(t.Context(), http.DefaultClient, "http://"+l.Addr().String()+"/v1/spaces/shop", nil, new(any))
	}()
	select {
	case err := <-told:
		codeIs(t, err, tidemark.CodeOffline)
	case <-time.After(time.Minute):
		t.Fatal("still reading")
	}
}

func TestNobodyIsBelievedToComeBackInYears(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"5": 5 * time.Second, "99999999999999": longest, "9223372036854775807": longest,
		"Fri, 31 Dec 9999 23:59:59 GMT": longest, "Thu, 01 Jan 1970 00:00:00 GMT": 0,
	} {
		var told *comeBack
		if err := withRetry(&http.Response{Header: http.Header{"Retry-After": {header}}}, errors.New("later")); !errors.As(err, &told) {
			t.Errorf("%s: %v", header, err)
		} else if told.RetryAfter() != want {
			t.Errorf("%s: %s, want %s", header, told.RetryAfter(), want)
		}
	}
	for _, header := range []string{"", "0", "-5", "soon", "99999999999999999999999"} {
		var told *comeBack
		if err := withRetry(&http.Response{Header: http.Header{"Retry-After": {header}}}, errors.New("later")); errors.As(err, &told) {
			t.Errorf("%q is taken for %s", header, told.RetryAfter())
		}
	}
}

func TestAnAddressWithoutAHostIsNotNamed(t *testing.T) {
	err := unreachable("sync", &url.Error{Op: "Get", URL: "/loop", Err: errors.New("stopped after 10 redirects")})
	if got := err.Error(); strings.Contains(got, "://") || !strings.Contains(got, "stopped after 10 redirects") {
		t.Error(got)
	}
}

// What answers in JSON is no Tidemark server yet.
func TestSomebodyElsesJSONIsNoSpace(t *testing.T) {
	for _, body := range []string{"{}", "null", `{"error":null}`, `{"head":7,"incarnation":""}`, `{"head":7,"incarnation":"a","schema":""}`} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		}))
		_, err := SchemaOf(t.Context(), srv.URL+"/shop", Options{})
		codeIs(t, err, tidemark.CodeProtocol)
		if tidemark.HintOf(err) == "" {
			t.Errorf("%s: no hint in %v", body, err)
		}
		srv.Close()
	}
}
