package client

import (
	"testing"

	"github.com/tidemarkdb/tidemark"
)

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"http://127.0.0.1:7420/shop":             "http://127.0.0.1:7420/v1/spaces/shop",
		"http://127.0.0.1:7420/shop/":            "http://127.0.0.1:7420/v1/spaces/shop",
		"http://host/v1/spaces/shop":             "http://host/v1/spaces/shop",
		"https://host/below/v1/spaces/shop/":     "https://host/below/v1/spaces/shop",
		"https://host/below/here/shop":           "https://host/below/here/v1/spaces/shop",
		"ws://host:1/shop":                       "http://host:1/v1/spaces/shop",
		"wss://host/shop":                        "https://host/v1/spaces/shop",
		"HTTP://host/caf%C3%A9%20au%20lait":      "http://host/v1/spaces/caf%C3%A9%20au%20lait",
		"http://[::1]:7420/shop":                 "http://[::1]:7420/v1/spaces/shop",
		"http://host/v1/spaces/with%2Fa%2Fslash": "http://host/v1/spaces/with%2Fa%2Fslash",
	} {
		a, err := parseAddress(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if a.String() != want {
			t.Errorf("%s: %s", in, a)
		}
		if again, err := parseAddress(a.String()); err != nil || again.String() != want {
			t.Errorf("%s does not parse to itself: %v", want, err)
		}
	}
	a, _ := parseAddress("wss://host/a%20b")
	if a.space != "a b" || a.socket() != "wss://host/v1/spaces/a%20b/ws" || a.at("schema", "x") != "https://host/v1/spaces/a%20b/schema/x" {
		t.Errorf("%q %s %s", a.space, a.socket(), a.at("schema", "x"))
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	for _, in := range []string{"", "shop", "host:7420/shop", "ftp://host/shop", "http://host", "http://host/", "http:///shop",
		"http://user:secret@host/shop", "http://host/shop?token=x", "http://host/shop#x", "http://ho st/x", "http://host/%zz"} {
		_, err := parseAddress(in)
		if tidemark.CodeOf(err) != tidemark.CodeUsage || tidemark.HintOf(err) == "" {
			t.Errorf("%q: %v", in, err)
		}
	}
}
