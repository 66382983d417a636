package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/token"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func TestEverythingOfASpaceNeedsAToken(t *testing.T) {
	d := newGuardedDeck(t, TokenOptions{}, Quota{}, testTuning())
	good, expired := tokenFor(t, "ana", time.Hour), tokenFor(t, "ana", -time.Minute)
	for _, path := range []string{
		"/v1/spaces", "/v1/spaces/shop", "/shop", "/v1/spaces/shop/snapshot", "/shop/snapshot",
		"/v1/spaces/shop/schema/" + d.space().State().SchemaHash, "/shop/schema/x", "/v1/spaces/nowhere", "/nowhere", "/v1/spaces/shop/ws", "/shop/ws",
	} {
		for name, h := range map[string]http.Header{
			"none": nil, "expired": bearerOf(expired), "another scheme": {"Authorization": {"Basic YTpi"}}, "garbage": bearerOf("x.y.z"), "empty": {"Authorization": {""}},
		} {
			status, code, resp := d.request("GET", path, h, "")
			if status != http.StatusUnauthorized || code != tidemark.CodeUnauthenticated || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s with %s: %d %s", path, name, status, code)
			}
		}
		if status, code, _ := d.request("GET", path, bearerOf(good), ""); code == tidemark.CodeUnauthenticated {
			t.Errorf("%s with a good one: %d", path, status)
		}
	}
	if status, code, _ := d.request("POST", "/shop/sync", nil, `["h",1]`); status != http.StatusUnauthorized || code != tidemark.CodeUnauthenticated {
		t.Errorf("sync: %d %s", status, code)
	}
	for _, path := range []string{"/v1/health", "/v1/ready", "/metrics"} {
		if status, _, _ := d.request("GET", path, nil, ""); status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
	}
	// What comes through a proxy on this machine comes from anywhere.
	if status, _, _ := d.request("GET", "/metrics", http.Header{"X-Forwarded-For": {"192.0.2.1"}}, ""); status != http.StatusUnauthorized {
		t.Errorf("metrics from elsewhere: %d", status)
	}
	h := bearerOf(good)
	h.Set("X-Forwarded-For", "192.0.2.1")
	if status, _, _ := d.request("GET", "/metrics", h, ""); status != http.StatusOK {
		t.Errorf("metrics with a token: %d", status)
	}
}

func TestATokenInAnAddressIsRefused(t *testing.T) {
	d := newGuardedDeck(t, TokenOptions{}, Quota{}, testTuning())
	good := tokenFor(t, "ana", time.Hour)
	for _, name := range []string{"token", "access_token", "jwt"} {
		for _, path := range []string{"/shop", "/v1/spaces", "/shop/ws", "/shop/snapshot"} {
			for _, h := range []http.Header{nil, bearerOf(good)} {
				if status, code, _ := d.request("GET", path+"?"+name+"="+good, h, ""); status != http.StatusBadRequest || code != tidemark.CodeUsage {
					t.Errorf("%s in %s: %d %s", name, path, status, code)
				}
			}
		}
	}
	if strings.Contains(d.logs.String(), good) {
		t.Error("the log has it")
	}
}

func TestSessionsOfPrincipals(t *testing.T) {
	d := newGuardedDeck(t, TokenOptions{}, Quota{}, testTuning())
	ana := tokenFor(t, "ana", time.Hour, "jti", "1")
	header, first := d.newDevice(), d.newDevice()
	header.signIn(ana)
	header.send(&header.hello)
	first.hello.Token = ana
	first.open()
	first.send(&first.hello)
	for _, v := range []*device{header, first} {
		w, ok := v.next().(*wire.Welcome)
		if !ok || w.Principal != "ana" || w.Expires < w.Time+3500_000 || w.Expires > w.Time+3601_000 {
			t.Fatalf("%+v", w)
		}
		v.send(v.push(insertItem(int64(len(v.hello.Replica)+int(v.hello.Seq)+100), v.hello.Replica)))
		if o := v.outcome(); o.Kind != tidemark.Accepted {
			t.Fatalf("%+v", o)
		}
		v.reach(o1(v))
	}
	if o := d.authors(); len(o) != 2 || o[0] != "ana" || o[1] != "ana" {
		t.Errorf("authors %v", o)
	}
}

// o1 is the seq of the newest changeset of the space.
func o1(v *device) tidemark.Seq { return v.d.space().State().Head }

// authors lists who made the changesets of the space.
func (d *deck) authors() (list []string) {
	d.t.Helper()
	err := d.space().store.View(context.Background(), func(v tidemark.View) error {
		return v.Log(0, 100, func(e tidemark.LogEntry) error {
			list = append(list, e.Author)
			return nil
		})
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return list
}

func TestAFirstMessageThatNeverComes(t *testing.T) {
	tune := testTuning()
	tune.hello = 300 * time.Millisecond
	d := newGuardedDeck(t, TokenOptions{}, Quota{}, tune)
	v := d.newDevice()
	v.open()
	if r, ok := v.next().(*wire.Refusal); !ok || r.Code != tidemark.CodeUnauthenticated {
		t.Errorf("%+v", r)
	}
	if _, err := v.read(); err == nil {
		t.Error("the connection stays open")
	}
}

func TestFirstMessagesThatSayNothingOfWhoItIs(t *testing.T) {
	d := newGuardedDeck(t, TokenOptions{}, Quota{}, testTuning())
	hello := func(text string) []byte {
		v := d.newDevice()
		v.hello.Token = text
		return wire.AppendUp(nil, &v.hello)
	}
	for name, c := range map[string]struct {
		kind int
		b    []byte
		code tidemark.Code
	}{
		"a hello without":      {websocket.TextMessage, hello(""), tidemark.CodeUnauthenticated},
		"a bad token":          {websocket.TextMessage, hello("x.y.z"), tidemark.CodeUnauthenticated},
		"an expired one":       {websocket.TextMessage, hello(tokenFor(t, "ana", -time.Hour)), tidemark.CodeUnauthenticated},
		"a huge token":         {websocket.TextMessage, hello(strings.Repeat("x", token.MaxSize+1)), tidemark.CodeUnauthenticated},
		"a push":               {websocket.TextMessage, []byte(`["p",1,"AQIDBAUGBwg",0,[]]`), tidemark.CodeUnauthenticated},
		"a token alone":        {websocket.TextMessage, []byte(`["t","x"]`), tidemark.CodeUnauthenticated},
		"garbage":              {websocket.TextMessage, []byte(`garbage`), tidemark.CodeProtocol},
		"a binary frame":       {websocket.BinaryMessage, hello(tokenFor(t, "ana", time.Hour)), tidemark.CodeProtocol},
		"more than it may say": {websocket.TextMessage, hello(strings.Repeat("x", firstSize)), tidemark.CodeTooLarge},
	} {
		v := d.newDevice()
		v.open()
		if err := v.conn.WriteMessage(c.kind, c.b); err != nil {
			t.Fatal(err)
		}
		r, ok := v.next().(*wire.Refusal)
		if !ok || r.Code != c.code {
			t.Errorf("%s: %+v", name, r)
		}
		if _, err := v.read(); err == nil {
			t.Errorf("%s: the connection stays open", name)
		}
	}
	eventually(t, "none of them is held for somebody unknown", func() bool { return d.srv.unknown.Load() == 0 })
	// Whether a space is there is told to those who may know.
	v := d.newDevice()
	v.hello.Token = tokenFor(t, "ana", time.Hour)
	conn, _, err := (&websocket.Dialer{Subprotocols: []string{wire.Subprotocol}}).Dial("ws"+strings.TrimPrefix(d.http.URL, "http")+"/nowhere/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	v.conn = conn
	defer conn.Close()
	v.send(&v.hello)
	if r, ok := v.next().(*wire.Refusal); !ok || r.Code != tidemark.CodeNoSpace {
		t.Errorf("%+v", r)
	}
}

func TestRenewalOnTheOpenConnection(t *testing.T) {
	d := newGuardedDeck(t, TokenOptions{Leeway: 50 * time.Millisecond}, Quota{}, testTuning())
	v := d.newDevice()
	v.signIn(tokenFor(t, "ana", 5*time.Second)) // which a slow machine has renewed by then
	v.send(&v.hello)
	if w, ok := v.next().(*wire.Welcome); !ok {
		t.Fatalf("%+v", w)
	}
	v.send(&wire.Token{Token: tokenFor(t, "ana", 6*time.Second)})
	until := wait[*wire.Renewed](v).Expires
	v.send(v.push(insertItem(1, "one")))
	if o := v.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
	r := wait[*wire.Refusal](v)
	if r.Code != tidemark.CodeUnauthenticated || r.Fatal || time.Now().UnixMilli() < until {
		t.Fatalf("%+v, %d ms before its end", r, until-time.Now().UnixMilli())
	}
	if _, err := v.read(); err == nil {
		t.Error("the connection stays open")
	}
}

func TestTokensOfOthersOnAConnection(t *testing.T) {
	d := newGuardedDeck(t, TokenOptions{}, Quota{}, testTuning())
	ana, ben := tokenFor(t, "ana", time.Hour), tokenFor(t, "ben", time.Hour)
	for name, say := range map[string]func(v *device) tidemark.Code{
		"a token": func(v *device) tidemark.Code { v.send(&wire.Token{Token: ben}); return tidemark.CodeForbidden },
		"a hello": func(v *device) tidemark.Code {
			v.hello.Token = ben
			v.send(&v.hello)
			return tidemark.CodeForbidden
		},
		"an expired token": func(v *device) tidemark.Code {
			v.send(&wire.Token{Token: tokenFor(t, "ana", -time.Hour)})
			return tidemark.CodeUnauthenticated
		},
		"an empty one": func(v *device) tidemark.Code { v.send(&wire.Token{}); return tidemark.CodeUnauthenticated },
	} {
		v := d.newDevice()
		v.signIn(ana)
		v.send(&v.hello)
		v.next()
		code := say(v)
		if r := wait[*wire.Refusal](v); r.Code != code || r.Fatal != (code == tidemark.CodeForbidden) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	// Over plain HTTP the header and the hello must be of one.
	v := d.newDevice()
	v.hello.Token = ben
	if _, resp := v.trip("", bearerOf(ana)); resp.StatusCode != http.StatusForbidden {
		t.Errorf("%d", resp.StatusCode)
	}
	v.hello.Token = ana
	if down, resp := v.trip("", bearerOf(ana)); len(down) == 0 {
		t.Errorf("%d", resp.StatusCode)
	}
	if _, resp := v.trip("", bearerOf(ana), &wire.Token{Token: ana}); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a token in a request's body: %d", resp.StatusCode)
	}
}

// A hello that somebody overheard says nothing under another's token.
func TestAReplicaIsItsPrincipals(t *testing.T) {
	d := newGuardedDeck(t, TokenOptions{}, Quota{}, testTuning())
	ana, ben := bearerOf(tokenFor(t, "ana", time.Hour)), bearerOf(tokenFor(t, "ben", time.Hour))
	v := d.newDevice()
	v.trip("", ana)
	overheard := *v
	down, _ := overheard.trip("", ben, overheard.push(insertItem(1, "forged")))
	if r, ok := down[0].(*wire.Refusal); !ok || r.Code != tidemark.CodeForbidden || !r.Fatal || len(down) != 1 {
		t.Fatalf("%+v", down)
	}
	if head := d.space().State().Head; head != 0 {
		t.Fatalf("head %d", head)
	}
	down, _ = v.trip("", ana, v.push(insertItem(1, "hers")))
	if _, ok := down[0].(*wire.Welcome); !ok {
		t.Fatalf("%+v", down)
	}
}

// A copy from before there were tokens belongs to the first who comes with it.
func TestACopyOfNobodyIsClaimed(t *testing.T) {
	checkLeaks(t)
	path := filepath.Join(t.TempDir(), "shop.sqlite")
	makeFile(t, path, shopSchema)
	serveWith := func(o Options) *deck {
		o.TempDir = t.TempDir()
		srv, err := newServer(o, testTuning())
		if err != nil {
			t.Fatal(err)
		}
		if err := srv.Add(context.Background(), "shop", path); err != nil {
			t.Fatal(err)
		}
		return &deck{t: t, srv: srv, http: httptest.NewServer(srv), path: path, logs: &syncBuffer{}}
	}
	free := serveWith(Options{})
	v := free.newDevice()
	v.trip("", nil)
	stolen := *v
	if err := free.srv.Close(); err != nil {
		t.Fatal(err)
	}
	free.http.Close()

	d := serveWith(Options{Auth: testTokens(t, TokenOptions{})})
	defer func() { _ = d.srv.Close(); d.http.Close() }()
	v.d, stolen.d = d, d
	ana, ben := bearerOf(tokenFor(t, "ana", time.Hour)), bearerOf(tokenFor(t, "ben", time.Hour))
	guess := *v
	guess.hello.Ticket = "guessed"
	if down, _ := guess.trip("", ben); down[0].(*wire.Refusal).Code != tidemark.CodeFork {
		t.Fatalf("claimed without a ticket: %+v", down[0])
	}
	if down, _ := v.trip("", ana); down[0].(*wire.Welcome).Principal != "ana" {
		t.Fatalf("%+v", down[0])
	}
	if down, _ := stolen.trip("", ben); down[0].(*wire.Refusal).Code != tidemark.CodeForbidden {
		t.Fatalf("%+v", down[0])
	}
}

func TestRevokedOnesAreSentAway(t *testing.T) {
	list := filepath.Join(t.TempDir(), "revoked")
	if err := os.WriteFile(list, []byte("# nobody yet\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newGuardedDeck(t, TokenOptions{Revoked: list}, Quota{}, testTuning())
	ana, ben := tokenFor(t, "ana", time.Hour), tokenFor(t, "ben", time.Hour, "jti", "b7")
	var all []*device
	for _, text := range []string{ana, ben} {
		v := d.newDevice()
		v.signIn(text)
		v.send(&v.hello)
		v.next()
		all = append(all, v)
	}
	if err := os.WriteFile(list, []byte("sub: ana\njti: b7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if r := wait[*wire.Refusal](v); r.Code != tidemark.CodeUnauthenticated {
			t.Errorf("%+v", r)
		}
	}
	if status, code, _ := d.request("GET", "/shop", bearerOf(ben), ""); status != http.StatusUnauthorized {
		t.Errorf("%d %s", status, code)
	}
	if status, _, _ := d.request("GET", "/shop", bearerOf(tokenFor(t, "ben", time.Hour, "jti", "b8")), ""); status != http.StatusOK {
		t.Errorf("another token of ben's: %d", status)
	}
	// A list that cannot be read changes nothing.
	if err := os.WriteFile(list, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.srv.opts.Auth.(*Tokens).Reload(); tidemark.CodeOf(err) != tidemark.CodeUsage {
		t.Errorf("%v", err)
	}
	if status, _, _ := d.request("GET", "/shop", bearerOf(ana), ""); status != http.StatusUnauthorized {
		t.Errorf("%d", status)
	}
}

// guests is an authenticator that knows everybody without a token, too.
type guests struct{ *Tokens }

func (g guests) Authenticate(ctx context.Context, text string) (tidemark.Principal, error) {
	if text == "" {
		return tidemark.Principal{ID: "guest"}, nil
	}
	return g.Tokens.Authenticate(ctx, text)
}

func TestAnAuthenticatorMayTakeGuests(t *testing.T) {
	d := newDeck(t, Options{Auth: guests{testTokens(t, TokenOptions{})}, Policies: everybodyMayWrite(t)}, testTuning())
	v := d.newDevice()
	v.open()
	v.send(&v.hello)
	if w, ok := v.next().(*wire.Welcome); !ok || w.Principal != "guest" || w.Expires != 0 {
		t.Fatalf("%+v", w)
	}
	for _, query := range []string{"/shop/ws", "/shop"} {
		if status, code, _ := d.request("GET", query, nil, ""); code == tidemark.CodeUnauthenticated {
			t.Errorf("%s: %d %s", query, status, code)
		}
	}
	v = d.newDevice()
	v.open()
	v.send(&wire.Ack{})
	if r, ok := v.next().(*wire.Refusal); !ok || r.Code != tidemark.CodeProtocol {
		t.Errorf("%+v", r)
	}
}
