package main

import (
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/server"
)

// hookFlags name an endpoint that judges changesets.
type hookFlags struct {
	Hook    string        `name:"hook" env:"TIDEMARK_HOOK" placeholder:"URL" help:"Ask this HTTP endpoint about every changeset; it accepts, or rejects with a code of the app's own."`
	Secret  string        `name:"hook-secret" env:"TIDEMARK_HOOK_SECRET" placeholder:"FILE" help:"Sign what the endpoint is sent with the secret in this file (HMAC-SHA256, at least 32 bytes)."`
	Timeout time.Duration `name:"hook-timeout" env:"TIDEMARK_HOOK_TIMEOUT" default:"5s" placeholder:"TIME" help:"Wait this long for an answer, three times, before the changeset is put off (${default})."`
	Fail    string        `name:"hook-fail" env:"TIDEMARK_HOOK_FAIL" default:"closed" enum:"closed,open" placeholder:"closed|open" help:"What becomes of changesets while the endpoint cannot be asked: they wait (closed), or are let through unjudged (open)."`
}

// checkHook finds flags that do not go together.
func (f *hookFlags) checkHook() error {
	switch {
	case f.Hook == "" && (f.Secret != "" || f.Fail == "open"):
		return usageError("there is no endpoint to ask", "add --hook URL")
	case f.Hook != "" && f.Secret == "":
		return usageError("--hook needs a secret, by which the endpoint knows that this server asks",
			"make one: openssl rand -hex 32 > hook.secret, and add --hook-secret hook.secret")
	case f.Hook != "" && f.Timeout <= 0:
		return usageError("--hook-timeout must be longer than nothing", "write it like 5s")
	}
	return nil
}

// hooked adds the hook to a server's options.
func (f *hookFlags) hooked(s *shell, o server.Options) (server.Options, error) {
	if f.Hook == "" {
		return o, nil
	}
	text, err := os.ReadFile(f.Secret)
	if err != nil {
		return o, &tidemark.Error{Code: tidemark.CodeUsage, Msg: "the secret of the hook cannot be read", Err: err,
			Hint: "make one: openssl rand -hex 32 > " + quoteArg(f.Secret)}
	}
	w := server.WebhookOptions{
		URL: f.Hook, Secret: []byte(strings.TrimSpace(string(text))), Timeout: f.Timeout, FailOpen: f.Fail == "open", Logger: s.log,
	}
	hook, err := server.NewWebhook(w)
	if err != nil {
		return o, err
	}
	if u, err := url.Parse(f.Hook); err == nil && u.Scheme == "http" && !loopback(host(u)) {
		s.note("tidemark: warning: rows travel to %s in the clear; use https where others can listen", f.Hook)
	}
	o.Hook, o.HookTimeout = hook, w.Patience()
	return o, nil
}

// host is the host and port of an address, as loopback wants it.
func host(u *url.URL) string {
	if u.Port() == "" {
		return u.Hostname() + ":80"
	}
	return u.Host
}

// hookFailing tells of a hook that cannot judge.
func hookFailing(s *shell, e server.Event) {
	s.note("tidemark: space %s: the hook cannot judge, and what it should judge waits: %s", clean(e.Space), oneLine(e.Err.Error()))
}
