package port

import (
	"net"
	"testing"
)

func TestFreeAgainAndAgain(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		address := Free()
		if seen[address] {
			t.Fatalf("%s came twice", address)
		}
		seen[address] = true
		for range 2 {
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
