package client

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// A server's beats wake nobody: the loop hears what stands between them alone.
func TestBeatsDoNotReachTheLoop(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{}
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		for _, m := range []string{`["o"]`, `["s","h","{}"]`, `["o",[]]`, `["o"]`, `["t",7]`, `["o"]`} {
			if err := conn.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
				t.Error(err)
			}
		}
	}))
	defer srv.Close()
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(srv.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var heard []replica.Event
	l := &socket{conn: conn, ways: &ways{}, quit: make(chan struct{}), out: func(ev replica.Event) bool {
		heard = append(heard, ev)
		return true
	}}
	l.read() // until the server hangs up
	if len(heard) != 3 || !l.spoke.Load() {
		t.Fatalf("the loop heard %+v", heard)
	}
	_, schema := heard[0].(replica.Received).Msg.(*wire.Schema)
	_, renewed := heard[1].(replica.Received).Msg.(*wire.Renewed)
	_, over := heard[2].(replica.Disconnected)
	if !schema || !renewed || !over {
		t.Fatalf("the loop heard %+v", heard)
	}
}
