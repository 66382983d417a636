package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
)

// A server that takes the connection and never says a word does not hold up
// whoever wants to end: not until the handshake has taken too long.
func TestEndingDoesNotWaitForAnAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			gone <- err
			return
		}
		_, err = http.ReadRequest(bufio.NewReader(c))
		cancel()
		if err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		gone <- errors.Join(err, c.Close())
	}()
	conn, _, err := shakeHands(ctx, dialer(http.DefaultClient), "ws://"+l.Addr().String(), nil)
	if err == nil {
		t.Fatal("connected to nobody", conn.Close())
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it waited until the handshake was over: %v", err)
	}
	if err := <-gone; !errors.Is(err, io.EOF) {
		t.Errorf("the connection ended with %v", err)
	}
}
