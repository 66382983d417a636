package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
)

// refusalBody is how the server tells an error over HTTP.
type refusalBody struct {
	Error struct {
		Code    tidemark.Code `json:"code"`
		Message string        `json:"message"`
		Hint    string        `json:"hint"`
	} `json:"error"`
}

const addressHint = "the address is that of the server followed by the name of the space, like http://127.0.0.1:7420/NAME"

// comeBack is an error of somebody who said when to come back.
type comeBack struct {
	error
	after time.Duration
}

func (e *comeBack) Unwrap() error             { return e.error }
func (e *comeBack) RetryAfter() time.Duration { return e.after }

// longest is as far ahead as anybody is believed.
const longest = 24 * time.Hour

// withRetry reads the Retry-After header of an answer, in seconds or as a date.
func withRetry(resp *http.Response, err error) error {
	h := resp.Header.Get("Retry-After")
	if n, perr := strconv.ParseInt(h, 10, 64); perr == nil && n > 0 {
		return &comeBack{err, time.Duration(min(n, int64(longest/time.Second))) * time.Second}
	}
	if at, perr := http.ParseTime(h); perr == nil {
		return &comeBack{err, min(max(0, time.Until(at)), longest)}
	}
	return err
}

// unexpected explains an answer that is not the one asked for. What a Tidemark
// server says is passed on; what stands between may say anything, and most of
// it passes.
func unexpected(op string, resp *http.Response) error {
	var body []byte
	if resp.StatusCode != http.StatusSwitchingProtocols { // that one's body is the connection, which may stay silent
		body, _ = io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	}
	var r refusalBody
	if isType(resp, "json") && json.Unmarshal(body, &r) == nil && r.Error.Code != "" {
		e := &tidemark.Error{Code: r.Error.Code, Op: op, Msg: r.Error.Message, Hint: r.Error.Hint}
		if e.Code == tidemark.CodeNoSpace && e.Hint == "" {
			e.Hint = addressHint
		}
		return e
	}
	where := resp.Request.URL.Redacted()
	status := fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	e := &tidemark.Error{Code: tidemark.CodeOffline, Op: op}
	switch {
	case resp.StatusCode == http.StatusNotFound:
		e.Code = tidemark.CodeNoSpace
		e.Msg = "nothing is served at " + where
		e.Hint = addressHint
	case isType(resp, "html"):
		e.Msg = fmt.Sprintf("a web page (%s) came from %s in place of a Tidemark server's answer", status, where)
		e.Hint = "check the address; a proxy or a sign-in page may stand in between"
	case resp.StatusCode == http.StatusRequestEntityTooLarge:
		e.Msg = "something before the server takes no messages of this size (" + status + ")"
		e.Hint = "raise the limit of the proxy for request bodies"
	case resp.StatusCode == http.StatusUnauthorized:
		e.Code = tidemark.CodeUnauthenticated
		e.Msg = "the server wants to know who you are (" + status + ")"
	case resp.StatusCode >= 500:
		e.Msg = "the server cannot answer now (" + status + ")"
	default:
		e.Msg = fmt.Sprintf("%s answered %s, which is not what a Tidemark server says", where, status)
		e.Hint = "check the address; a proxy may stand in between"
	}
	return e
}

// isType looks for a word in the content type: application/problem+json is json too.
func isType(resp *http.Response, word string) bool {
	t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && strings.Contains(t, word)
}

// unreachable explains an error of the network.
func unreachable(op string, err error) error {
	var known *tidemark.Error
	if errors.As(err, &known) {
		return err
	}
	e := &tidemark.Error{Code: tidemark.CodeOffline, Op: op, Err: err, Msg: "the server cannot be reached"}
	var ue *url.Error
	if errors.As(err, &ue) {
		e.Err = ue.Err                                                 // without the address once more
		if u, perr := url.Parse(ue.URL); perr == nil && u.Host != "" { // that of a redirect may have none
			e.Msg = u.Scheme + "://" + u.Host + " cannot be reached"
		}
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		e.Hint = "there is no host of that name; check the address"
	}
	return e
}
