package client

import (
	"net/url"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// address is where a space is served.
type address struct {
	base  url.URL // http or https, up to and including the name of the space
	space string
}

const apiPath = "/v1/spaces/"

// parseAddress takes http://host/NAME and http://host/v1/spaces/NAME, also
// below a path, with https, ws and wss as well.
func parseAddress(s string) (*address, error) {
	bad := func(msg string) error {
		return &tidemark.Error{Code: tidemark.CodeUsage, Op: "connect", Msg: msg,
			Hint: "write it like http://127.0.0.1:7420/NAME, NAME being the space"}
	}
	if !strings.Contains(s, "://") {
		return nil, bad("the address " + quote(s) + " does not begin with http:// or https://")
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, bad("the address " + quote(s) + " cannot be read")
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "ws":
		u.Scheme = "http"
	case "https", "wss":
		u.Scheme = "https"
	default:
		return nil, bad("the address " + quote(s) + " begins with " + u.Scheme + "://, not with http:// or https://")
	}
	prefix, name := splitSpace(strings.TrimRight(u.EscapedPath(), "/"))
	space, err := url.PathUnescape(name)
	switch {
	case u.Host == "":
		return nil, bad("the address " + quote(s) + " has no host")
	case err != nil || space == "":
		return nil, bad("the address " + quote(s) + " does not name a space")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, bad("the address " + quote(s) + " has more than host and path")
	}
	base := url.URL{Scheme: u.Scheme, Host: u.Host}
	return &address{base: *base.JoinPath(prefix, apiPath, name), space: space}, nil
}

// splitSpace cuts the name of the space off an escaped path.
func splitSpace(path string) (prefix, name string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	prefix, name = path[:i], path[i+1:]
	return strings.TrimSuffix(prefix, strings.TrimSuffix(apiPath, "/")), name
}

func quote(s string) string { return "\"" + s + "\"" }

// String is the canonical form, which is kept in the file.
func (a *address) String() string { return a.base.String() }

// at returns the address of a part of the space.
func (a *address) at(part ...string) string { return a.base.JoinPath(part...).String() }

// socket returns the address for a WebSocket.
func (a *address) socket() string {
	u := a.base.JoinPath("ws")
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	return u.String()
}
