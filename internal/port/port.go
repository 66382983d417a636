// Package port finds ports for tests that let one go and take it again: a
// server that comes back where it was.
//
// A port that the system chose (port 0) does not do for that: while it is let
// go the system may give it to anybody. Those of Free are below what systems
// choose from, and no two calls of one process return the same.
package port

import (
	"net"
	"os"
	"strconv"
	"sync/atomic"
)

// The ports, of which each process begins with another one.
const (
	first = 20_000
	last  = 29_999
)

var given atomic.Uint32

// Free returns an address of this machine, host and port, on which nobody
// listens. It gives up, and returns port 0, when all are taken.
func Free() string {
	for range last - first + 1 {
		n := (uint32(os.Getpid())*101 + given.Add(1)) % (last - first + 1)
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+int(n)))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		if l.Close() == nil {
			return address
		}
	}
	return "127.0.0.1:0"
}
