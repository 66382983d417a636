package e2e

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// cable is a connection between one replica and the server that can be cut. The
// server behind it may change its address.
type cable struct {
	listener net.Listener
	target   atomic.Value // host:port
	cut      atomic.Bool
	noSocket atomic.Bool // answer 403 to WebSocket upgrades, as some proxies do

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func newCable(t *testing.T, target string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{listener: l, conns: map[net.Conn]bool{}}
	c.target.Store(target)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { c.carry(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		c.hangUp()
		wg.Wait()
	})
	return c
}

func (c *cable) address() string { return "http://" + c.listener.Addr().String() }

func (c *cable) carry(near net.Conn) {
	defer func() { _ = near.Close() }()
	if c.cut.Load() {
		return
	}
	far, err := net.Dial("tcp", c.target.Load().(string))
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	c.keep(near, true)
	c.keep(far, true)
	defer c.keep(near, false)
	defer c.keep(far, false)
	if c.cut.Load() {
		return
	}
	done := make(chan struct{}, 2)
	go func() { c.forward(far, near); done <- struct{}{} }()
	go func() { _, _ = io.Copy(near, far); done <- struct{}{} }()
	<-done
	_ = near.Close()
	_ = far.Close()
	<-done
}

// forward passes what the replica sends, unless it asks for a WebSocket and must not have one.
func (c *cable) forward(far, near net.Conn) {
	if !c.noSocket.Load() {
		_, _ = io.Copy(far, near)
		return
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := near.Read(buf)
		if n > 0 {
			if containsUpgrade(buf[:n]) {
				_, _ = io.WriteString(near, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				return
			}
			if _, err := far.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func containsUpgrade(b []byte) bool {
	const want = "sec-websocket-key"
	h := http.CanonicalHeaderKey(want)
	for i := 0; i+len(h) <= len(b); i++ {
		if string(b[i:i+len(h)]) == h || string(b[i:i+len(h)]) == want || string(b[i:i+len(h)]) == "Sec-WebSocket-Key" {
			return true
		}
	}
	return false
}

func (c *cable) keep(conn net.Conn, on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if on {
		c.conns[conn] = true
	} else {
		delete(c.conns, conn)
	}
}

func (c *cable) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		_ = conn.Close()
	}
}

// sever cuts the cable; mend puts it together again.
func (c *cable) sever() { c.cut.Store(true); c.hangUp() }
func (c *cable) mend()  { c.cut.Store(false) }
