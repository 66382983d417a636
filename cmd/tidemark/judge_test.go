package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark/server"
)

// judgeTool is the endpoint of a hook: it rejects changesets in which the word
// bad stands, with the code bad_word, and accepts all others.
func judgeTool() {
	listen := flag.String("listen", "127.0.0.1:0", "")
	secret := flag.String("secret", "", "")
	ready := flag.String("ready", "", "")
	flag.Parse()
	key, err := os.ReadFile(*secret)
	die(err)
	l, err := net.Listen("tcp", *listen)
	die(err)
	die(os.WriteFile(*ready+".part", []byte(l.Addr().String()+"\n"), 0o644))
	die(os.Rename(*ready+".part", *ready))
	endByInterrupt()
	die(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = server.VerifyWebhook([]byte(strings.TrimSpace(string(key))), r.Header, body, time.Now())
		}
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusUnauthorized)
		// The whole value: three letters may stand in a hash.
		case strings.Contains(string(body), "a bad word"):
			_, _ = fmt.Fprint(w, `{"reject":{"code":"bad_word","message":"mind your language","change":0,"columns":["v"]}}`)
		default:
			_, _ = fmt.Fprint(w, `{"accept":true}`)
		}
	})))
}
